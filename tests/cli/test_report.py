"""Tests of the support ticket: its content, languages and formats, and that it contains no secret."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import UTC, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.diagnosis.diagnose import diagnose
from exporter.model import (
    Endpoint,
    FactName,
    Failure,
    Kind,
    Line,
    Login,
    Outcome,
    Phase,
    ProbeName,
    Result,
    Secret,
    Security,
    Service,
    Target,
)
from exporter.model.effective import EffectiveConfig
from exporter.model.errors import Refusal
from exporter.model.reasons import Reason
from exporter.outputs.history import History
from exporter.outputs.ticket.evidence import Says, fresh_verdicts
from exporter.outputs.ticket.render import render
from exporter.outputs.ticket.ticket import Ticket, code_of, make
from exporter.outputs.ticket.words import TicketWords
from exporter.probes import pop3, smtp
from exporter.run.runner import Runner
from exporter.state.store import State
from tests.canary import leaks
from tests.context import context_over
from tests.net.lines_server import Peer
from tests.results import IMAP_SERVER, SMTP_SERVER, START, domain, fact, failed, mailbox, ok, route, server
from tests.servers.daemon import daemon_for, mailprobe
from tests.servers.dovecot import Dovecot
from tests.servers.process import free_port, wait_until
from tests.servers.world import ALICE, MailWorld

SHANGHAI = timezone(timedelta(hours=8))
WORD = "canary-pa55word"
F = FactName


@dataclass(frozen=True)
class Given:
    """The source of a password: the same for the same mailbox."""

    word: str = WORD

    async def read(self) -> Secret:
        return Secret(self.word)


@dataclass(frozen=True)
class LoginSettings:
    endpoint: Endpoint
    login: Login


def account(name: str = "sales", probe: ProbeName = ProbeName.IMAP) -> Target:
    endpoint = IMAP_SERVER if probe is ProbeName.IMAP else SMTP_SERVER
    login = Login(name, f"{name}@example.com", Given(name))
    return mailbox(name, probe, settings=LoginSettings(endpoint, login), provider="exmail")


IMAP, SMTP = account(), account(probe=ProbeName.SMTP)
NEAR = replace(server(), servers=(IMAP_SERVER.name,))
CONNECTED = (
    fact(F.ADDRESS, "192.0.2.1"),
    fact(F.FAMILY, "ipv4"),
    fact(F.SOURCE_ADDRESS, "10.0.0.5"),
    fact(F.TLS_VERSION, "TLSv1.3"),
    fact(F.TLS_CIPHER, "TLS_AES_256_GCM_SHA384"),
    fact(F.GREETING, "* OK [CAPABILITY IMAP4rev1] `ready` *now*"),
    fact(F.MECHANISM, "PLAIN"),
)
PHASES = ((Phase.RESOLVE, 0.004), (Phase.CONNECT, 0.0125), (Phase.TLS, 0.05), (Phase.LOGIN, 0.3))
TEXT = "NO [AUTHENTICATIONFAILED] Authentication failed.\nAsk your administrator ``` please."


def refused(target: Target = IMAP, started: float = START, **changes: object) -> Result:
    values = {"started": started, "facts": CONNECTED, "phases": PHASES, "login_attempted": True, "login_refused": True}
    return failed(target, text=TEXT, **{**values, **changes})  # type: ignore[arg-type]  # as in tests.results


def ticket(targets: list[Target], *results: Result, name: str = "sales", now: float = START + 60) -> Ticket:
    history = History()
    for result in results:
        history.record(result)
    return make(name, targets, history, history.recent(), now, interval_of=EffectiveConfig().interval)


def test_a_result_is_evidence_for_five_of_the_intervals_in_effect():
    """The intervals in effect count, not those of the configuration: login budgets stretch them."""
    history, result = History(), ok(NEAR)
    history.record(result)
    age = result.started + 6 * NEAR.interval + 601
    assert fresh_verdicts(history, EffectiveConfig([NEAR]).interval, age)(NEAR) is None
    stretched = EffectiveConfig([NEAR], intervals={NEAR.key: 2 * NEAR.interval + 200})
    assert fresh_verdicts(history, stretched.interval, age)(NEAR) is result


def text(made: Ticket, shape: str = "text", language: str = "en") -> str:
    return render(made, shape, language, SHANGHAI)


def test_it_names_account_provider_error_time_steps_and_environment():
    made = ticket([IMAP, NEAR], refused(), ok(NEAR, fact(F.CERT_SUBJECT, "CN=x")))
    told = text(made)
    for line in (
        "IMAP of sales@example.com fails: wrong_password (NO [AUTHENTICATIONFAILED])",
        "Account: sales@example.com",
        "Known to us as: sales",
        "Provider: Tencent",
        "Server: imap.example.com:993 (IMAP, tls)",
        "Time: 2023-11-15 06:13:20 +08:00 = 2023-11-14 22:13:20 UTC",
        "Failed in step: login",
        "Error code: NO [AUTHENTICATIONFAILED]",
        "    NO [AUTHENTICATIONFAILED] Authentication failed.",
        "    Ask your administrator ``` please.",
        "    connect           12.5 ms",
        "    login            300.0 ms  ← failed here",
        "A1 LOGIN sales <secret>",
        "Client: mailprobe ",
        "Our address: 10.0.0.5 (ipv4;",
        "Server’s address: 192.0.2.1",
        "Login mechanism: PLAIN",
        "TLS: TLSv1.3, TLS_AES_256_GCM_SHA384",
        "Certificate: CN=x",
    ):
        assert line in told, line


def test_what_other_results_rule_out_is_told_and_what_they_do_not_is_too():
    others = [account(f"other{number}") for number in range(4)]
    elsewhere = server("mail.example.net:993", replace(IMAP_SERVER, host="mail.example.net"))
    elsewhere = replace(elsewhere, servers=("mail.example.net:993",))
    targets = [IMAP, SMTP, NEAR, elsewhere, domain(), *others]
    made = ticket(
        targets,
        refused(),
        ok(SMTP, login_attempted=True),
        ok(NEAR),
        ok(elsewhere),
        failed(domain(), Reason.RECORD_MISSING, None, "no DMARC record"),
        *(ok(other) for other in others[:3]),
        refused(others[3]),
    )
    assert [each.says for each in made.ruled_out] == [
        Says.REACHED,
        Says.ENCRYPTED,
        Says.ACCOUNT_WORKS,
        Says.ENDPOINT_WORKS,
        Says.NEIGHBOURS_WORK,
        Says.OTHERS_WORK,
    ]
    assert [each.says for each in made.also] == [Says.DOMAIN_FAILS, Says.NEIGHBOURS_FAIL]
    told = text(made)
    assert "the same ones are accepted by SMTP at smtp.example.com:587" in told
    assert "3 of 4 other mailboxes on imap.example.com:993 work" in told
    assert "1 of 4 other mailboxes on imap.example.com:993 fails, too" in told
    assert "The DNS check of example.com fails, too: record_missing" in told


def test_a_result_that_is_too_old_rules_nothing_out():
    made = ticket([IMAP, SMTP], ok(SMTP, started=START - 3600, login_attempted=True), refused())
    assert Says.ACCOUNT_WORKS not in [each.says for each in made.ruled_out]


def looks() -> st.SearchStrategy[list[tuple[int, int, bool]]]:
    """Runs of several targets in the order of their times: seconds, number of the target, whether it works."""
    one = st.tuples(st.integers(0, 600), st.integers(0, 6), st.booleans())
    return st.lists(one, max_size=40).map(sorted)


@given(looks())
def test_nothing_is_ruled_out_by_a_look_that_is_older_than_the_fault(seen):
    """The oldest looks are of the first failure; each count is of mailboxes that were looked at since."""
    elsewhere = replace(server("mail.example.net:993"), servers=("mail.example.net:993",))
    others = [account(f"other{number}") for number in range(3)]
    targets = [IMAP, SMTP, NEAR, elsewhere, *others]
    results = [(ok if works else refused)(targets[number], started=START + at) for at, number, works in seen]
    results.append(refused(started=START + 601))
    began = results[-1].started
    for result in reversed(results[:-1]):
        if result.target is IMAP:
            if result.outcome is Outcome.OK:
                break
            began = result.started
    last = {result.target.key: result for result in results}
    made = ticket(targets, *results, now=START + 602)

    def known(*some: Target) -> list[bool]:
        found = [last[each.key] for each in some if each.key in last]
        return [each.outcome is Outcome.OK for each in found if each.outcome is not Outcome.OK or each.started >= began]

    for statement in made.ruled_out:
        words = dict(statement.words)
        match statement.says:
            case Says.NEIGHBOURS_WORK:
                assert (int(words["count"]), int(words["total"])) == (sum(known(*others)), len(known(*others)))
            case Says.OTHERS_WORK:
                assert (int(words["count"]), int(words["total"])) == (sum(known(elsewhere)), len(known(elsewhere)))
            case Says.REACHED | Says.ENCRYPTED:
                pass  # of the failed run itself
            case _:
                assert statement.at >= began
    assert (Says.NEIGHBOURS_WORK in [each.says for each in made.ruled_out]) is (sum(known(*others)) > 0)


def test_a_failure_that_is_over_is_told_with_what_worked_while_it_lasted():
    """Not with what worked before it, although the target itself works since a later time."""
    other = account("other")
    runs = [ok(other, started=START - 60), refused(started=START), ok(IMAP, started=START + 60)]
    assert Says.NEIGHBOURS_WORK not in [each.says for each in ticket([IMAP, other], *runs).ruled_out]
    during = [refused(started=START), ok(other, started=START + 30), ok(IMAP, started=START + 60)]
    assert Says.NEIGHBOURS_WORK in [each.says for each in ticket([IMAP, other], *during).ruled_out]


def test_another_password_says_nothing_about_this_one():
    other = replace(SMTP, settings=LoginSettings(SMTP_SERVER, Login("sales", "sales", Given("another"))))
    made = ticket([IMAP, other], refused(), ok(other, login_attempted=True))
    assert [each.says for each in made.ruled_out][-1] is Says.PROBE_WORKS


def test_a_run_that_never_connected_rules_out_nothing_of_the_way():
    lost = failed(IMAP, Reason.TIMEOUT, Phase.CONNECT, "", phases=((Phase.RESOLVE, 0.1), (Phase.CONNECT, 20.0)))
    made = ticket([IMAP], lost)
    assert made.ruled_out == ()
    assert "(the server said nothing)" in text(made)
    assert "(nothing yet)" in text(made)


def test_history_counts_runs_and_tells_the_ends():
    runs = [ok(IMAP, started=START + 300 * n) for n in range(3)]
    runs += [refused(started=START + 300 * n) for n in range(3, 8)]
    told = text(ticket([IMAP], *runs, now=START + 2400))
    assert "IMAP: failing since 2023-11-15 06:28:20 +08:00 = 2023-11-14 22:28:20 UTC" in told
    assert "IMAP: 5 of the last 8 runs failed (since 2023-11-15 06:13:20 +08:00)" in told
    assert "IMAP: last failure 2023-11-15 06:48:20" in told
    assert "IMAP: last success 2023-11-15 06:23:20" in told


@pytest.mark.parametrize("is_refusal", [True, False])
def test_while_logins_are_paused_the_answer_itself_is_told(is_refusal):
    """Also the last one of many that left open whether the password is right."""
    paused = refused(
        started=START + 300,
        probe_id="bbbbbbbbbbbb",
        login_attempted=False,
        login_refused=False,
        login_suspended=True,
        login_next_attempt=START + 1800,
    )
    answered = refused(probe_id="aaaaaaaaaaaa", login_refused=is_refusal)
    made = ticket([IMAP], answered, paused, now=START + 400)
    assert made.leading.result is not None
    assert made.leading.result.probe_id == "aaaaaaaaaaaa"
    forgotten = ticket([IMAP], paused, now=START + 400)
    assert "No login, so that the account is not locked, until" in text(forgotten)


def test_what_another_protocol_said_is_not_told_as_this_ones():
    """Field: the section IMAP quoted SMTP's 535, with the steps of a run that had sent no password."""
    said = failed(SMTP, text="535 5.7.8 Error: authentication failed", phases=PHASES, login_attempted=True)
    paused = failed(IMAP, text="535 5.7.8 Error: authentication failed", started=START + 30)
    assert paused.failure is not None
    from_smtp = replace(paused.failure, answer_to=Service.SMTP)
    paused = replace(paused, failure=from_smtp, login_suspended=True, login_next_attempt=START + 1800)
    made = ticket([IMAP, SMTP], said, paused)
    told = text(made)
    imap = told[told.index("Error: IMAP") : told.index("Error: SMTP")]
    smtp = told[told.index("Error: SMTP") : told.index("Environment")]
    assert "Error code: 535 5.7.8" in smtp
    assert "Complete text:\n    535 5.7.8" in smtp
    assert "Error code" not in imap
    assert "Inferred: the same login was refused over SMTP; since then no password is sent over IMAP" in imap
    assert "Complete text of SMTP:\n    535 5.7.8" in imap
    assert "Last run in which IMAP logged in: none is remembered" in imap
    assert "Steps" not in imap
    [case] = [each for each in json.loads(render(made, "json", "en"))["cases"] if each["probe"] == "imap"]
    assert (case["code"], case["words_of"], case["dialogue"]) == (None, "smtp", [])

    worked = ok(IMAP, started=START - 300, login_attempted=True, probe_id="aaaaaaaaaaaa", phases=PHASES)
    told = text(ticket([IMAP, SMTP], worked, said, paused))
    imap = told[told.index("Error: IMAP") : told.index("Error: SMTP")]
    assert "Run: aaaaaaaaaaaa" in imap
    assert "Last run in which IMAP logged in: 2023-11-15 06:08:20 +08:00" in imap
    assert "login " in imap


