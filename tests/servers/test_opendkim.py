"""opendkim as the tests start it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.servers.opendkim import OpenDkim
from tests.servers.process import wait_until


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_it_starts_itself_again_when_it_has_died(opendkim: OpenDkim):
    """Debian's build dies of its own now and then; postfix would refuse every mail from then on."""
    wait_until(lambda: bool(children(opendkim.pid)), 5, "it works in a child")
    (before,) = children(opendkim.pid)
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: children(opendkim.pid) not in ([], [before]), 10, "another child works")
    assert opendkim.running
