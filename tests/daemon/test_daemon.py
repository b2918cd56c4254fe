"""Tests of the daemon as a process: it probes real servers, reloads, rejects errors, keeps secrets, and stops."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import resource
import signal
import socket
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canary import leaks
from tests.servers.daemon import ROOT, Daemon, daemon_for, mailprobe
from tests.servers.dovecot import Dovecot
from tests.servers.process import ServerError, free_port, wait_until
from tests.servers.world import ALICE, MailWorld

CANARY = "c4nary-Pa55 wörd"

EMPTY = "mailboxes: []\n"


@pytest.fixture
def daemon(mail_world: MailWorld) -> Iterator[Daemon]:
    with daemon_for(mail_world) as running:
        yield running


def succeeded(daemon: Daemon, probe: str, target: str = "alice") -> bool:
    return daemon.metric(f'mailprobe_probe_success{{target="{target}"') is not None and any(
        line.startswith("mailprobe_probe_success{") and f'target="{target}"' in line and f'probe="{probe}"' in line
        for line in daemon.text("/metrics").splitlines()
        if line.endswith(" 1")
    )


def test_every_probe_succeeds_against_real_servers(daemon: Daemon):
    """DNS, TLS, IMAP, SMTP and a round trip all succeed on /metrics, with the latencies of their phases."""
    for target, probe in (
        ("alice", "imap"),
        ("alice", "smtp"),
        ("bob", "imap"),
        ("bob", "smtp"),
        ("example.test", "dns"),
        ("alice-to-bob", "roundtrip"),
    ):
        wait_until(lambda: succeeded(daemon, probe, target), 30, f"{probe} of {target} succeeds")  # noqa: B023
    text = daemon.text("/metrics")
    assert 'phase="arrive"' in text
    assert "mailprobe_roundtrip_last_seconds{" in text
    assert 'mailprobe_dns_policy_valid{domain="example.test"' in text
    assert "mailprobe_tls_certificate_not_after_timestamp_seconds{" in text
    assert "mailprobe_quota_limit_bytes{" in text


def test_metrics_are_negotiated_and_compressed(daemon: Daemon):
    request = urllib.request.Request(
        daemon.url + "/metrics",
        headers={"Accept": "application/openmetrics-text; version=2.0.0", "Accept-Encoding": "gzip"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        assert "version=1.0.0" in answer.headers["Content-Type"]
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.read()).endswith(b"# EOF\n")


def test_a_bad_configuration_is_refused_and_the_old_one_runs_on(daemon: Daemon):
    """An invalid file changes nothing but a metric; the message names file, line and key."""
    good = daemon.config.read_text()
    daemon.config.write_text(good.replace("late_after", "late_aftre"))
    status, text = daemon.post("/-/reload")
    assert status == 500
    assert "config.yaml:" in text
    assert "did you mean late_after" in text
    assert daemon.metric("mailprobe_config_last_reload_successful") == 0
    assert 'target="alice"' in daemon.text("/metrics")
    assert "running configuration is not the file’s" in daemon.text("/")
    daemon.config.write_text(good)
    assert daemon.post("/-/reload")[0] == 200
    assert "running configuration" not in daemon.text("/")
    assert daemon.metric("mailprobe_config_last_reload_successful") == 1


def test_a_disk_that_refuses_is_told_on_the_page_until_it_takes_writes_again(daemon: Daemon):
    limits = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
    wait_until(lambda: "cannot write to its storage folder" in daemon.text("/?lang=en"), 20, "the warning")
    assert daemon.text("/-/ready")
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, limits)
    wait_until(lambda: "cannot write to its storage folder" not in daemon.text("/?lang=en"), 20, "its end")


def test_sighup_reloads_and_a_target_that_left_takes_its_series_along(daemon: Daemon):
    daemon.config.write_text(daemon.config.read_text().partition("routes:")[0].replace("name: bob", "name: robert"))
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: 'target="robert"' in daemon.text("/metrics"), 10, "the new name is there")
    assert 'target="bob"' not in daemon.text("/metrics")
    assert 'target="alice-to-bob"' not in daemon.text("/metrics")


def test_a_change_is_taken_over_without_being_asked():
    config = "endpoints: [{name: first, host: 127.0.0.1, port: 1, security: tls, protocol: imap}]\n"
    with Daemon(config, {}, ["--config.enable-auto-reload", "--config.auto-reload-interval=1s"]) as daemon:
        assert 'target="first"' in daemon.text("/metrics")
        daemon.config.write_text(config.replace("first", "second"))
        wait_until(lambda: 'target="second"' in daemon.text("/metrics"), 30, "the new name is there")


def test_sigterm_ends_it_with_code_0_even_while_probes_hang(mail_world: MailWorld):
    """A server that never answers does not delay the stop."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = f"endpoints: [{{name: silent, host: 127.0.0.1, port: {port}, security: tls, protocol: imap}}]\n"
        with Daemon(config, {}) as daemon:
            silent.accept()[0].detach()
            process = daemon._process
            assert process is not None
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=100) == 0


