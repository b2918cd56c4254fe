"""The probe mail: builds it, recognises it by its signed token, and checks it when it arrives. No I/O.

The token is signed with the key from the state, so that nobody else's mail can be taken for ours.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from exporter.model import bounds
from exporter.model.phrases import Phrases
from exporter.probes.roundtrip import report
from exporter.probes.roundtrip.headers import content_type, fields, split, transfer_decoded

HEADER = "X-Mailprobe-Token"
DIGEST_HEADER = "X-Mailprobe-Digest"
# The header fields needed to recognise our mail or a report about it. Nothing else of other people's mail is read.
LOOKED_AT = (HEADER, "Message-ID", "Content-Type")

_TOKEN = re.compile(rb"v1\.[0-9a-f]{8}\.[0-9a-f]{16}\.[0-9a-f]{32}(?![0-9a-f])")
_DIGEST = re.compile(r"^Digest: sha256=([0-9a-f]{32})$")


# -- the token ------------------------------------------------------------------------------------------------------


def new_token(key: bytes, route: str) -> str:
    """Return a new token for a route: `v1.<route hash>.<random id>.<HMAC-SHA256, truncated to 128 bits>`.

    It has 61 characters, all allowed in the local part of a Message-ID.
    """
    return _sign(key, route, secrets.token_hex(8))


def short_id(token: str) -> str:
    """Return the random part, which the subject shows."""
    return token.split(".")[2]


def _sign(key: bytes, route: str, random_id: str) -> str:
    route_hash = hashlib.sha256(route.encode()).hexdigest()[:8]
    signed = f"mailprobe v1\0{route}\0{random_id}".encode()
    return f"v1.{route_hash}.{random_id}.{hmac.new(key, signed, hashlib.sha256).hexdigest()[:32]}"


def _genuine(candidate: bytes, key: bytes, route: str) -> str | None:
    token = candidate.decode("ascii")
    return token if hmac.compare_digest(_sign(key, route, short_id(token)), token) else None


def recognise(headers: bytes, key: bytes, route: str) -> str | None:
    """Return the token of a mail that we sent on this route, or None (forged, another route, or not ours).

    It is in a header field of its own and in the Message-ID, because some providers remove the first or rewrite the
    second.
    """
    for name, value in fields(headers):
        if name in (HEADER.lower(), "message-id"):
            for candidate in _TOKEN.findall(value)[:4]:
                token = _genuine(candidate, key, route)
                if token is not None:
                    return token
    return None


# -- building -------------------------------------------------------------------------------------------------------


def build(sender: str, recipient: str, token: str, now: float) -> bytes:
    """Build the mail, with CRLF line ends and 7-bit only. `now`: Unix time in seconds.

    Raises ValueError on a bad address.
    """
    policy = SMTP if (sender + recipient).isascii() else SMTPUTF8
    mail = EmailMessage(policy=policy.clone(max_line_length=76))  # RFC 2045 section 6.7; the default would be 78
    mail["From"] = sender
    mail["To"] = recipient
    mail["Subject"] = f"mailprobe round trip {short_id(token)}"
    mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    mail["Message-ID"] = f"<{token}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail[HEADER] = token
    english, chinese = (Phrases(language)("test_mail.purpose") for language in ("en", "zh"))
    text = f"{english}\n{chinese}\nToken: {token}\n"
    digest = _digest(text)
    mail[DIGEST_HEADER] = f"sha256={digest}"
    mail.set_content(f"{text}Digest: sha256={digest}\n", charset="utf-8", cte="quoted-printable")
    # A folded Message-ID is legal, but some servers cannot handle it.
    return mail.as_bytes(policy=mail.policy.clone(max_line_length=500))


def _digest(text: str) -> str:
    """Return a short SHA-256. Line ends, trailing spaces and blank lines at the end may change without effect."""
    lines = [line.rstrip() for line in text.splitlines()]
    return hashlib.sha256("\n".join(lines).rstrip("\n").encode()).hexdigest()[:32]


# -- what arrived ---------------------------------------------------------------------------------------------------


def altered(message: bytes) -> bool:
    """Tell whether the text differs from the one sent. Another transfer encoding or charset is not a difference."""
    head, body = split(message)
    found: dict[str, bytes] = {}
    for name, value in fields(head):
        found.setdefault(name, value)
    kind = content_type(found.get("content-type", b"text/plain"))
    if kind.name != "text/plain" or len(body) > bounds.TEXT:
        return True
    raw = transfer_decoded(body, found.get("content-transfer-encoding", b""))
    if raw is None:
        return True
    kept, stated = [], None
    for line in _in_charset(raw, kind.parameters.get("charset", "utf-8")).splitlines():
        match = _DIGEST.match(line.rstrip())
        if match and stated is None:
            stated = match[1]
        else:
            kept.append(line)
    digest = _digest("\n".join(kept))
    header = found.get(DIGEST_HEADER.lower())
    return stated != digest or (header is not None and header != f"sha256={digest}".encode())


def _in_charset(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset)
    except (LookupError, ValueError):  # no charset, or none of this text
        return raw.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Bounce:
    """A delivery status notification (RFC 3464) saying that one of our mails will not be delivered."""

    token: str
    text: str  # the first diagnostic or status


def read_bounce(message: bytes, key: bytes, route: str) -> Bounce | None:
    """Return what a notification says about our mail; None if it is about another mail or only about a delay."""
    found = report.read(message)
    token = recognise(found.original, key, route) if found is not None and found.failed else None
    return None if found is None or token is None else Bounce(token, found.text or "undeliverable")
