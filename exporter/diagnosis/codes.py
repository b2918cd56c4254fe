"""Tables: the standard codes of IMAP, SMTP and POP3 replies, mapped to reasons.

Only what an RFC says, so that nothing here is a guess: a code that names no cause maps to none. `replies` applies them.
"""

from __future__ import annotations

from collections.abc import Mapping

from exporter.model.reasons import Reason

Verdict = tuple[Reason, str]
"""A reason, and the id of the rule that found it."""


# RFC 3501 section 7.1, RFC 2221, RFC 5530, RFC 7889, RFC 9208. ALERT is absent: it asks to be shown, it is no cause.
IMAP_CODES: Mapping[str, Verdict] = {
    "TRYCREATE": (Reason.FOLDER_MISSING, "rfc3501"),
    "REFERRAL": (Reason.WRONG_SERVER, "rfc2221"),
    "UNAVAILABLE": (Reason.TEMPORARILY_UNAVAILABLE, "rfc5530"),
    "AUTHENTICATIONFAILED": (Reason.WRONG_PASSWORD, "rfc5530"),
    "AUTHORIZATIONFAILED": (Reason.ACCOUNT_DISABLED, "rfc5530"),  # the password was right, the account may not in
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
}

# What the same codes mean as the answer to a login, where that differs.
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

# The answer to AUTH: RFC 4954 section 6, RFC 5248. X stands for either class, 4 or 5.
ENHANCED_AUTH: Mapping[str, Reason] = {
    "X.5.6": Reason.COMMAND_REJECTED,
    "X.7.8": Reason.WRONG_PASSWORD,
    "X.7.9": Reason.AUTH_MISSING,  # mechanism too weak: another one is wanted
    "X.7.10": Reason.TLS_REQUIRED,
    "X.7.11": Reason.TLS_REQUIRED,
    "X.7.12": Reason.AUTH_MISSING,  # the mechanism works only after one login with PLAIN
    "X.7.13": Reason.ACCOUNT_DISABLED,
}

# Any other command: RFC 3463 and the IANA registry of RFC 5248 (7.20 to 7.26: RFC 7372; 1.10, 7.27: RFC 7505; 7.30:
# RFC 8689).
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

VAGUE = frozenset({"", "X.0.0", "X.7.0", "X.7.1", "X.7.3"})
"""Details that leave a basic code its own meaning (535 5.7.3 is how Exchange says 535 5.7.8)."""

# The answer to AUTH: RFC 4954 section 6, RFC 5321, RFC 7504. 535 is `replies`' business.
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

# Any other command. 550, 553 and 554 are absent: RFC 5321 gives each of them several causes.
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
    "556": Reason.RECIPIENT_DOMAIN_BAD,
}
