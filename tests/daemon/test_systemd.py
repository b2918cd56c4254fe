"""Tests of the messages to systemd."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from exporter.daemon.systemd import Watchdog, notify, watchdog_interval


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return the socket on which systemd would listen."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@mailprobe-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(address.replace("@", "\0", 1))
        sock.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield sock


def test_the_state_is_sent(systemd):
    assert notify("READY=1\nSTATUS=watching 3 targets")
    assert systemd.recv(100) == b"READY=1\nSTATUS=watching 3 targets"


def test_without_systemd_nothing_happens(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/notify")
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "vsock:2:1234")
    assert not notify("READY=1")


@pytest.mark.parametrize(
    ("microseconds", "pid", "seconds"),
    [
        ("20000000", "", 10.0),
        ("20000000", str(os.getpid()), 10.0),
        ("20000000", str(os.getpid() + 1), None),
        ("0", "", None),
        ("", "", None),
        ("soon", "", None),
    ],
    ids=["any-process", "this-process", "another-process", "zero", "none", "no-number"],
)
def test_the_watchdog_wants_a_sign_twice_in_its_time(monkeypatch, microseconds, pid, seconds):
    monkeypatch.setenv("WATCHDOG_USEC", microseconds)
    monkeypatch.setenv("WATCHDOG_PID", pid)
    assert watchdog_interval() == seconds


def test_signs_of_life_are_no_oftener_than_needed(systemd, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    now = 100.0
    watchdog = Watchdog(lambda: now)
    watchdog.alive()
    watchdog.alive()
    now += 5
    watchdog.alive()
    systemd.setblocking(False)
    assert [systemd.recv(100), systemd.recv(100)] == [b"WATCHDOG=1"] * 2
    with pytest.raises(BlockingIOError):
        systemd.recv(100)


def test_a_process_that_is_not_watched_sends_no_signs_of_life(systemd, monkeypatch):
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    Watchdog().alive()
    systemd.setblocking(False)
    with pytest.raises(BlockingIOError):
        systemd.recv(100)
