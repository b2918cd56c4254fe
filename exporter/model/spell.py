"""Spell: from when until when something failed."""

from __future__ import annotations

from dataclasses import dataclass

GAP = 300.0  # seconds; a failure that returns sooner continues the one before


@dataclass(slots=True)
class Spell:
    """The latest failure of one thing. Times are Unix times in seconds; 0 if there is none."""

    start: float = 0.0  # the first bad look
    end: float = 0.0  # the first good look after it; 0 while it lasts

    @property
    def lasts(self) -> bool:
        """Whether the failure has not ended."""
        return self.start > 0.0 and self.end == 0.0

    def look(self, at: float, *, bad: bool) -> None:
        """Take over a look that began at this Unix time.

        A thing that fails again and again, with less than GAP seconds in between, has one failure: its alert would not
        end in between either.
        """
        if not bad:
            if self.lasts:
                self.end = at
            return
        if not self.start or (self.end and at - self.end >= GAP):
            self.start = at
        self.end = 0.0
