"""The probe mail: built, recognised by its signed token, and read when it comes back. Pure functions, no I/O."""

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
# What must be looked at to tell our mail, or a report about it, from other people's: nothing else of theirs is read.
LOOKED_AT = (HEADER, "Message-ID", "Content-Type")

_TOKEN = re.compile(rb"v1\.[0-9a-f]{8}\.[0-9a-f]{16}\.[0-9a-f]{32}(?![0-9a-f])")
_DIGEST = re.compile(r"^Digest: sha256=([0-9a-f]{32})$")


# -- the token ------------------------------------------------------------------------------------------------------


def new_token(key: bytes, route: str) -> str:
    """A fresh token of a route: `v1.<route hash>.<random id>.<HMAC-SHA256, truncated to 128 bits>`.

    61 characters that a Message-ID's local part may hold.
    """
    return _sign(key, route, secrets.token_hex(8))


def short_id(token: str) -> str:
    """The random part: what people see in the subject."""
    return token.split(".")[2]


def _sign(key: bytes, route: str, random_id: str) -> str:
    route_hash = hashlib.sha256(route.encode()).hexdigest()[:8]
    signed = f"mailprobe v1\0{route}\0{random_id}".encode()
    return f"v1.{route_hash}.{random_id}.{hmac.new(key, signed, hashlib.sha256).hexdigest()[:32]}"


def _genuine(candidate: bytes, key: bytes, route: str) -> str | None:
    token = candidate.decode("ascii")
    return token if hmac.compare_digest(_sign(key, route, short_id(token)), token) else None


def recognise(headers: bytes, key: bytes, route: str) -> str | None:
    """The token of a mail that we sent on this route, or None: forged, of another route, or not ours at all.

    It stands in a header of its own and in the Message-ID, as some providers strip the one or rewrite the other.
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
    """The mail, with CRLF line ends, 7-bit clean. `now`: Unix time, seconds. Raises ValueError on a bad address."""
    policy = SMTP if (sender + recipient).isascii() else SMTPUTF8
    mail = EmailMessage(policy=policy.clone(max_line_length=76))  # RFC 2045 6.7; the default would be 78
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
    # A folded Message-ID is legal, and too much for some servers.
    return mail.as_bytes(policy=mail.policy.clone(max_line_length=500))


def _digest(text: str) -> str:
    """SHA-256, cut to fit a line. Line ends, spaces at a line's end, and blank lines at the end may change freely."""
    lines = [line.rstrip() for line in text.splitlines()]
    return hashlib.sha256("\n".join(lines).rstrip("\n").encode()).hexdigest()[:32]


# -- what came back -------------------------------------------------------------------------------------------------


def altered(message: bytes) -> bool:
    """Whether the text is not the one that was sent. Another transfer encoding or charset alters nothing."""
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
    """A delivery status notification (RFC 3464) that gives up on one of our mails."""

    token: str
    text: str  # the first diagnostic, or status


def read_bounce(message: bytes, key: bytes, route: str) -> Bounce | None:
    """What a notification says about a mail of ours; None where it is about another, or only about a delay."""
    found = report.read(message)
    token = recognise(found.original, key, route) if found is not None and found.failed else None
    return None if found is None or token is None else Bounce(token, found.text or "undeliverable")
