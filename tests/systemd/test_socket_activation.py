"""Tests of --web.systemd-socket with systemd's own tool, which listens and starts a program like mailprobe.socket."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from exporter.daemon import socket_activation
from exporter.web.listener import StartError
from tests.servers.daemon import ROOT, Daemon, mailprobe
from tests.servers.process import binary

CONFIG = "endpoints: [{name: first, host: 127.0.0.1, port: 1, security: tls, protocol: imap}]\n"
WEB_CONFIG = "rate_limit: {interval: 1s, burst: 1000}\n"  # connections are accepted by other code where there is one


class Activated(Daemon):
    """Started by the first connection to a socket that is not its own."""

    def argv(self) -> list[str]:
        listen = f"--listen=127.0.0.1:{self.port}"
        tool = [binary("systemd-socket-activate", "systemd"), listen, f"--setenv=PYTHONPATH={ROOT}"]
        run = [f"--config.file={self.config}", f"--storage.path={self.folder}/data", "--web.systemd-socket"]
        return [*tool, sys.executable, "-m", "exporter", "run", *run, *self.flags]


@pytest.mark.parametrize("guarded", [False, True])
def test_it_serves_on_the_socket_that_it_is_passed(tmp_path: Path, *, guarded: bool):
    (tmp_path / "web.yml").write_text(WEB_CONFIG)
    flags = (f"--web.config.file={tmp_path}/web.yml",) if guarded else ()
    with Activated(CONFIG, {}, flags) as daemon:
        assert "mailprobe_build_info" in daemon.text("/metrics")
        assert f'mailprobe_web_info{{external_url="{daemon.url}"}}' in daemon.text("/metrics")
        assert f"listen=127.0.0.1:{daemon.port}" in daemon.tail()


def test_without_a_socket_it_says_so(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    done = mailprobe("run", "--web.systemd-socket", f"--storage.path={tmp_path}/data", cwd=tmp_path)
    assert done.returncode == 1
    assert "systemd has passed no socket: is mailprobe.socket enabled" in done.stderr
    stray = {"LISTEN_PID": "1", "LISTEN_FDS": "1"}  # meant for another process
    again = mailprobe("run", "--web.systemd-socket", f"--storage.path={tmp_path}/data", cwd=tmp_path, **stray)
    assert "systemd has passed no socket" in again.stderr


def passed(monkeypatch: pytest.MonkeyPatch, descriptor: int) -> None:
    """As if systemd had passed this one."""
    monkeypatch.setattr(socket_activation, "FIRST", descriptor)
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        (socket.AF_UNIX, socket.SOCK_STREAM),  # clients of a Unix socket would count as our own account
        (socket.AF_INET, socket.SOCK_DGRAM),
        (socket.AF_INET, socket.SOCK_STREAM),  # does not listen
    ],
)
def test_anything_but_a_listening_tcp_socket_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, family, kind):
    made = socket.socket(family, kind)
    if family == socket.AF_UNIX:
        made.bind(str(tmp_path / "socket"))
        made.listen()
    passed(monkeypatch, made.detach())
    with pytest.raises(StartError, match="is no listening TCP socket"):
        socket_activation.inherited()
    assert "LISTEN_FDS" not in os.environ


def test_a_descriptor_that_is_no_socket_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with (tmp_path / "file").open("w") as file:
        passed(monkeypatch, file.fileno())
        with pytest.raises(StartError, match="is no socket"):
            socket_activation.inherited()
