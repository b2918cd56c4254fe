"""File descriptors: the system gives so many, and the web pages must have some whatever the probes do."""

from __future__ import annotations

import contextlib
import resource
from dataclasses import replace

from exporter.model.settings import Limits

KEPT = 48  # for the web pages, the state file, the log and the name servers
PER_RUN = 2  # a round trip has two connections


def raise_limit() -> None:
    """Use all descriptors that the system allows this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def limit() -> int:
    """How many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 30


def bounded(limits: Limits, descriptors: int) -> Limits:
    """As many runs at once as there are descriptors for."""
    room = max(1, (descriptors - KEPT) // PER_RUN)
    return limits if limits.in_flight <= room else replace(limits, in_flight=room)


def warning(limits: Limits, descriptors: int) -> str:
    """What to tell where `bounded` changes the limits; "" where it does not."""
    runs = bounded(limits, descriptors).in_flight
    if runs == limits.in_flight:
        return ""
    return (
        f"{descriptors} file descriptors are enough for {runs} probes at once, limits.in_flight is {limits.in_flight}: "
        f"raise the limit of open files (ulimit -n, LimitNOFILE=) to {KEPT + PER_RUN * limits.in_flight}"
    )
