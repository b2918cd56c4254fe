"""Tests of the login guard's second bound: logins that a server neither accepts nor refuses."""

from __future__ import annotations

import json

import pytest

from exporter.credentials.answers import Answer
from exporter.credentials.breaker import DAY, Breaker, Verdict
from exporter.credentials.guard import LoginGuard
from exporter.diagnosis.diagnose import diagnose
from exporter.model import Login, Phase, Service
from exporter.model.advice import Advice
from exporter.model.errors import ProbeError, Refusal, ServerClosed, Suspended
from exporter.model.reasons import Reason
from exporter.model.settings import GuardSettings
from tests.credentials.machine import Source
from tests.credentials.test_guard import OPEN, UNAVAILABLE, WRONG, attempt, suspended

RULES = GuardSettings()
FREE = RULES.unsettled_per_day // 2  # without a pause between them
HOUR = 3600.0


@pytest.fixture
def login():
    return Login("sales@example.com", "sales@example.com", Source())


@pytest.mark.parametrize("answer", OPEN, ids=lambda answer: f"{type(answer).__name__} {answer}")
async def test_a_server_that_never_decides_gets_the_password_no_more_than_a_day_allows(logins, login, time, answer):
    sent: list[float] = []
    advice: set[Advice | None] = set()
    for _ in range(int(3 * DAY / 300)):
        try:
            await attempt(logins, login, answer)
            sent.append(time.elapsed)
        except Suspended as exc:
            advice.add(exc.advice)
        assert sum(at > time.elapsed - DAY for at in sent) <= RULES.unsettled_per_day
        time.wait(300)
    assert len(sent) > RULES.unsettled_per_day
    assert advice == {Advice.LOGINS_UNSETTLED}


async def test_nobody_waits_for_a_day_after_an_outage_of_hours(logins, login, time):
    for _ in range(FREE):
        await attempt(logins, login, UNAVAILABLE)
    stopped = await suspended(logins, login)
    assert time.wall + HOUR <= stopped.next_attempt <= time.wall + 1.1 * HOUR
    time.wait(1.1 * HOUR)
    for _ in range(20):
        await attempt(logins, login)


async def test_a_flapping_server_is_bound_like_a_dead_one(logins, login, time):
    for _ in range(RULES.unsettled_per_day):
        await attempt(logins, login, UNAVAILABLE, force=True)
        await attempt(logins, login, force=True)
        time.wait(60)
    stopped = await suspended(logins, login)
    assert stopped.next_attempt == time.wall + DAY - 60 * RULES.unsettled_per_day
    time.wait(stopped.next_attempt - time.wall)
    await attempt(logins, login)


async def test_a_credential_that_was_not_sent_is_never_counted(logins, login, disk):
    unsent = [
        WRONG,
        Refusal(Service.SMTP, "504", "504 5.5.4 Unrecognized authentication type"),
        Refusal(Service.SMTP, "421", "421 4.3.2 Closing"),
        ServerClosed("535 5.7.8 no"),
        TimeoutError(),
        ProbeError(Reason.CONFIG, "the password contains a line break"),
    ]
    for answer in unsent * RULES.unsettled_per_day:
        trace = await attempt(logins, login, answer, sent=False)
        assert not trace.login.refused
    assert disk.rows == {}


async def test_the_user_is_told_the_last_answer_and_that_nobody_refused_it(logins, login):
    for _ in range(FREE):
        await attempt(logins, login, UNAVAILABLE)
    stopped = await suspended(logins, login)
    failure = diagnose(stopped, Phase.LOGIN)
    assert (failure.reason, failure.advice) == (Reason.TEMPORARILY_UNAVAILABLE, Advice.LOGINS_UNSETTLED)
    assert "[UNAVAILABLE]" in failure.text
    assert failure.answer_to is Service.IMAP


