"""Writes IMAP commands (RFC 3501 section 6): quotes strings, and splits a line where a literal must wait. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence

_QUOTABLE = re.compile(r"[\x20-\x7e]*\Z")
_BREAKS = re.compile(r"[\x00\r\n]")


def string(text: str) -> str | bytes:
    """Return a string argument: quoted if possible, else the bytes of a literal (RFC 3501 section 4.3).

    Raises ValueError for NUL, CR, LF and lone surrogates.
    """
    if _BREAKS.search(text):
        raise ValueError("contains a line break or NUL")
    if _QUOTABLE.match(text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text.encode("utf-8", "surrogateescape")


def pieces(start: str, args: Sequence[str | bytes], *, non_sync: bool) -> Sequence[bytes]:
    """Split a command where the server must send `+` before a literal (RFC 3501 section 4.3, RFC 7888)."""
    cut = [start.encode()]
    for arg in args:
        if isinstance(arg, str):
            cut[-1] += b" " + arg.encode()
        elif non_sync:
            cut[-1] += b" {%d+}\r\n%b" % (len(arg), arg)
        else:
            cut[-1] += b" {%d}\r\n" % len(arg)
            cut.append(arg)
    cut[-1] += b"\r\n"
    return cut
