"""The evidence that a reply gives for a reason, and how it is weighed.

Strong evidence that agrees gives the reason. Strong evidence that disagrees gives all causes, never the louder one.
Weak evidence gives a reason only if the server said nothing else. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from exporter.model.reasons import Reason


class Strength(IntEnum):
    """How much a piece of evidence proves."""

    CLASS = 1  # only the class of the reply: 4yz may pass, BYE ends the connection
    WEAK = 2  # says that it failed, or a code that servers use for many causes
    FALLBACK = 3  # a code that names one cause, unless words or another code name one
    CODE = 4  # a code that names one cause
    WORDS = 5  # words that name one cause


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence: the reasons it states, the rule that found it, and the words it explains."""

    reasons: tuple[Reason, ...]
    rule: str
    strength: Strength
    words: str = ""
    apart: tuple[str, str] = ("", "")  # how to tell several reasons apart over time: (English, Chinese)
    of_login: bool = False  # several reasons for which a login is refused, even if it is said later


_R = Reason
_ANY_CAUSE = frozenset(Reason)

GENERAL = frozenset({_R.POLICY_REJECTED, _R.COMMAND_REJECTED, _R.UNSUPPORTED_OPERATION, _R.TEMPORARILY_UNAVAILABLE})
"""Reasons that nearly every other one explains."""

UNDECIDED = frozenset({_R.AMBIGUOUS_LOGIN_REFUSED, _R.UNKNOWN})
"""Reasons that name no cause; an ambiguous reply lists the possible ones beside them."""

# A general reason gives way to a more exact one that the same reply also states: "Sender address rejected: not logged
# in" is about the missing login. Each entry: the general reason, and the exact ones that explain it.
_EXACT: Mapping[Reason, Collection[Reason]] = {
    _R.POLICY_REJECTED: _ANY_CAUSE,
    _R.COMMAND_REJECTED: _ANY_CAUSE - {_R.POLICY_REJECTED},
    _R.UNSUPPORTED_OPERATION: _ANY_CAUSE - {_R.POLICY_REJECTED, _R.COMMAND_REJECTED},
    _R.TEMPORARILY_UNAVAILABLE: _ANY_CAUSE - GENERAL - {_R.WRONG_PASSWORD, _R.SERVER_ERROR, _R.ACCOUNT_DISABLED},
    _R.SERVER_ERROR: {
        _R.PROTOCOL_DISABLED,
        _R.ACCOUNT_DISABLED,
        _R.TEMPORARILY_UNAVAILABLE,
        _R.MAILBOX_IN_USE,
        _R.MAILBOX_OVER_QUOTA,
        _R.MESSAGE_TOO_LARGE,
    },
    _R.MAILBOX_IN_USE: {_R.RATE_LIMITED},
    _R.AUTH_UNAVAILABLE: {_R.OAUTH_REQUIRED, _R.PROTOCOL_DISABLED, _R.TEMPORARILY_UNAVAILABLE},
    _R.RECIPIENT_DISABLED: {_R.ACCOUNT_SUSPENDED},
    _R.RATE_LIMITED: {
        *(_R.SPF_FAIL, _R.DKIM_FAIL, _R.DMARC_REJECT, _R.RDNS_MISSING, _R.TLS_REQUIRED, _R.ACCOUNT_LOCKED),
        *(_R.SENDING_LIMIT_REACHED, _R.GREYLISTED, _R.IP_BLOCKLISTED),
    },
    _R.CONTENT_REJECTED_SPAM: {
        *(_R.IP_BLOCKLISTED, _R.SPF_FAIL, _R.DKIM_FAIL, _R.DMARC_REJECT, _R.ACCOUNT_SUSPENDED, _R.RATE_LIMITED),
        *(_R.SENDING_LIMIT_REACHED, _R.ATTACHMENT_REJECTED, _R.RDNS_MISSING),
    },
    _R.SENDER_REJECTED: {
        *(_R.SPF_FAIL, _R.DKIM_FAIL, _R.DMARC_REJECT, _R.AUTH_MISSING, _R.ACCOUNT_SUSPENDED, _R.IP_BLOCKLISTED),
    },
    _R.AUTH_MISSING: {_R.RELAY_DENIED, _R.TLS_REQUIRED, _R.OAUTH_REQUIRED, _R.DMARC_REJECT, _R.SPF_FAIL},
    _R.SPF_FAIL: {_R.DMARC_REJECT},
    _R.REMOTE_UNREACHABLE: {_R.IDLE_DISCONNECT},
    _R.DKIM_FAIL: {_R.DMARC_REJECT},
    _R.RECIPIENT_UNKNOWN: {_R.RECIPIENT_DISABLED, _R.RECIPIENT_DOMAIN_BAD, _R.RECIPIENT_OVER_QUOTA},
    _R.ACCOUNT_DISABLED: {
        *(_R.PROTOCOL_DISABLED, _R.ACCOUNT_SUSPENDED, _R.ACCOUNT_EXPIRED, _R.OAUTH_REQUIRED, _R.ACCOUNT_LOCKED),
        *(_R.LOGIN_FROM_NEW_LOCATION_BLOCKED, _R.PASSWORD_EXPIRED, _R.TEMPORARILY_UNAVAILABLE),
    },
    _R.ACCOUNT_LOCKED: {_R.LOGIN_FROM_NEW_LOCATION_BLOCKED},
    _R.ACCOUNT_MISSING: {_R.WRONG_SERVER},
    _R.WRONG_PASSWORD: {
        *(_R.APP_PASSWORD_REQUIRED, _R.AUTH_CODE_REQUIRED, _R.PASSWORD_EXPIRED, _R.OAUTH_REQUIRED),
        *(_R.OAUTH_TOKEN_EXPIRED, _R.OAUTH_TOKEN_REJECTED, _R.LOGIN_FROM_NEW_LOCATION_BLOCKED),
    },
}


def exact(reasons: Collection[Reason]) -> tuple[Reason, ...]:
    """Return the reasons without the general ones that a more exact one among them explains."""
    found = dict.fromkeys(reasons)
    kept = [each for each in found if not any(other in _EXACT.get(each, ()) for other in found if other is not each)]
    return tuple(kept) or tuple(found)


def longest(words: Sequence[Evidence]) -> list[Evidence]:
    """Leave out evidence whose words are a part of longer words: "too many failed logins" is no failed login."""
    return [
        each
        for each in words
        if not any(
            len(other.words) > len(each.words) and each.words in other.words and other.strength >= each.strength
            for other in words
        )
    ]
