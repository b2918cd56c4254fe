"""Keeps the scope of a cause steady while it recovers. No I/O.

A wide cause (a server, provider, domain or zone) rests on evidence, for example the server's own tls probe. This
evidence ends before the last target has been looked at again. Without memory, the targets that are still red would
become causes of their own for some minutes, each with an alert.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from exporter.incidents.rootcause.topology import Failing

LINGER = 900.0  # seconds after the end of the evidence; who fails in a run that began later has a cause of its own

Key = tuple[str, str]  # ("server", host:port), ("provider", id), ("domain", name) or ("dns", zone)


class Holds:
    """The wide causes whose evidence has ended, with the Unix time at which it did."""

    def __init__(self) -> None:
        self._present: AbstractSet[Key] = frozenset()
        self.ended: dict[Key, float] = {}

    def look(self, present: AbstractSet[Key], now: float) -> None:
        """Take over for which wide causes there is evidence now."""
        for key in self._present - present:
            self.ended[key] = now
        for key in present & self.ended.keys():
            del self.ended[key]
        self._present = present

    def holds(self, key: Key, each: Failing) -> bool:
        """Return whether the failure belongs to a cause whose evidence has ended.

        Only failures that the cause could explain are asked for, for example connections that this server refused.
        What fails so while others have not recovered yet is the same fault, unless it was seen much later.
        """
        ended = self.ended.get(key)
        return ended is not None and each.started < ended + LINGER

    def keep(self, keys: AbstractSet[Key]) -> None:
        """Forget the causes that have no targets any more."""
        for key in self.ended.keys() - keys:
            del self.ended[key]
