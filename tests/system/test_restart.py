"""Tests with a real server and a killed daemon that since when a mailbox fails is known after a restart."""

from __future__ import annotations

import json
import signal
from datetime import datetime

import pytest

from tests.servers.daemon import daemon_for
from tests.servers.dovecot import Dovecot
from tests.servers.process import wait_until
from tests.servers.world import MailWorld

ALICE = '{target="alice",kind="mailbox",provider="",domain="example.test",probe="imap"}'
START = f"mailprobe_probe_failure_start_timestamp_seconds{ALICE}"
SUCCESS = f"mailprobe_probe_last_success_timestamp_seconds{ALICE}"
FAILS = f"mailprobe_probe_success{ALICE}"


def test_a_killed_daemon_knows_afterwards_since_when_it_fails(mail_world: MailWorld, dovecot: Dovecot) -> None:
    """On /metrics before the first run, in the ticket, and in the cause."""
    with daemon_for(mail_world) as daemon:
        wait_until(lambda: daemon.metric(FAILS) == 1, 30, "the mailbox works")
        dovecot.stop()
        try:
            wait_until(lambda: daemon.metric(FAILS) == 0, 30, "the mailbox fails")
            began, worked = daemon.metric(START), daemon.metric(SUCCESS)
            assert began is not None
            assert worked is not None
            assert began > worked
            daemon.stop(signal.SIGKILL)
            daemon.start()
            assert daemon.metric(START) == began
            assert daemon.metric(SUCCESS) == worked
            wait_until(lambda: daemon.metric(FAILS) == 0, 30, "the mailbox fails again")
            assert daemon.metric(START) == began
            told = json.loads(daemon.text("/api/v1/report?target=alice&format=json"))
            (history,) = [each for each in told["history"] if each["probe"] == "imap"]
            assert datetime.fromisoformat(history["since"]["utc"]).timestamp() == pytest.approx(began, abs=0.01)
            assert datetime.fromisoformat(history["last_success"]["utc"]).timestamp() == pytest.approx(worked, abs=0.01)
        finally:
            dovecot.start()