def test_other_states():
    """Recovered, never failed, inconclusive, not run yet; of two probes the failing one is reported."""
    recovered = ticket([IMAP], refused(), ok(IMAP, started=START + 300), now=START + 400)
    assert recovered.state == "recovered"
    assert text(recovered).startswith("IMAP of sales@example.com failed and works again: wrong_password")
    assert ticket([IMAP], ok(IMAP)).state == "working"
    assert "Error" not in text(ticket([IMAP], ok(IMAP)))
    waiting = ticket([IMAP])
    assert waiting.state == "waiting"
    assert "IMAP: no run has finished yet" in text(waiting)
    unclear = failed(IMAP, Reason.LOCAL_ERROR, Phase.LOGIN, "secrets/sales: no such file", outcome=Outcome.INCONCLUSIVE)
    assert text(ticket([IMAP], unclear)).startswith("IMAP of sales@example.com cannot be judged: local_error")
    both = ticket([IMAP, SMTP], ok(IMAP), refused(SMTP))
    assert [case.target.probe for case in both.cases] == [ProbeName.SMTP]
    assert [case.target.probe for case in both.others] == [ProbeName.IMAP]
    with pytest.raises(KeyError):
        ticket([IMAP], name="nobody")


@pytest.mark.parametrize(
    ("words", "rule", "code"),
    [
        ("535-5.7.8 Username and\n535 5.7.8 Password not accepted", "", "535 5.7.8"),
        ("535 Error: authentication failed", "", "535"),
        ("NO [AUTHENTICATIONFAILED] no", "", "NO [AUTHENTICATIONFAILED]"),
        ("A7 NO [ALERT] [UNAVAILABLE] later", "", "NO [ALERT] [UNAVAILABLE]"),
        ("NO LOGIN Login error password error", "", "NO"),
        ("* BYE too many", "", "BYE"),
        ("-ERR [IN-USE] locked", "", "-ERR [IN-USE]"),
        ("-ERR NO such account", "", "-ERR"),
        ("HTTP/1.1 503 Service Unavailable", "", "503"),
        ("192.0.2.1 port 993: Connection refused", "errno:ECONNREFUSED", "errno:ECONNREFUSED"),
        ("2500 is not a code", "", ""),
        ("no reply in time", "probe", ""),
        ("no answer before the deadline", "deadline", ""),
    ],
)
def test_the_error_code_is_that_of_the_server_the_network_or_the_tls_library(words: str, rule: str, code: str):
    result = ok(IMAP, outcome=Outcome.FAILED, failure=Failure(Phase.LOGIN, Reason.TIMEOUT, words, rule))
    assert code_of(result) == code


