"""Tests of the command `mailprobe explain`: exit code, JSON, and text in two languages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.explain import as_received
from exporter.cli.main import main
from exporter.model.phrases import Phrases
from exporter.model.reasons import ABOUT, Reason

FIVE = (
    "535 Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, or busy"
)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as caught:
        main(["explain", *arguments])
    assert isinstance(caught.value.code, int)
    out, err = capsys.readouterr()
    return caught.value.code, out or err


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code, out = run(capsys, *arguments, "--json")
    return code, json.loads(out)


def test_the_json_is_the_contracts_object(capsys):
    code, answer = told(capsys, "NO [AUTHENTICATIONFAILED] x", "--protocol", "imap")
    assert code == 0
    about = ABOUT[Reason.WRONG_PASSWORD]
    assert answer == {
        "reason": "wrong_password",
        "layer": "auth",
        "rule": "rfc5530:AUTHENTICATIONFAILED",
        "ambiguous": [],
        "owner": "you",
        "waiting_helps": False,
        "remedy": {"en": about.remedy("en"), "zh": about.remedy("zh")},
    }


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reasons_name_is_explained(capsys, reason: Reason):
    code, answer = told(capsys, reason.value)
    assert (code, answer["reason"], answer["rule"]) == (0, reason.value, None)


def test_what_nothing_matches_is_unknown_and_exits_with_1(capsys):
    code, answer = told(capsys, "550 The moon is in the wrong phase")
    assert (code, answer["reason"], answer["rule"], answer["ambiguous"]) == (1, "unknown", None, [])
    code, text = run(capsys, "550 The moon is in the wrong phase", "--lang", "en")
    assert code == 1
    assert "nothing is guessed" in text


def test_several_causes_are_listed_with_what_tells_them_apart(capsys):
    code, answer = told(capsys, FIVE, "--provider", "qq")
    assert (code, answer["reason"]) == (0, "ambiguous_login_refused")
    assert 1 < len(answer["ambiguous"]) <= 6
    for language, apart in (("en", "15 minutes"), ("zh", "15 分钟"), ("zh-TW", "15 分鐘")):
        _, text = run(capsys, FIVE, "--provider", "qq", "--lang", language)
        assert apart in text
        assert all(f"  {Phrases(language).reason(cause)}" in text for cause in answer["ambiguous"])


@pytest.mark.parametrize("language", ["en", "zh", "zh-TW"])
def test_rows_that_disagree_say_how_to_tell(capsys, language: str):
    code, text = run(capsys, "NO [AUTHENTICATIONFAILED] Authentication failed", "--lang", language)
    assert code == 0
    assert "--provider" in text


@pytest.mark.parametrize(
    ("options", "reason", "code"),
    [
        ((), "unknown", 0),  # with a list
        (("--answer-to", "mail"), "sender_rejected", 0),
        (("--answer-to", "rcpt"), "recipient_domain_bad", 0),
        (("--phase", "login"), "wrong_server", 0),
    ],
)
def test_the_command_that_was_answered_decides(capsys, options: tuple[str, ...], reason: str, code: int):
    assert told(capsys, "550 Domain not found", *options)[1]["reason"] == reason
    assert run(capsys, "550 Domain not found", *options)[0] == code


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_the_text_alone_does_not_decide_is_said(capsys, language: str):
    _, out = run(capsys, "550 Domain not found", "--lang", language)
    name = Phrases(language).reason
    told = (f"--answer-to mail: {name('sender_rejected')}", f"--answer-to rcpt: {name('recipient_domain_bad')}")
    assert "\n  ".join(told) in out
    _, out = run(capsys, "550 5.1.1 User unknown", "--lang", language)
    assert "--answer-to" not in out, "nothing to decide"


@pytest.mark.parametrize(
    ("provider", "reason"),
    [
        ("netease_163", "auth_code_required"),
        ("netease", "auth_code_required"),
        ("gmail", "wrong_password"),
        ("263", "wrong_password"),
        ("dovecot", "wrong_password"),
    ],
)
def test_a_provider_is_an_id_a_family_or_a_software(capsys, provider: str, reason: str):
    _, answer = told(capsys, "NO LOGIN Login error or password error", "--provider", provider)
    assert answer["reason"] == reason


def test_an_unknown_provider_is_an_error_with_the_likely_spelling(capsys):
    assert run(capsys, "x", "--provider", "gmial") == (2, "--provider gmial: unknown; did you mean gmail?\n")


@pytest.mark.parametrize(
    ("text", "protocol", "reason"),
    [
        ("-ERR [AUTH] x", None, "wrong_password"),
        ("HTTP/1.1 503 Service Unavailable", None, "http_status"),
        ("404", "http", "http_status"),
        ('{"error": "invalid_grant"}', "http", "oauth_token_rejected"),
        ("x509: certificate verify failed", None, "certificate_untrusted"),
        ("535-5.7.8 Username and Password not\\r\\n535 5.7.8 accepted", "smtp", "wrong_password"),
        ("(535, b'Login Fail. Please enter your authorization code to login')", "smtp", "auth_code_required"),
        (
            "(535, b'Error: \\xc7\\xeb\\xca\\xb9\\xd3\\xc3\\xca\\xda\\xc8\\xa8\\xc2\\xeb\\xb5\\xc7\\xc2\\xbc')",
            None,
            "auth_code_required",
        ),
        (
            "host mx.example.com said: 550 5.1.1 <a@example.com>: User unknown (in reply to RCPT TO)",
            None,
            "recipient_unknown",
        ),
    ],
)
def test_words_as_people_paste_them(capsys, text: str, protocol: str | None, reason: str):
    _, answer = told(capsys, text, *(["--protocol", protocol] if protocol else []))
    assert answer["reason"] == reason


def test_bytes_that_are_not_utf8_are_read_as_gbk():
    given = "535 Error: 请使用授权码登录".encode("gbk").decode("utf-8", "surrogateescape")
    assert as_received(given) == "535 Error: 请使用授权码登录"
    assert as_received("b'unterminated \\x'") == "b'unterminated \\x'"


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_example_of_the_readme_lists_its_five_causes(capsys, page):
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    (example,) = re.findall(r"`(535 Login fail[^`]*)`", text)
    code, answer = told(capsys, example)
    assert code == 0
    assert (answer["reason"], len(answer["ambiguous"])) == ("ambiguous_login_refused", 5)
