"""What the standard codes in a refusal mean (RFC 3463, 4954, 5321; 3501, 5530; 2449, 3206). No match is None: no guess.

The answer to a login is the exception: what names no cause there is `ambiguous_login_refused`, because a refused
credential must count as one, or the guard would go on trying it until the account is locked.
"""

from __future__ import annotations

import re

from exporter.diagnosis import codes
from exporter.diagnosis.codes import Verdict
from exporter.model import Phase, Service
from exporter.model.reasons import Reason

MAX_TEXT = 4096  # characters of a reply that are looked at

# "A1 NO [CODE argument] text", "* BYE [CODE] text", and, from a user's clipboard, "[CODE] text". Servers also send
# two codes in a row: "NO [ALERT] [UNAVAILABLE] text".
_IMAP_STATUS = re.compile(r"^(?:\S{1,40} )?(NO|BAD|BYE)\b", re.IGNORECASE | re.MULTILINE)
_IMAP_CODES = re.compile(
    r"^(?:\S{1,40} )?(?:(?:NO|BAD|BYE) )?((?:\[[^\]\r\n]{1,200}\] ?){1,4})", re.IGNORECASE | re.MULTILINE
)
_IMAP_ATOM = re.compile(r"\[([A-Z0-9/-]{2,30})[\] ]", re.IGNORECASE)
_POP3_CODE = re.compile(r"^(?:-ERR )?\[([A-Z/-]{2,30})\]", re.IGNORECASE | re.MULTILINE)
_SMTP_BASIC = re.compile(r"^([45]\d\d)(?=[ -]|$)", re.MULTILINE)
_SMTP_ENHANCED = re.compile(r"^(?:[45]\d\d[ -])?([45])\.(\d{1,3}\.\d{1,3})(?=[\s:;,-]|$)", re.MULTILINE)
_AUTH_ONLY = frozenset({"432", "534", "535"})  # codes that nothing but AUTH is answered with
_AUTH_WORDS = re.compile(r"\b(auth\w*|log-?in|password|credentials?)\b", re.IGNORECASE)
_HTTP_STATUS = re.compile(r"(?:^|\b(?:HTTP/[\d.]+|status|code):? )([345]\d\d)\b", re.IGNORECASE)


def judge(protocol: Service, code: str, text: str, phase: Phase | None) -> Verdict | None:
    """The reason that a refusal's codes state, and the rule that found it. `phase` None: it is not known."""
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
            return (Reason.HTTP_STATUS, f"http:{status}") if status else None


def _imap(code: str, text: str, phase: Phase | None) -> Verdict | None:
    login = phase is Phase.LOGIN
    for group in _IMAP_CODES.findall(text):
        for atom in _IMAP_ATOM.findall(group):
            name = atom.upper()
            known = (codes.IMAP_LOGIN_CODES.get(name) if login else None) or codes.IMAP_CODES.get(name)
            if known:
                return known[0], f"{known[1]}:{name}"
    match (code.split(" ", 1)[0] or _first(_IMAP_STATUS, text)).upper():
        case "BAD":
            return Reason.COMMAND_REJECTED, "imap:BAD"
        case "BYE" if not (login and _AUTH_WORDS.search(text)):
            return Reason.TEMPORARILY_UNAVAILABLE, "imap:BYE"
    return (Reason.AMBIGUOUS_LOGIN_REFUSED, "imap:NO") if login else None


def _pop3(text: str, phase: Phase | None) -> Verdict | None:
    for atom in _POP3_CODE.findall(text):
        known = codes.POP3_CODES.get(atom.upper())
        if known:
            return known[0], f"{known[1]}:{atom.upper()}"
    if phase is Phase.LOGIN:
        return Reason.AMBIGUOUS_LOGIN_REFUSED, "pop3:-ERR"
    return None


def _smtp(code: str, text: str, phase: Phase | None) -> Verdict | None:
    basic = code if _SMTP_BASIC.fullmatch(code) else _first(_SMTP_BASIC, text)
    grade, detail = _enhanced(basic, text)
    login = phase is Phase.LOGIN or (phase is None and basic in _AUTH_ONLY)
    table = codes.ENHANCED_AUTH if login else codes.ENHANCED
    reason = table.get(f"{grade}.{detail}") or table.get(f"X.{detail}")
    if reason:
        return reason, f"rfc3463:{grade}.{detail}"
    return _smtp_login(basic, detail) if login else _smtp_other(basic, grade, detail, phase)


def _smtp_login(basic: str, detail: str) -> Verdict:
    if basic == "535" and (not detail or f"X.{detail}" in codes.VAGUE):
        return Reason.WRONG_PASSWORD, "smtp:535"
    if basic in codes.BASIC_AUTH:
        return codes.BASIC_AUTH[basic], f"smtp:{basic}"
    if basic.startswith("4"):
        return Reason.TEMPORARILY_UNAVAILABLE, "smtp:4yz"
    return Reason.AMBIGUOUS_LOGIN_REFUSED, "smtp:5yz"


def _smtp_other(basic: str, grade: str, detail: str, phase: Phase | None) -> Verdict | None:
    if detail in ("7.0", "7.1") and grade == "5" and (not basic or basic.startswith("55")):
        return Reason.POLICY_REJECTED, f"rfc3463:{grade}.{detail}"
    if basic == "554" and phase is Phase.GREETING:  # RFC 5321 section 3.1: no service, for us
        return Reason.POLICY_REJECTED, "smtp:554"
    if basic == "454" and phase is Phase.STARTTLS:
        return Reason.STARTTLS_UNAVAILABLE, "smtp:454"
    if basic in codes.BASIC:
        return codes.BASIC[basic], f"smtp:{basic}"
    if basic.startswith("4") or (not basic and grade == "4"):
        return Reason.TEMPORARILY_UNAVAILABLE, "smtp:4yz"
    return None


def _enhanced(basic: str, text: str) -> tuple[str, str]:
    for grade, detail in _SMTP_ENHANCED.findall(text):
        if not basic or basic[0] == grade:
            return grade, detail
    return "", ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
