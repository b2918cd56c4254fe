"""Which reports in a watched mailbox were opened before, so that no mail of a stranger is opened run after run."""

from __future__ import annotations

import json

MAX_KEPT = 500  # reports
TRIES = 2  # a report whose opening has ended a run so often is not opened again

Where = tuple[str, int, int]
"""Folder as the server names it, UIDVALIDITY, UID."""


class ReportsSeen:
    """Counts how often each report was opened; a report that is not about a mail of ours is done at once."""

    def __init__(self, kept: str | None = None) -> None:
        """`kept` is what `dump` gave in an earlier run. What cannot be read is nothing."""
        self._opened: dict[Where, int] = {}
        try:
            for folder, uidvalidity, uid, times in json.loads(kept or "[]"):
                self._opened[str(folder), int(uidvalidity), int(uid)] = int(times)
        except (ValueError, TypeError, RecursionError):
            self._opened = {}

    def is_done(self, where: Where) -> bool:
        """It is not to be opened again."""
        return self._opened.get(where, 0) >= TRIES

    def opening(self, where: Where) -> None:
        """It is opened now. Should that end the run, it has been tried once."""
        self._opened[where] = self._opened.pop(where, 0) + 1  # the newest come last

    def foreign(self, where: Where) -> None:
        """It has been read and is not about a mail of ours."""
        self._opened[where] = TRIES

    def dump(self) -> str:
        """For the next run: the newest ones."""
        return json.dumps([[*where, times] for where, times in list(self._opened.items())[-MAX_KEPT:]])
