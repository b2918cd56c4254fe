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

TOLD_EVERY = 60.0  # seconds between two lines about the same event
FRAMES = 4  # number of stack frames that are logged, innermost first
BAD = "an invalid HTTP request was rejected"
LEFT = "a client disconnected before it had the response"
SLOW = "a request was aborted because the client is too slow"
FAILED = "the web server failed to handle a request"


class Complaints(logging.Handler):
    """Receives aiohttp's log records and writes our own log lines."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        # By message and fields. The number of keys is limited, because none contains data from clients.
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
    """Return the logger for aiohttp. Its records go only to Complaints."""
    made = logging.getLogger(f"{__name__}.aiohttp")
    made.setLevel(logging.WARNING)
    made.propagate = False
    made.handlers[:] = [Complaints()]
    return made


def judged(record: logging.LogRecord) -> tuple[int, str, dict[str, str]]:
    """Return level, message and fields for a record.

    What a client can cause is only a warning. The text of an error is left out, because it may quote the request.
    """
    _, error, stack = record.exc_info or (None, None, None)
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        return logging.WARNING, BAD, {}
    if isinstance(error, ConnectionError):
        return logging.WARNING, LEFT, {}
    if error is not None:
        return logging.ERROR, FAILED, {"err": type(error).__name__, "at": _places(stack)}
    if record.args:  # aiohttp reports the timeout of a handler without an exception
        return logging.WARNING, SLOW, {}
    return (
        logging.ERROR,
        FAILED,
        {"err": str(record.msg).partition(",")[0]},
    )  # after the comma aiohttp adds the repr of one of our objects


def _client(record: logging.LogRecord) -> dict[str, str]:
    """Return the client's address, if the record has it."""
    return {"client": str(record.args[0])} if isinstance(record.args, tuple) and record.args else {}


def _places(stack: TracebackType | None) -> str:
    """Return the stack frames as `file:line function`, innermost first."""
    frames = traceback.extract_tb(stack)[-FRAMES:]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
