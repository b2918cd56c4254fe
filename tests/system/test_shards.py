"""Tests of three daemons with one configuration:

each account belongs to one daemon, and limits hold for all together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from exporter.model.sharding import shard_of
from tests.servers.daemon import Daemon, mailprobe
from tests.servers.dovecot import Dovecot
from tests.servers.process import wait_until
from tests.servers.world import MailWorld

TOTAL = 3
BOXES = [f"box{number}@example.test" for number in (0, 1, 3, 5, 8, 9, 13, 15)]
SENDER, RECEIVER = "box9@example.test", "box0@example.test"  # of different shards
UNKNOWN = "box13@example.test"
PASSWORD = "secret"

HEAD = """\
resolvers: ["{resolver}"]
defaults:
  interval: {{login: 2s, tls: 2s, dns: 2s, roundtrip: 2s}}
  timeout: 20s
  recheck: 1s
  ca_file: {ca_file}
  source_address: {source}
limits: {{logins_per_host_per_minute: 6000}}
routes: [{{name: trip, from: "{sender}", to: "{receiver}", late_after: 5s, lost_after: 60s}}]
mailboxes:
"""
MAILBOX = """\
  - address: {address}
    password_file: secrets/{file}
    imap: {{host: mail.example.test, port: {imaps}, security: tls}}
    smtp: {smtp}
"""
SMTP = "{{host: mail.example.test, port: {port}, security: starttls}}"


def config_of(world: MailWorld, shard: int) -> str:
    """The same for all, but that each comes from an address of its own, by which the servers tell them apart."""
    text = HEAD.format(
        resolver=world.resolver, ca_file=world.ca_file, sender=SENDER, receiver=RECEIVER, source=source(shard)
    )
    for address in BOXES:
        smtp = SMTP.format(port=world.submission) if address == SENDER else "off"
        text += MAILBOX.format(address=address, file=address.partition("@")[0], imaps=world.imaps, smtp=smtp)
    return text


def source(shard: int) -> str:
    return f"127.0.1.{shard + 1}"


@pytest.fixture
def fleet(mail_world: MailWorld, dovecot: Dovecot) -> Iterator[Callable[..., list[Daemon]]]:
    """Starts the daemons; they stop after the test."""
    for address in BOXES:
        dovecot.add_user(address)
        dovecot.set_password(address, PASSWORD)
    secrets = {address.partition("@")[0]: PASSWORD for address in BOXES}
    with ExitStack() as stack:

        def start() -> list[Daemon]:
            daemons = [
                Daemon(config_of(mail_world, shard), secrets, [f"--shard={shard}", f"--total-shards={TOTAL}"])
                for shard in range(TOTAL)
            ]
            for daemon in daemons:
                stack.callback(daemon.close)
            with ThreadPoolExecutor() as pool:
                list(pool.map(Daemon.start, daemons))
            return daemons

        yield start


def visitors(dovecot: Dovecot, address: str) -> set[str]:
    """Where the logins of an account came from, by dovecot's own log."""
    log = dovecot.log.read_text(errors="replace")
    return set(re.findall(rf"imap-login: Info: (?:Login|Logged in): user=<{re.escape(address)}>.* rip=([^,]+),", log))


def attempts(daemon: Daemon) -> dict[str, float]:
    """Runs with a login, by target; of a route each run logs in once to its receiver."""
    found: dict[str, float] = {}
    for line in daemon.text("/metrics").splitlines():
        match = re.match(r'mailprobe_login_attempts_total\{target="([^"]+)".*probe="(imap|roundtrip)"\} (\S+)', line)
        if match:
            found[match[1]] = float(match[3])
    return found


def targets(daemon: Daemon) -> set[str]:
    return {each["target"] for each in json.loads(daemon.text("/api/v1/targets"))["targets"]}