@pytest.mark.parametrize(
    ("facts", "english", "chinese"),
    [
        (
            {F.ROUNDTRIP_CAME_LATE: 720.0, F.ROUNDTRIP_IN_FLIGHT: 0},
            "12 min after it was sent",
            "邮件在发出 12 分钟后到达",
        ),
        ({F.ROUNDTRIP_IN_FLIGHT: 1}, "the mail has not come yet", "邮件至今未到"),
        ({F.ROUNDTRIP_IN_FLIGHT: 0}, "", ""),  # given up, or nothing is remembered of it
    ],
)
def test_a_recovered_route_tells_whether_the_late_mail_came_in_the_end(facts, english: str, chinese: str):
    trip = route()
    late = failed(trip, Reason.MESSAGE_LATE, Phase.ARRIVE, "not there 30 s after it was sent; it has not come yet")
    early = ok(trip, fact(F.ROUNDTRIP_CAME_LATE, 99.0), started=START - 300)
    well = ok(trip, *(fact(name, value) for name, value in facts.items()), started=START + 300)
    made = ticket([trip], early, late, well, name=trip.name, now=START + 400)
    assert made.state == "recovered"
    told = text(made)
    assert "not there 30 s after it was sent; it has not come yet" in told
    assert ("What came of it: " in told) is bool(english)
    assert english in told
    assert chinese in text(made, "text", "zh")
    assert "发出 30 秒后仍未到达；至今未到" in text(made, "text", "zh")


