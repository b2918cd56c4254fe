"""What a probe writes down while it walks: phases with their times, facts, and a transcript without secrets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exporter.model import Fact, FactName, Line, Phase

MAX_LINES = 200
MAX_TEXT = 512


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Server text made safe to show: control characters become `.`, and it is cut at `limit` characters."""
    cut = text[:limit]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else "\n" if c == "\n" else "." for c in cut)
    return cut + "…" if len(text) > limit else cut


class Trace:
    """The notebook of one run.

    `on_progress` is called with each phase as it begins (for a terminal). Times are `time.perf_counter()` seconds.
    """

    __slots__ = (
        "_arrived",
        "_open",
        "_times",
        "attempted",
        "facts",
        "failed_phase",
        "lines",
        "on_progress",
        "refused",
        "started",
    )

    def __init__(self, on_progress: Callable[[Phase], None] | None = None) -> None:
        self.started = time.perf_counter()
        self.facts: list[Fact] = []
        self.lines: list[Line] = []
        self.failed_phase: Phase | None = None
        self.attempted = False  # a password was sent
        self.refused = False  # and refused
        self.on_progress = on_progress
        self._times: dict[Phase, float] = {}
        self._arrived = 0.0
        self._open: Phase | None = None

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Name and time a step. If it raises, this is where the run failed.

        The clock stops when the step's last bytes arrived at the socket (see `arrived`), not when our coroutine got
        its turn: a busy event loop must not look like a slow server. Phases are not nested; one used twice adds up.
        """
        self._open = phase
        if self.on_progress is not None:
            self.on_progress(phase)
        began = time.perf_counter()
        try:
            yield
        except BaseException:
            if self.failed_phase is None:
                self.failed_phase = phase
            self._close(phase, began, time.perf_counter())
            raise
        self._close(phase, began, self._arrived if self._arrived > began else time.perf_counter())

    def _close(self, phase: Phase, began: float, ended: float) -> None:
        self._times[phase] = self._times.get(phase, 0.0) + ended - began
        self._open = None

    @property
    def phases(self) -> tuple[tuple[Phase, float], ...]:
        """Seconds per phase, in order of first use."""
        return tuple(self._times.items())

    def arrived(self, at: float) -> None:
        """The socket callback says when bytes came in (`time.perf_counter()`)."""
        self._arrived = at

    def fact(self, name: FactName, value: float | str, *labels: str) -> None:
        """Write a fact down the moment it is known, so that a later failure does not hide it."""
        self.facts.append(Fact(name, clean(value) if isinstance(value, str) else value, labels))

    def said(self, direction: str, text: str) -> None:
        """Add to the transcript: `>` we, `<` the server, `#` a remark. Callers mask credentials before."""
        if len(self.lines) < MAX_LINES:
            self.lines.append(Line(time.perf_counter() - self.started, direction, clean(text)))
        elif len(self.lines) == MAX_LINES:
            self.lines.append(Line(time.perf_counter() - self.started, "#", "transcript truncated"))
