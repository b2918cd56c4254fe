"""Classifies OAuth refusals: the error of a token endpoint, and a mail server's refusal of an access token. No I/O."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from exporter.diagnosis.evidence import UNDECIDED
from exporter.model.reasons import Reason

# RFC 6749 section 5.2, RFC 7523, OpenID Connect. Other errors are as unspecific as `invalid_grant`.
_ERRORS: Mapping[str, Reason] = {
    "temporarily_unavailable": Reason.AUTH_UNAVAILABLE,
    "server_error": Reason.AUTH_UNAVAILABLE,
    "slow_down": Reason.RATE_LIMITED,
}
# Microsoft's description is more specific (learn.microsoft.com, "Microsoft Entra authentication and authorization error
# codes").
_DETAIL = re.compile(r"\bAADSTS(\d{5,7})\b")
_DETAILS: Mapping[str, Reason] = {
    "50034": Reason.ACCOUNT_MISSING,
    "50053": Reason.ACCOUNT_LOCKED,
    "50057": Reason.ACCOUNT_DISABLED,
    "50055": Reason.PASSWORD_EXPIRED,
    "90033": Reason.AUTH_UNAVAILABLE,
    "90055": Reason.RATE_LIMITED,
}
_CLOCK = re.compile(r"reasonable timeframe|\bAADSTS700024\b")  # an assertion that is not valid yet, or no longer
# Reasons about a password, which do not fit an access token.
_OF_PASSWORDS = frozenset(
    {
        Reason.WRONG_PASSWORD,
        Reason.PASSWORD_EXPIRED,
        Reason.AUTH_CODE_REQUIRED,
        Reason.APP_PASSWORD_REQUIRED,
        Reason.OAUTH_REQUIRED,
    }
)
# The JSON of RFC 7628 section 3.2.2 and of XOAUTH2. Google reports 400 for an expired token.
_STATUS = re.compile(r'"status"\s*:\s*"?([A-Za-z0-9_]{1,40})')
_STALE = frozenset({"invalid_token", "400", "401"})


def of_endpoint(status: int, error: str, text: str) -> tuple[Reason, str]:
    """Return the reason in a token endpoint's refusal, and the rule that found it."""
    if _CLOCK.search(text):
        return Reason.CLOCK_WRONG, "oauth:clock"
    detail = _DETAIL.search(text)
    if detail and detail[1] in _DETAILS:
        return _DETAILS[detail[1]], f"oauth:AADSTS{detail[1]}"
    if error in _ERRORS:
        return _ERRORS[error], f"oauth:{error}"
    if status == 429:
        return Reason.RATE_LIMITED, "oauth:429"
    if status >= 500:
        return Reason.AUTH_UNAVAILABLE, f"oauth:{status}"
    if error:
        return Reason.OAUTH_TOKEN_REJECTED, f"oauth:{error}"
    return Reason.HTTP_STATUS, f"http:{status}"


def of_server(reason: Reason, token_age: str, text: str, causes: Collection[Reason] = ()) -> Reason:
    """Translate `reason`, which a password would have got, into the reason for an access token.

    `token_age` is "kept" if a fresh token may help, "new" if this one is fresh. `causes` are those of an ambiguous
    reply. Reasons that are not about the token stay.
    """
    status = _STATUS.search(text)
    expired = reason is Reason.OAUTH_TOKEN_EXPIRED or Reason.OAUTH_TOKEN_EXPIRED in causes
    stale = expired or (status is not None and status[1] in _STALE)
    about_token = expired or reason in _OF_PASSWORDS or reason is Reason.OAUTH_TOKEN_REJECTED
    if not about_token and not (reason in UNDECIDED and status is not None):
        return reason
    return Reason.OAUTH_TOKEN_EXPIRED if stale and token_age == "kept" else Reason.OAUTH_TOKEN_REJECTED  # noqa: S105
