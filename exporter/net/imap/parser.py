"""Parses IMAP responses (RFC 3501 section 7) into values. No I/O.

In: responses as cut by the Reader. Out: Folder, Status, Quota, Fetched, … Many servers deviate from the grammar, so
nothing here raises: what cannot be parsed becomes None, and its raw line stays in the transcript.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from exporter.net import utf7
from exporter.net.imap.folders import Folder
from exporter.net.imap.reader import Response, without_literal
from exporter.net.text import decode

Token = bytes | list["Token"] | None  # an atom or string, a list, or NIL

MAX_DEPTH = 16
MAX_REMEMBERED = 200  # bytes of a line that is cached
MAX_DIGITS = 19  # digits of a 63-bit number (RFC 9051)

_ATOM, _QUOTED, _OPEN = 1, 2, 3  # groups of:
_TOKEN = re.compile(rb'((?:[^\s()"\[]++|\[[^\]]*+\]?)++)|"((?:[^"\\]++|\\.)*+)"?|(\()|(\))', re.DOTALL)
# The usual form of a STATUS response. Other forms take the slower path through `tokens`.
_STATUS = re.compile(rb'\* STATUS (?:"([^"\\]*)"|([^\s"()\\{]+)) \(([A-Z]+ \d{1,19}(?: [A-Z]+ \d{1,19})*)\)\Z')
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_CODE = re.compile(r"\[([^\s\]]+)(?: ([^\]]*))?\]")
_DATE = re.compile(rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d)(?: ([+-])(\d\d)(\d\d))?")
_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")


@dataclass(frozen=True, slots=True)
class Selected:
    """The result of SELECT or EXAMINE."""

    exists: int
    uidvalidity: int  # 0 if the server did not report it
    uidnext: int | None
    read_only: bool
    permanent: frozenset[str] = frozenset()  # PERMANENTFLAGS, lower case


@dataclass(frozen=True, slots=True)
class Status:
    """The counts of a STATUS response (RFC 3501 section 6.3.10). None: the server left it out."""

    messages: int | None = None
    unseen: int | None = None
    uidnext: int | None = None
    uidvalidity: int | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """One quota root (RFC 9208). None: this resource has no limit there."""

    root: str
    used_bytes: int | None = None
    limit_bytes: int | None = None
    used_messages: int | None = None
    limit_messages: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """One FETCH response. Item names are upper case, as the server wrote them."""

    sequence: int
    items: dict[bytes, Token] = field(default_factory=dict)

    @property
    def uid(self) -> int | None:
        return number(self.items.get(b"UID"))

    def body(self) -> bytes | None:
        """Return the first BODY[…] item."""
        for name, value in self.items.items():
            if name.startswith(b"BODY["):
                return value if isinstance(value, bytes) else b""
        return None


def number(token: Token) -> int | None:
    if isinstance(token, bytes) and token.isdigit() and len(token) <= MAX_DIGITS:
        return int(token)
    return None


def tokens(response: Response) -> list[Token]:
    """Split a response into atoms, strings and lists. Unbalanced quotes and parentheses end with the response."""
    top: list[Token] = []
    stack = [top]
    for index, part in enumerate(response):
        if index % 2:
            stack[-1].append(part)
            continue
        text = without_literal(part) if index + 1 < len(response) else part
        for found in _TOKEN.finditer(text):
            kind = found.lastindex
            if kind == _ATOM:
                atom = found[1]
                stack[-1].append(None if atom in (b"NIL", b"nil") else atom)
            elif kind == _QUOTED:
                quoted = found[2]
                stack[-1].append(_ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted)
            elif kind == _OPEN and len(stack) < MAX_DEPTH:
                inner: list[Token] = []
                stack[-1].append(inner)
                stack.append(inner)
            elif kind != _OPEN and len(stack) > 1:
                stack.pop()
    return top


def code(text: str) -> tuple[str, str]:
    """Return the response code of a status text: `[UIDNEXT 7] ok` → ("UIDNEXT", "7")."""
    found = _CODE.match(text)
    return (found[1].upper(), found[2] or "") if found else ("", "")


def folder(response: Response) -> Folder | None:
    r"""Parse `* LIST (\HasNoChildren \Sent) "/" name`."""
    if len(response) == 1 and len(response[0]) <= MAX_REMEMBERED:
        return _remembered_folder(response)
    return _folder(response)


@lru_cache(maxsize=2048)
def _remembered_folder(response: Response) -> Folder | None:
    """Cached, because thousands of mailboxes report the same few folders every minute."""
    return _folder(response)


def _folder(response: Response) -> Folder | None:
    match tokens(response):
        case [_, _, list(flags), delimiter, first, *more]:
            # A name with spaces that the server did not quote arrives as several tokens.
            pieces = [piece for piece in (first, *more) if isinstance(piece, bytes)]
            raw = b" ".join(pieces) if pieces else b"NIL"
            name = raw.decode("utf-8", "surrogateescape")
            return Folder(
                name,
                utf7.decode(name) if name.isascii() else decode(raw),
                frozenset(decode(flag).lower() for flag in flags if isinstance(flag, bytes)),
                decode(delimiter) if isinstance(delimiter, bytes) else "",
            )
    return None


def status(response: Response) -> Status | None:
    """Parse `* STATUS name (MESSAGES 3 UNSEEN 1 …)`."""
    values = _pairs(tokens(response))
    return None if values is None else _status_of(values)


def named_status(response: Response) -> tuple[str, Status] | None:
    """Parse a STATUS response and return the folder's name too, as LIST gives it."""
    usual = _STATUS.match(response[0]) if len(response) == 1 else None
    if usual is not None:
        quoted, atom, counts = usual.groups()
        words = counts.split()
        told = _status_of(dict(zip(words[::2], words[1::2], strict=True)))
        return (atom if quoted is None else quoted).decode("utf-8", "surrogateescape"), told
    read = tokens(response)
    values = _pairs(read)
    name = read[2] if len(read) == 4 else None
    if values is None or not isinstance(name, bytes):
        return None
    return name.decode("utf-8", "surrogateescape"), _status_of(values)


