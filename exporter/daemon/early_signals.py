"""Signals that come before the event loop listens to them: the daemon's modules alone take a second to load.

Imports nothing of ours, so that `hold` can be called before all else.
"""

from __future__ import annotations

import signal
import sys

_ENDS = (signal.SIGTERM, signal.SIGINT)


class Early:
    """What came in since `hold`."""

    def __init__(self) -> None:
        self.stop = False
        self.hangup = False

    def hold(self) -> None:
        """From now on SIGTERM and SIGINT end the process with 0, and a SIGHUP is remembered."""
        for number in _ENDS:
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_hangup)

    def release(self) -> None:
        """Give signals back their usual meaning: another command than the daemon runs."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def ignore(self) -> None:
        """The daemon has ended: a second signal must not change its exit code."""
        for number in (*_ENDS, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)

    def _on_stop(self, *_: object) -> None:
        self.stop = True  # where the exception below gets lost, in a callback of C code
        sys.exit(0)

    def _on_hangup(self, *_: object) -> None:
        self.hangup = True


early = Early()