def test_a_wrong_password_is_tried_twice_then_left_alone_also_after_a_restart(mail_world: MailWorld, dovecot: Dovecot):
    """The account is never locked: after two refusals it is paused, and a kill of the daemon does not reset this."""
    before = refusals(dovecot)
    with daemon_for(mail_world) as daemon:
        wait_until(lambda: succeeded(daemon, "imap"), 20, "the login succeeds")
        dovecot.set_password(ALICE, "another")
        wait_until(lambda: suspended(daemon), 30, "logins are suspended")
        assert refusals(dovecot) - before == 2
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.stop()
        daemon.start()
        wait_until(lambda: suspended(daemon), 30, "logins are still suspended")
        assert refusals(dovecot) - before == 2
        daemon.secret("alice", "another")
        wait_until(lambda: succeeded(daemon, "imap"), 30, "the new password is used at once")
        assert refusals(dovecot) - before == 2


def suspended(daemon: Daemon) -> bool:
    return any(
        line.startswith("mailprobe_login_suspended{") and 'target="alice"' in line and line.endswith(" 1")
        for line in daemon.text("/metrics").splitlines()
    )


def refusals(dovecot: Dovecot) -> int:
    """Return how many wrong passwords dovecot has logged."""
    log = dovecot.log.read_text(errors="replace")
    return log.count("Password mismatch")


