"""The loggers of this program: what a line is about goes in by name, `logger.info("works again", target=name)`.

The names become keys of the line, in the order given: see `daemon/log_setup.py`.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

_OWN = ("exc_info", "stack_info", "stacklevel")  # of the standard library


class Logger(logging.LoggerAdapter[logging.Logger]):
    """A logger of the standard library that takes the fields of a line as keyword arguments."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        own = {name: kwargs.pop(name) for name in _OWN if name in kwargs}
        return msg, {**own, "extra": {"fields": kwargs}}


def logger_of(name: str) -> Logger:
    """`name`: the module's `__name__`."""
    return Logger(logging.getLogger(name))
