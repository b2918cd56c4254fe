"""Turns every exception of a run into a Failure. Only this module knows the exception classes.

Step "run" of the flow: the runner passes the exception and the phase, and gets a Failure (reason, rule, text). It never
raises; an exception that nobody expected becomes the reason `bug`.
"""

from __future__ import annotations

import errno
import re
import socket
import sqlite3
import ssl
from dataclasses import replace

from exporter.diagnosis import oauth_errors
from exporter.diagnosis.banners import software_of
from exporter.diagnosis.classify import Classification, classify
from exporter.diagnosis.ehlo_refusals import is_about_our_name
from exporter.diagnosis.evidence import UNDECIDED
from exporter.diagnosis.reply import closing_protocol
from exporter.model import Failure, Outcome, Phase, Service
from exporter.model.advice import Advice
from exporter.model.errors import (
    CertificateFault,
    DnsFailure,
    Garbage,
    Inconclusive,
    NoAnswer,
    ProbeError,
    Refusal,
    ServerClosed,
    StartTlsUnavailable,
    Suspended,
    TokenRefusal,
)
from exporter.model.reasons import Layer, Reason, about
from exporter.model.text import clean

MAX_WORDS = 2048  # characters of a server's reply that are kept: a support desk wants all of it

INCONCLUSIVE = "inconclusive"
"""The rule of a Failure that was raised as Inconclusive."""

_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_OURS = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT),
        *(errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EAFNOSUPPORT, errno.EACCES, errno.EPERM),
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EROFS, errno.EIO),
    }
)
_CUT = frozenset({errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENETRESET, errno.ENOTCONN})

_DNS = {
    "nxdomain": Reason.HOST_NOT_FOUND,
    "no_data": Reason.HOST_NOT_FOUND,
    "servfail": Reason.DNS_SERVER_FAILURE,
    "refused": Reason.DNS_SERVER_FAILURE,
    "timeout": Reason.DNS_TIMEOUT,
    "bogus": Reason.DNSSEC_BOGUS,
}

# X509_V_ERR_* of OpenSSL's x509_vfy.h. Every other code means that the chain is not trusted.
_VERIFY = {
    9: Reason.CERTIFICATE_NOT_YET_VALID,
    10: Reason.CERTIFICATE_EXPIRED,
    62: Reason.CERTIFICATE_NAME_MISMATCH,
    64: Reason.CERTIFICATE_NAME_MISMATCH,
}

_OF_CHAIN = {
    Advice.LINK_EXPIRED: Reason.CERTIFICATE_UNTRUSTED,  # the server's own is good, so renewing it would not help
    Advice.ROOT_EXPIRED: Reason.CERTIFICATE_UNTRUSTED,
    Advice.NAME_ONLY_IN_CN: Reason.CERTIFICATE_NAME_MISMATCH,
}

# Codes of OpenSSL that are more exact than their reason. mailprobe never sends a client certificate, so an alert about
# our certificate says that the server wants one.
_ADVICE = {
    "verify:66": Advice.WEAK_KEY,
    "verify:67": Advice.WEAK_KEY,
    "verify:68": Advice.WEAK_SIGNATURE,
    "ssl:TLSV1_UNRECOGNIZED_NAME": Advice.UNKNOWN_NAME,
    "ssl:TLSV13_ALERT_CERTIFICATE_REQUIRED": Advice.CLIENT_CERTIFICATE,
    "ssl:SSLV3_ALERT_BAD_CERTIFICATE": Advice.CLIENT_CERTIFICATE,
    "ssl:SSLV3_ALERT_HANDSHAKE_FAILURE": Advice.HANDSHAKE_REFUSED,
}

# What OpenSSL reports in a handshake if the other side does not speak TLS (the last two since 3.2).
_NOT_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "HTTPS_PROXY_REQUEST",
        "UNKNOWN_PROTOCOL",
        "PACKET_LENGTH_TOO_LONG",
        "RECORD_LAYER_FAILURE",
    }
)

_OPENSSL_FRAME = re.compile(r"^\[[A-Z0-9_]+(?:: [A-Z0-9_]+)?\] | \(_ssl\.c:\d+\)$")