def test_chinese_says_the_same():
    told = text(ticket([IMAP, NEAR], refused(), ok(NEAR)), language="zh")
    for line in (
        "sales@example.com 的 IMAP 失败：密码错误 wrong_password",
        "账号：sales@example.com",
        "错误代码",
        "腾讯",
        "已排除",
    ):
        assert line in told, line


def test_markdown_lets_no_server_write_markup():
    """Server texts stand in a fence that is longer than any fence in them; elsewhere markup is escaped."""
    told = text(ticket([IMAP], refused()), "md")
    assert "# IMAP of sales@example.com fails: wrong\\_password" in told
    assert "````\nNO [AUTHENTICATIONFAILED]" in told
    assert r"\`ready\` \*now\*" in told
    assert "- **Error code**: NO \\[AUTHENTICATIONFAILED\\]" in told


def test_json_is_the_contracts_result_and_more():
    made = ticket([IMAP, SMTP], refused(), ok(SMTP, login_attempted=True))
    found = json.loads(text(made, "json"))
    assert (found["schema_version"], found["state"], found["account"]) == (1, "failing", "sales@example.com")
    (case,) = found["cases"]
    assert (case["code"], case["result"]["reason"]) == ("NO [AUTHENTICATIONFAILED]", "wrong_password")
    assert case["time"] == {"local": "2023-11-15 06:13:20 +08:00", "utc": "2023-11-14T22:13:20.000Z"}
    assert found["environment"]["tls_version"] == "TLSv1.3"
    assert [each["what"] for each in found["ruled_out"]] == ["reached", "encrypted", "account_works"]
    assert [(each["probe"], each["runs"], each["failed"]) for each in found["history"]] == [
        ("imap", 1, 1),
        ("smtp", 1, 0),
    ]
    json.loads(text(ticket([IMAP]), "json"))