def _status_of(values: Mapping[bytes, Token]) -> Status:
    return Status(
        number(values.get(b"MESSAGES")),
        number(values.get(b"UNSEEN")),
        number(values.get(b"UIDNEXT")),
        number(values.get(b"UIDVALIDITY")),
    )


def quota(response: Response) -> Quota | None:
    """Parse `* QUOTA root (STORAGE 10 512 …)`. STORAGE counts units of 1,024 bytes (RFC 9208 section 5.1)."""
    match tokens(response):
        case [_, _, *words, list(resources)]:
            # A root with blanks that the server did not quote arrives as several tokens.
            root = b" ".join(word for word in words if isinstance(word, bytes))
            found: dict[bytes, tuple[int | None, int | None]] = {}
            for name, used, limit in zip(resources[::3], resources[1::3], resources[2::3], strict=False):
                if isinstance(name, bytes):
                    found[name.upper()] = number(used), number(limit)
            used_kib, limit_kib = found.get(b"STORAGE", (None, None))
            return Quota(decode(root), _kib(used_kib), _kib(limit_kib), *found.get(b"MESSAGE", (None, None)))
    return None


def fetched(response: Response) -> Fetched | None:
    r"""Parse `* 12 FETCH (UID 5 FLAGS (\Seen) BODY[…] {42} …)`."""
    read = tokens(response)
    sequence = number(read[1]) if len(read) > 2 else None
    items = _pairs(read)
    return None if sequence is None or items is None else Fetched(sequence, items)


def internal_date(token: Token) -> float | None:
    """Convert `17-Jul-1996 02:44:25 -0700` to Unix time in seconds."""
    found = _DATE.fullmatch(token) if isinstance(token, bytes) else None
    if found is None or found[2].lower() not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[group]) for group in (1, 3, 4, 5, 6))
    if not (1 <= day <= 31 and year >= 1970 and hour < 24 and minute < 60 and second < 61):
        return None
    at = calendar.timegm((year, _MONTHS.index(found[2].lower()) + 1, day, hour, minute, second))
    east = (int(found[8]) * 3600 + int(found[9]) * 60) if found[7] else 0
    return float(at + east if found[7] == b"-" else at - east)


def _pairs(read: list[Token]) -> dict[bytes, Token] | None:
    if not read or not isinstance(read[-1], list):
        return None
    pairs = zip(read[-1][::2], read[-1][1::2], strict=False)
    return {name.upper(): value for name, value in pairs if isinstance(name, bytes)}


def _kib(value: int | None) -> int | None:
    return None if value is None else value * 1024
