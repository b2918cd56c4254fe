"""The evidence of standard codes (RFC 3463, 4954, 5321; 3501, 5530; 2449, 3206).

The tables contain only what an RFC says: a code that names no cause has no entry. How much a code proves is how servers
use it: a code of one cause is strong; one that servers give for many causes is weak and counts only if the words say
nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from exporter.diagnosis.evidence import Evidence, Strength
from exporter.model import Phase, Service
from exporter.model.reasons import Reason

Verdict = tuple[Reason, str]
"""A reason, and the id of the rule that found it."""


# RFC 3501 section 7.1, RFC 2221, RFC 5530, RFC 7889, RFC 9208. ALERT is missing: it asks to be shown and is no cause.
IMAP_CODES: Mapping[str, Verdict] = {
    "TRYCREATE": (Reason.FOLDER_MISSING, "rfc3501"),
    "REFERRAL": (Reason.WRONG_SERVER, "rfc2221"),
    "UNAVAILABLE": (Reason.TEMPORARILY_UNAVAILABLE, "rfc5530"),
    "AUTHENTICATIONFAILED": (Reason.WRONG_PASSWORD, "rfc5530"),
    # the password was correct, but the account has no access
    "AUTHORIZATIONFAILED": (Reason.ACCOUNT_DISABLED, "rfc5530"),
    "EXPIRED": (Reason.PASSWORD_EXPIRED, "rfc5530"),
    "PRIVACYREQUIRED": (Reason.TLS_REQUIRED, "rfc5530"),
    "NOPERM": (Reason.NO_PERMISSION, "rfc5530"),
    "INUSE": (Reason.MAILBOX_IN_USE, "rfc5530"),
    "EXPUNGEISSUED": (Reason.MESSAGE_MISSING, "rfc5530"),
    "CORRUPTION": (Reason.SERVER_ERROR, "rfc5530"),
    "SERVERBUG": (Reason.SERVER_ERROR, "rfc5530"),
    "CLIENTBUG": (Reason.COMMAND_REJECTED, "rfc5530"),
    "CANNOT": (Reason.UNSUPPORTED_OPERATION, "rfc5530"),
    "LIMIT": (Reason.RATE_LIMITED, "rfc5530"),
    "OVERQUOTA": (Reason.MAILBOX_OVER_QUOTA, "rfc9208"),
    "ALREADYEXISTS": (Reason.FOLDER_EXISTS, "rfc5530"),
    "NONEXISTENT": (Reason.FOLDER_MISSING, "rfc5530"),
    "TOOBIG": (Reason.MESSAGE_TOO_LARGE, "rfc7889"),
    "CONTACTADMIN": (Reason.ACCOUNT_DISABLED, "rfc5530"),
    "BADCHARSET": (Reason.UNSUPPORTED_OPERATION, "rfc3501"),
    "UNKNOWN-CTE": (Reason.UNSUPPORTED_OPERATION, "rfc3516"),
}

# Meanings that differ if the code answers a login.
IMAP_LOGIN_CODES: Mapping[str, Verdict] = {
    "NOPERM": (Reason.AMBIGUOUS_LOGIN_REFUSED, "rfc5530"),
    "CANNOT": (Reason.AMBIGUOUS_LOGIN_REFUSED, "rfc5530"),
    "NONEXISTENT": (Reason.AMBIGUOUS_LOGIN_REFUSED, "rfc5530"),
}

# RFC 2449 section 8, RFC 3206.
POP3_CODES: Mapping[str, Verdict] = {
    "LOGIN-DELAY": (Reason.RATE_LIMITED, "rfc2449"),
    "IN-USE": (Reason.MAILBOX_IN_USE, "rfc2449"),
    "SYS/TEMP": (Reason.TEMPORARILY_UNAVAILABLE, "rfc3206"),
    "SYS/PERM": (Reason.SERVER_ERROR, "rfc3206"),
    "AUTH": (Reason.WRONG_PASSWORD, "rfc3206"),
}

# Codes that answer AUTH: RFC 4954 section 6, RFC 5248. X stands for 4 or 5.
ENHANCED_AUTH: Mapping[str, Reason] = {
    "X.5.6": Reason.COMMAND_REJECTED,
    "X.7.8": Reason.WRONG_PASSWORD,
    "X.7.9": Reason.AUTH_MISSING,  # mechanism too weak: another one is required
    "X.7.10": Reason.TLS_REQUIRED,
    "X.7.11": Reason.TLS_REQUIRED,
    "X.7.12": Reason.AUTH_MISSING,  # the mechanism works only after one login with PLAIN
    "X.7.13": Reason.ACCOUNT_DISABLED,
}

# Codes that answer any other command: RFC 3463 and the IANA registry of RFC 5248 (7.20 to 7.26: RFC 7372; 1.10, 7.27:
# RFC 7505; 7.30: RFC 8689).
ENHANCED: Mapping[str, Reason] = {
    **ENHANCED_AUTH,
    "5.1.1": Reason.RECIPIENT_UNKNOWN,
    "X.1.2": Reason.RECIPIENT_DOMAIN_BAD,
    "5.1.3": Reason.RECIPIENT_UNKNOWN,
    "5.1.4": Reason.RECIPIENT_UNKNOWN,
    "5.1.6": Reason.RECIPIENT_UNKNOWN,
    "X.1.7": Reason.SENDER_REJECTED,
    "X.1.8": Reason.SENDER_REJECTED,
    "X.1.10": Reason.RECIPIENT_DOMAIN_BAD,
    "5.2.1": Reason.RECIPIENT_DISABLED,
    "X.2.2": Reason.RECIPIENT_OVER_QUOTA,
    "X.2.3": Reason.MESSAGE_TOO_LARGE,
    "4.3.1": Reason.TEMPORARILY_UNAVAILABLE,
    "5.3.1": Reason.SERVER_ERROR,
    "4.3.2": Reason.TEMPORARILY_UNAVAILABLE,
    "X.3.3": Reason.UNSUPPORTED_OPERATION,
    "X.3.4": Reason.MESSAGE_TOO_LARGE,
    "X.3.5": Reason.SERVER_ERROR,
    "X.4.1": Reason.REMOTE_UNREACHABLE,
    "X.4.2": Reason.REMOTE_UNREACHABLE,
    "4.4.3": Reason.TEMPORARILY_UNAVAILABLE,
    "4.4.4": Reason.REMOTE_UNREACHABLE,
    "5.4.4": Reason.RECIPIENT_DOMAIN_BAD,
    "X.4.5": Reason.TEMPORARILY_UNAVAILABLE,
    "X.4.6": Reason.ROUTING_LOOP,
    "X.4.7": Reason.REMOTE_UNREACHABLE,
    "X.5.1": Reason.COMMAND_REJECTED,
    "X.5.2": Reason.COMMAND_REJECTED,
    "X.5.3": Reason.SENDING_LIMIT_REACHED,  # too many recipients
    "X.5.4": Reason.COMMAND_REJECTED,
    "X.5.5": Reason.COMMAND_REJECTED,
    "X.6.0": Reason.CONTENT_MALFORMED,
    "X.6.1": Reason.CONTENT_MALFORMED,
    "X.6.2": Reason.CONTENT_MALFORMED,
    "X.6.3": Reason.CONTENT_MALFORMED,
    "X.6.5": Reason.CONTENT_MALFORMED,
    "X.6.7": Reason.CONTENT_MALFORMED,  # 6.7 and 6.9 (RFC 6531): an address or header in UTF-8
    "X.6.9": Reason.CONTENT_MALFORMED,
    "X.7.2": Reason.POLICY_REJECTED,
    "X.7.16": Reason.MESSAGE_TOO_LARGE,
    "X.7.17": Reason.RECIPIENT_UNKNOWN,
    "X.7.18": Reason.RECIPIENT_DOMAIN_BAD,
    "X.7.20": Reason.DKIM_FAIL,
    "X.7.21": Reason.DKIM_FAIL,
    "X.7.22": Reason.DKIM_FAIL,
    "X.7.23": Reason.SPF_FAIL,
    "X.7.24": Reason.SPF_FAIL,
    "X.7.25": Reason.RDNS_MISSING,
    "X.7.26": Reason.DMARC_REJECT,
    "X.7.27": Reason.SENDER_REJECTED,
    "X.7.28": Reason.RATE_LIMITED,
    "X.7.30": Reason.TLS_REQUIRED,  # RFC 8689
}

WEAK_DETAILS = frozenset(
    {
        "X.5.0",
        "X.5.1",
        "X.5.2",
        "X.5.4",
        "X.5.5",
        "X.7.2",
        "X.7.3",
        "X.7.8",
        "X.7.9",
        "X.6.0",
        "X.3.3",
        "X.3.5",
        "X.2.1",
        "X.4.1",
        "X.1.10",
        "X.7.26",
        "X.7.30",
        "X.2.2",
        "X.1.8",
    }
)
"""Details of one meaning in the registry that servers also give for other causes."""

WEAK_ATOMS = frozenset({"AUTHENTICATIONFAILED", "AUTH", "NOPERM", "OVERQUOTA", "IN-USE"})
"""IMAP and POP3 codes that servers give for many causes: RFC 5530 calls the first a refusal without a reason."""

VAGUE = frozenset({"", "X.0.0", "X.7.0", "X.7.1", "X.7.3"})
"""Details that do not change the meaning of a basic code (535 5.7.3 is how Exchange says 535 5.7.8)."""

# Codes that answer AUTH: RFC 4954 section 6, RFC 5321, RFC 7504. 535 is handled by `_smtp_login`.
BASIC_AUTH: Mapping[str, Reason] = {
    "432": Reason.AUTH_MISSING,
    "454": Reason.TEMPORARILY_UNAVAILABLE,
    "500": Reason.COMMAND_REJECTED,
    "501": Reason.COMMAND_REJECTED,
    "502": Reason.AUTH_MISSING,
    "503": Reason.COMMAND_REJECTED,
    "504": Reason.AUTH_MISSING,
    "523": Reason.TLS_REQUIRED,
    "524": Reason.TLS_REQUIRED,
    "525": Reason.ACCOUNT_DISABLED,
    "530": Reason.AUTH_MISSING,
    "534": Reason.AUTH_MISSING,
    "538": Reason.TLS_REQUIRED,
}

# Codes that answer any other command. 550, 553 and 554 are missing: RFC 5321 gives each of them several causes.
BASIC: Mapping[str, Reason] = {
    "500": Reason.COMMAND_REJECTED,
    "501": Reason.COMMAND_REJECTED,
    "502": Reason.COMMAND_REJECTED,
    "503": Reason.COMMAND_REJECTED,
    "504": Reason.COMMAND_REJECTED,
    "523": Reason.TLS_REQUIRED,
    "525": Reason.ACCOUNT_DISABLED,
    "530": Reason.AUTH_MISSING,
    "535": Reason.WRONG_PASSWORD,
    "538": Reason.TLS_REQUIRED,
    "551": Reason.RELAY_DENIED,
    "552": Reason.RECIPIENT_OVER_QUOTA,
    "555": Reason.COMMAND_REJECTED,
    "521": Reason.RECIPIENT_DOMAIN_BAD,  # RFC 7504: this host takes no mail
    "556": Reason.RECIPIENT_DOMAIN_BAD,
}

MAX_TEXT = 4096  # characters of a reply that are used

# "A1 NO [CODE argument] text", "* BYE [CODE] text" and, pasted by a user, "[CODE] text". Some servers send two codes in
# a row: "NO [ALERT] [UNAVAILABLE] text".
_IMAP_STATUS = re.compile(r"^(?:\S{1,40} )?(NO|BAD|BYE)\b", re.IGNORECASE | re.MULTILINE)
_IMAP_CODES = re.compile(
    r"^(?:\S{1,40} )?(?:(?:NO|BAD|BYE) )?((?:\[[^\]\r\n]{1,200}\] ?){1,4})", re.IGNORECASE | re.MULTILINE
)
_IMAP_ATOM = re.compile(r"\[([A-Z0-9/-]{2,30})[\] ]", re.IGNORECASE)
_POP3_CODE = re.compile(r"^(?:-ERR )?\[([A-Z/-]{2,30})\]", re.IGNORECASE | re.MULTILINE)
_SMTP_BASIC = re.compile(r"^([45]\d\d)(?=[ -]|$)", re.MULTILINE)
_SMTP_ENHANCED = re.compile(r"^(?:[45]\d\d[ -])?([45])\.(\d{1,3}\.\d{1,3})(?=[\s:;,-]|$)", re.MULTILINE)
_AUTH_ONLY = frozenset({"432", "534", "535"})  # codes that only answer AUTH
# AUTH codes that mean one thing; servers answer a login with the others for many causes
_STRONG_AUTH = frozenset({"530", "538"})
_STRONG_BASIC = frozenset({"530", "535", "538"})
_AUTH_WORDS = re.compile(r"\b(auth\w*|log-?in|password|credentials?)\b", re.IGNORECASE)
_HTTP_STATUS = re.compile(r"(?:^|\b(?:HTTP/[\d.]+|status|code):? )([345]\d\d)\b", re.IGNORECASE)


def evidence(protocol: Service, code: str, text: str, phase: Phase | None) -> list[Evidence]:
    """Return what the codes of a refusal prove, the most exact code first. `phase` None: unknown."""
    text = text[:MAX_TEXT]
    match protocol:
        case Service.IMAP:
            return _imap(code, text, phase)
        case Service.POP3:
            return _pop3(text, phase)
        case Service.SMTP:
            return _smtp(code, text, phase)
        case Service.HTTPS:
            status = code if _HTTP_STATUS.fullmatch(code) else _first(_HTTP_STATUS, text)
            return [Evidence((Reason.HTTP_STATUS,), f"http:{status}", Strength.CODE)] if status else []


def _imap(code: str, text: str, phase: Phase | None) -> list[Evidence]:
    login = phase is Phase.LOGIN
    found = []
    for group in _IMAP_CODES.findall(text):
        for atom in _IMAP_ATOM.findall(group):
            name = atom.upper()
            known = (IMAP_LOGIN_CODES.get(name) if login else None) or IMAP_CODES.get(name)
            if known:
                found.append(Evidence((known[0],), f"{known[1]}:{name}", _strength(name)))
    match (code.split(" ", 1)[0] or _first(_IMAP_STATUS, text)).upper():
        case "BAD":
            found.append(Evidence((Reason.COMMAND_REJECTED,), "imap:BAD", Strength.CLASS))
        case "BYE" if not (login and _AUTH_WORDS.search(text)):
            found.append(Evidence((Reason.TEMPORARILY_UNAVAILABLE,), "imap:BYE", Strength.CLASS))
        case _ if login:
            found.append(Evidence((Reason.AMBIGUOUS_LOGIN_REFUSED,), "imap:NO", Strength.CLASS))
    return found


def _strength(name: str) -> Strength:
    if name == "CONTACTADMIN":  # it says whom to ask; the words say why
        return Strength.FALLBACK
    return Strength.WEAK if name in WEAK_ATOMS else Strength.CODE


def _pop3(text: str, phase: Phase | None) -> list[Evidence]:
    found = []
    for atom in _POP3_CODE.findall(text):
        name = atom.upper()
        known = POP3_CODES.get(name)
        if known:
            found.append(Evidence((known[0],), f"{known[1]}:{name}", _strength(name)))
    if phase is Phase.LOGIN:
        found.append(Evidence((Reason.AMBIGUOUS_LOGIN_REFUSED,), "pop3:-ERR", Strength.CLASS))
    return found


def _smtp(code: str, text: str, phase: Phase | None) -> list[Evidence]:
    basic = code if _SMTP_BASIC.fullmatch(code) else _first(_SMTP_BASIC, text)
    grade, detail = _enhanced(basic, text)
    login = phase is Phase.LOGIN or (phase is None and basic in _AUTH_ONLY)
    found = []
    # X.7.8 to X.7.13 answer AUTH; other servers use them after MAIL and RCPT in meanings of their own
    table = ENHANCED_AUTH if login else ENHANCED
    reason = table.get(f"{grade}.{detail}") or table.get(f"X.{detail}")
    if reason:
        of_login = f"X.{detail}" in ENHANCED_AUTH and detail.startswith("7.")
        weak = f"X.{detail}" in WEAK_DETAILS or (of_login and not login)
        strength = Strength.WEAK if weak else Strength.CODE
        found.append(Evidence((reason,), f"rfc3463:{grade}.{detail}", strength))
    found += _smtp_login(basic, detail) if login else _smtp_other(basic, grade, detail, phase)
    return found


def _smtp_login(basic: str, detail: str) -> list[Evidence]:
    if basic == "535" and (not detail or f"X.{detail}" in VAGUE):
        return [Evidence((Reason.WRONG_PASSWORD,), "smtp:535", Strength.WEAK)]
    if basic in BASIC_AUTH:
        strength = Strength.CODE if basic in _STRONG_AUTH else Strength.WEAK
        return [Evidence((BASIC_AUTH[basic],), f"smtp:{basic}", strength)]
    if basic.startswith("4"):
        return [Evidence((Reason.TEMPORARILY_UNAVAILABLE,), "smtp:4yz", Strength.CLASS)]
    return [Evidence((Reason.AMBIGUOUS_LOGIN_REFUSED,), "smtp:5yz", Strength.CLASS)]


def _smtp_other(basic: str, grade: str, detail: str, phase: Phase | None) -> list[Evidence]:
    found = []
    if detail in ("7.0", "7.1") and grade == "5" and (not basic or basic.startswith("55")):
        found.append(Evidence((Reason.POLICY_REJECTED,), f"rfc3463:{grade}.{detail}", Strength.WEAK))
    elif basic == "554" and phase is Phase.GREETING:  # RFC 5321 section 3.1: no service for this client
        found.append(Evidence((Reason.POLICY_REJECTED,), "smtp:554", Strength.WEAK))
    elif basic == "454" and phase is Phase.STARTTLS:
        found.append(Evidence((Reason.STARTTLS_UNAVAILABLE,), "smtp:454", Strength.CODE))
    elif basic in BASIC:
        strength = Strength.CODE if basic in _STRONG_BASIC else Strength.WEAK
        found.append(Evidence((BASIC[basic],), f"smtp:{basic}", strength))
    if basic.startswith("4") or (not basic and grade == "4"):
        found.append(Evidence((Reason.TEMPORARILY_UNAVAILABLE,), "smtp:4yz", Strength.CLASS))
    return found


def _enhanced(basic: str, text: str) -> tuple[str, str]:
    for grade, detail in _SMTP_ENHANCED.findall(text):
        if not basic or basic[0] == grade:
            return grade, detail
    return "", ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
