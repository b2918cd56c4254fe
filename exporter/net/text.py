"""What a server said: decoded whatever its charset, and recognised where it is another protocol's voice."""

from __future__ import annotations

from exporter.model.errors import Garbage
from exporter.model.text import clean

# First bytes that only another protocol sends. TLS: handshake and alert records (RFC 8446 5.1).
_VOICES = (
    (b"\x16\x03", "TLS"),
    (b"\x15\x03", "TLS"),
    (b"* ", "IMAP"),
    (b"+OK", "POP3"),
    (b"-ERR", "POP3"),
    (b"220", "SMTP or FTP"),
    (b"HTTP/", "HTTP"),
    (b"<!DOCTYPE", "HTTP"),
    (b"<html", "HTTP"),
    (b"SSH-", "SSH"),
    (b"RFB ", "VNC"),
)


def decode(data: bytes) -> str:
    """Text of unknown charset: UTF-8, else GB18030 (Chinese servers answer in GBK), else with replacements."""
    for charset in ("utf-8", "gb18030"):
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def garbage(data: bytes, expected: str) -> Garbage:
    """The exception for bytes that are not `expected` (a protocol's name)."""
    for start, voice in _VOICES:
        if data.startswith(start) and expected not in voice:
            return Garbage(f"expected {expected}, got {voice}: {clean(decode(data[:200]), 80)}", wrong_protocol=True)
    return Garbage(f"not {expected}: {clean(decode(data[:200]), 200)}")


def is_binary(data: bytes) -> bool:
    """Whether an unfinished line cannot become text any more, so that waiting for its end is in vain."""
    return any(byte < 0x20 and byte not in b"\t\r\n" for byte in data[:64])