def test_several_causes_and_long_words_are_told_whole():
    words = "535 5.7.8 " + "x" * 1900 + " the end"
    several = (Reason.WRONG_PASSWORD, Reason.PROTOCOL_DISABLED)
    found = diagnose(Refusal(Service.SMTP, "535", words), Phase.LOGIN)
    told = text(ticket([SMTP], replace(refused(SMTP), failure=replace(found, ambiguous=several))))
    assert words in told
    assert "One of: wrong_password, protocol_disabled" in told


def test_a_long_dialogue_is_cut_at_its_beginning():
    lines = tuple(Line(number / 10, "<", f"line {number}\nmore") for number in range(200))
    told = text(ticket([IMAP], replace(refused(), transcript=lines)))
    assert "line 199" in told
    assert "line 100" not in told


def test_a_zone_with_a_name_is_named_and_utc_is_told_once():
    words = TicketWords("en", timezone(timedelta(hours=1), "CET"))
    assert words.both(START) == "2023-11-14 23:13:20 +01:00 CET = 2023-11-14 22:13:20 UTC"
    assert TicketWords("en", UTC).both(START) == "2023-11-14 22:13:20 UTC"


async def repeats_the_password(peer: Peer) -> None:
    """A POP3 or SMTP server that repeats everything it received in its refusal."""
    await peer.say("+OK ready")
    await peer.dialogue("+OK\r\nUSER\r\n.", "+OK")
    heard = await peer.hear()
    await peer.say(f"-ERR [AUTH] you said {heard}")


