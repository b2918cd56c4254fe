"""Decodes what a server sent, whatever its charset, and recognises the protocol where it is the wrong one.

In: raw bytes from a Wire. Out: text for the transcript, or a Garbage exception that names the protocol found instead.
"""

from __future__ import annotations

from exporter.model.advice import Advice
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
    voice = voice_of(data)
    if not voice or expected in voice:
        return Garbage(f"not {expected}: {clean(decode(data[:200]), 200)}")
    advice = Advice.TLS_AT_ONCE if voice == "TLS" else None
    text = f"expected {expected}, got {voice}: {clean(decode(data[:200]), 80)}"
    return Garbage(text, wrong_protocol=True, advice=advice)


def plain_greeting(data: bytes, protocol: str) -> Garbage | None:
    """Return the exception if a server greets in plain text by `protocol`, where a TLS handshake was begun."""
    if protocol not in voice_of(data).split(" or "):
        return None
    text = f"expected TLS, got {protocol} in plain text: {clean(decode(data[:200]), 80)}"
    return Garbage(text, wrong_protocol=True, advice=Advice.PLAIN_AT_FIRST)


def voice_of(data: bytes) -> str:
    """Return the protocol that begins like this, or "" if none is recognised."""
    return next((voice for start, voice in _VOICES if data.startswith(start)), "")


def is_binary(data: bytes) -> bool:
    """Tell whether an unfinished line is binary data, so that waiting for the end of the line is useless."""
    return any(byte < 0x20 and byte not in b"\t\r\n" for byte in data[:64])