def test_each_account_is_logged_in_to_by_exactly_one_shard(fleet, dovecot: Dovecot):
    daemons = fleet()
    owners = {address: shard_of(address, TOTAL) for address in BOXES}
    assert set(owners.values()) == {0, 1, 2}
    for address, shard in owners.items():
        wait_until(lambda: attempts(daemons[shard]).get(address, 0) >= 2, 30, f"two logins of {address}")  # noqa: B023
    wait_until(lambda: succeeded(daemons[owners[SENDER]], "trip"), 30, "the round trip succeeds")
    seen = [targets(daemon) for daemon in daemons]
    assert set().union(*seen) == {*BOXES, "trip", "example.test", *_servers(daemons[0])}
    assert sum(map(len, seen)) == len(set().union(*seen))
    for number, daemon in enumerate(daemons):
        assert {name for name in seen[number] if name in BOXES} == {n for n in BOXES if owners[n] == number}
        assert ("trip" in seen[number]) == (number == owners[SENDER])
        text = daemon.text("/metrics")
        assert f'mailprobe_shard_ordinal{{shard_ordinal="{number}"}} {number}.0' in text
        assert "mailprobe_total_shards 3.0" in text
        assert set(re.findall(r'mailprobe_target_info\{target="([^"]+)"', text)) == seen[number]
        assert {each["labels"]["target"] for each in json.loads(daemon.text("/sd"))} == seen[number]
    assert "shard 1 of 3" in daemons[1].text("/?lang=en")
    assert "分片 1" in daemons[1].text("/?lang=zh")
    for where, flags, code, words in (
        (daemons[1].url, [], 2, f"is shard 1 of 3, and {RECEIVER} is not among its targets"),
        ("", ["--shard=1", "--total-shards=3", "--storage.path=alone"], 0, ""),
    ):
        config = f"--config.file={daemons[1].config}"
        done = mailprobe("check", RECEIVER, "--probe=imap", f"--url={where}", config, *flags, cwd=daemons[1].folder)
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    done = mailprobe("--config.check", config, "--shard=1", "--total-shards=3", cwd=daemons[1].folder)
    assert (done.returncode, "on shard 1 of 3" in done.stdout) == (0, True), done.stderr
    for address in BOXES:
        expected = {owners[address]} | ({owners[SENDER]} if address == RECEIVER else set())
        assert visitors(dovecot, address) == {source(shard) for shard in expected}
    for number, daemon in enumerate(daemons):
        kept, gone, rest = daemon.config.read_text().partition(f"  - address: {BOXES[-1]}\n")
        daemon.config.write_text(kept + "".join(rest.splitlines(keepends=True)[3:]))
        assert (bool(gone), daemon.post("/-/reload")[0]) == (True, 200)
        assert targets(daemon) == seen[number] - {BOXES[-1]}


def _servers(daemon: Daemon) -> set[str]:
    return set(re.findall(r"mail\.example\.test:\d+", daemon.config.read_text().replace(", port: ", ":")))


def test_all_shards_together_are_refused_no_more_often_than_one_daemon_would_be(fleet, dovecot: Dovecot):
    """Two of them log in to the receiver of a route: each has half of what the login guard allows.

    And an account that may have been another's until now costs one refusal, not two.
    """
    dovecot.set_password(UNKNOWN, "another")
    daemons = fleet()
    first, second = daemons[shard_of(RECEIVER, TOTAL)], daemons[shard_of(SENDER, TOTAL)]
    wait_until(lambda: succeeded(first, RECEIVER), 30, "the receiver's own check succeeds")
    wait_until(lambda: succeeded(second, "trip"), 30, "the round trip succeeds")
    dovecot.set_password(RECEIVER, "another")
    wait_until(lambda: suspended(first, RECEIVER), 30, "logins are suspended")
    wait_until(lambda: suspended(second, "trip"), 30, "logins are suspended")
    owner = daemons[shard_of(UNKNOWN, TOTAL)]
    wait_until(lambda: suspended(owner, UNKNOWN), 30, "logins are suspended")
    assert (refusals(dovecot, RECEIVER), refusals(dovecot, UNKNOWN)) == (2, 1)


def succeeded(daemon: Daemon, name: str) -> bool:
    return any(
        line.startswith(f'mailprobe_probe_success{{target="{name}"') and line.endswith(" 1")
        for line in daemon.text("/metrics").splitlines()
    )


def suspended(daemon: Daemon, name: str) -> bool:
    return any(
        line.startswith(f'mailprobe_login_suspended{{target="{name}"') and line.endswith(" 1")
        for line in daemon.text("/metrics").splitlines()
    )


def refusals(dovecot: Dovecot, address: str) -> int:
    return len(re.findall(rf"{re.escape(address)}.*Password mismatch", dovecot.log.read_text(errors="replace")))


def test_bad_flags_are_usage_errors(tmp_path):
    (tmp_path / "config.yaml").write_text("{}")
    for flags, words in (
        (["--shard=3", "--total-shards=3"], "--shard 3: must be 0 to 2"),
        (["--total-shards=0"], "--total-shards 0: must be 1 or more"),
        (["--total-shards=2"], "--total-shards 2 without --shard"),
    ):
        done = mailprobe("run", *flags, cwd=tmp_path)
        assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (2, True, False)
    done = mailprobe("run", "--shard=auto", "--total-shards=2", cwd=tmp_path, POD_NAME="mailprobe")
    assert (done.returncode, "--shard auto: POD_NAME is mailprobe" in done.stderr) == (2, True)
