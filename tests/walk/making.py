"""Makes each fault in the running world, and repairs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tests.servers.dns import Zone, txt
from tests.servers.dovecot import EXPIRED, GOOD, PASSWORD, SELF_SIGNED
from tests.walk.world import FOLDER, RECORDS, SOON, World

DISCARD = "discard;"
TO_JUNK = 'require ["fileinto"]; fileinto "Junk";'
KEEP = "keep;"
NEW_PASSWORD = "another p4ss"
SPF = txt("@", "v=spf1 ip4:127.0.0.1 -all")


class Way(NamedTuple):
    """How to make a fault, and how to repair it."""

    make: Callable[[World], object]
    mend: Callable[[World], object]


def _changed_password(world: World) -> None:
    world.dovecot.set_password("refused@example.test", NEW_PASSWORD)


def _learned_password(world: World) -> None:
    """Set the right password, as its owner would: the login guard sees a new secret and allows a login at once."""
    world.main.secret("refused", NEW_PASSWORD)


def _refuse_zone(world: World) -> None:
    world.authoritative.remove("dead.test")
    world.resolver.flush()


def _serve_zone(world: World) -> None:
    world.authoritative.add("dead.test", Zone(RECORDS))
    world.resolver.flush()


def _records(domain: str, *without: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.authoritative.change(domain, [each for each in RECORDS if each not in without])
        world.resolver.flush()

    return change


def _point(name: str, address: str) -> Callable[[World], None]:
    return lambda world: world.point(name, address)


def _sieve(name: str, script: str) -> Callable[[World], None]:
    return lambda world: world.dovecot.sieve(f"{name}@example.test", script)


def _rcpt(name: str, old: str, new: str) -> Callable[[World], None]:
    return lambda world: world.rewrite(f'"{old}@example.test"', f'"{new}@example.test"')


def _folder(verb: str) -> Callable[[World], object]:
    return lambda world: world.dovecot.doveadm("mailbox", verb, "-u", "folder@example.test", FOLDER)


def _throttle(words: str) -> Callable[[World], None]:
    return lambda world: world.dovecot.refuse("throttled@example.test", words)


def _quota(limit: str) -> Callable[[World], None]:
    return lambda world: world.dovecot.set_quota("full@example.test", limit)


def _spoil(world: World) -> None:
    world.spoilt.config.write_text(world.spoilt.config.read_text() + "\nno such key: 1\n")
    assert world.spoilt.post("/-/reload")[0] != 200


def _correct(world: World) -> None:
    world.spoilt.config.write_text(world.spoilt.config.read_text().replace("\nno such key: 1\n", ""))
    assert world.spoilt.post("/-/reload")[0] == 200


def _restore_push(world: World) -> None:
    """Restore the push.

    It pauses half a minute between retries, longer than the windows here: the alert fires and resolves.
    """
    firing = 'ALERTS{alertname="MailprobeNotificationsFailing",alertstate="firing",job="spoilt"}'
    world.prometheus.wait_for(firing, 60)
    world.push.start()


def _nothing(world: World) -> None:
    """Do nothing: this fault begins and ends with the one before it."""


WAYS = {
    "network": Way(lambda world: world.reference.stop(), lambda world: world.reference.start()),
    "resolver": Way(_refuse_zone, _serve_zone),
    "no-mx": Way(_records("nomx.test", RECORDS[0]), _records("nomx.test")),
    "no-spf": Way(_records("nospf.test", SPF), _records("nospf.test")),
    "server": Way(lambda world: world.hosted.stop(), lambda world: world.hosted.start()),
    "port": Way(_nothing, _nothing),
    "expired": Way(_point("expired", EXPIRED), _point("expired", GOOD)),
    "untrusted": Way(_point("untrusted", SELF_SIGNED), _point("untrusted", GOOD)),
    "expiring": Way(_point("expiring", SOON), _point("expiring", GOOD)),
    "refused": Way(_changed_password, _learned_password),
    "folder": Way(_folder("delete"), _folder("create")),
    "full": Way(_quota("95K"), _quota("100M")),
    "throttled": Way(_throttle("Rate limit exceeded, please slow down"), _throttle("")),
    "late": Way(_sieve("late", DISCARD), _sieve("late", KEEP)),
    "lost": Way(_nothing, _nothing),
    "junk": Way(_sieve("junk", TO_JUNK), _sieve("junk", KEEP)),
    "altered": Way(_rcpt("altered", "altered", "altered+altered"), _rcpt("altered", "altered+altered", "altered")),
    "twice": Way(_rcpt("twice", "twice", "twice+duplicate"), _rcpt("twice", "twice+duplicate", "twice")),
    "unreadable": Way(
        lambda world: (world.main.secrets / "unreadable").unlink(),
        lambda world: world.main.secret("unreadable", PASSWORD),
    ),
    "config": Way(_spoil, _correct),
    "state": Way(lambda world: world.lock(), lambda world: world.unlock()),
    "push": Way(lambda world: world.push.stop(), _restore_push),
    "stopped": Way(lambda world: world.main.stop(), lambda world: world.main.start()),
}
