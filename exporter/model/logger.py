"""Loggers that take the fields of a log line as keyword arguments: `logger.info("works again", target=name)`.

The names become keys of the line, in the order given; `daemon/log_setup.py` formats it.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

_OWN = ("exc_info", "stack_info", "stacklevel")  # keyword arguments of the standard library


class Logger(logging.LoggerAdapter[logging.Logger]):
    """A logger of the standard library that takes the fields of a line as keyword arguments."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        own = {name: kwargs.pop(name) for name in _OWN if name in kwargs}
        return msg, {**own, "extra": {"fields": kwargs}}


def logger_of(name: str) -> Logger:
    """Return a logger. `name`: the module's `__name__`."""
    return Logger(logging.getLogger(name))