def test_no_secret_leaves_it(mail_world: MailWorld, dovecot: Dovecot):
    """A canary password is in no page, metric, log, JSON, state file or process list, in plain, base64 or SASL form."""
    dovecot.set_password(ALICE, CANARY)
    mail_world.users[ALICE] = CANARY
    with daemon_for(mail_world, flags=["--log.level=debug"]) as daemon:
        wait_until(lambda: succeeded(daemon, "imap") and succeeded(daemon, "smtp"), 30, "the logins succeed")
        dovecot.set_password(ALICE, "not the canary")
        wait_until(lambda: suspended(daemon), 30, "logins are suspended")
        pages = ["/", "/?lang=zh", "/targets/alice", "/targets/alice-to-bob", "/metrics", "/config", "/sd"]
        pages += ["/api/v1/targets", "/api/v1/targets/alice", "/logs?target=alice&module=imap"]
        pages += [f"/probe?target=alice&module={probe}&debug=true" for probe in ("imap", "smtp")]
        pages += [f"/api/v1/report?target=alice&format={shape}" for shape in ("text", "md", "json")]
        texts = {path: daemon.text(path) for path in pages}
        texts["log"] = daemon.tail(10_000)
        texts["process list"] = subprocess.run(["ps", "auxeww"], capture_output=True, text=True, check=True).stdout
        texts["/logs?id="] = daemon.text(
            "/logs?id=" + json.loads(texts["/api/v1/targets/alice"])["target"]["results"][0]["probe_id"]
        )
        checked = mailprobe("check", "alice", f"--url={daemon.url}", "--json", cwd=daemon.folder)
        texts["check"] = checked.stdout + checked.stderr
        for path in (daemon.folder / "data").iterdir():
            if not path.is_socket():
                texts[path.name] = path.read_bytes().decode("latin-1")
    found = leaks(CANARY, texts.values())
    assert not found, [name for name, text in texts.items() if text in found]
    assert "wrong_password" in texts["/targets/alice"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "--config.file=nowhere.yaml"], 2, "nowhere.yaml"),
        (["run", "--config.file=bad.yaml"], 2, "bad.yaml:1"),
        (["--config.check", "--config.file=bad.yaml"], 2, "bad.yaml:1"),
        (["--config.check", "--config.file=empty.yaml"], 0, ""),
        (["check", "--url=", "nobody"], 2, "unknown target nobody"),
        (["check", "--url=", "--probe=ping"], 2, "unknown probe ping"),
        (["check", "--url="], 2, "no target"),
        (["report", "--url=", "nobody"], 2, "unknown target nobody"),
        (["report", "--url=", "x", "--config.file=bad.yaml"], 2, "bad.yaml:1"),
        (["run", "--web.listen-address=9826"], 2, "listen-address"),
        (["frobnicate"], 2, "frobnicate"),
        (["healthcheck", "--url=http://127.0.0.1:1"], 1, "127.0.0.1:1"),
        (["healthcheck", "--url=ftp://x"], 2, "http"),
    ],
)
def test_a_mistake_gets_a_sentence_and_an_exit_code(tmp_path: Path, arguments: list[str], code: int, words: str):
    (tmp_path / "bad.yaml").write_text("mailboxen: []\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "config.yaml").write_text(EMPTY)
    done = mailprobe(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_said(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(EMPTY)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = mailprobe("run", f"--web.listen-address=127.0.0.1:{port}", cwd=tmp_path)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}: the port is in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_storage_path_that_is_no_folder_is_said(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(EMPTY)
    (tmp_path / "data").write_text("a file")
    done = mailprobe("run", cwd=tmp_path)
    assert done.returncode == 1
    assert "is not a folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_state_file_of_a_newer_version_is_left_alone(tmp_path: Path):
    (tmp_path / "config.yaml").write_text(EMPTY)
    with Daemon(EMPTY, {}) as daemon:
        data = daemon.folder / "data"
        daemon.stop()
        with contextlib.closing(sqlite3.connect(data / "mailprobe.db")) as db:
            db.execute("PRAGMA user_version = 99")
        before = (data / "mailprobe.db").read_bytes()
        with pytest.raises(ServerError, match="newer mailprobe"):
            daemon.start()
        assert (data / "mailprobe.db").read_bytes() == before


def test_check_beside_a_daemon_on_another_address_says_how_to_ask_it():
    with Daemon(EMPTY, {}) as daemon:
        flags = [f"--config.file={daemon.config}", f"--storage.path={daemon.folder}/data"]
        done = mailprobe("check", f"--url=http://127.0.0.1:{free_port()}", *flags, cwd=daemon.folder)
    assert done.returncode == 2
    assert "in use by another mailprobe" in done.stderr
    assert "--url" in done.stderr


@pytest.mark.parametrize("verb", ["check", "report"])
def test_a_daemon_with_another_configuration_does_not_answer_for_the_one_that_was_named(tmp_path: Path, verb: str):
    """The command runs alone and says why; in the daemon's own state folder it refuses."""
    other = tmp_path / "other.yaml"
    other.write_text('resolvers: ["127.0.0.1:1"]\ndomains: [{name: example.com}]\ndefaults: {timeout: 1s}\n')
    with Daemon(EMPTY, {}) as daemon:
        where = [f"--url={daemon.url}", f"--config.file={other}"]
        alone = mailprobe(verb, "example.com", *where, f"--storage.path={tmp_path}/data", cwd=tmp_path)
        refused = mailprobe(verb, "example.com", *where, f"--storage.path={daemon.folder}/data", cwd=tmp_path)
        own = mailprobe(verb, "example.com", where[0], f"--config.file={daemon.config}", cwd=tmp_path)
    told = f"the daemon at {daemon.url} has another configuration than {other}: prob"
    assert told in alone.stderr
    assert "example.com" in alone.stdout
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "in use by another mailprobe" in refused.stderr
    assert "has another configuration" not in own.stderr
    assert own.returncode == 2  # the daemon has no such target


def test_check_tells_cause_and_remedy_in_both_languages(mail_world: MailWorld, dovecot: Dovecot):
    """Exit code 1, the reason, the server's reply and the remedy; with --json, the object of the JSON interface."""
    dovecot.set_password(ALICE, "another")
    with daemon_for(mail_world) as daemon:
        english = mailprobe("check", "alice", "--probe=imap", f"--url={daemon.url}", "--lang=en", cwd=daemon.folder)
        chinese = mailprobe(
            "check", "alice", "--probe=imap", f"--url={daemon.url}", LANG="zh_CN.UTF-8", cwd=daemon.folder
        )
        as_json = mailprobe("check", "bob", "--probe=imap", f"--url={daemon.url}", "--json", cwd=daemon.folder)
    assert english.returncode == 1
    assert "wrong_password" in english.stdout
    assert "What to do" in english.stdout
    # The daemon's own run may have been first, over SMTP: then that server's reply is shown.
    assert "[AUTHENTICATIONFAILED]" in english.stdout or "535 5.7.8" in english.stdout
    assert "处理办法" in chinese.stdout
    assert as_json.returncode == 0
    report = json.loads(as_json.stdout)
    assert report["schema_version"] == 1
    assert [result["outcome"] for result in report["results"]] == ["ok"]
    assert report["causes"] == []


def test_the_version_is_one_line_to_grep():
    done = mailprobe("--version", cwd=ROOT)
    assert done.returncode == 0
    assert done.stdout.startswith("mailprobe, version ")


def test_the_schema_is_json_schema():
    done = mailprobe("schema", cwd=ROOT)
    assert done.returncode == 0
    assert "mailboxes" in json.loads(done.stdout)["properties"]
