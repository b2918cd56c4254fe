"""Parses the header of a mail: its fields, and the servers and delays from its Received fields. No I/O."""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import islice

from exporter.model import bounds

MAX_HOPS = 30
MAX_PARAMETERS = 20

_HEAD_END = re.compile(rb"\r?\n\r?\n")
_PARAMETER = re.compile(r';[ \t]*+([!-:<>-~]++)=(?:"((?:[^"\\]++|\\.)*+)"|([^\s;"]*+))', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def split(message: bytes) -> tuple[bytes, bytes]:
    """Header and body. A message that begins with an empty line has no header; one without an empty line, no body."""
    if message.startswith((b"\r\n", b"\n")):
        return b"", message[message.index(b"\n") + 1 :]
    found = _HEAD_END.search(message)
    return (message, b"") if found is None else (message[: found.start()], message[found.end() :])


def fields(message: bytes) -> list[tuple[str, bytes]]:
    """Return (lower-case name, unfolded value) of each field of a message or header, up to the limit."""
    head = split(message[: bounds.HEADER])[0]
    unfolded = re.sub(rb"\r?\n(?=[ \t])", b"", head)
    found = []
    for line in unfolded.splitlines():
        name, colon, value = line.partition(b":")
        if colon:
            found.append((name.strip().lower().decode("ascii", "replace"), value.strip()))
    return found


@dataclass(frozen=True, slots=True)
class ContentType:
    """A Content-Type (RFC 2045 section 5.1): type and names of parameters in lower case, values as they were meant."""

    name: str
    parameters: Mapping[str, str]


def content_type(value: bytes) -> ContentType:
    """Read the value of a Content-Type field. RFC 2231 is not served: no boundary and no charset needs it."""
    text = value[: bounds.FIELD].decode("utf-8", "replace")
    name = text.partition(";")[0].strip().lower()
    parameters: dict[str, str] = {}
    for found in islice(_PARAMETER.finditer(text), MAX_PARAMETERS):
        quoted = found[2]
        parameters.setdefault(found[1].lower(), found[3] if quoted is None else _ESCAPED.sub(r"\1", quoted))
    return ContentType(name, parameters)


def transfer_decoded(body: bytes, encoding: bytes) -> bytes | None:
    """Without the transfer encoding (RFC 2045 section 6); None where it cannot be taken off."""
    match encoding.lower():
        case b"quoted-printable":
            return quopri.decodestring(body)
        case b"base64":
            try:
                return binascii.a2b_base64(body)
            except binascii.Error:
                return None
    return body


@dataclass(frozen=True, slots=True)
class Hop:
    """One Received field (RFC 5321 section 4.4).

    `at`: Unix time in seconds by that server's clock; None if unreadable.
    """

    by: str
    at: float | None


def hops(headers: bytes) -> list[Hop]:
    """Return the servers that a mail passed, in this order."""
    found: list[Hop] = []
    for name, value in fields(headers):
        if name == "received" and len(found) < MAX_HOPS:
            text = value[: bounds.FIELD].decode("utf-8", "replace")
            by = re.search(r"(?:^|\s)by\s+([^\s;()]+)", text, re.IGNORECASE)
            found.append(Hop(by[1].lower().rstrip(".") if by else "", _date(text.rpartition(";")[2])))
    return found[::-1]


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text.strip()).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def last_stamp(headers: bytes) -> float | None:
    """Return when the last server received the mail, by its own clock."""
    way = hops(headers)
    return way[-1].at if way else None


def hop_delays(headers: bytes, sent_at: float, seen_at: float) -> dict[str, float]:
    """Return the seconds spent at the `sender`'s servers, the `receiver`'s and on `relay`s between, as far as known.

    Servers belong together if their names have the same organisation. Their clocks may differ from ours: negative
    values become 0; a value longer than the whole trip comes from a wrong clock and is left out.
    """
    way = hops(headers)
    if not way or seen_at < sent_at:
        return {}
    first, last = _organisation(way[0].by), _organisation(way[-1].by)
    leaves = next((hop for hop in way if _organisation(hop.by) != first), None)
    enters = way[-1]
    for hop in reversed(way):
        if _organisation(hop.by) != last:
            break
        enters = hop
    if leaves is None:  # a single organisation: its first server is the sender's, its last the receiver's
        leaves, enters = way[0], way[-1]
    spans = {"sender": (sent_at, leaves.at), "relay": (leaves.at, enters.at), "receiver": (enters.at, seen_at)}
    if leaves is enters:
        del spans["relay"]
    total = seen_at - sent_at
    found = {}
    for hop_name, (begin, end) in spans.items():
        # + 1 because timestamps are whole seconds
        if begin is not None and end is not None and end - begin <= total + 1:
            found[hop_name] = min(max(0.0, end - begin), total)
    return found


def _organisation(host: str) -> str:
    """Return a server name without its machine part: mx1.example.com.cn and out.example.com.cn are the same."""
    labels = host.strip("[]").split(".")
    if len(labels) < 3 or labels[-1].isdigit():
        return host
    second_level = len(labels[-1]) == 2 and labels[-2] in ("com", "co", "net", "org", "edu", "gov", "ac", "or", "ne")
    return ".".join(labels[-3 if second_level else -2 :])
