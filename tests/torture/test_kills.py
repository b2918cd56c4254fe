"""Ten routes on real servers, and a daemon that is killed at random instants: no mail is lost, invented or doubled.

`make torture` kills 500 times, in four worlds at once, the suite as often as KILLS says. SEED chooses the instants.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable

import pytest

from exporter.probes.roundtrip.message import short_id
from tests.servers.certs import Authority
from tests.servers.daemon import Daemon, mailprobe
from tests.servers.dovecot import Dovecot, User
from tests.servers.postfix import Postfix
from tests.servers.process import Server, wait_until
from tests.torture.slow_proxy import SlowProxy

KILLS = int(os.environ.get("MAILPROBE_TORTURE_KILLS", "20"))  # of all worlds together
WORLDS = int(os.environ.get("MAILPROBE_TORTURE_WORLDS", "1"))  # each with its own servers and daemon
SEED = int(os.environ.get("MAILPROBE_TORTURE_SEED", "9"))
ROUTES = 10
ANSWERS = 0.15  # seconds that each SMTP answer takes
LONGEST_LIFE = 2.5  # seconds after the daemon is ready
WRONG = "wrong@example.test"
# A login that a kill cuts off counts as refused, and hundreds of them would pause every account for a day.
REFUSALS_IN_A_ROW = 10  # then comes a pause that is longer than this test
BAD = ("late", "lost", "bounced", "duplicated")

HEAD = """\
defaults:
  interval: {{login: 1h, tls: 1h, dns: 1h, roundtrip: 2s}}
  timeout: 20s
  recheck: 1s
  ca_file: {ca_file}
login_guard: {{failures: {failures}, refusals_per_day: 1000, unsettled_per_day: 1000}}
limits: {{logins_per_host_per_minute: 6000, per_host: 40}}
mailboxes:
"""
MAILBOX = """\
  - name: {name}
    address: {name}@example.test
    password_file: secrets/{name}
    imap: {{host: 127.0.0.1, port: {imap}, security: tls, interval: {interval}}}
    smtp: {{host: 127.0.0.1, port: {smtp}, security: tls, interval: {interval}}}
"""
ROUTE = "  - {{name: from-{one}, from: {one}, to: {other}, late_after: 60s, lost_after: 90s}}\n"
BOXES = [f"box{number}" for number in range(ROUTES)]


def config(dovecot: Dovecot, smtp: int) -> str:
    parts = [HEAD.format(ca_file=dovecot.authority.ca_file, failures=REFUSALS_IN_A_ROW)]
    for name, interval in [*((name, "1h") for name in BOXES), (WRONG.partition("@")[0], "2s")]:
        parts.append(MAILBOX.format(name=name, imap=dovecot.imaps, smtp=smtp, interval=interval))
    parts += ["routes:\n", *(ROUTE.format(one=one, other=BOXES[at - 1]) for at, one in enumerate(BOXES))]
    return "".join(parts)


def counted(daemon: Daemon) -> Counter[str]:
    """What this life's metrics tell of bad events."""
    found: Counter[str] = Counter()
    for line in daemon.text("/metrics").splitlines():
        if match := re.match(r"mailprobe_roundtrip_messages_(\w+)_total\{.* ([\d.e+]+)$", line):
            found[match[1]] += int(float(match[2]))
    return found


def accepted(postfix: Postfix) -> set[str]:
    """The mails that postfix has put into its queue, by the random part of their tokens."""
    log = postfix.log.read_text(errors="replace")
    message_ids = dict(re.findall(r"cleanup\[\d+\]: (\w+): message-id=<(v1\.[0-9a-f.]+)@", log))
    queued = set(re.findall(r"qmgr\[\d+\]: (\w+): from=<box\d+@", log))
    return {short_id(token) for queue_id, token in message_ids.items() if queue_id in queued}


def rows(daemon: Daemon, select: str) -> set[str]:
    with contextlib.closing(sqlite3.connect(daemon.folder / "data" / "mailprobe.db")) as db:
        return {short_id(token) for (token,) in db.execute(select)}


@pytest.mark.parametrize("world", range(WORLDS))
def test_kills_at_random_instants(authority: Authority, launch: Callable[[Server], Server], world: int):
    users = {f"{name}@example.test": User() for name in BOXES} | {WRONG: User()}
    dovecot = Dovecot(authority, users)
    launch(dovecot)
    postfix = Postfix(dovecot)
    launch(postfix)
    instants, kills = random.Random(SEED + world), KILLS // WORLDS
    bad: Counter[str] = Counter()
    began = time.monotonic()
    secrets = {name: users[f"{name}@example.test"].password for name in BOXES}
    with SlowProxy(postfix.submissions, ANSWERS) as proxy:
        daemon = Daemon(config(dovecot, proxy.port), secrets | {"wrong": "not the password"})
        launch(daemon)
        for _ in range(kills):
            time.sleep(instants.uniform(0, LONGEST_LIFE))
            bad += counted(daemon)
            os.kill(daemon.pid, signal.SIGKILL)
            daemon.stop()
            daemon.start()
        wait_until(lambda: postfix.queue() == 0, 60, "postfix has delivered all")
        bad += counted(daemon)
        daemon.stop()
        checked = mailprobe(
            "check",
            "--url=",
            "--probe=roundtrip",
            f"--config.file={daemon.config}",
            f"--storage.path={daemon.folder}/data",
            cwd=daemon.folder,
        )
    mails = accepted(postfix)
    settled = rows(daemon, "SELECT token FROM settled")
    sent = rows(daemon, "SELECT token FROM in_flight WHERE NOT uncertain")
    uncertain = rows(daemon, "SELECT token FROM in_flight WHERE uncertain")
    in_mailboxes = sum(dovecot.count(f"{name}@example.test") for name in BOXES)
    refused = dovecot.log.read_text(errors="replace").count("Password mismatch")
    figures = {
        "kills": kills,
        "seed": SEED + world,
        "seconds": round(time.monotonic() - began),
        "accepted": len(mails),
        "settled": len(settled & mails),
        "accepted, not settled": len(mails - settled),
        "settled without acceptance": len(settled - mails),
        "in flight, taken for sent": len(sent),
        "in flight, uncertain": len(uncertain),
        "left in mailboxes": in_mailboxes,
        "refused logins": refused,
        **{each: bad[each] for each in BAD},
    }
    print("\n".join(f"{name}: {value}" for name, value in figures.items()))  # `make torture` shows it (-rP)
    assert mails
    assert mails <= settled
    assert not sent
    assert not uncertain & mails
    assert in_mailboxes == 0
    assert not any(bad[each] for each in BAD), bad
    assert 0 < refused <= REFUSALS_IN_A_ROW
    assert checked.returncode == 0, checked.stdout + checked.stderr