def diagnose(
    exc: BaseException,
    phase: Phase | None,
    *,
    families: tuple[str, ...] = (),
    greeting: str = "",
    token_age: str = "",
) -> Failure:
    """Return why a run failed in `phase`. Never raises: an unexpected exception is `bug`, an unknown text is `unknown`.

    `families` are the signature families of the target, `greeting` is what its server sent first, as far as known.
    `token_age` is that of the access token used, see `oauth_errors.of_server`; "" for a password.
    """
    if isinstance(exc, BaseExceptionGroup):
        found = [diagnose(each, phase, families=families, greeting=greeting) for each in exc.exceptions]
        return next((failure for failure in found if failure.reason is not Reason.BUG), found[0])
    if isinstance(exc, Refusal | ServerClosed | Suspended) and not isinstance(exc, TokenRefusal):
        meaning = _meaning(exc, phase, families, software_of(greeting), token_age)
        text = clean(exc.text or _words(exc), MAX_WORDS)
        if isinstance(exc, Suspended):
            answer_to, advice = exc.answer_to, exc.advice
        else:
            spoken = exc.protocol if isinstance(exc, Refusal) else closing_protocol(exc.text)
            ours = spoken is Service.SMTP and is_about_our_name(meaning.reason, exc.text, phase)
            answer_to, advice = None, Advice.EHLO_NAME if ours else None
        return Failure(phase, meaning.reason, text, meaning.rule, meaning.ambiguous, _quoted(exc), answer_to, advice)
    if isinstance(exc, ProbeError) and exc.reason is Reason.BOUNCED:
        return _bounced(exc, phase)
    reason, rule, text = _cause(exc, phase)
    advice = exc.advice if isinstance(exc, CertificateFault | Garbage) else _ADVICE.get(rule)
    return Failure(phase, reason, clean(text, MAX_WORDS), rule, quoted=_quoted(exc), advice=advice)


def _bounced(exc: ProbeError, phase: Phase | None) -> Failure:
    """Return why a mail came back: the report's words mean what they would as the answer to a submission."""
    said = classify(Service.SMTP, "", exc.text, Phase.SUBMIT)
    named = said.causes if said else ()
    return Failure(phase, exc.reason, clean(exc.text, MAX_WORDS), said.rule if said and named else "probe", named)


def outcome_of(failure: Failure) -> Outcome:
    """Return Inconclusive if the fault is on our side, so that nothing is known about the mail service."""
    ours = failure.reason in (Reason.LOCAL_ERROR, Reason.CONFIG) or about(failure.reason).layer is Layer.VANTAGE
    return Outcome.INCONCLUSIVE if ours or failure.rule == INCONCLUSIVE else Outcome.FAILED


def _quoted(exc: BaseException) -> bool:
    """Tell whether the text is the server's reply, unchanged. Our own messages may contain a part of one."""
    match exc:
        case Refusal() | ServerClosed():
            return bool(exc.text)
        case StartTlsUnavailable():
            return exc.quoted
        case Suspended():
            return exc.answer_to is not None
    return False


def _cause(exc: BaseException, phase: Phase | None) -> tuple[Reason, str, str]:
    """Return reason, rule and text. The order of the cases matters, because many classes inherit from OSError."""
    match exc:
        case ProbeError():
            return exc.reason, "probe", exc.text
        case Inconclusive():
            return exc.reason, INCONCLUSIVE, exc.text
        case TokenRefusal():
            return *oauth_errors.of_endpoint(exc.status, exc.code, exc.text), exc.text
        case StartTlsUnavailable():
            return Reason.STARTTLS_UNAVAILABLE, "starttls", exc.text or _words(exc)
        case Garbage():
            reason = Reason.WRONG_PROTOCOL if exc.wrong_protocol else Reason.PROTOCOL_ERROR
            return reason, "garbage", exc.text
        case DnsFailure():
            return _DNS.get(exc.kind, Reason.DNS_SERVER_FAILURE), f"dns:{exc.kind}", _words(exc)
        case NoAnswer():
            said = classify(Service.IMAP, "", exc.text, phase)
            if said is not None and said.reason not in UNDECIDED:
                return said.reason, said.rule, exc.text
            return _deadline(phase), "deadline", str(exc)
        case TimeoutError() if not exc.errno:
            return _deadline(phase), "deadline", _words(exc) or "no answer before the deadline"
        case ssl.SSLError():
            return *_tls(exc, phase), _words(exc)
        case socket.gaierror():
            missing = exc.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None))
            return (Reason.HOST_NOT_FOUND if missing else Reason.DNS_SERVER_FAILURE), "dns:getaddrinfo", _words(exc)
        case OSError() if known := _socket(exc):
            return known, _errno_rule(exc), _words(exc)
        case MemoryError() | sqlite3.OperationalError():
            return Reason.LOCAL_ERROR, f"exception:{type(exc).__name__}", _words(exc) or type(exc).__name__
    return Reason.BUG, f"exception:{type(exc).__name__}", f"{type(exc).__name__}: {_words(exc)}".removesuffix(": ")


