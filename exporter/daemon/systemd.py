"""Sends READY=1, WATCHDOG=1 and STOPPING=1 to systemd (sd_notify(3)). Does nothing without systemd."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable


def notify(state: str) -> bool:
    """Send `state` to the service manager. Never raises and never blocks: a missing receiver is not an error."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):  # a name in Linux's abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as sock:
            sock.sendto(state.encode(), address)
    except OSError:
        return False
    return True


def watchdog_interval() -> float | None:
    """Return the seconds between two WATCHDOG=1, half of systemd's timeout; None if this process has no watchdog."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    watched = os.environ.get("WATCHDOG_PID", "")
    if not microseconds.isdecimal() or int(microseconds) == 0:
        return None
    if watched and watched != str(os.getpid()):
        return None
    return int(microseconds) / 2_000_000


class Watchdog:
    """Sends WATCHDOG=1 while the scheduler's loop is running, at most as often as systemd needs it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = watchdog_interval()
        self._clock = clock
        self._next = 0.0

    def alive(self) -> None:
        if self._interval is not None and self._clock() >= self._next:
            self._next = self._clock() + self._interval / 2  # the scheduler may call seconds late
            notify("WATCHDOG=1")
