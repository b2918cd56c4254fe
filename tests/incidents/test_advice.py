"""Tests that the advice for an exact case reaches people: with the root cause, the incident and its alert."""

from __future__ import annotations

import json

from exporter.incidents.alert_text import annotations_of
from exporter.incidents.incident import thaw
from exporter.incidents.json_objects import cause_object, from_object, whole_object
from exporter.incidents.rootcause import search
from exporter.incidents.rootcause.cause import Cause, fold
from exporter.model import Failure, Outcome, Phase, Result
from exporter.model.advice import Advice
from exporter.model.reasons import Reason, about
from exporter.outputs.json_objects import result_object
from tests.results import START, incident, mailbox

NAME_MISMATCH = Reason.CERTIFICATE_NAME_MISMATCH


def failed(name: str, advice: Advice | None) -> Result:
    failure = Failure(Phase.TLS, NAME_MISMATCH, "words", advice=advice)
    return Result(mailbox(name), "0123456789ab", START, 1.0, Outcome.FAILED, failure=failure)


def causes(*results: Result) -> tuple[Cause, ...]:
    return search.causes({each.target.key: each for each in results}, [each.target for each in results])


def test_a_cause_has_the_advice_that_all_its_failures_share():
    same = causes(failed("a", Advice.NAME_ONLY_IN_CN), failed("b", Advice.NAME_ONLY_IN_CN))
    assert {cause.advice for cause in same} == {Advice.NAME_ONLY_IN_CN}
    mixed = causes(failed("a", Advice.NAME_ONLY_IN_CN), failed("b", None))
    assert {cause.advice for cause in fold(mixed)} == {None}


def test_a_cause_keeps_its_advice_on_the_way_to_another_process():
    (cause,) = causes(failed("a", Advice.NAME_ONLY_IN_CN))
    assert from_object(json.loads(json.dumps(whole_object(cause)))) == cause
    assert cause_object(cause)["remedy"]["zh"] == about(NAME_MISMATCH).remedy("zh", Advice.NAME_ONLY_IN_CN)


def test_an_alert_says_what_to_do_in_this_case():
    told = annotations_of(incident(reason=NAME_MISMATCH, advice=Advice.NAME_ONLY_IN_CN))
    assert any(about(NAME_MISMATCH).remedy("en", Advice.NAME_ONLY_IN_CN) in text for text in told.values())
    assert not any(about(NAME_MISMATCH).remedy("en") in text for text in told.values())


def test_an_incident_of_the_state_file_keeps_its_advice_and_one_of_an_older_version_has_none():
    before = incident(reason=NAME_MISMATCH, advice=Advice.NAME_ONLY_IN_CN)
    after = thaw(before.key, before.freeze())
    assert after is not None
    assert after.advice is Advice.NAME_ONLY_IN_CN
    older = {name: value for name, value in json.loads(before.freeze()).items() if name != "advice"}
    after = thaw(before.key, json.dumps(older))
    assert after is not None
    assert after.advice is None


def test_the_json_of_a_run_has_it_in_its_remedy():
    remedy = result_object(failed("a", Advice.WEAK_KEY))["remedy"]
    assert remedy == {code: about(NAME_MISMATCH).remedy(code, Advice.WEAK_KEY) for code in ("en", "zh")}


def test_an_alert_says_our_own_words_in_both_languages_and_a_servers_as_they_are():
    ours = annotations_of(incident(text="192.0.2.1 port 993: Connection refused"))
    assert "“192.0.2.1 port 993: Connection refused”" in ours["description"]
    assert "“192.0.2.1 端口 993：连接被拒绝”" in ours["description_zh"]
    assert "“NO [LIMIT] later”" in annotations_of(incident(text="NO [LIMIT] later"))["description_zh"]
