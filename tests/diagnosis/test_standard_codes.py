"""Tests of standard codes: each row has a reply, the phase it answers, and the meaning of its code.

Texts are the subject of test_signatures.
"""

from __future__ import annotations

import time

import pytest

from exporter.diagnosis.reply import closing_protocol
from exporter.model import Phase, Service
from exporter.model.reasons import Reason
from tests.diagnosis.codes import judge

LOGIN, SELECT, SUBMIT, GREETING = Phase.LOGIN, Phase.SELECT, Phase.SUBMIT, Phase.GREETING


@pytest.mark.parametrize(
    ("text", "phase", "reason", "rule"),
    [
        (
            "NO [AUTHENTICATIONFAILED] Authentication failed.",
            LOGIN,
            Reason.WRONG_PASSWORD,
            "rfc5530:AUTHENTICATIONFAILED",
        ),
        ("A3 NO [authenticationfailed] x", LOGIN, Reason.WRONG_PASSWORD, "rfc5530:AUTHENTICATIONFAILED"),
        ("NO [EXPIRED] x", LOGIN, Reason.PASSWORD_EXPIRED, "rfc5530:EXPIRED"),
        ("NO [AUTHORIZATIONFAILED] x", LOGIN, Reason.ACCOUNT_DISABLED, "rfc5530:AUTHORIZATIONFAILED"),
        ("NO [CONTACTADMIN] x", LOGIN, Reason.ACCOUNT_DISABLED, "rfc5530:CONTACTADMIN"),
        ("NO [PRIVACYREQUIRED] Plaintext disallowed", LOGIN, Reason.TLS_REQUIRED, "rfc5530:PRIVACYREQUIRED"),
        ("NO [UNAVAILABLE] Temporary failure.", LOGIN, Reason.TEMPORARILY_UNAVAILABLE, "rfc5530:UNAVAILABLE"),
        ("NO [UNAVAILABLE] x", SELECT, Reason.TEMPORARILY_UNAVAILABLE, "rfc5530:UNAVAILABLE"),
        ("NO [ALERT] [UNAVAILABLE] x", SELECT, Reason.TEMPORARILY_UNAVAILABLE, "rfc5530:UNAVAILABLE"),
        ("NO [ALERT] Please read this", LOGIN, Reason.AMBIGUOUS_LOGIN_REFUSED, "imap:NO"),
        ("NO [LIMIT] x", SELECT, Reason.RATE_LIMITED, "rfc5530:LIMIT"),
        ("NO [INUSE] x", SELECT, Reason.MAILBOX_IN_USE, "rfc5530:INUSE"),
        ("NO [OVERQUOTA] Quota exceeded", SUBMIT, Reason.MAILBOX_OVER_QUOTA, "rfc9208:OVERQUOTA"),
        ("NO [NOPERM] x", SELECT, Reason.NO_PERMISSION, "rfc5530:NOPERM"),
        ("NO [NOPERM] x", LOGIN, Reason.AMBIGUOUS_LOGIN_REFUSED, "rfc5530:NOPERM"),
        ("NO [NONEXISTENT] Unknown", SELECT, Reason.FOLDER_MISSING, "rfc5530:NONEXISTENT"),
        ("NO [TRYCREATE] x", SELECT, Reason.FOLDER_MISSING, "rfc3501:TRYCREATE"),
        ("NO [ALREADYEXISTS] x", SELECT, Reason.FOLDER_EXISTS, "rfc5530:ALREADYEXISTS"),
        ("NO [EXPUNGEISSUED] x", Phase.FETCH, Reason.MESSAGE_MISSING, "rfc5530:EXPUNGEISSUED"),
        ("NO [CORRUPTION] x", SELECT, Reason.SERVER_ERROR, "rfc5530:CORRUPTION"),
        ("NO [SERVERBUG] Internal error [2026-01-01 10:00:00]", SELECT, Reason.SERVER_ERROR, "rfc5530:SERVERBUG"),
        ("BAD [CLIENTBUG] x", SELECT, Reason.COMMAND_REJECTED, "rfc5530:CLIENTBUG"),
        ("NO [CANNOT] x", SELECT, Reason.UNSUPPORTED_OPERATION, "rfc5530:CANNOT"),
        ("NO Invalid login or password", LOGIN, Reason.AMBIGUOUS_LOGIN_REFUSED, "imap:NO"),
        ("BAD Error in IMAP command", LOGIN, Reason.COMMAND_REJECTED, "imap:BAD"),
        ("BYE Server is shutting down", GREETING, Reason.TEMPORARILY_UNAVAILABLE, "imap:BYE"),
        ("* BYE Server is shutting down", LOGIN, Reason.TEMPORARILY_UNAVAILABLE, "imap:BYE"),
        ("* BYE Disconnected: auth failed", LOGIN, Reason.AMBIGUOUS_LOGIN_REFUSED, "imap:NO"),
    ],
)
def test_an_imap_refusal(text: str, phase: Phase, reason: Reason, rule: str) -> None:
    assert judge(Service.IMAP, "", text, phase) == (reason, rule)


