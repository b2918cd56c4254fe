"""Reads what the receiver reported about SPF, DKIM and DMARC of our mail, and verifies its DKIM signature again.

In: the header or the whole received mail. Out: passed or not, per method, as facts of the roundtrip probe.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

from exporter.model import bounds
from exporter.probes.records import dkim as key_record
from exporter.probes.records.errors import RecordError
from exporter.probes.roundtrip.headers import fields

METHODS = ("spf", "dkim", "dmarc")
MAX_SIGNATURES = 3
_PIECE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|\\.|[()]|[^"()\\]++', re.DOTALL)
_RESULT = re.compile(r"\s*([a-z0-9_-]+)(?:\s*/\s*\d+)?\s*=\s*([a-z]+)", re.IGNORECASE)
_quiet = logging.getLogger("exporter.dkim")  # dkimpy logs each failing signature as an error
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class Answer(Protocol):
    """The part of the resolver's Answer that is used here."""

    @property
    def kind(self) -> str: ...

    @property
    def records(self) -> tuple[str, ...]: ...


def results(headers: bytes) -> dict[str, bool]:
    """Return method → passed from the topmost Authentication-Results (RFC 8601). Anyone may have written those below.

    If one method has several results (two DKIM signatures), one that passed is enough, as in DMARC.
    """
    found: dict[str, bool] = {}
    for name, value in fields(headers):
        if name != "authentication-results":
            continue
        for statement in _plain(value[: bounds.FIELD].decode("utf-8", "replace")).split(";")[1:]:
            match = _RESULT.match(statement)
            if match and match[1].lower() in METHODS:
                method = match[1].lower()
                found[method] = found.get(method, False) or match[2].lower() == "pass"
        break
    return found


def _plain(value: str) -> str:
    """Remove comments (they may be nested) and quoted strings. What is not closed ends with the value."""
    kept: list[str] = []
    depth = 0
    for piece in _PIECE.findall(value):
        if piece == "(":
            depth += 1
            kept.append(" ")
        elif piece == ")":
            depth = max(0, depth - 1)
        elif not depth:
            kept.append(" " if piece.startswith('"') else piece)
    return "".join(kept)


async def dkim_verified(message: bytes, lookup: Callable[[str, str], Awaitable[Answer]]) -> bool | None:
    """Tell whether a DKIM signature (RFC 6376) of the whole message verifies with the key that is in DNS now.

    None if unknown: no signature, an unsupported algorithm, no answer from DNS, or a mail or a key that would take too
    long. `lookup` is the resolver's method; dkimpy would otherwise use its own resolver.
    """
    if len(message) > bounds.SIGNED or b" " * bounds.BLANKS in message.replace(b"\t", b" "):
        return None
    import dkim

    verdict = None
    for index in range(MAX_SIGNATURES):
        signature = dkim.DKIM(message, logger=_quiet)
        try:
            if not signature.verify_headerprep(index):
                break
            name = (signature.selector + b"._domainkey." + signature.domain).decode("ascii")
            answer = await lookup(name, "TXT")
            if answer.kind not in ("ok", "nxdomain", "no_data"):
                continue
            key = answer.records[0].encode() if answer.records else b""
            if not _is_affordable(key):
                continue
            passed = bool(signature.verify(index, dnsfunc=lambda _name, key=key, **_: key))
        except (dkim.NaClNotFoundError, dkim.UnknownKeyTypeError):
            continue
        except Exception:  # dkimpy raises whatever it trips over: such a signature does not verify
            passed = False
        if passed:
            return True
        verdict = False
    return verdict


def _is_affordable(record: bytes) -> bool:
    """Whether verifying with this key takes no time to speak of: dkimpy computes RSA itself, with any exponent."""
    try:
        return key_record.parse(record.decode("utf-8", "replace")).bits <= bounds.DKIM_KEY_BITS
    except RecordError:
        return len(record) <= bounds.DKIM_KEY_RECORD
