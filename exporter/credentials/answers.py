"""Judges the answer to a login by what was done: was the credential sent, and which code came back. No I/O.

Step "probe" of the flow: the login guard passes what the session raised and gets an Answer, which the circuit breaker
counts. The server's words are never read here. They are for the user; a server that calls a refusal "system busy" must
not make us send a refused password again and again.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from exporter.model import Service
from exporter.model.errors import Refusal, ServerClosed, TokenRefusal


class Answer(Enum):
    """The result of a login."""

    ACCEPTED = auto()
    REFUSED = auto()  # a permanent code: it counts as a refused login, whatever its words
    UNSETTLED = auto()  # a temporary code: the password may have been checked or not. Some providers count these too
    MISSING = auto()  # the credential was sent, and no answer came that can be read
    UNSENT = auto()  # neither user name nor password was sent


# Response codes that promise that a later login may be accepted (RFC 5530, RFC 3206, RFC 2449).
_TEMPORARY = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "SYS/TEMP", "IN-USE", "LOGIN-DELAY"})
# A BYE ends the connection instead of answering, unless its response code is one of these (RFC 5530).
_REFUSING = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED"})
# Errors of a token endpoint (RFC 6749 section 4.1.2.1, RFC 8628 section 3.5); as a status 429 and 5xx.
_LATER = frozenset({"temporarily_unavailable", "server_error", "slow_down"})

_CODE = re.compile(r"(?:NO|BAD|BYE|-ERR) +\[([A-Z0-9/-]{1,40})[ \]]", re.IGNORECASE)
# A negative answer, or the beginning of one, among the last lines before the connection was closed.
_NEGATIVE = re.compile(r"5\d\d(?:[ -]|$)|-ERR\b|(?:\*|[A-Z]+\d+) (?:NO|BAD)\b", re.IGNORECASE)


def answer_of(exc: BaseException | None, *, sent: bool) -> Answer:
    """Return how a login has ended. `exc` is what the session raised, None if the server accepted the login.

    `sent` tells whether the user name or the password was sent. The user name counts, too: if a server refuses a login
    after it, the server has seen a failed login of this account.
    """
    if exc is None:
        return Answer.ACCEPTED
    if not sent:
        return Answer.UNSENT
    match exc:
        case TokenRefusal():
            return Answer.UNSETTLED if exc.status >= 500 or exc.status == 429 or exc.code in _LATER else Answer.REFUSED
        case Refusal():
            return _of_reply(exc.protocol, exc.code, exc.text)
        case ServerClosed():
            negative = any(map(_is_refusal, exc.text.splitlines()))
            return Answer.REFUSED if negative else Answer.MISSING
    return Answer.MISSING


def _of_reply(protocol: Service, code: str, text: str) -> Answer:
    if protocol is Service.SMTP:
        return Answer.UNSETTLED if code.startswith("4") else Answer.REFUSED
    found = _CODE.match(text)
    detail = found[1].upper() if found else ""
    if code.startswith("BYE"):
        return Answer.REFUSED if detail in _REFUSING else Answer.UNSETTLED
    return Answer.UNSETTLED if detail in _TEMPORARY else Answer.REFUSED


def _is_refusal(line: str) -> bool:
    """Tell whether a line is a negative answer without a temporary code."""
    if not _NEGATIVE.match(line):
        return False
    found = _CODE.match(line if line.startswith("-") else line.partition(" ")[2])
    return not (found and found[1].upper() in _TEMPORARY)