@pytest.mark.parametrize(
    ("text", "phase", "reason", "rule"),
    [
        ("535 5.7.8 Error: authentication failed", LOGIN, Reason.WRONG_PASSWORD, "rfc3463:5.7.8"),
        ("535-5.7.8 Username and Password\n535 5.7.8 not accepted", LOGIN, Reason.WRONG_PASSWORD, "rfc3463:5.7.8"),
        ("535 Authentication failed", LOGIN, Reason.WRONG_PASSWORD, "smtp:535"),
        ("535 5.7.3 Authentication unsuccessful", LOGIN, Reason.WRONG_PASSWORD, "smtp:535"),
        ("535 5.7.139 Authentication unsuccessful", LOGIN, Reason.AMBIGUOUS_LOGIN_REFUSED, "smtp:5yz"),
        ("454 4.7.0 Temporary authentication failure", LOGIN, Reason.TEMPORARILY_UNAVAILABLE, "smtp:454"),
        ("432 4.7.12 A password transition is needed", LOGIN, Reason.AUTH_MISSING, "rfc3463:4.7.12"),
        ("534 5.7.9 Authentication mechanism is too weak", LOGIN, Reason.AUTH_MISSING, "rfc3463:5.7.9"),
        ("538 5.7.11 Encryption needed", LOGIN, Reason.TLS_REQUIRED, "rfc3463:5.7.11"),
        ("523 x", LOGIN, Reason.TLS_REQUIRED, "smtp:523"),
        ("525 5.7.13 x", LOGIN, Reason.ACCOUNT_DISABLED, "rfc3463:5.7.13"),
        ("530 x", SUBMIT, Reason.AUTH_MISSING, "smtp:530"),
        ("504 5.5.4 Unrecognized authentication type", LOGIN, Reason.AUTH_MISSING, "smtp:504"),
        ("501 5.5.4 x", LOGIN, Reason.COMMAND_REJECTED, "smtp:501"),
        ("500 5.5.6 line too long", LOGIN, Reason.COMMAND_REJECTED, "rfc3463:5.5.6"),
        ("550 User has no permission", LOGIN, Reason.AMBIGUOUS_LOGIN_REFUSED, "smtp:5yz"),
        ("451 4.3.0 x", LOGIN, Reason.TEMPORARILY_UNAVAILABLE, "smtp:4yz"),
        ("421 4.7.0 not now", GREETING, Reason.TEMPORARILY_UNAVAILABLE, "smtp:4yz"),
        ("421 4.3.2 Service shutting down", SUBMIT, Reason.TEMPORARILY_UNAVAILABLE, "rfc3463:4.3.2"),
        ("554 No SMTP service here", GREETING, Reason.POLICY_REJECTED, "smtp:554"),
        ("454 4.7.0 TLS not available due to local problem", Phase.STARTTLS, Reason.STARTTLS_UNAVAILABLE, "smtp:454"),
        ("451 4.7.1 Try again later", SUBMIT, Reason.TEMPORARILY_UNAVAILABLE, "smtp:4yz"),
        ("550 5.1.1 <a@b.test>: User unknown", SUBMIT, Reason.RECIPIENT_UNKNOWN, "rfc3463:5.1.1"),
        ("450 4.1.1 <a@b.test>: unverified address", SUBMIT, Reason.TEMPORARILY_UNAVAILABLE, "smtp:4yz"),
        ("450 4.1.8 Sender address rejected: Domain not found", SUBMIT, Reason.SENDER_REJECTED, "rfc3463:4.1.8"),
        ("450 4.1.2 Domain not found", SUBMIT, Reason.RECIPIENT_DOMAIN_BAD, "rfc3463:4.1.2"),
        ("556 5.1.10 null MX", SUBMIT, Reason.RECIPIENT_DOMAIN_BAD, "rfc3463:5.1.10"),
        ("550 5.2.1 x", SUBMIT, Reason.RECIPIENT_DISABLED, "rfc3463:5.2.1"),
        ("450 4.2.1 receiving mail too quickly", SUBMIT, Reason.TEMPORARILY_UNAVAILABLE, "smtp:4yz"),
        ("452 4.2.2 mailbox full", SUBMIT, Reason.RECIPIENT_OVER_QUOTA, "rfc3463:4.2.2"),
        ("552 x", SUBMIT, Reason.RECIPIENT_OVER_QUOTA, "smtp:552"),
        ("552 5.3.4 Message size exceeds fixed limit", SUBMIT, Reason.MESSAGE_TOO_LARGE, "rfc3463:5.3.4"),
        ("552 5.2.3 x", SUBMIT, Reason.MESSAGE_TOO_LARGE, "rfc3463:5.2.3"),
        ("552 5.7.0 blocked: potential security issue", SUBMIT, Reason.POLICY_REJECTED, "rfc3463:5.7.0"),
        ("554 5.7.1 Command rejected", SUBMIT, Reason.POLICY_REJECTED, "rfc3463:5.7.1"),
        ("554 5.4.6 Too many hops", SUBMIT, Reason.ROUTING_LOOP, "rfc3463:5.4.6"),
        ("451 4.4.1 No answer from host", SUBMIT, Reason.REMOTE_UNREACHABLE, "rfc3463:4.4.1"),
        ("452 4.5.3 Too many recipients", SUBMIT, Reason.SENDING_LIMIT_REACHED, "rfc3463:4.5.3"),
        ("550 5.6.0 x", SUBMIT, Reason.CONTENT_MALFORMED, "rfc3463:5.6.0"),
        ("550 5.7.20 x", SUBMIT, Reason.DKIM_FAIL, "rfc3463:5.7.20"),
        ("550 5.7.23 x", SUBMIT, Reason.SPF_FAIL, "rfc3463:5.7.23"),
        ("550 5.7.25 x", SUBMIT, Reason.RDNS_MISSING, "rfc3463:5.7.25"),
        ("421-4.7.26 x\n421 4.7.26 y", SUBMIT, Reason.DMARC_REJECT, "rfc3463:4.7.26"),
        ("551 User not local", SUBMIT, Reason.RELAY_DENIED, "smtp:551"),
        ("502 5.5.1 x", Phase.CAPABILITY, Reason.COMMAND_REJECTED, "rfc3463:5.5.1"),
        ("452 x", SUBMIT, Reason.TEMPORARILY_UNAVAILABLE, "smtp:4yz"),
    ],
)
def test_an_smtp_refusal(text: str, phase: Phase, reason: Reason, rule: str) -> None:
    assert judge(Service.SMTP, text[:3], text, phase) == (reason, rule)


