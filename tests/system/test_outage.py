"""Tests of the daemon with real servers: one stopped server is one cause, on /metrics, on the page and in `check`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial

import pytest

from tests.servers.daemon import CONFIG, Daemon, daemon_for, mailprobe
from tests.servers.dovecot import Dovecot
from tests.servers.postfix import Postfix
from tests.servers.process import free_port, wait_until
from tests.servers.world import MailWorld

ROOT_CAUSE = "mailprobe_root_cause_info{"


@pytest.fixture
def daemon(mail_world: MailWorld) -> Iterator[Daemon]:
    with daemon_for(mail_world) as running:
        yield running


def root_causes(daemon: Daemon) -> dict[str, dict[str, str]]:
    """The labels of each target's root cause."""
    found = {}
    for line in daemon.text("/metrics").splitlines():
        if line.startswith(ROOT_CAUSE):
            pairs = (pair.split("=", 1) for pair in line.removeprefix(ROOT_CAUSE).partition("}")[0].split(","))
            labels = {name: value.strip('"') for name, value in pairs}
            found[labels["target"]] = labels
    return found


def told_once(daemon: Daemon, language: str, words: str) -> bool:
    return len(re.findall(words, daemon.text(f"/?lang={language}"))) == 1


def working(daemon: Daemon, probe: str) -> int:
    lines = daemon.text("/metrics").splitlines()
    return sum(
        line.startswith("mailprobe_probe_success{") and f'probe="{probe}"' in line and line.endswith(" 1")
        for line in lines
    )


def test_a_stopped_dovecot_is_one_cause_for_its_mailboxes_its_ports_and_the_route(
    daemon: Daemon, dovecot: Dovecot, postfix: Postfix
):
    """Scope `host`, wherever it is told, and gone when the server is back."""
    wait_until(lambda: working(daemon, "imap") == 2 and working(daemon, "roundtrip") == 1, 30, "everything works")
    # A postfix whose dovecot was started anew by the test before answers its first logins with 454.
    wait_until(lambda: root_causes(daemon) == {}, 70, "there is no cause")
    dovecot.stop()

    def all_there() -> bool:
        found = root_causes(daemon)
        return all(
            (labels.get("scope"), labels.get("layer"), labels.get("server"))
            == ("host", "transport", "mail.example.test")
            for labels in (found.get(name, {}) for name in ("alice", "bob", "alice-to-bob"))
        )

    wait_until(all_there, 30, "mailboxes and route have the server as their cause")
    labels = root_causes(daemon)["alice"]
    assert (labels["kind"], labels["domain"]) == ("mailbox", "example.test")
    for language, words in (
        ("en", r"2 of 2 mailboxes at mail\.example\.test fail \(\w+\): it is the server, not you\."),
        ("zh", r"mail\.example\.test 上 2 个邮箱中有 2 个失败（连接被拒绝 \w+）：是服务器的问题，不是您的问题。"),
    ):
        # Not at once: the smtp probes may have something else to say until dovecot's end has reached postfix.
        wait_until(partial(told_once, daemon, language, words), 15, f"the page tells it once: {words}")
        done = mailprobe("check", "alice", "--probe=imap", f"--url={daemon.url}", "--lang", language)
        assert done.returncode == 1, done.stderr
        assert re.search(words, done.stdout), done.stdout
    dovecot.start()
    postfix.restart()  # it throttles its service for a minute, since that cannot live without dovecot's SASL
    wait_until(lambda: root_causes(daemon) == {}, 40, "no cause is left")


def test_check_without_a_daemon_tells_the_same_cause(daemon: Daemon, dovecot: Dovecot):
    dovecot.stop()
    alone = ("--url=", f"--config.file={daemon.config}", f"--storage.path={daemon.folder}/alone")
    done = mailprobe("check", "--json", "--no-wait", *alone)
    report = json.loads(done.stdout)
    (cause,) = report["causes"]
    assert (done.returncode, cause["scope"], cause["layer"]) == (1, "host", "transport")
    assert {"alice", "bob", "alice-to-bob"} <= set(cause["targets"])


def test_without_our_own_network_nothing_is_said_about_the_mail_services(mail_world: MailWorld, dovecot: Dovecot):
    """The only reference is silent: failures are inconclusive, the verdicts before them stand, the cause is ours."""
    vantage = f"vantage: {{{{references: [{{{{tcp: '127.0.0.1:{free_port()}'}}}}]}}}}\n"
    with daemon_for(mail_world, CONFIG + vantage) as daemon:
        wait_until(lambda: working(daemon, "imap") == 2, 30, "everything works")
        wait_until(lambda: daemon.metric("mailprobe_vantage_up") == 0, 10, "the reference is silent")
        dovecot.stop()

        def ours() -> bool:
            found = root_causes(daemon).get("alice", {})
            return (found.get("scope"), found.get("reason")) == ("vantage", "vantage_offline")

        wait_until(ours, 30, "our network is the cause")
        assert working(daemon, "imap") == 2
        assert "Our own network is down: nothing can be said" in daemon.text("/?lang=en")
        assert "0 of 1 reference answer" in daemon.text("/?lang=en")
        last = "/logs?target=alice&module=imap"
        wait_until(lambda: "reason=vantage_offline" in daemon.text(last), 20, "a login could tell nothing")
        assert "rule=vantage:connection_refused" in daemon.text(last)
        assert "Connection refused" in daemon.text(last)
        skipped = daemon.metric('mailprobe_probes_skipped_total{probe="imap",reason="vantage_offline"}')
        assert skipped is not None
        assert skipped >= 1
