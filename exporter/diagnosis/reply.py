"""Prepares a server's reply for matching: joins its lines, decodes base64, and finds out if it answers a login.

Servers split one sentence over several lines with the code on each, put a tag or `*` before it, and hide the reason of
a refused token in base64. Signatures are written for a single line, so all of this is removed here. No I/O; limited in
size.
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from functools import lru_cache

from exporter.diagnosis.residue import masked
from exporter.model import Command, Phase, Service
from exporter.model.charset import unscrambled

MAX_BYTES = 2048  # bytes of a reply that are used

_SMTP_LINE = re.compile(r"([2345]\d\d)(?:[ -]|$)(?:([245]\.\d{1,3}\.\d{1,3})(?=[\s:;,.-]|$)[\s:;,-]*)?(.*)", re.DOTALL)
_IN_REPLY = re.compile(r"\(in reply to (MAIL FROM|RCPT TO|DATA|end of DATA|AUTH)[\w ]{0,40}\)", re.IGNORECASE)
_COMMANDS = {
    "MAIL FROM": Command.MAIL,
    "RCPT TO": Command.RCPT,
    "DATA": Command.DATA,
    "END OF DATA": Command.MESSAGE,
    "AUTH": Command.AUTH,
}
_ATOMS = re.compile(r"\[[A-Z][A-Z0-9/-]{1,29}\] ?")  # a response code of IMAP or POP3: a matter of `standard_codes`
_IMAP_STATUS = re.compile(r"(?:\S{1,40} )?((?:OK|NO|BAD|BYE|PREAUTH)\b.*)", re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r"(?:\bsaid:|\bsmtp;|\bresponse:|\breply:|\berror:)\s*(?=[45]\d\d[ -])", re.IGNORECASE)
_BASE64 = re.compile(r"\be[yw][A-Za-z0-9+/]{10,}(?:\s+[A-Za-z0-9+/]{4,})*={0,2}")
_JSON = re.compile(r'\{\s*"(?:status|error|schemes)"')
_LOGIN_CODES = frozenset({"432", "534", "535", "538"})
# RFC 4954 answers AUTH with none of these codes, but some servers do.
_MAIL_CODES = frozenset({"450", "451", "452", "550", "551", "552", "553", "554", "556"})
_LOGIN_DETAILS = frozenset({"7.3", "7.4", "7.8", "7.9", "7.11", "7.12", "7.13", "7.14", "7.139", "5.6"})
_LOGIN_WORDS = re.compile(
    r"\[(?:AUTHENTICATIONFAILED|AUTHORIZATIONFAILED|EXPIRED|PRIVACYREQUIRED|AUTH)\]"
    r"|^(?:NO|BAD) (?:LOGIN|AUTHENTICATE)\b",
    re.IGNORECASE | re.MULTILINE,
)
_LATER_WORDS = re.compile(
    r"^(?:NO|BAD) (?:\[[^\]]{0,60}\] ?)?(?:SELECT|EXAMINE|STATUS|LIST|UID|FETCH|STORE|APPEND|SEARCH|COPY)\b",
    re.IGNORECASE | re.MULTILINE,
)
# RFC 5321 sections 4.2.2 and 4.2.3: what the codes say by themselves.
_STANDARD = re.compile(
    r"(?:requested (?:mail )?action (?:not taken|aborted)|transaction failed|service (?:not available|closing)|"
    r"user not local|mailbox name not allowed|exceeded storage allocation)(?:[:;,]? [\w ]{0,80})?[.:;,]?",
    re.IGNORECASE,
)
_CLOSING = re.compile(r"(?:\* BYE\b|[45]\d\d(?:[ -]|$)|-ERR\b|[A-Za-z0-9.]{1,20} (?:NO|BAD) )")
_STATUS = re.compile(r"(?:\* )?(?:NO|BAD|BYE)\b")


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply in several forms: as it came (cut), as one line for signatures, and the JSON found in its base64."""

    literal: str
    line: str  # the sentence as one line, then its other spellings, one per line
    plain: str  # `line` without response codes, addresses and paths of URLs: their words are no words of the server
    sentence: str  # the same words without codes
    json: str  # "" if there is none
    login: bool | None  # True: answers a login; False: something else; None: unknown
    likely: bool | None = None  # the better guess if `login` is None


