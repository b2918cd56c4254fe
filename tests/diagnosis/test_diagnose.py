"""Tests of diagnosis: each row has an exception, the phase in which it was raised, and the expected reason and rule."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from exporter.diagnosis.diagnose import diagnose, outcome_of
from exporter.model import Failure, Outcome, Phase, Service
from exporter.model.advice import Advice
from exporter.model.errors import (
    DnsFailure,
    Garbage,
    Inconclusive,
    ProbeError,
    Refusal,
    ServerClosed,
    StartTlsUnavailable,
    Suspended,
)
from exporter.model.reasons import ABOUT, Layer, Reason


def oserror(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def sslerror(reason: str, kind: type[ssl.SSLError] = ssl.SSLError) -> ssl.SSLError:
    exc = kind(1, f"[SSL: {reason}] words (_ssl.c:1)")
    exc.reason = reason
    return exc


def unverified(code: int) -> ssl.SSLCertVerificationError:
    exc = ssl.SSLCertVerificationError(1, "certificate verify failed")
    exc.verify_code = code
    exc.verify_message = f"words of {code}"
    return exc


@pytest.mark.parametrize(
    ("exc", "phase", "reason", "rule"),
    [
        (TimeoutError(), Phase.RESOLVE, Reason.DNS_TIMEOUT, "deadline"),
        (TimeoutError(), Phase.ARRIVE, Reason.MESSAGE_LATE, "deadline"),
        (TimeoutError(), Phase.CONNECT, Reason.TIMEOUT, "deadline"),
        (TimeoutError(), None, Reason.TIMEOUT, "deadline"),
        (oserror(errno.ETIMEDOUT), Phase.ARRIVE, Reason.TIMEOUT, "errno:ETIMEDOUT"),
        (oserror(errno.ECONNREFUSED), Phase.CONNECT, Reason.CONNECTION_REFUSED, "errno:ECONNREFUSED"),
        (oserror(errno.ECONNRESET), Phase.LOGIN, Reason.CONNECTION_RESET, "errno:ECONNRESET"),
        (oserror(errno.EPIPE), Phase.SUBMIT, Reason.CONNECTION_RESET, "errno:EPIPE"),
        (oserror(errno.ENETUNREACH), Phase.CONNECT, Reason.HOST_UNREACHABLE, "errno:ENETUNREACH"),
        (oserror(errno.EHOSTUNREACH), Phase.CONNECT, Reason.HOST_UNREACHABLE, "errno:EHOSTUNREACH"),
        (oserror(errno.EMFILE), Phase.CONNECT, Reason.LOCAL_ERROR, "errno:EMFILE"),
        (oserror(errno.ENFILE), Phase.CONNECT, Reason.LOCAL_ERROR, "errno:ENFILE"),
        (oserror(errno.EADDRNOTAVAIL), Phase.CONNECT, Reason.LOCAL_ERROR, "errno:EADDRNOTAVAIL"),
        (oserror(errno.EADDRINUSE), Phase.CONNECT, Reason.LOCAL_ERROR, "errno:EADDRINUSE"),
        (oserror(errno.EAFNOSUPPORT), Phase.CONNECT, Reason.LOCAL_ERROR, "errno:EAFNOSUPPORT"),
        (oserror(errno.EACCES), Phase.CONNECT, Reason.LOCAL_ERROR, "errno:EACCES"),
        (oserror(errno.ENOBUFS), Phase.CONNECT, Reason.LOCAL_ERROR, "errno:ENOBUFS"),
        (oserror(errno.ENOSPC), None, Reason.LOCAL_ERROR, "errno:ENOSPC"),
        (oserror(errno.EBADF), Phase.CONNECT, Reason.BUG, "exception:OSError"),
        (OSError("no number"), Phase.CONNECT, Reason.BUG, "exception:OSError"),
        (socket.gaierror(socket.EAI_NONAME, "x"), Phase.RESOLVE, Reason.HOST_NOT_FOUND, "dns:getaddrinfo"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), Phase.RESOLVE, Reason.DNS_SERVER_FAILURE, "dns:getaddrinfo"),
        (unverified(9), Phase.TLS, Reason.CERTIFICATE_NOT_YET_VALID, "verify:9"),
        (unverified(10), Phase.TLS, Reason.CERTIFICATE_EXPIRED, "verify:10"),
        (unverified(62), Phase.TLS, Reason.CERTIFICATE_NAME_MISMATCH, "verify:62"),
        (unverified(64), Phase.TLS, Reason.CERTIFICATE_NAME_MISMATCH, "verify:64"),
        *((unverified(n), Phase.TLS, Reason.CERTIFICATE_UNTRUSTED, f"verify:{n}") for n in (2, 18, 19, 20, 21, 26)),
        (sslerror("WRONG_VERSION_NUMBER"), Phase.TLS, Reason.WRONG_PROTOCOL, "ssl:WRONG_VERSION_NUMBER"),
        (sslerror("HTTP_REQUEST"), Phase.TLS, Reason.WRONG_PROTOCOL, "ssl:HTTP_REQUEST"),
        (sslerror("RECORD_LAYER_FAILURE"), Phase.TLS, Reason.WRONG_PROTOCOL, "ssl:RECORD_LAYER_FAILURE"),
        (sslerror("RECORD_LAYER_FAILURE"), Phase.LOGIN, Reason.TLS_FAILED, "ssl:RECORD_LAYER_FAILURE"),
        (sslerror("NO_SHARED_CIPHER"), Phase.TLS, Reason.TLS_FAILED, "ssl:NO_SHARED_CIPHER"),
        (ssl.SSLEOFError(8, "EOF occurred"), Phase.TLS, Reason.TLS_FAILED, "ssl:SSLEOFError"),
        (ssl.SSLEOFError(8, "EOF occurred"), Phase.LOGIN, Reason.CONNECTION_RESET, "ssl:SSLEOFError"),
        (ssl.SSLZeroReturnError(6, "closed"), Phase.LOGIN, Reason.CONNECTION_RESET, "ssl:SSLZeroReturnError"),
        (DnsFailure("nxdomain", "x"), Phase.RESOLVE, Reason.HOST_NOT_FOUND, "dns:nxdomain"),
        (DnsFailure("no_data", "x"), Phase.RESOLVE, Reason.HOST_NOT_FOUND, "dns:no_data"),
        (DnsFailure("timeout", "x"), Phase.RESOLVE, Reason.DNS_TIMEOUT, "dns:timeout"),
        (DnsFailure("servfail", "x"), Phase.RESOLVE, Reason.DNS_SERVER_FAILURE, "dns:servfail"),
        (DnsFailure("refused", "x"), Phase.RESOLVE, Reason.DNS_SERVER_FAILURE, "dns:refused"),
        (DnsFailure("bogus", "x"), Phase.RESOLVE, Reason.DNSSEC_BOGUS, "dns:bogus"),
        (Garbage("SSH-2.0", wrong_protocol=True), Phase.GREETING, Reason.WRONG_PROTOCOL, "garbage"),
        (Garbage("x" * 70000), Phase.GREETING, Reason.PROTOCOL_ERROR, "garbage"),
        (StartTlsUnavailable(), Phase.STARTTLS, Reason.STARTTLS_UNAVAILABLE, "starttls"),
        (ProbeError(Reason.MESSAGE_LOST, "x"), Phase.ARRIVE, Reason.MESSAGE_LOST, "probe"),
        (Suspended(Reason.WRONG_PASSWORD, "x", 1.0), Phase.LOGIN, Reason.WRONG_PASSWORD, "guard"),
        (MemoryError(), Phase.FETCH, Reason.LOCAL_ERROR, "exception:MemoryError"),
        (sqlite3.OperationalError("disk full"), None, Reason.LOCAL_ERROR, "exception:OperationalError"),
        (ServerClosed(), Phase.GREETING, Reason.CONNECTION_RESET, "closed"),
        (ServerClosed("Too bad"), Phase.GREETING, Reason.CONNECTION_RESET, "closed"),
        (
            ServerClosed("* BYE [UNAVAILABLE] x"),
            Phase.SELECT,
            Reason.TEMPORARILY_UNAVAILABLE,
            "rfc5530:UNAVAILABLE | imap:BYE",
        ),
        (ServerClosed("* BYE Autologout; idle"), Phase.SELECT, Reason.IDLE_DISCONNECT, "signature:any.idle"),
        (ServerClosed("421 4.7.0 h Error: too many connections"), None, Reason.RATE_LIMITED, "signature:any.limits"),
        (ServerClosed("421 4.4.2 h Error: timeout exceeded"), None, Reason.IDLE_DISCONNECT, "signature:any.idle"),
        (ServerClosed("554 nothing known"), Phase.SUBMIT, Reason.CONNECTION_RESET, "closed"),
        (ServerClosed("-ERR [SYS/TEMP] x"), Phase.LOGIN, Reason.TEMPORARILY_UNAVAILABLE, "rfc3206:SYS/TEMP"),
        (KeyError("x"), Phase.LOGIN, Reason.BUG, "exception:KeyError"),
        (ExceptionGroup("x", [KeyError("x"), TimeoutError()]), Phase.LOGIN, Reason.TIMEOUT, "deadline"),
        (ExceptionGroup("x", [KeyError("x")]), Phase.LOGIN, Reason.BUG, "exception:KeyError"),
    ],
)
def test_an_exception_becomes_its_reason(exc: BaseException, phase: Phase | None, reason: Reason, rule: str) -> None:
    found = diagnose(exc, phase)
    assert (found.reason, found.rule, found.phase) == (reason, rule, phase)


OUR_NAME = "is not matching your DNS configuration"


@pytest.mark.parametrize(
    ("exc", "phase", "advice"),
    [
        (Refusal(Service.SMTP, "421", f"421 EHLO X1 Your HELO/EHLO [192.0.2.1] {OUR_NAME}"), Phase.CAPABILITY, True),
        (ServerClosed(f"421 EHLO X1 Your HELO/EHLO [192.0.2.1] {OUR_NAME}"), Phase.CAPABILITY, True),
        (
            Refusal(Service.SMTP, "504", "504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname"),
            Phase.SUBMIT,
            True,
        ),
        (Refusal(Service.SMTP, "501", "501 Syntax error in parameters"), Phase.CAPABILITY, True),
        (Refusal(Service.SMTP, "501", "501 Syntax error in parameters"), Phase.SUBMIT, False),
        (Refusal(Service.SMTP, "503", "503 5.5.1 Error: send HELO/EHLO first"), Phase.SUBMIT, False),
        (Refusal(Service.SMTP, "502", "502 5.5.2 EHLO command not implemented"), Phase.CAPABILITY, False),
        (Refusal(Service.SMTP, "550", "550 5.7.1 rejected, see https://helo.example.com/ehlo"), Phase.SUBMIT, False),
        (Refusal(Service.SMTP, "421", "421 4.7.0 too many connections, EHLO again later"), Phase.CAPABILITY, False),
        (Refusal(Service.IMAP, "NO", "NO HELO is not a command here"), Phase.CAPABILITY, False),
        (ServerClosed("* BYE EHLO is SMTP"), Phase.CAPABILITY, False),
    ],
)
def test_a_refusal_of_our_name_in_ehlo_advises_another_name(exc: Exception, phase: Phase, advice: bool) -> None:
    assert diagnose(exc, phase).advice == (Advice.EHLO_NAME if advice else None)


def handshake(server: trustme.LeafCert, trusted: trustme.CA, name: str) -> None:
    """Do a real handshake in memory. Raises the exception that a client would get."""
    ours, theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusted.configure_trust(ours)
    server.configure_cert(theirs)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(back, there, server_hostname=name)
    peer = theirs.wrap_bio(there, back, server_side=True)
    for _ in range(4):
        for side in (client, peer):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


def failed_handshake(server: trustme.LeafCert, trusted: trustme.CA, name: str) -> Failure:
    with pytest.raises(ssl.SSLError) as caught:
        handshake(server, trusted, name)
    return diagnose(caught.value, Phase.TLS)


def test_openssl_says_of_real_certificates_what_the_table_expects() -> None:
    ca = trustme.CA()
    now, day = datetime.now(UTC), timedelta(days=1)
    past = ca.issue_cert("mail.test", not_before=now - 3 * day, not_after=now - day)
    future = ca.issue_cert("mail.test", not_before=now + day, not_after=now + 3 * day)
    good = ca.issue_cert("mail.test", "192.0.2.1")
    handshake(good, ca, "mail.test")
    assert failed_handshake(past, ca, "mail.test").reason is Reason.CERTIFICATE_EXPIRED
    assert failed_handshake(future, ca, "mail.test").reason is Reason.CERTIFICATE_NOT_YET_VALID
    assert failed_handshake(good, ca, "other.test").reason is Reason.CERTIFICATE_NAME_MISMATCH
    assert failed_handshake(good, ca, "192.0.2.9").reason is Reason.CERTIFICATE_NAME_MISMATCH
    unknown = failed_handshake(good, trustme.CA(), "mail.test")
    assert unknown.reason is Reason.CERTIFICATE_UNTRUSTED
    assert "_ssl.c" not in unknown.text


def test_a_plain_greeting_on_a_tls_port_is_the_wrong_protocol() -> None:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(back, there, server_hostname="mail.test")
    back.write(b"220 mail.test ESMTP ready, how do you do\r\n")
    with pytest.raises(ssl.SSLError) as caught:
        client.do_handshake()
    found = diagnose(caught.value, Phase.TLS)
    assert found.reason is Reason.WRONG_PROTOCOL
    assert "SSL" not in found.text.upper(), "words for people, not OpenSSL's frame around them"


def test_a_bug_says_type_and_message_and_a_refusal_its_literal_words() -> None:
    assert diagnose(ValueError("odd"), None).text == "ValueError: odd"
    assert diagnose(ValueError(), None).text == "ValueError"
    words = "535-5.7.8 no\n535 5.7.8 really"
    assert diagnose(Refusal(Service.SMTP, "535", words), Phase.LOGIN).text == words
    assert diagnose(oserror(errno.ECONNREFUSED), Phase.CONNECT).text == "Connection refused"
    assert diagnose(TimeoutError(), Phase.CONNECT).text == "no answer before the deadline"


def test_a_local_error_names_its_file() -> None:
    assert "/etc/secret" in diagnose(PermissionError(errno.EACCES, "Permission denied", "/etc/secret"), None).text


def test_words_that_nobody_knows_are_unknown_and_a_failure() -> None:
    found = diagnose(Refusal(Service.SMTP, "554", "554 Transaction failed: #42"), Phase.SUBMIT)
    assert (found.reason, found.rule) == (Reason.UNKNOWN, "")
    assert outcome_of(found) is Outcome.FAILED


@pytest.mark.parametrize("reason", list(Reason))
def test_only_faults_of_our_own_side_are_inconclusive(reason: Reason) -> None:
    ours = ABOUT[reason].layer is Layer.VANTAGE or reason in (Reason.LOCAL_ERROR, Reason.CONFIG)
    assert outcome_of(diagnose(ProbeError(reason), None)) is (Outcome.INCONCLUSIVE if ours else Outcome.FAILED)
    assert outcome_of(diagnose(Inconclusive(reason), None)) is Outcome.INCONCLUSIVE


class RudeError(Exception):
    def __str__(self) -> str:
        raise ValueError


def test_an_exception_that_cannot_say_its_name_is_still_a_bug() -> None:
    assert diagnose(RudeError(), None) == Failure(None, Reason.BUG, "RudeError", "exception:RudeError")


phases = st.none() | st.sampled_from(Phase)
shreds = st.sampled_from(
    ["NO ", "BYE ", "* ", "[", "]", "5.7.8", "535 ", "421-", "-ERR ", "\n", "too many ", "LIMIT", " "]
)
texts = st.text(max_size=200) | st.lists(shreds | st.text(max_size=5), max_size=40).map("".join)


@given(st.sampled_from(Service), st.text(max_size=5) | shreds, texts, phases)
def test_no_server_text_can_upset_the_diagnosis(protocol: Service, code: str, text: str, phase: Phase | None) -> None:
    for exc in (Refusal(protocol, code, text), ServerClosed(text), Garbage(text), DnsFailure(text, text)):
        found = diagnose(exc, phase)
        assert found.reason in ABOUT
        assert found.reason is not Reason.BUG
        assert len(found.text) <= 513


@given(st.integers(), st.text(max_size=50), phases)
def test_no_errno_can_upset_the_diagnosis(number: int, text: str, phase: Phase | None) -> None:
    assert diagnose(OSError(number, text), phase).reason in ABOUT


@given(texts, st.sampled_from([Service.IMAP, Service.POP3, Service.SMTP]))
def test_a_refused_login_is_never_unknown(text: str, protocol: Service) -> None:
    code = {Service.IMAP: "NO", Service.POP3: "-ERR", Service.SMTP: "550"}[protocol]
    assert diagnose(Refusal(protocol, code, text), Phase.LOGIN).reason is not Reason.UNKNOWN


@pytest.mark.parametrize(
    ("exc", "quoted"),
    [
        (Refusal(Service.IMAP, "NO", "NO wrong"), True),
        (ServerClosed("BYE too many"), True),
        (ServerClosed(), False),
        (StartTlsUnavailable("454 not now", quoted=True), True),
        (StartTlsUnavailable("EHLO offers: nothing"), False),
        (Suspended(Reason.WRONG_PASSWORD, "535 no", 1.0, Service.SMTP), True),
        (Suspended(Reason.WRONG_PASSWORD, "a login was cut off before its answer came", 1.0), False),
        (Garbage("expected IMAP, got HTTP: HTTP/1.1 400"), False),
        (ProbeError(Reason.RECORD_MISSING, "no MX"), False),
        (TimeoutError(), False),
        (unverified(10), False),
        (oserror(errno.ECONNREFUSED), False),
        (ValueError("x"), False),
    ],
)
def test_only_literal_words_of_a_server_are_quoted(exc, quoted):
    """Our own words, and our words around a server's, must not be shown as a quote of the server."""
    assert diagnose(exc, Phase.LOGIN).quoted is quoted


