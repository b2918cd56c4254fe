"""Tests of the output of `check`: whole lines in a pipe, wrapped lines in a terminal, and labels for server texts."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from exporter.cli.check import causes_of
from exporter.cli.check_output import show
from exporter.incidents.rootcause.cause import Cause
from exporter.model import Failure, Outcome, Phase, ProbeName, Result, Scope, Service
from exporter.model.reasons import Layer, Reason, about
from exporter.outputs.json_objects import result_object
from tests.results import START, mailbox

LONG = "535-5.7.8 Username and password not accepted. " + "Learn more at https://support.example.com/ " * 6 + "end"


def failed(failure: Failure, name: str = "sales") -> Result:
    return Result(mailbox(name), "0" * 12, START, 0.5, Outcome.FAILED, failure=failure)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(*results: Result, language: str = "en", file: io.StringIO | None = None) -> str:
    out = file or io.StringIO()
    told = [result_object(result) for result in results]
    show(told, causes_of(told, ()), language, out)
    return out.getvalue()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_in_a_pipe_texts_are_whole_and_lines_end_without_blanks(language, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    name = "a-mailbox-with-a-long-name." * 5
    text = shown(failed(Failure(Phase.LOGIN, Reason.AMBIGUOUS_LOGIN_REFUSED, LONG), name), language=language)
    assert LONG in text
    assert name in text
    assert "\x1b" not in text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []


def test_in_a_terminal_lines_are_wrapped(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    text = shown(failed(Failure(Phase.LOGIN, Reason.WRONG_PASSWORD, LONG)), file=Terminal())
    assert LONG not in text
    assert "end" in text


def test_only_a_servers_words_are_called_so():
    servers = Failure(Phase.LOGIN, Reason.WRONG_PASSWORD, "NO wrong", quoted=True)
    ours = Failure(Phase.CONNECT, Reason.TIMEOUT, "no answer in 5 s")
    text = shown(failed(servers), failed(ours, "other"))
    assert "The server said: NO wrong\n" in text
    assert "Detail: no answer in 5 s\n" in text
    text = shown(failed(servers), failed(ours, "other"), language="zh")
    assert "服务器原话：NO wrong\n" in text
    assert "详情：5 秒内没有回应\n" in text


def test_in_chinese_a_reason_has_its_name_beside_its_code():
    causes = (Reason.AUTH_CODE_REQUIRED, Reason.RATE_LIMITED)
    told = failed(Failure(Phase.LOGIN, Reason.AMBIGUOUS_LOGIN_REFUSED, "535 x", ambiguous=causes))
    text = shown(told, language="zh")
    assert "登录被拒，原因不明 ambiguous_login_refused (阶段 login)" in text.splitlines()[1]
    assert "sales 失败（登录被拒，原因不明 ambiguous_login_refused）。" in text
    assert "可能原因：需要授权码 auth_code_required、过于频繁被限制 rate_limited\n" in text
    assert ": auth_code_required, rate_limited\n" in shown(told)


def test_an_answer_to_another_protocols_login_says_so():
    standing = Failure(Phase.LOGIN, Reason.WRONG_PASSWORD, "535 no", "guard", quoted=True, answer_to=Service.SMTP)
    assert "535 no (answer to the smtp login)\n" in shown(failed(standing))
    own = replace(failed(standing), target=mailbox(probe=ProbeName.SMTP))
    assert "The server said: 535 no\n" in shown(own)


def test_remedies_are_shown_without_markup():
    text = shown(failed(Failure(Phase.LOGIN, Reason.CLOCK_WRONG, "")))
    assert "timedatectl set-ntp true" in text
    assert "`" not in text


def test_waiting_in_vain_is_told_in_chinese():
    assert "等待无济于事，需要处理。" in shown(failed(Failure(None, Reason.WRONG_PASSWORD, "x")), language="zh")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nobody_is_blamed_for_a_mail_that_was_not_waited_for(language):
    failure = Failure(
        Phase.ARRIVE, Reason.MESSAGE_LATE, "the mail is in flight: a later run settles it", "inconclusive"
    )
    text = shown(replace(failed(failure), outcome=Outcome.INCONCLUSIVE), language=language)
    assert ("邮件在途" if language == "zh" else "in flight") in text
    assert not [word for word in ("provider", "Whose job", "服务商", "由谁处理") if word in text]


@pytest.mark.parametrize(("language", "also"), [("en", "Also "), ("zh", "另有 ")])
def test_each_of_two_reasons_at_one_server_is_explained(language, also):
    """The server refuses one mailbox and does not answer the other in time: one cause, two remedies."""
    results = [
        failed(Failure(Phase.CONNECT, Reason.CONNECTION_REFUSED, "refused"), "a"),
        failed(Failure(Phase.CONNECT, Reason.TIMEOUT, "no answer in 5 s"), "b"),
    ]
    host = Cause(
        "host:h",
        Scope.HOST,
        Layer.TRANSPORT,
        Reason.CONNECTION_REFUSED,
        ("a", "b"),
        server="h",
        subject="h",
        mailboxes=2,
        of=2,
    )
    out = io.StringIO()
    show([result_object(result) for result in results], [host], language, out)
    text = out.getvalue()
    for reason in (Reason.CONNECTION_REFUSED, Reason.TIMEOUT):
        assert about(reason).remedy(language).replace("`", "") in text
    (line,) = (line for line in text.splitlines() if line.strip().startswith(also))
    assert "timeout" in line
