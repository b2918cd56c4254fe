"""Parses IMAP commands and writes IMAP data (RFC 3501 section 9) for the demo's server. Sizes are limited."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

MAX_COMMAND = 64 * 1024  # bytes of a command with its literals
MAX_DEPTH = 8
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Token = str | list["Token"]

_LITERAL = re.compile(r"\{(\d{1,9})(\+?)\}\Z")
_TOKEN = re.compile(
    r"[ ]*(?:(?P<open>\()|(?P<close>\))|\"(?P<quoted>(?:[^\"\\]|\\.)*+)\""
    r"|(?P<atom>(?:[^\s()\"\[]|\[[^\]]*+\](?:<\d+\.\d+>)?)++))"
)
_RANGE = re.compile(r"(\d{1,10}|\*)(?::(\d{1,10}|\*))?\Z")


class BadCommand(Exception):
    """A mistake of the client. `fatal`: what follows cannot be parsed any more."""

    def __init__(self, text: str, *, tag: str = "*", fatal: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.tag = tag
        self.fatal = fatal


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its tag, its name in upper case (`UID FETCH` is one name), its arguments."""

    tag: str
    name: str
    args: tuple[Token, ...]

    def strings(self, count: int) -> tuple[str, ...]:
        """Return the arguments if they are exactly `count` strings."""
        found = tuple(each for each in self.args if isinstance(each, str))
        if len(found) != count or len(self.args) != count:
            raise BadCommand(f"{self.name} takes {count} arguments")
        return found


async def read_command(reader: asyncio.StreamReader, go_on: Callable[[], None]) -> Command | None:
    """Return the next command, or None at the end of the connection. Raises BadCommand.

    `go_on` sends the `+` that a literal waits for.
    """
    parts: list[str] = []
    size = 0
    while True:
        try:
            line = await read_line(reader)
        except asyncio.IncompleteReadError:
            return None
        text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        size += len(line)
        announced = _LITERAL.search(text)
        if announced is None:
            parts.append(text)
            return _command(parts)
        length = int(announced[1])
        if size + length > MAX_COMMAND:
            # Without LITERAL+ the client waits for our answer and can be told; with it, the bytes are already on their
            # way.
            tag = (parts[0] if parts else text).partition(" ")[0]
            raise BadCommand("literal too large", tag=tag, fatal=bool(announced[2]))
        parts.append(text[: announced.start()])
        if not announced[2]:
            go_on()
        parts.append((await reader.readexactly(length)).decode("utf-8", "surrogateescape"))
        size += length


async def read_line(reader: asyncio.StreamReader) -> bytes:
    """Read one line with its end.

    Raises BadCommand if it is too long, IncompleteReadError at the end of the connection.
    """
    try:
        return await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError:
        raise BadCommand("line too long", fatal=True) from None


def _command(parts: Sequence[str]) -> Command:
    tag, _, rest = parts[0].partition(" ")
    name, _, rest = rest.partition(" ")
    if name.upper() == "UID":
        second, _, rest = rest.partition(" ")
        name = f"UID {second}"
    if not tag or not name:
        raise BadCommand("a tag and a command are expected", tag=tag or "*")
    try:
        return Command(tag, name.upper(), tuple(_tokens([rest, *parts[1:]])))
    except BadCommand as exc:
        raise BadCommand(exc.text, tag=tag) from None


def _tokens(parts: Sequence[str]) -> list[Token]:
    """Split alternating text and literals into atoms, strings and lists."""
    top: list[Token] = []
    stack = [top]
    for index, part in enumerate(parts):
        if index % 2:
            stack[-1].append(part)
            continue
        at = 0
        while part[at:].strip():
            found = _TOKEN.match(part, at)
            if found is None:
                raise BadCommand("syntax error")
            at = found.end()
            match found.lastgroup:
                case "open":
                    if len(stack) > MAX_DEPTH:
                        raise BadCommand("too many parentheses")
                    inner: list[Token] = []
                    stack[-1].append(inner)
                    stack.append(inner)
                case "close":
                    stack.pop()
                    if not stack:
                        raise BadCommand("a parenthesis too many")
                case "quoted":
                    stack[-1].append(re.sub(r"\\(.)", r"\1", found["quoted"]))
                case _:
                    stack[-1].append(found["atom"])
    if len(stack) > 1:
        raise BadCommand("a parenthesis is not closed")
    return top


def chosen(text: str, numbers: Sequence[int]) -> set[int]:
    """Return the numbers that a sequence set selects; `*` is the last one (RFC 3501 section 9, sequence-set)."""
    last = numbers[-1] if numbers else 0
    found: set[int] = set()
    for piece in text.split(",")[:1000]:
        match = _RANGE.match(piece)
        if match is None:
            raise BadCommand("not a sequence set")
        ends = [last if end == "*" else int(end) for end in (match[1], match[2] or match[1])]
        found.update(number for number in numbers if min(ends) <= number <= max(ends))
    return found


def plain_response(text: str) -> tuple[str, str]:
    """Return user name and password from a base64 response of SASL PLAIN (RFC 4616)."""
    try:
        _, username, password = base64.b64decode(text, validate=True).decode().split("\0")
    except ValueError:
        raise BadCommand("not a response of PLAIN") from None
    return username, password


def words(token: Token) -> Iterator[str]:
    """Return the strings of a list, or a single string."""
    for each in token if isinstance(token, list) else [token]:
        if not isinstance(each, str):
            raise BadCommand("a list of words is expected")
        yield each


def quoted(text: str) -> str:
    """Quote a string without line breaks."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def internal_date(at: float) -> str:
    """Format Unix time as quoted ` 7-Nov-2026 09:00:00 +0000`."""
    day = time.gmtime(at)
    return quoted(f"{day.tm_mday:2d}-{_MONTHS[day.tm_mon - 1]}-{day.tm_year} {time.strftime('%H:%M:%S', day)} +0000")
