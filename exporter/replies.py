"""What a server's refusal means, read from its standard codes and words. Pure, and never a guess: no match is None.

The answer to a login is the exception: what names no cause there is `ambiguous_login_refused`, because a refused
credential must count as one, or the guard would go on trying it until the account is locked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from exporter import codes
from exporter.codes import Verdict, Words
from exporter.model import Phase, Service
from exporter.reasons import Reason

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
_CLOSING = re.compile(r"^(?:\* BYE\b|[45]\d\d[ -]|-ERR\b|[A-Za-z0-9.]{1,20} (?:NO|BAD) )")


def judge(protocol: Service, code: str, text: str, phase: Phase | None) -> Verdict | None:
    """The reason that a refusal states, and the rule that found it. `phase` None: it is not known."""
    text = text[:MAX_TEXT]
    words = _words(codes.BEFORE_CODES, protocol, phase, text)
    if words:
        return words
    match protocol:
        case Service.IMAP:
            return _imap(code, text, phase)
        case Service.POP3:
            return _pop3(text, phase)
        case Service.SMTP:
            return _smtp(code, text, phase)
        case Service.HTTPS:
            return Reason.HTTP_STATUS, f"http:{code}"


def protocol_of(last_words: str) -> Service | None:
    """Which protocol a server's last words are a refusal of, or None where they are not one."""
    found = _CLOSING.match(last_words)
    if not found:
        return None
    start = found[0]
    return Service.SMTP if start[0].isdigit() else Service.POP3 if start[0] == "-" else Service.IMAP


def _words(table: Iterable[Words], protocol: Service, phase: Phase | None, text: str) -> Verdict | None:
    for row in table:
        if row.match(protocol, phase, text):
            return row.reason, row.rule
    return None


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
        case "BYE" if codes.AUTOLOGOUT.pattern.search(text):
            return codes.AUTOLOGOUT.reason, codes.AUTOLOGOUT.rule
        case "BYE" if not (login and _AUTH_WORDS.search(text)):
            return Reason.TEMPORARILY_UNAVAILABLE, "imap:BYE"
    if login:
        return Reason.AMBIGUOUS_LOGIN_REFUSED, "imap:NO"
    return _words(codes.AFTER_CODES, Service.IMAP, phase, text)


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
    if basic == "421" and codes.AUTOLOGOUT.pattern.search(text):
        return codes.AUTOLOGOUT.reason, codes.AUTOLOGOUT.rule
    grade, detail = _enhanced(basic, text)
    login = phase is Phase.LOGIN or (phase is None and basic in _AUTH_ONLY)
    table = codes.ENHANCED_AUTH if login else codes.ENHANCED
    reason = table.get(f"{grade}.{detail}") or table.get(f"X.{detail}")
    if reason:
        return reason, f"rfc3463:{grade}.{detail}"
    return _smtp_login(basic, detail) if login else _smtp_other(basic, grade, detail, phase, text)


def _smtp_login(basic: str, detail: str) -> Verdict:
    if basic == "535" and (not detail or f"X.{detail}" in codes.VAGUE):
        return Reason.WRONG_PASSWORD, "smtp:535"
    if basic in codes.BASIC_AUTH:
        return codes.BASIC_AUTH[basic], f"smtp:{basic}"
    if basic.startswith("4"):
        return Reason.TEMPORARILY_UNAVAILABLE, "smtp:4yz"
    return Reason.AMBIGUOUS_LOGIN_REFUSED, "smtp:5yz"


def _smtp_other(basic: str, grade: str, detail: str, phase: Phase | None, text: str) -> Verdict | None:
    words = _words(codes.AFTER_CODES, Service.SMTP, phase, text)
    if words:
        return words
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
