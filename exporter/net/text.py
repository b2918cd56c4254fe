"""Decodes what a server sent, whatever its charset, and recognises the protocol where it is the wrong one.

In: raw bytes from a Wire. Out: text for the transcript, or a Garbage exception that names the protocol found instead.
"""

from __future__ import annotations

from exporter.model.charset import decode
from exporter.model.errors import Garbage
from exporter.model.text import clean

__all__ = ["decode", "garbage", "is_binary"]

# First bytes that only another protocol sends. TLS: handshake and alert records (RFC 8446 section 5.1).
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


def garbage(data: bytes, expected: str) -> Garbage:
    """Return the exception for bytes that are not `expected` (the name of a protocol)."""
    for start, voice in _VOICES:
        if data.startswith(start) and expected not in voice:
            return Garbage(f"expected {expected}, got {voice}: {clean(decode(data[:200]), 80)}", wrong_protocol=True)
    return Garbage(f"not {expected}: {clean(decode(data[:200]), 200)}")


def is_binary(data: bytes) -> bool:
    """Tell whether an unfinished line is binary data, so that waiting for the end of the line is useless."""
    return any(byte < 0x20 and byte not in b"\t\r\n" for byte in data[:64])
