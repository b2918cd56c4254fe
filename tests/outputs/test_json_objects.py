"""Tests of the JSON objects that other programs depend on."""

from __future__ import annotations

import json
from dataclasses import replace

from exporter.incidents.json_objects import incident_object
from exporter.model import FactName, Failure, Outcome, Phase, ProbeName
from exporter.model.reasons import Reason, about
from exporter.outputs.json_objects import facts_object, result_object, target_object
from tests.results import START, domain, fact, failed, incident, mailbox, ok, route


def test_a_failed_result_tells_everything_about_its_failure():
    known = about(Reason.WRONG_PASSWORD)
    found = result_object(failed(mailbox(), facts=(fact(FactName.MECHANISM, "PLAIN"),)))
    assert found == {
        "target": "sales",
        "kind": "mailbox",
        "provider": "dovecot",
        "domain": "example.com",
        "probe": "imap",
        "probe_id": "0123456789ab",
        "outcome": "failed",
        "phase": "login",
        "reason": "wrong_password",
        "layer": "auth",
        "rule": "rfc5530:AUTHENTICATIONFAILED",
        "ambiguous": None,
        "text": "NO [AUTHENTICATIONFAILED] Authentication failed.",
        "text_zh": None,
        "quoted": False,
        "answer_to": None,
        "owner": str(known.owner),
        "waiting_helps": known.waiting_helps,
        "remedy": {"en": known.remedy("en"), "zh": known.remedy("zh")},
        "started": START,
        "duration_seconds": 0.25,
        "phases": [{"name": "connect", "seconds": 0.0125}, {"name": "tls", "seconds": 0.05}],
        "facts": {"mechanism": "PLAIN"},
        "login_suspended": False,
    }


def test_the_causes_of_ambiguous_words_are_listed():
    made = failed(mailbox(), Reason.AMBIGUOUS_LOGIN_REFUSED)
    assert made.failure is not None
    causes = (Reason.WRONG_PASSWORD, Reason.RATE_LIMITED)
    found = result_object(replace(made, failure=replace(made.failure, ambiguous=causes)))
    assert found["ambiguous"] == ["wrong_password", "rate_limited"]


def test_our_own_words_are_there_in_chinese_and_a_servers_are_not():
    ours = Failure(Phase.CONNECT, Reason.CONNECTION_REFUSED, "192.0.2.1 port 993: Connection refused")
    found = result_object(failed(mailbox(), failure=ours))
    assert (found["text"], found["text_zh"]) == (ours.text, "192.0.2.1 端口 993：连接被拒绝")
    quoted = replace(ours, text="Connection refused", quoted=True)
    assert result_object(failed(mailbox(), failure=quoted))["text_zh"] is None
    assert incident_object(incident(text=ours.text))["text_zh"] == "192.0.2.1 端口 993：连接被拒绝"
    assert incident_object(incident(text="NO [LIMIT] later"))["text_zh"] is None


def test_what_is_absent_is_null():
    found = result_object(ok(domain()))
    for key in ("provider", "phase", "reason", "layer", "rule", "text", "owner", "waiting_helps", "remedy"):
        assert found[key] is None, key
    unclear = result_object(failed(domain(), Reason.LOCAL_ERROR, None, "", outcome=Outcome.INCONCLUSIVE))
    assert (unclear["outcome"], unclear["phase"], unclear["text"]) == ("inconclusive", None, None)


def test_every_result_is_json_with_the_same_keys():
    results = [ok(mailbox()), failed(route()), failed(domain(), phase=None)]
    keys = {frozenset(json.loads(json.dumps(result_object(result)))) for result in results}
    assert len(keys) == 1


def test_facts_with_labels_are_objects_and_events_are_summed():
    result = ok(
        route(),
        fact(FactName.FOLDER_MESSAGES, 3, "inbox"),
        fact(FactName.FOLDER_MESSAGES, 1, "junk"),
        fact(FactName.DKIM_KEY_BITS, 2048, "s1", "rsa"),
        fact(FactName.ROUNDTRIP_SENT, 1),
        fact(FactName.ROUNDTRIP_SENT, 1),
        fact(FactName.ROUNDTRIP_RECEIVED, 4.0),
        fact(FactName.ROUNDTRIP_RECEIVED, 2.0),
    )
    assert facts_object(result) == {
        "folder_messages": {"inbox": 3, "junk": 1},
        "dkim_key_bits": {"s1/rsa": 2048},
        "roundtrip_sent": 2,
        "roundtrip_received": 2.0,
    }


def test_a_target_has_its_probes_labels_and_results():
    imap, smtp = mailbox(), mailbox(probe=ProbeName.SMTP)
    found = target_object([imap, smtp], [ok(imap)])
    assert found["probes"] == ["imap", "smtp"]
    assert found["labels"] == {"team": "export", "tenant": "acme"}
    assert [result["probe"] for result in found["results"]] == ["imap"]