def _meaning(
    exc: Refusal | ServerClosed | Suspended,
    phase: Phase | None,
    families: tuple[str, ...],
    software: tuple[str, ...],
    token_age: str,
) -> Classification:
    """Classify a server's text. Its last lines explain the end of a connection better than the end itself."""
    if isinstance(exc, Suspended):  # the text is the answer to the login that led to the pause
        found = classify(None, "", exc.text, Phase.LOGIN, families=families, software=software)
        return Classification(exc.reason, "guard", found.ambiguous if found and found.reason is exc.reason else ())
    if isinstance(exc, ServerClosed):
        # untagged NO and BAD before the end: an IMAP server says so that it does not serve this account
        protocol = closing_protocol(exc.text) or (Service.IMAP if exc.text.startswith(("* NO ", "* BAD ")) else None)
        said = protocol and classify(protocol, "", exc.text, phase, families=families, software=software)
        return said or Classification(Reason.CONNECTION_RESET, "closed")
    known = classify(exc.protocol, exc.code, exc.text, phase, families=families, software=software, command=exc.command)
    known = known or Classification(Reason.UNKNOWN, "")
    if not token_age:
        return known
    about_token = oauth_errors.of_server(known.reason, token_age, exc.text, known.ambiguous)
    return known if about_token is known.reason else replace(known, reason=about_token, ambiguous=())


def _deadline(phase: Phase | None) -> Reason:
    match phase:
        case Phase.RESOLVE:
            return Reason.DNS_TIMEOUT
        case Phase.ARRIVE:
            return Reason.MESSAGE_LATE
    return Reason.TIMEOUT


def _tls(exc: ssl.SSLError, phase: Phase | None) -> tuple[Reason, str]:
    if isinstance(exc, CertificateFault):
        return _OF_CHAIN[exc.advice], f"certificate:{exc.advice}"
    if isinstance(exc, ssl.SSLCertVerificationError):
        code = getattr(exc, "verify_code", 0)
        return _VERIFY.get(code, Reason.CERTIFICATE_UNTRUSTED), f"verify:{code}"
    # OpenSSL's exceptions have a reason, those made in tests do not
    name = getattr(exc, "reason", None) or type(exc).__name__
    handshake = phase in (Phase.TLS, None)
    if handshake and name in _NOT_TLS:
        return Reason.WRONG_PROTOCOL, f"ssl:{name}"
    if not handshake and isinstance(exc, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Reason.CONNECTION_RESET, f"ssl:{name}"
    return Reason.TLS_FAILED, f"ssl:{name}"


def _socket(exc: OSError) -> Reason | None:
    if isinstance(exc, ConnectionRefusedError):
        return Reason.CONNECTION_REFUSED
    if isinstance(exc, ConnectionError) or exc.errno in _CUT:
        return Reason.CONNECTION_RESET
    if isinstance(exc, TimeoutError):
        return Reason.TIMEOUT
    if exc.errno in _UNREACHABLE:
        return Reason.HOST_UNREACHABLE
    return Reason.LOCAL_ERROR if exc.errno in _OURS else None


def _errno_rule(exc: OSError) -> str:
    name = errno.errorcode.get(exc.errno or 0)
    return f"errno:{name}" if name else f"exception:{type(exc).__name__}"


def _words(exc: BaseException) -> str:
    """Return the message of an exception without OpenSSL's source line and Python's errno prefix. Never raises."""
    if isinstance(exc, ssl.SSLCertVerificationError) and getattr(exc, "verify_message", None):
        return str(exc.verify_message)
    if isinstance(exc, ssl.SSLError) and exc.strerror:
        return _OPENSSL_FRAME.sub("", str(exc.strerror))
    if isinstance(exc, OSError) and exc.strerror and not exc.filename:
        return str(exc.strerror)
    try:
        return str(exc)
    except Exception:
        return ""