@pytest.mark.parametrize("text", ["550 x", "553 x", "554 5.0.0 x", "550 5.1.2.3 is not a status code"])
def test_an_smtp_code_with_several_causes_names_none(text: str) -> None:
    assert judge(Service.SMTP, text[:3], text, SUBMIT) is None


def test_an_enhanced_code_of_the_other_class_is_not_believed() -> None:
    assert judge(Service.SMTP, "450", "450 5.1.1 x", SUBMIT) == (Reason.TEMPORARILY_UNAVAILABLE, "smtp:4yz")


@pytest.mark.parametrize(
    ("text", "phase", "reason", "rule"),
    [
        ("-ERR [AUTH] Authentication failed.", LOGIN, Reason.WRONG_PASSWORD, "rfc3206:AUTH"),
        ("-ERR [SYS/TEMP] x", LOGIN, Reason.TEMPORARILY_UNAVAILABLE, "rfc3206:SYS/TEMP"),
        ("-ERR [SYS/PERM] x", LOGIN, Reason.SERVER_ERROR, "rfc3206:SYS/PERM"),
        ("-ERR [IN-USE] x", LOGIN, Reason.MAILBOX_IN_USE, "rfc2449:IN-USE"),
        ("-ERR [LOGIN-DELAY] x", LOGIN, Reason.RATE_LIMITED, "rfc2449:LOGIN-DELAY"),
        ("-ERR no", LOGIN, Reason.AMBIGUOUS_LOGIN_REFUSED, "pop3:-ERR"),
    ],
)
def test_a_pop3_refusal(text: str, phase: Phase, reason: Reason, rule: str) -> None:
    assert judge(Service.POP3, "-ERR", text, phase) == (reason, rule)


