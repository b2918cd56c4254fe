"""Benchmark: root causes of 10,000 targets, when everything fails at once and when one target changes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import pytest

from exporter.incidents.rootcause.tracker import CauseTracker
from exporter.model import Failure, Kind, Outcome, Phase, ProbeName, Result, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Reason

MAILBOXES = 5_000  # each with imap and smtp
ROUNDS = 20
LIMIT = 50.0  # ms
SERVERS = {ProbeName.IMAP: "imap{}.example:993", ProbeName.SMTP: "smtp{}.example:465"}

TITLE = "Root causes of 10,000 targets"
HOW = f"""{MAILBOXES:,} mailboxes with imap and smtp, of 500 domains at 20 providers and 50 pairs of servers. CPU time
of one search (median of {ROUNDS}), in which every cause is computed again because a result has changed; and of
recording one result."""


def targets() -> list[Target]:
    return [
        Target(
            f"mailbox{n}", Kind.MAILBOX, probe, None, 300.0, 20.0, 20.0,
            provider=f"provider{n % 20}", domain=f"domain{n % 500}.example", servers=(server.format(n % 50),),
        )
        for n in range(MAILBOXES)
        for probe, server in SERVERS.items()
    ]  # fmt: skip


def result(target: Target, reason: Reason | None) -> Result:
    if reason is None:
        return Result(target, "0123456789ab", time.time(), 0.1, Outcome.OK)
    return Result(target, "0123456789ab", time.time(), 0.1, Outcome.FAILED, failure=Failure(Phase.CONNECT, reason, "x"))


def milliseconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000


def take(known: CauseTracker, results: list[Result]) -> None:
    for each in results:
        known.record(each)


def looks(known: CauseTracker, changing: list[Target]) -> float:
    """Return the median time of an update after a target has changed its reason."""
    figures = []
    for turn in range(ROUNDS):
        known.record(result(changing[turn], Reason.CONNECTION_RESET if turn % 2 else Reason.HOST_UNREACHABLE))
        figures.append(milliseconds(known.look))
    return statistics.median(figures)


CASES: dict[str, Callable[[int], Reason | None]] = {
    "everything fails: every provider is down": lambda n: Reason.TIMEOUT if n % 3 else Reason.CONNECTION_REFUSED,
    "everything fails: every password is wrong": lambda n: Reason.WRONG_PASSWORD,
    "one of a hundred fails": lambda n: None if n % 100 else Reason.WRONG_PASSWORD,
}


@pytest.mark.bench
def test_a_look_at_the_root_causes(report) -> None:
    section = report.section(TITLE, HOW)
    everyone = targets()
    for title, reason in CASES.items():
        known = CauseTracker()
        known.load(EffectiveConfig(everyone))
        results = [result(target, reason(n)) for n, target in enumerate(everyone)]
        taking = milliseconds(partial(take, known, results)) / len(results)
        known.look()
        figure = looks(known, everyone)
        section.add(f"{title}: one look", f"{figure:.1f} ms", f"≤ {LIMIT:.0f} ms", figure <= LIMIT)
        section.add(f"{title}: taking a result over", f"{taking * 1000:.1f} µs")