async def test_silence_is_told_as_a_timeout_and_after_a_refusal_its_words_stand(logins, login, time):
    for _ in range(FREE):
        await attempt(logins, login, TimeoutError())
    assert (await suspended(logins, login)).reason is Reason.TIMEOUT
    time.wait(2 * DAY)
    for answer in (WRONG, WRONG, TimeoutError()):
        await attempt(logins, login, answer, force=True)
    stopped = await suspended(logins, login)
    assert "Authentication failed" in stopped.text
    assert stopped.advice is None


async def test_it_survives_restarts(login, disk, time):
    for _ in range(FREE):
        await attempt(LoginGuard(disk.session(), RULES, clock=time.clock()), login, UNAVAILABLE)
        time.wait(1)
    before = await suspended(LoginGuard(disk.session(), RULES, clock=time.clock()), login)
    time.wait(600)
    after = await suspended(LoginGuard(disk.session(), RULES, clock=time.clock()), login)
    assert after.next_attempt == pytest.approx(before.next_attempt)
    assert after.advice is Advice.LOGINS_UNSETTLED


async def test_a_trusted_credential_is_remembered_too(logins, login, disk, time):
    await attempt(logins, login)
    for _ in range(FREE):
        await attempt(logins, login, ConnectionResetError())
    await suspended(LoginGuard(disk.session(), RULES, clock=time.clock()), login)


async def test_a_source_that_makes_up_secrets_has_one_bound_for_all(logins, disk, time):
    source = Source()
    login = Login("sales@example.com", "sales@example.com", source)
    sent = 0
    for number in range(4 * RULES.unsettled_per_day):
        source.content = f"made up {number % 5}"
        try:
            await attempt(logins, login, UNAVAILABLE)
            sent += 1
        except Suspended:
            pass
    assert sent == RULES.unsettled_per_day


def test_a_record_of_an_older_version_is_read_and_keeps_its_pause():
    """As version 0.1 has written it."""
    record = {
        "refused": [100.0, 50.0],
        "consecutive": 2,
        "limited": 0,
        "pause_left": 1750.0,
        "under_way": 0,
        "proven": False,
        "reason": "wrong_password",
        "text": "NO [AUTHENTICATIONFAILED] Authentication failed.",
        "answer_to": "imap",
    }
    breaker = Breaker.thaw(record, 1000.0, 0.0, RULES)
    assert (breaker.refused, breaker.unsettled) == ((900.0, 950.0), ())
    assert breaker.ask(1000.0, RULES) is Verdict.PAUSED
    assert not breaker.is_unsettled(1000.0, RULES)


def test_what_is_counted_is_frozen_as_ages():
    breaker = Breaker()
    breaker.begin()
    breaker.end(Answer.UNSETTLED, 100.0, RULES, "auth_unavailable", "454 4.7.0 later")
    assert not breaker.idle(100.0, RULES)
    frozen = json.loads(json.dumps(breaker.freeze(150.0)))
    thawed = Breaker.thaw(frozen, 1000.0, 10.0, RULES)
    assert thawed.unsettled == (940.0,)
    assert thawed.idle(940.0 + DAY, RULES)


@pytest.mark.parametrize("bound", [1, 2, 3])
def test_small_bounds_hold(bound):
    rules = GuardSettings(unsettled_per_day=bound, longest_pause=1800.0)
    breaker = Breaker()
    now, sent = 0.0, []
    while now < 3 * DAY:
        if breaker.ask(now, rules) is Verdict.GO:
            breaker.begin()
            breaker.end(Answer.MISSING, now, rules)
            sent.append(now)
        assert sum(at > now - DAY for at in sent) <= bound
        now += 300.0
    assert len(sent) > bound


def test_another_daemons_credential_gets_as_few_unsettled_logins_as_refusals():
    assert RULES.careful().unsettled_per_day == RULES.refusals_per_day
    assert GuardSettings(unsettled_per_day=2).careful().unsettled_per_day == 2
