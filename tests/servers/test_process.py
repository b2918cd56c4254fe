"""Tests that servers are started, monitored and stopped, and that failures are reported."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import process
from tests.servers.process import Server, ServerError, accepts, binary, free_port, short_folder, started_at, sweep

ROOT = Path(__file__).parents[2]


class Shell(Server):
    """A shell script in the place of a server."""

    def __init__(self, script: str) -> None:
        super().__init__("shell")
        self.script = script

    def argv(self) -> list[str]:
        return ["/bin/sh", "-c", self.script]

    def ready(self) -> bool:
        return (self.folder / "ready").exists()


def test_a_missing_program_fails_and_names_its_package():
    with pytest.raises(pytest.fail.Exception, match="apt-get install dovecot-imapd"):
        binary("no-such-program", "dovecot-imapd")


def test_a_server_that_ends_at_once_is_an_error_with_its_log():
    with pytest.raises(ServerError, match="cannot open the cellar"), Shell("echo cannot open the cellar; exit 3"):
        pass


def test_one_that_does_not_listen_is_killed_with_its_children():
    server = Shell("trap '' TERM; sh -c \"trap '' TERM; touch ready; sleep 100 & wait; sleep 100\"").start()
    group = server.pid
    server.stop()
    assert not process._alive_in_group(group)
    server.close()
    assert not server.folder.exists()


def test_what_a_killed_run_left_is_swept_and_nothing_else(request: pytest.FixtureRequest):
    def sleeper() -> subprocess.Popen[bytes]:
        child = subprocess.Popen(["sleep", "100"], start_new_session=True)
        request.addfinalizer(child.wait)
        request.addfinalizer(child.kill)
        return child

    def left_behind(owner: str, child: subprocess.Popen[bytes], started: str) -> Path:
        folder = short_folder()
        (folder / "owner").write_text(owner)
        (folder / "server.pid").write_text(f"{child.pid} {started}")
        return folder

    orphan, of_another_run, reused_id = sleeper(), sleeper(), sleeper()
    dead_owner, living_owner = f"{os.getpid()} 1", f"{os.getpid()} {started_at(os.getpid())}"
    swept = [
        left_behind(dead_owner, orphan, started_at(orphan.pid)),
        left_behind(dead_owner, reused_id, "1"),
    ]
    kept = left_behind(living_owner, of_another_run, started_at(of_another_run.pid))
    sweep()
    assert not any(folder.exists() for folder in swept)
    assert kept.exists()
    assert orphan.wait(10) == -9
    assert of_another_run.poll() is None
    assert reused_id.poll() is None
    (kept / "owner").write_text(dead_owner)
    sweep()
    assert of_another_run.wait(10) == -9


def test_ports_are_free_and_never_given_twice():
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert not any(accepts(port) for port in ports[:5])


def test_no_other_process_gives_a_port_of_ours():
    say = "from tests.servers.process import BLOCK, free_port; print(free_port() // BLOCK)"
    done = subprocess.run([sys.executable, "-c", say], capture_output=True, text=True, check=True, cwd=ROOT)
    free_port()
    ours = {int(claim.getsockname().rpartition(b"-")[2]) // process.BLOCK for claim in process._claims}
    assert ours
    assert int(done.stdout) not in ours


def test_a_process_that_has_given_all_its_ports_claims_more(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "_ports", [])
    claims: list[socket.socket] = []
    monkeypatch.setattr(process, "_claims", claims)
    assert free_port()
    assert len(claims) == 1
    claims.pop().close()


def test_where_all_ports_are_claimed_it_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "_ports", [])
    monkeypatch.setattr(process, "BLOCKS", range(0))
    with pytest.raises(ServerError, match="no free port"):
        free_port()
