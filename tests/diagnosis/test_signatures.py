"""Tests of the signatures with their own examples, and of the priority of rows, software and codes."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.presets import presets
from exporter.diagnosis import signatures
from exporter.diagnosis.banners import software_of
from exporter.diagnosis.classify import MOST, Classification, classify
from exporter.diagnosis.reply import MAX_BYTES, normalise, protocol_of
from exporter.diagnosis.signatures import ANY, CONNECT, SASL, Signature
from exporter.model import Phase, Service
from exporter.model.reasons import Reason
from exporter.net.text import decode
from tests.diagnosis.codes import judge

ROWS = signatures.rows()
SOFTWARE = {"dovecot", "postfix", "exim", "cyrus", "courier"}
NOBODY = ("nobody",)  # a known family without rows
UNSEEN = Path(__file__).parent / "unseen_replies.txt"


def spoken_over(row: Signature) -> Service | None:
    return None if row.protocol in (ANY, CONNECT, SASL) else Service(row.protocol)


def meaning(
    text: str, protocol: Service | None = None, *families: str, phase: Phase | None = None
) -> Classification | None:
    return classify(protocol, "", text, phase, families=families)


def phase_of(row: Signature) -> Phase | None:
    return {"login": Phase.LOGIN, "later": Phase.SUBMIT, "": None}[row.when]


@pytest.mark.parametrize("row", [row for row in ROWS if row.pattern], ids=lambda row: row.id)
def test_an_example_is_caught_by_its_own_row(row: Signature):
    family = row.provider if row.provider != ANY else "nobody"
    found = meaning(row.example, spoken_over(row), family, phase=phase_of(row))
    assert found is not None
    assert (found.reason, found.ambiguous) == (row.reason, row.causes)
    if row.provider == ANY:  # the codes of the example may say the same
        assert f"signature:{row.id}" in found.rule.split(" | ")
    else:
        assert (found.rule, found.apart) == (f"signature:{row.id}", row.apart)
    for example in row.more_examples:
        found = meaning(example, spoken_over(row), family, phase=phase_of(row))
        assert found is not None
        assert found.reason is row.reason


@pytest.mark.parametrize("row", [row for row in ROWS if row.code], ids=lambda row: row.id)
def test_a_standard_code_is_decided_by_the_rule_that_its_row_names(row: Signature):
    protocol = spoken_over(row)
    assert protocol is not None
    assert judge(protocol, "", row.example, None) == (row.reason, row.code)
    found = meaning(row.example, protocol, "nobody")
    assert found is not None
    assert found.reason is row.reason, "no generic text may contradict the code"


def test_rows_are_well_formed_and_in_the_order_of_matching():
    families = {family for preset in presets().values() for family in preset.signature_families}
    assert signatures.scopes() <= families | SOFTWARE
    assert len({row.id for row in ROWS}) == len(ROWS)
    rank = [2 if row.provider == ANY else 1 if row.provider in SOFTWARE else 0 for row in ROWS]
    assert rank == sorted(rank)
    for row in ROWS:
        assert row.source
        assert bool(row.pattern) != bool(row.code)
        assert row.when in ("", "login", "later")
        if row.pattern:
            re2.compile(row.pattern)
        assert bool(row.causes) == (row.reason in (Reason.AMBIGUOUS_LOGIN_REFUSED, Reason.UNKNOWN))
        assert not (row.weak and row.provider != ANY), "a text of one provider that names no cause is `shared`"
        assert bool(row.causes) == bool(row.apart[0]) == bool(row.apart[1])
        assert len(set(row.causes)) == len(row.causes) <= MOST


@pytest.mark.parametrize("line", UNSEEN.read_text(encoding="utf-8").splitlines())
def test_a_text_that_no_row_holds_is_carried_by_generic_rows_and_codes(line: str):
    protocol, text, reason = line.split("|")
    text = text.replace("\\n", "\n")
    assert text not in {row.example for row in ROWS}
    found = meaning(text, Service(protocol), "nobody")
    assert (found.reason if found else Reason.UNKNOWN) == Reason(reason)


@pytest.mark.parametrize(
    "text",
    [
        "550 Something odd happened",
        "554 5.0.0 Transaction failed",
        "-ERR something",
        "250 2.0.0 Ok: queued as 4711",
        "* OK [CAPABILITY IMAP4rev1] Dovecot ready.",
        "The quick brown fox jumps over the lazy dog",
        "Your password was changed on Monday",
        "",
    ],
)
def test_what_nothing_matches_is_none_and_never_a_guess(text: str):
    assert meaning(text) is None


@pytest.mark.parametrize("text", ["NO [ALERT] Please read this", "A1 NO [ALERT] [X-STRANGE] Have a nice day"])
def test_words_that_must_be_shown_to_the_user_are_a_notice_of_the_provider(text: str):
    assert meaning(text, Service.IMAP, phase=Phase.SELECT) == Classification(Reason.PROVIDER_ALERT, "rfc3501:ALERT")


def test_a_row_of_another_family_never_matches():
    text = "NO LOGIN Login error or password error"
    assert meaning(text, Service.IMAP, "netease") == Classification(
        Reason.AUTH_CODE_REQUIRED, "signature:netease.login_login_error_or_password"
    )
    other = meaning(text, Service.IMAP, "gmail")
    assert other is not None
    assert other.rule.startswith("signature:any.")
    for row in ROWS:
        if row.provider != ANY and row.pattern:
            found = meaning(row.example, spoken_over(row), "nobody")
            assert found is None or not found.rule.startswith(f"signature:{row.provider}.")


def test_own_families_come_first_in_their_order_then_the_software_then_what_is_generic():
    text = "535 Error: authentication failed, system busy"

    def rule(*families: str, software: tuple[str, ...] = ()) -> str:
        found = classify(Service.SMTP, "", text, Phase.LOGIN, families=families, software=software)
        assert found is not None
        return found.rule

    assert rule("exmail", "netease").startswith("signature:exmail.")
    assert rule("nobody", software=("exmail",)).startswith("signature:exmail.")
    assert rule("netease", software=("exmail",)).startswith("signature:exmail."), "netease shares its words with others"
    assert rule("nobody").startswith("signature:any.")
    both = classify(Service.SMTP, "", "535 ERR.LOGIN.PASSERR", Phase.LOGIN, families=("nobody", "netease_qiye"))
    assert both == Classification(Reason.WRONG_PASSWORD, "signature:netease_qiye.535_login_passerr")


@pytest.mark.parametrize("code", ["535 5.7.8", "535", "535 5.7.0"])
def test_a_bare_code_gives_a_reason_only_if_the_server_says_nothing_else(code: str):
    bare = meaning(f"{code} Authentication failed", Service.SMTP, "nobody", phase=Phase.LOGIN)
    assert bare is not None
    assert bare.reason is Reason.WRONG_PASSWORD
    more = meaning(f"{code} Authentication failed: xyzzy", Service.SMTP, "nobody", phase=Phase.LOGIN)
    assert more is not None
    assert (more.reason, more.ambiguous) == (Reason.AMBIGUOUS_LOGIN_REFUSED, ())


@pytest.mark.parametrize(
    ("text", "causes"),
    [
        ("NO [AUTHENTICATIONFAILED] Authentication failed", {Reason.WRONG_PASSWORD, Reason.AUTH_CODE_REQUIRED}),
        ("535 5.7.8 Error: authentication failed", {Reason.WRONG_PASSWORD, Reason.AUTH_CODE_REQUIRED}),
        ("535 Error: authentication failed", {Reason.WRONG_PASSWORD, Reason.AUTH_CODE_REQUIRED}),
        ("-ERR Unable to log on", {Reason.WRONG_PASSWORD, Reason.AUTH_CODE_REQUIRED}),
    ],
)
def test_families_that_disagree_about_an_unknown_server_are_ambiguous_with_the_list(text: str, causes: set[Reason]):
    for phase in (None, Phase.LOGIN):
        found = meaning(text, phase=phase)
        assert found is not None
        assert found.reason is Reason.AMBIGUOUS_LOGIN_REFUSED
        assert set(found.ambiguous) == causes


def test_disagreement_about_anything_but_a_login_is_unknown_with_the_list():
    disagreeing = "550 5.7.1 Suspected spam, and mailbox not found by godaddy IB103"
    found = meaning(disagreeing, Service.SMTP, phase=Phase.SUBMIT)
    assert found is not None
    assert found.reason is Reason.UNKNOWN
    assert len(found.ambiguous) > 1
    assert meaning(disagreeing, Service.SMTP) == found, "550 does not answer a login"


def test_one_text_for_five_causes_lists_them_and_what_tells_them_apart():
    found = meaning("535 Login fail. Account is abnormal, service is not open, password is incorrect", None, "qq")
    assert found is not None
    assert found.reason is Reason.AMBIGUOUS_LOGIN_REFUSED
    assert len(found.ambiguous) == 5
    assert Reason.RATE_LIMITED in found.ambiguous
    assert "15 minutes" in found.apart[0]
    assert "15 分钟" in found.apart[1]


# -- formats of replies -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("535-5.7.8 Username and Password not\r\n535 5.7.8 accepted. - gsmtp", Reason.WRONG_PASSWORD),
        ("550-5.7.26 mail is not accepted due\n550-5.7.26 to domain's\n550 5.7.26 DMARC policy", Reason.DMARC_REJECT),
        (
            "421-4.7.0 This message is suspicious due to the very low\n421 4.7.0 reputation of the sending IP address",
            Reason.IP_BLOCKLISTED,
        ),
        (
            "A17 NO [ALERT] Please log in via your web\r\n browser: https://example.com (Failure)",
            Reason.LOGIN_FROM_NEW_LOCATION_BLOCKED,
        ),
    ],
)
def test_a_sentence_that_is_broken_over_lines_is_read_as_one(text: str, reason: Reason):
    found = meaning(text, None, "gmail")
    assert found is not None
    assert found.reason is reason


def test_gbk_bytes_are_read():
    said = decode("535 Error: 请使用授权码登录。详情请看: http://service.mail.qq.com/".encode("gbk"))
    found = meaning(said, Service.SMTP, "qq")
    assert found == Classification(Reason.AUTH_CODE_REQUIRED, "signature:qq.use_authorization_code")


@pytest.mark.parametrize(
    ("json", "reason"),
    [
        ('{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}', Reason.OAUTH_TOKEN_EXPIRED),
        ('{"status":"invalid_token","scope":"example_scope"}', Reason.OAUTH_TOKEN_EXPIRED),
        ('{"status":"insufficient_scope"}', Reason.OAUTH_TOKEN_REJECTED),
        ('{"error":"invalid_grant","error_description":"Bad Request"}', Reason.OAUTH_TOKEN_REJECTED),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_is_said_of_a_token_in_base64_is_read_first(json: str, reason: Reason, wrapped: bool):
    packed = base64.b64encode(json.encode()).decode()
    if wrapped:
        packed = packed[:24] + "\n" + packed[24:]
    for text in (f"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\n+ {packed}", f"334 {packed}", packed, json):
        found = meaning(text, None, "gmail")
        assert found is not None
        assert found.reason is reason


def test_base64_that_is_no_json_is_only_text():
    found = meaning("535 5.7.8 Error: authentication failed: eyJhbGciOiJub25lIn0", Service.SMTP, "postfix")
    assert found is not None
    assert found.rule.startswith("signature:postfix.")


@pytest.mark.parametrize(
    ("text", "protocol"),
    [
        ("535 x", Service.SMTP),
        ("535-5.7.8 x", Service.SMTP),
        ("-ERR x", Service.POP3),
        ("NO x", Service.IMAP),
        ("* BYE x", Service.IMAP),
        ("A1 BAD x", Service.IMAP),
        ("HTTP/1.1 503 x", Service.HTTPS),
        ("Authentication failed", None),
        ("", None),
    ],
)
def test_a_reply_tells_its_protocol(text: str, protocol: Service | None):
    assert protocol_of(text) is protocol


@pytest.mark.parametrize(
    ("greeting", "names"),
    [
        ("* OK [CAPABILITY IMAP4rev1] Dovecot (Debian) ready.", ("dovecot",)),
        ("220 mail.example.com ESMTP Postfix (Debian/GNU)", ("postfix",)),
        ("220 mx.example.com ESMTP Exim 4.96", ("exim",)),
        ("* OK mail Cyrus IMAP 3.6.1 server ready", ("cyrus",)),
        ("* OK Courier-IMAP ready.", ("courier",)),
        ("+OK Hello there.", ("courier",)),
        ("* OK Gimap ready for requests from 192.0.2.1", ("gmail",)),
        ("220 smtp.gmail.com ESMTP x - gsmtp", ("gmail",)),
        ("* OK The Microsoft Exchange IMAP4 service is ready.", ("microsoft",)),
        ("* OK [CAPABILITY IMAP4] QQMail XMIMAP4Server ready", ("qq",)),
        ("* OK Coremail System IMap Server Ready(163com[1])", ("netease",)),
        ("220 hz-smtp.qiye.163.com ESMTP", ("netease_qiye", "netease")),
        ("220 mail.example.com ESMTP ready", ()),
        ("", ()),
    ],
)
def test_a_greeting_names_software(greeting: str, names: tuple[str, ...]):
    assert software_of(greeting) == names
    assert set(names) <= signatures.scopes()


# -- bounds -------------------------------------------------------------------------------------------------------

texts = st.text(max_size=300) | st.lists(
    st.sampled_from(["NO ", "535-", "5.7.8 ", "\n", "[", "]", "eyJ", "user ", "is ", "not ", "quota ", '{"status"'])
    | st.text(max_size=5),
    max_size=60,
).map("".join)


@given(st.none() | st.sampled_from(Service), texts, st.none() | st.sampled_from(Phase), st.sampled_from([(), NOBODY]))
def test_no_text_can_upset_it(protocol: Service | None, text: str, phase: Phase | None, families: tuple[str, ...]):
    found = classify(protocol, "", text, phase, families=families)
    assert found is None or (len(found.ambiguous) <= MOST and isinstance(found.reason, Reason))


@pytest.mark.parametrize(
    "seed", ["too many ", "eyJ", "535-5.7.8 user ", "NO [", "client host ", "\n", "授权码", '{"status"']
)
def test_hostile_text_costs_little_and_no_more_than_2_kib_are_read(seed: str):
    """The CPU time of the test process is limited, not the wall time: backtracking would take minutes."""
    assert len(normalise(Service.SMTP, seed * 100_000, None).literal.encode()) <= MAX_BYTES
    began = time.process_time()
    for protocol in (Service.IMAP, Service.SMTP, Service.POP3, None):
        for _ in range(10):
            meaning(seed * 100_000, protocol)
    assert time.process_time() - began < 5
