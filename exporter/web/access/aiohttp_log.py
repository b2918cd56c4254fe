"""Replaces aiohttp's log messages by our own, without any byte of the request and at most one per minute.

aiohttp's own messages quote the header that it could not parse, which may contain a password, and include a traceback
for every such request, even before authentication.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from exporter.model.logger import logger_of

logger = logger_of(__name__)

TOLD_EVERY = 60.0  # seconds between lines about the same
FRAMES = 4  # of a stack, the innermost
BAD = "a request is no proper HTTP and is refused"
LEFT = "a client left before it had its answer"
SLOW = "a request is given up, its client is too slow"
FAILED = "the web server failed at a request"


class Complaints(logging.Handler):
    """Takes aiohttp's lines and writes ours."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        # By what is told, which has a bound: it is a line of a program.
        self._silent: Counter[str] = Counter()  # occurrences since the last line
        self._told_at: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        level, message, fields = judged(record)
        key = " ".join((message, *fields.values()))
        self._silent[key] += 1
        now = time.monotonic()
        if now - self._told_at.get(key, float("-inf")) < TOLD_EVERY:
            return
        count, self._silent[key], self._told_at[key] = self._silent[key], 0, now
        about: dict[str, Any] = fields | _client(record)
        logger.log(level, message, **about, since_last_line=count)


def complaints() -> logging.Logger:
    """For aiohttp to write to: what it says goes nowhere else."""
    made = logging.getLogger(f"{__name__}.aiohttp")
    made.setLevel(logging.WARNING)
    made.propagate = False
    made.handlers[:] = [Complaints()]
    return made


def judged(record: logging.LogRecord) -> tuple[int, str, dict[str, str]]:
    """Level, message and fields. What a client can bring about is a warning; an error's text may quote the request."""
    _, error, stack = record.exc_info or (None, None, None)
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        return logging.WARNING, BAD, {}
    if isinstance(error, ConnectionError):
        return logging.WARNING, LEFT, {}
    if error is not None:
        return logging.ERROR, FAILED, {"err": type(error).__name__, "at": _places(stack)}
    if record.args:  # that a handler's time was up is told without an exception
        return logging.WARNING, SLOW, {}
    return logging.ERROR, FAILED, {"err": str(record.msg).partition(",")[0]}  # a repr of ours follows the comma


def _client(record: logging.LogRecord) -> dict[str, str]:
    """Its address, where aiohttp tells it."""
    return {"client": str(record.args[0])} if isinstance(record.args, tuple) and record.args else {}


def _places(stack: TracebackType | None) -> str:
    """`file:line function`, the innermost first."""
    frames = traceback.extract_tb(stack)[-FRAMES:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