def normalise(protocol: Service | None, text: str, phase: Phase | None) -> Reply:
    """Prepare a reply. `phase` None means unknown; it is then taken from the text as far as possible."""
    literal = unscrambled(_IN_REPLY.sub("", cut(text)))
    lines = [line.strip() for line in literal.splitlines() if line.strip()]
    basic = enhanced = ""
    if protocol in (Service.SMTP, None) and lines:
        lines, basic, enhanced = _smtp(lines)
        lines = _specific(lines)
    if protocol in (Service.IMAP, None) and not basic:
        lines = [found[1] if (found := _IMAP_STATUS.match(line)) else line for line in lines]
    whole = " ".join(lines)
    if basic:  # a report joins the lines of a reply and leaves their codes in the middle
        whole = _repeated(basic, enhanced).sub("", whole)
    spellings = [f"{basic} {enhanced} {whole}", f"{basic} {whole}"] if basic and enhanced else []
    if not spellings:
        spellings = [" ".join(filter(None, (basic or enhanced, whole)))]
    if len(lines) > 1 and not basic:
        spellings += lines
    line = "\n".join(spellings)
    login = phase is Phase.LOGIN if phase is not None else _is_login(basic, enhanced, line)
    likely = False if login is None and basic in _MAIL_CODES else None
    plain, sentence = masked(_ATOMS.sub("", line)), masked(_ATOMS.sub("", whole))
    return Reply(literal, line, plain, sentence, _json(literal, whole), login, likely)


def cut(text: str) -> str:
    """Return at most 2 KiB of the text."""
    if len(text) * 4 <= MAX_BYTES:
        return text
    return text[:MAX_BYTES].encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore")


def protocol_of(text: str) -> Service | None:
    """Return the protocol of a reply, as far as its beginning shows it."""
    start = text.lstrip()
    if start.startswith("HTTP/"):
        return Service.HTTPS
    return closing_protocol(start) or (Service.IMAP if _STATUS.match(start) else None)


def closing_protocol(last_words: str) -> Service | None:
    """Return the protocol if a server's last lines are a refusal, else None."""
    found = _CLOSING.match(last_words)
    if not found:
        return None
    start = found[0]
    return Service.SMTP if start[0].isdigit() else Service.POP3 if start[0] == "-" else Service.IMAP


def _smtp(lines: list[str]) -> tuple[list[str], str, str]:
    """Return the texts without codes, the basic code, and the first enhanced code (RFC 2034)."""
    quoted = None if _SMTP_LINE.fullmatch(lines[0]) else _QUOTED.search(lines[0])
    if quoted:
        lines = [lines[0][quoted.end() :], *lines[1:]]
    texts: list[str] = []
    basic = enhanced = ""
    for line in lines:
        found = _SMTP_LINE.fullmatch(line)
        if found and (not basic or found[1][0] == basic[0]):
            basic = basic or found[1]
            if found[2] and not enhanced and found[2][0] == found[1][0]:
                enhanced = found[2]
            texts.append(found[3] if found[2] is None or found[2] == enhanced else f"{found[2]} {found[3]}")
        else:
            texts.append(line)
    return [text for text in texts if text], basic, enhanced


def _specific(lines: list[str]) -> list[str]:
    """Leave out the standard sentence with which some servers begin every reply, if the next line says more."""
    if len(lines) > 1 and _STANDARD.fullmatch(lines[0]):
        return lines[1:]
    return lines


def answered_command(text: str) -> Command | None:
    """Return the command that a reply answers, if a report says so: Postfix adds "(in reply to RCPT TO command)"."""
    found = _IN_REPLY.search(cut(text))
    return _COMMANDS[" ".join(found[1].upper().split())] if found else None


@lru_cache(maxsize=256)
def _repeated(basic: str, enhanced: str) -> re.Pattern[str]:
    code = re.escape(enhanced) if enhanced else r"[45]\.\d{1,3}\.\d{1,3}"
    return re.compile(rf"\b{basic}[ -](?:{code} )?")


def _is_login(basic: str, enhanced: str, line: str) -> bool | None:
    if basic in _LOGIN_CODES:
        return True
    if enhanced:
        return enhanced[2:] in _LOGIN_DETAILS or None if enhanced.startswith(("4.7", "5.7")) else False
    if basic:
        return None
    if line[:2] in ("4.", "5."):
        return line.split(" ", 1)[0][2:] in _LOGIN_DETAILS
    if _LOGIN_WORDS.search(line):
        return True
    return False if _LATER_WORDS.search(line) else None


def _json(literal: str, whole: str) -> str:
    """Return the JSON about a token from the base64 of a challenge (RFC 7628, XOAUTH2), even if it is wrapped."""
    if _JSON.search(literal):
        return literal
    for found in (*_BASE64.finditer(literal), *_BASE64.finditer(whole)):
        packed = "".join(found[0].split()).rstrip("=")
        packed = packed[: len(packed) - (len(packed) % 4 == 1)]
        try:
            decoded = binascii.a2b_base64(packed + "=" * (-len(packed) % 4)).decode("utf-8", "replace")
        except binascii.Error:
            continue
        if _JSON.match(decoded):
            return decoded
    return ""
