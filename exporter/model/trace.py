"""The Trace of one run: phases with their times, facts, and a transcript without secrets.

Probes and sessions write into it; the runner builds the Result from it. Callers must mask credentials before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import overload

from exporter.model import Fact, FactName, Line, LoginRecord, Phase, Service
from exporter.model.text import MAX_TEXT, clean

MAX_LINES = 200
_GREETS = {Service.IMAP: "*", Service.POP3: "+OK", Service.SMTP: "2"}


class Transcript(Sequence[Line]):
    """The lines of one run. They are decoded only when somebody reads them, which is rare and would cost time."""

    __slots__ = ("_entries", "_started")

    def __init__(self, entries: list[tuple[float, str, str | bytes]], started: float) -> None:
        self._entries = entries  # bytes may hold several lines
        self._started = started

    def _lines(self) -> list[Line]:
        return [
            Line(at - self._started, direction, clean(line))
            for at, direction, text in self._entries
            for line in ([text] if isinstance(text, str) else text.decode("ascii").removesuffix("\r\n").split("\r\n"))
        ]

    def __len__(self) -> int:
        return len(self._lines())

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | Sequence[Line]:
        return self._lines()[index]

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


class _Step:
    """An open phase, created by `Trace.phase`."""

    __slots__ = ("_began", "_phase", "_trace")

    def __init__(self, trace: Trace, phase: Phase) -> None:
        self._trace = trace
        self._phase = phase

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        trace, phase, began = self._trace, self._phase, self._began
        ended = trace.arrived_at
        if kind is not None:
            if trace.failed_phase is None:
                trace.failed_phase = phase
            ended = time.perf_counter()
        elif ended <= began:
            ended = time.perf_counter()
        times = trace.times
        times[phase] = times.get(phase, 0.0) + ended - began


class Trace:
    """Collects what happens during one run.

    `on_progress` is called with each phase when it starts (for a terminal). `patience`: seconds that a network step, or
    the whole run, may take. Times are `time.perf_counter()` seconds.
    """

    __slots__ = (
        "_count",
        "_entries",
        "_if_silent",
        "arrived_at",
        "asides",
        "credential_sent",
        "facts",
        "failed_phase",
        "login",
        "on_progress",
        "patience",
        "started",
        "times",
    )

    def __init__(self, on_progress: Callable[[Phase], None] | None = None, patience: float = math.inf) -> None:
        self.started = time.perf_counter()
        self.facts: list[Fact] = []
        self.failed_phase: Phase | None = None
        self.asides: list[str] = []  # what the server said beside the answer that is awaited; kept by the session
        self.login = LoginRecord()  # replaced by the login guard
        self.credential_sent = False  # the user name or the secret of the current login; set by the session
        self.on_progress = on_progress
        self.patience = patience
        self.times: dict[Phase, float] = {}
        self.arrived_at = 0.0  # when the last bytes arrived
        self._entries: list[tuple[float, str, str | bytes]] = []
        self._count = 0  # number of lines in the entries
        self._if_silent: tuple[float, str | Exception] = (0.0, "")  # `arrived_at` at that time, and the explanation

    def phase(self, phase: Phase) -> _Step:
        """Name and time a step, as a context manager. If it raises, this is the phase where the run failed.

        The clock stops when the step's last bytes arrived at the socket (see `arrived`), not when our coroutine
        continued: a busy event loop must not look like a slow server. Phases are not nested; the times of a repeated
        phase are added up.
        """
        if self.on_progress is not None:
            self.on_progress(phase)
        return _Step(self, phase)

    @property
    def phases(self) -> tuple[tuple[Phase, float], ...]:
        """Seconds per phase, in order of first use."""
        return tuple(self.times.items())

    def arrived(self, at: float) -> None:
        """Called by the socket callback when bytes arrive (`time.perf_counter()`)."""
        self.arrived_at = at

    def if_silent(self, explanation: str | Exception) -> None:
        """Set what to report if no more bytes arrive: a guess in words, or the exception that it is known to mean."""
        self._if_silent = self.arrived_at, explanation

    @property
    def silence(self) -> str | Exception:
        """Return the explanation why no bytes arrived; empty if some did arrive, or none is known."""
        at, explanation = self._if_silent
        return explanation if at == self.arrived_at else ""

    def fact(self, name: FactName, value: float | str, *labels: str) -> None:
        """Write a fact as soon as it is known, so that a later failure does not hide it."""
        if isinstance(value, str) and not (len(value) <= MAX_TEXT and value.isprintable()):
            value = clean(value)
        self.facts.append(Fact(name, value, labels))

    def greeting(self, protocol: Service | None = None) -> str:
        """Return the last greeting noted from a server of this protocol, or ""."""
        start = _GREETS.get(protocol, "") if protocol else ""
        greetings = (str(fact.value) for fact in reversed(self.facts) if fact.name is FactName.GREETING)
        return next((greeting for greeting in greetings if greeting.startswith(start)), "")

    @property
    def lines(self) -> Transcript:
        """The transcript so far."""
        return Transcript(self._entries, self.started)

    @property
    def full(self) -> bool:
        """Tell whether the transcript accepts no more lines."""
        return self._count > MAX_LINES

    def said(self, direction: str, text: str | bytes) -> None:
        """Add to the transcript: `>` sent, `<` received, `#` a remark. The caller masks credentials before.

        Bytes must be ASCII. They are decoded when somebody reads them, so that a run that nobody reads costs nothing.
        """
        if self._count < MAX_LINES:
            self._count += 1
            kept = text if len(text) <= MAX_TEXT else text[: MAX_TEXT + 1]
            self._entries.append((time.perf_counter(), direction, kept))
        elif self._count == MAX_LINES:
            self._count += 1
            self._entries.append((time.perf_counter(), "#", "transcript truncated"))

    def heard(self, lines: bytes, count: int) -> bool:
        """Add whole ASCII lines of the server at once. Returns False if there is not enough room for them."""
        if self._count + count > MAX_LINES:
            return False
        self._count += count
        self._entries.append((time.perf_counter(), "<", lines))
        return True