def test_a_standing_verdict_says_which_login_got_it():
    assert diagnose(Suspended(Reason.WRONG_PASSWORD, "535 no", 1.0, Service.SMTP), None).answer_to is Service.SMTP
    assert diagnose(Suspended(Reason.WRONG_PASSWORD, "cut off", 1.0), None).answer_to is None


@pytest.mark.parametrize(
    ("said", "causes"),
    [
        ("550 5.1.1 <a@b.test>: User unknown", (Reason.RECIPIENT_UNKNOWN,)),
        ("550 5.7.1 It contains a virus or spam", (Reason.ATTACHMENT_REJECTED, Reason.CONTENT_REJECTED_SPAM)),
        ("host b.test said: 550 Domain not found (in reply to MAIL FROM command)", (Reason.SENDER_REJECTED,)),
        ("550 xyzzy", ()),
    ],
)
def test_a_mail_that_came_back_names_the_causes_in_the_words_of_the_report(said: str, causes: tuple[Reason, ...]):
    failure = diagnose(ProbeError(Reason.BOUNCED, said), Phase.ARRIVE)
    assert (failure.reason, failure.ambiguous, failure.text) == (Reason.BOUNCED, causes, said)
    assert failure.rule == "probe" or causes


def test_untagged_words_before_the_end_of_a_connection_decide():
    said = ServerClosed("* NO [ALERT] Please enable IMAP access in your account settings first.")
    assert diagnose(said, Phase.FOLDERS).reason is Reason.PROTOCOL_DISABLED
    assert diagnose(ServerClosed("* NO xyzzy"), Phase.FOLDERS).reason is Reason.CONNECTION_RESET