async def repeats_it_in_base64(peer: Peer) -> None:
    await peer.say("220 ready")
    await peer.dialogue("250-me\r\n250 AUTH PLAIN")
    heard = await peer.hear()
    await peer.say(f"535 5.7.8 you said {heard}")


@pytest.mark.parametrize(
    ("script", "protocol"), [(repeats_the_password, Service.POP3), (repeats_it_in_base64, Service.SMTP)]
)
async def test_no_secret_is_in_it_even_where_the_server_says_it(tmp_path: Path, script, protocol: Service):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await script(Peer(reader, writer))
        writer.close()

    state = await State.open(tmp_path)
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        endpoint = Endpoint("127.0.0.1", listener.sockets[0].getsockname()[1], Security.PLAIN, protocol)
        login = Login("a", "alice", Given())
        settings = pop3.Settings(endpoint, login) if protocol is Service.POP3 else smtp.Settings(endpoint, login)
        target = Target("box", Kind.MAILBOX, ProbeName(protocol.value), settings, 60, 10, 10)
        result = await Runner(context_over(state)).run(target)
    await state.close()
    assert result.login_refused, result.failure
    made = ticket([target], result, name="box", now=result.started)
    texts = [text(made, shape, language) for shape in ("text", "md", "json") for language in ("en", "zh")]
    assert all("you said" in each for each in texts)
    assert leaks(WORD, texts) == []


def test_the_command_asks_the_daemon_and_probes_once_where_there_is_none(mail_world: MailWorld, dovecot: Dovecot):
    """A mailbox locked by its provider: from the history of a daemon, then without a daemon, with real servers."""
    dovecot.refuse(ALICE, "Account is locked by the administrator")
    with daemon_for(mail_world) as daemon:
        ready = 'mailprobe_probe_failure_info{target="alice"'
        wait_until(lambda: daemon.metric(ready) is not None, 30, "alice fails")
        command = partial(mailprobe, "report", "alice", cwd=daemon.folder, TZ="Asia/Shanghai")
        asked = command(f"--url={daemon.url}", "--lang=zh", "--format=md")
        daemon.stop()
        alone = command(f"--url=http://127.0.0.1:{free_port()}")
    assert asked.returncode == 0, asked.stderr
    assert "Account is locked by the administrator" in asked.stdout
    assert "**账号**：alice@example.test" in asked.stdout
    assert alone.returncode == 0, alone.stderr
    assert "probing once" in alone.stderr
    for line in (
        "Account is locked by the administrator",
        "+08:00 CST = ",
        "mail.example.test:",
        "Ruled out",
        "DNS: the records of example.test are present and valid",
        "of the last 1 run failed",
        "TLS: TLSv1.3",
        "Valid until: ",
    ):
        assert line in alone.stdout, line
    assert mail_world.users[ALICE] not in alone.stdout
