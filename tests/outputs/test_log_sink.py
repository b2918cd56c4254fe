"""Tests of which results are logged, and how often."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from exporter.model import Outcome, Service
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Reason
from exporter.outputs.log_sink import Journal
from exporter.web.api.run_log import log_text
from tests.results import failed, mailbox, ok


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO, "exporter.outputs.log_sink")
    return lambda: [record.getMessage() for record in caplog.records]


def test_a_failure_is_told_once_and_so_is_its_end(told):
    journal, target = Journal(), mailbox()
    for result in (ok(target), failed(target), failed(target), ok(target), ok(target)):
        journal.record(result)
    assert told() == ["fails", "works again"]


def test_another_reason_is_told(told, caplog):
    journal, target = Journal(), mailbox()
    journal.record(failed(target))
    journal.record(failed(target, reason=Reason.TIMEOUT))
    assert told() == ["fails", "fails"]
    assert caplog.records[-1].fields["reason"] == "timeout"


def test_an_inconclusive_run_changes_nothing(told):
    journal, target = Journal(), mailbox()
    unclear = failed(target, outcome=Outcome.INCONCLUSIVE, reason=Reason.LOCAL_ERROR)
    for result in (failed(target), unclear, failed(target)):
        journal.record(result)
    assert told() == ["fails"]


def test_a_target_that_left_is_forgotten(told):
    journal, target = Journal(), mailbox()
    journal.record(failed(target))
    journal.load(EffectiveConfig())
    journal.record(failed(target))
    assert told() == ["fails", "fails"]


def test_a_pause_is_told_once(told):
    journal, target = Journal(), mailbox()
    for suspended in (False, True, True, False, True):
        journal.record(failed(target, login_suspended=suspended))
    assert [each for each in told() if "paused" in each] == ["logins are paused, so that the account is not locked"] * 2


def test_the_words_of_another_protocol_are_told_as_its_words(told, caplog):
    inferred = failed(mailbox())
    assert inferred.failure is not None
    inferred = replace(inferred, failure=replace(inferred.failure, answer_to=Service.SMTP))
    Journal().record(inferred)
    assert caplog.records[-1].fields["said_to"] == "smtp"
    assert "inferred from the answer to the smtp login; this run sent no password:" in log_text(inferred)
    own = failed(mailbox())
    Journal().record(own)
    assert "said_to" not in caplog.records[-1].fields
    assert "inferred" not in log_text(own)
