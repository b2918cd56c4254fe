"""Logs to stderr in the format of Prometheus: logfmt or JSON lines. Counts warnings and errors.

Write `logger.info("message", target=name)` to add keys and values, see `model/logger.py`. Passwords must never be
logged: they are `Secret` objects, and libraries that log what they send are silenced.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
FORMATS = ("logfmt", "json")
SILENCED = ("aioimaplib", "aiosmtplib", "mail.log")  # their debug messages contain passwords
MAX_VALUE = 4096

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+,<>%[]()")


def setup(level: str, fmt: str, on_message: Callable[[str], None], stream: TextIO | None = None) -> None:
    """Send all logging to stderr. `on_message` is called with the level of each line, as in LEVELS."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if fmt == "json" else _Logfmt())
    handler.addFilter(_ours_or_serious)
    handler.addFilter(_Counter(on_message))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])
    logging.captureWarnings(True)
    for name in SILENCED:
        logging.getLogger(name).disabled = True


def _ours_or_serious(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.partition(".")[0] in ("exporter", "__main__")


class _Counter:
    """Counts each line and lets it pass."""

    def __init__(self, on_message: Callable[[str], None]) -> None:
        self._on_message = on_message

    def filter(self, record: logging.LogRecord) -> bool:
        self._on_message(level_name(record.levelno))
        return True


def level_name(number: int) -> str:
    return max((value, name) for name, value in LEVELS.items() if value <= max(number, logging.DEBUG))[1]


def _pairs(record: logging.LogRecord) -> dict[str, Any]:
    """Return the keys and values of the line, in order."""
    at = datetime.fromtimestamp(record.created, UTC)
    pairs: dict[str, Any] = {
        "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level_name(record.levelno).upper(),
        "source": f"{record.filename}:{record.lineno}",
        "msg": record.getMessage(),
    }
    fields = getattr(record, "fields", None)
    if isinstance(fields, dict):
        pairs.update((str(key), value) for key, value in fields.items() if str(key) not in pairs)
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        pairs.setdefault("err", f"{type(error).__name__}: {error}")
        pairs["stack"] = "".join(traceback.format_tb(record.exc_info[2]))
    return pairs


class _Logfmt(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{_key(key)}={_value(value)}" for key, value in _pairs(record).items())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        pairs = {key: value[:MAX_VALUE] if isinstance(value, str) else value for key, value in _pairs(record).items()}
        return json.dumps(pairs, ensure_ascii=False, default=str)


def _key(key: str) -> str:
    return "".join(c if c in _BARE else "_" for c in key)


def _value(value: object) -> str:
    """Return the value as it is where logfmt allows it, else quoted and escaped, so that one record is one line."""
    text = str(value)[:MAX_VALUE]
    return text if text and _BARE.issuperset(text) else json.dumps(text, ensure_ascii=False)