@pytest.mark.parametrize(
    ("protocol", "text"),
    [
        (Service.IMAP, "NO [ALERT] Please read this"),
        (Service.IMAP, "NO not now"),
        (Service.IMAP, "NO folder [LIMIT] is odd"),
        (Service.POP3, "-ERR unknown command"),
    ],
)
def test_words_without_a_code_name_no_cause(protocol: Service, text: str) -> None:
    assert judge(protocol, text.split(maxsplit=1)[0], text, SELECT) is None


def test_without_a_phase_a_code_that_only_auth_gets_is_read_as_one() -> None:
    """`explain` knows the reply, but not the phase."""
    assert judge(Service.SMTP, "", "535 5.7.139 x", None) == (Reason.AMBIGUOUS_LOGIN_REFUSED, "smtp:5yz")
    assert judge(Service.SMTP, "", "5.1.1 x", None) == (Reason.RECIPIENT_UNKNOWN, "rfc3463:5.1.1")
    assert judge(Service.IMAP, "", "[AUTHENTICATIONFAILED] x", None) == (
        Reason.WRONG_PASSWORD,
        "rfc5530:AUTHENTICATIONFAILED",
    )


@pytest.mark.parametrize(
    ("text", "protocol"),
    [
        ("* BYE x", Service.IMAP),
        ("ABCD3 NO x", Service.IMAP),
        ("421 x", Service.SMTP),
        ("554-x", Service.SMTP),
        ("-ERR x", Service.POP3),
        ("* OK half a li", None),
        ("250 fine", None),
        ("", None),
    ],
)
def test_last_words_tell_their_protocol(text: str, protocol: Service | None) -> None:
    assert closing_protocol(text) is protocol


@pytest.mark.parametrize("seed", ["too many ", "[", "[A] ", "NO [", "client host ", "5.7.", "\n", "a" * 41])
def test_hostile_text_costs_little(seed: str) -> None:
    """The CPU time of the test process is limited, not the wall time: backtracking would take minutes."""
    began = time.process_time()
    for protocol in (Service.IMAP, Service.SMTP, Service.POP3):
        judge(protocol, "", seed * 100_000, Phase.LOGIN)
        judge(protocol, "", seed * 100_000, None)
    assert time.process_time() - began < 5
