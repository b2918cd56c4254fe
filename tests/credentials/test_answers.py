"""Tests of what an answer to a login counts as: its code decides, whatever words the server puts beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.credentials.answers import Answer, answer_of
from exporter.credentials.breaker import DAY
from exporter.credentials.guard import LoginGuard
from exporter.diagnosis.signatures import rows
from exporter.model import Login, Service
from exporter.model.errors import Garbage, Refusal, ServerClosed, Suspended, TokenRefusal
from exporter.model.settings import GuardSettings
from tests.credentials.machine import Disk, Source, Time
from tests.credentials.test_guard import attempt

FIELD = yaml.safe_load((Path(__file__).parent.parent / "field" / "logins.yaml").read_text())
TEXTS = sorted({row.example for row in rows()} | {each["text"] for each in FIELD})
PERMANENT = {
    Service.SMTP: ["500", "504", "525", "530", "535", "550", "554"],
    Service.IMAP: ["NO", "BAD", "NO [AUTHENTICATIONFAILED]", "NO [ALERT]", "NO [OVERQUOTA]", "BAD [CLIENTBUG]"],
    Service.POP3: ["-ERR", "-ERR [AUTH]", "-ERR [SYS/PERM]"],
}
TEMPORARY = {
    Service.SMTP: ["421", "432", "450", "451", "454", "471"],
    Service.IMAP: ["NO [UNAVAILABLE]", "NO [INUSE]", "NO [LIMIT]", "NO [SERVERBUG]", "BAD [unavailable]", "BYE"],
    Service.POP3: ["-ERR [SYS/TEMP]", "-ERR [IN-USE]", "-ERR [LOGIN-DELAY]"],
}


def reply(protocol: Service, head: str, words: str) -> Refusal:
    """Return the reply as its session raises it: on several lines, if the words have some."""
    # without a code of their own, words that begin with brackets would be one
    words = words.replace("\r", "") if "[" in head or not words.lstrip().startswith("[") else f". {words}"
    if protocol is not Service.SMTP:
        return Refusal(protocol, head.partition(" ")[0], f"{head} {words}")
    lines = words.split("\n")
    text = "\n".join([*(f"{head}-{line}" for line in lines[:-1]), f"{head} {lines[-1]}"])
    return Refusal(protocol, head, text)


def heads(table: dict[Service, list[str]]) -> list[tuple[Service, str]]:
    return [(protocol, head) for protocol, each in table.items() for head in each]


@pytest.mark.parametrize(("protocol", "head"), heads(PERMANENT), ids=str)
def test_no_words_of_any_row_or_report_turn_a_permanent_code_into_anything_else(protocol, head):
    found = {text: answer_of(reply(protocol, head, text), sent=True) for text in [*TEXTS, ""]}
    assert {text for text, answer in found.items() if answer is not Answer.REFUSED} == set()


@pytest.mark.parametrize(("protocol", "head"), heads(TEMPORARY), ids=str)
def test_no_words_turn_a_temporary_code_into_a_refusal(protocol, head):
    found = {text: answer_of(reply(protocol, head, text), sent=True) for text in [*TEXTS, ""]}
    if head == "BYE":  # a response code among the texts decides here
        found = {text: answer for text, answer in found.items() if not text.lstrip().startswith("[")}
    assert {text for text, answer in found.items() if answer is not Answer.UNSETTLED} == set()


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (None, Answer.ACCEPTED),
        (reply(Service.SMTP, "535", "Error: authentication failed, system busy"), Answer.REFUSED),
        (reply(Service.IMAP, "BYE [AUTHENTICATIONFAILED]", "no"), Answer.REFUSED),
        (reply(Service.IMAP, "BYE [UNAVAILABLE]", "no"), Answer.UNSETTLED),
        (Refusal(Service.IMAP, "NO", "NO wrong\n* NO [UNAVAILABLE] another line"), Answer.REFUSED),
        (Refusal(Service.IMAP, "NO", "NO [UNAVAILABLE] later\n* NO [AUTHENTICATIONFAILED]"), Answer.UNSETTLED),
        (Refusal(Service.IMAP, "NO", "NO NO [UNAVAILABLE] quoted"), Answer.REFUSED),
        (ServerClosed(), Answer.MISSING),
        (ServerClosed("535-5.7.8 Username and"), Answer.REFUSED),
        (ServerClosed("421 4.7.0 bye"), Answer.MISSING),
        (ServerClosed("53"), Answer.MISSING),
        (ServerClosed("-ERR wrong"), Answer.REFUSED),
        (ServerClosed("-ERR [SYS/TEMP] later"), Answer.MISSING),
        (ServerClosed("* BAD [ALERT] IMAP is switched off"), Answer.REFUSED),
        (ServerClosed("* NO [UNAVAILABLE] later"), Answer.MISSING),
        (ServerClosed("* OK [ALERT] 535 visitors, NO reason"), Answer.MISSING),
        (ServerClosed("* BYE NO"), Answer.MISSING),
        (ConnectionResetError(), Answer.MISSING),
        (TimeoutError(), Answer.MISSING),
        (asyncio.CancelledError(), Answer.MISSING),
        (Garbage("HTTP/1.1 400"), Answer.MISSING),
        (TokenRefusal(400, "invalid_grant", "AADSTS50126: wrong"), Answer.REFUSED),
        (TokenRefusal(400, "invalid_grant", "temporarily_unavailable"), Answer.REFUSED),
        (TokenRefusal(401, "", "server busy"), Answer.REFUSED),
        (TokenRefusal(400, "temporarily_unavailable", ""), Answer.UNSETTLED),
        (TokenRefusal(400, "slow_down", ""), Answer.UNSETTLED),
        (TokenRefusal(429, "", ""), Answer.UNSETTLED),
        (TokenRefusal(503, "invalid_grant", ""), Answer.UNSETTLED),
    ],
    ids=repr,
)
def test_codes_decide(exc, expected):
    assert answer_of(exc, sent=True) is expected


@pytest.mark.parametrize("exc", [Refusal(Service.SMTP, "535", "535 no"), ServerClosed("535 no"), TimeoutError()])
def test_what_was_not_sent_was_not_refused(exc):
    assert answer_of(exc, sent=False) is Answer.UNSENT


WORDS = st.sampled_from(TEXTS) | st.text(max_size=80) | st.tuples(st.sampled_from(TEXTS), st.text()).map(" ".join)
ANSWERS = st.sampled_from(heads(PERMANENT) + heads(TEMPORARY))
WAITS = st.sampled_from([60.0, 300.0, 3600.0])
FAMILIES = sorted({row.provider for row in rows()} - {"any"})
RULES = GuardSettings(unsettled_per_day=10)
FEISHU = "535 Error: authentication failed, system busy"


@example(said=[((Service.SMTP, "535"), FEISHU)], wait=300.0, family="feishu")
@example(said=[((Service.SMTP, "454"), "4.7.0 Temporary authentication failure")], wait=300.0, family="")
@given(
    said=st.lists(st.tuples(ANSWERS, WORDS), min_size=1, max_size=6),
    wait=WAITS,
    family=st.sampled_from(["", *FAMILIES]),
)
@settings(max_examples=100, deadline=None)
def test_whatever_a_server_says_the_password_goes_out_no_more_often_than_the_bounds_allow(said, wait, family):
    """A server repeats its answers for a day and a half; runs come at each interval. Both bounds hold in any 24 h."""
    asyncio.run(_ask_on(said, wait, (family,) if family else ()))


async def _ask_on(said: list[tuple[tuple[Service, str], str]], wait: float, families: tuple[str, ...]) -> None:
    time = Time()
    logins = LoginGuard(Disk().session(), RULES, clock=time.clock())
    login = Login("a", "a", Source(), families=families)
    refused: list[float] = []
    unsettled: list[float] = []
    number = 0
    while time.elapsed < 1000.0 + 1.5 * DAY:
        (protocol, head), words = said[number % len(said)]
        try:
            trace = await attempt(logins, login, reply(protocol, head, words))
        except Suspended as exc:
            time.wait(max(wait, exc.next_attempt - time.wall - 1.0))  # just before the pause ends, and then after it
            continue
        number += 1
        permanent = head in PERMANENT[protocol]
        assert trace.login.refused is permanent
        (refused if permanent else unsettled).append(time.elapsed)
        assert sum(at > time.elapsed - DAY for at in refused) <= RULES.refusals_per_day
        assert sum(at > time.elapsed - DAY for at in unsettled) <= RULES.unsettled_per_day
        time.wait(wait)
