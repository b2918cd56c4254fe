"""Tests of the history and of its limits."""

from __future__ import annotations

from exporter.model import Outcome
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Reason
from exporter.outputs.history import RUNS, History
from tests.results import START, failed, mailbox, ok, server


def test_it_starts_empty():
    history = History(10)
    key = mailbox().key
    assert [history.last(key), history.last_conclusive(key), history.last_failed(key)] == [None] * 3
    assert history.since(key) is None
    assert [*history.runs(key), *history.recent()] == []
    assert history.by_id("0123456789ab") is None


def test_the_last_conclusive_and_failed_runs_are_kept_apart():
    history = History(10)
    bad, good = failed(mailbox()), ok(mailbox())
    unclear = failed(mailbox(), Reason.LOCAL_ERROR, outcome=Outcome.INCONCLUSIVE)
    for result in (bad, good, unclear):
        history.record(result)
    key = mailbox().key
    assert history.last(key) is unclear
    assert history.last_conclusive(key) is good
    assert history.last_failed(key) is bad


def test_since_is_when_the_present_verdict_began_and_an_inconclusive_run_does_not_end_it():
    history = History(10)
    history.record(ok(mailbox(), started=START))
    history.record(failed(mailbox(), started=START + 1))
    history.record(failed(mailbox(), outcome=Outcome.INCONCLUSIVE, started=START + 2))
    history.record(failed(mailbox(), started=START + 3))
    assert history.since(mailbox().key) == START + 1
    history.record(ok(mailbox(), started=START + 4))
    assert history.since(mailbox().key) == START + 4


def test_the_ring_of_a_target_holds_the_last_runs_newest_first():
    history = History(10)
    for number in range(RUNS + 5):
        history.record(ok(mailbox(), started=START + number, duration=0.5))
    history.record(failed(mailbox(), started=START + 100))
    runs = history.runs(mailbox().key)
    assert len(runs) == RUNS
    assert (runs[0].started, runs[0].outcome, runs[0].reason) == (START + 100, Outcome.FAILED, Reason.WRONG_PASSWORD)
    assert (runs[1].started, runs[1].duration, runs[1].reason) == (START + RUNS + 4, 0.5, None)


def test_failures_stay_when_successes_push_them_out():
    history = History(3)
    history.record(failed(mailbox(), probe_id="aaaaaaaaaaaa"))
    for number in range(10):
        history.record(ok(server(), probe_id=f"{number:012}"))
    recent = history.recent()
    assert [result.probe_id for result in recent] == ["000000000009", "000000000008", "000000000007", "aaaaaaaaaaaa"]
    for number in range(10):
        history.record(failed(server(), probe_id=f"f{number:011}"))
    assert len(history.recent()) == 6


def test_a_run_is_found_by_its_id_while_anything_remembers_it():
    history = History(1)
    history.record(failed(mailbox(), probe_id="aaaaaaaaaaaa"))
    history.record(ok(mailbox(), probe_id="bbbbbbbbbbbb"))
    for number in range(5):
        history.record(failed(server(), probe_id=f"f{number:011}"))
    assert history.by_id("aaaaaaaaaaaa") is history.last_failed(mailbox().key)
    assert history.by_id("bbbbbbbbbbbb") is history.last(mailbox().key)
    assert history.by_id("f00000000000") is None


def test_a_limit_of_zero_keeps_only_what_is_last():
    history = History(0)
    history.record(failed(mailbox()))
    assert history.recent() == ()
    assert history.last(mailbox().key) is not None


def test_targets_that_left_the_config_are_forgotten():
    history = History(10)
    history.record(ok(mailbox()))
    history.record(ok(server()))
    history.load(EffectiveConfig([server()]))
    assert history.last(mailbox().key) is None
    assert history.last(server().key) is not None


def test_every_reason_fits_into_the_ring():
    history = History(0)
    for reason in Reason:
        history.record(failed(mailbox(), reason))
        assert history.runs(mailbox().key)[0].reason is reason
