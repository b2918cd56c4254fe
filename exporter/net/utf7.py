"""Modified UTF-7, the encoding of IMAP mailbox names (RFC 3501 section 5.1.3)."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error


def encode(name: str) -> str:
    """Encode a readable folder name for the wire. Raises UnicodeEncodeError on a lone surrogate."""
    out: list[str] = []
    shifted: list[str] = []

    def unshift() -> None:
        if shifted:
            data = "".join(shifted).encode("utf-16-be")
            out.append("&" + b64encode(data).decode().rstrip("=").replace("/", ",") + "-")
            shifted.clear()

    for char in name:
        if " " <= char <= "~":
            unshift()
            out.append("&-" if char == "&" else char)
        else:
            shifted.append(char)
    unshift()
    return "".join(out)


def decode(raw: str) -> str:
    """Decode a folder name from the wire. A name that is not valid modified UTF-7 is returned unchanged."""
    if "&" not in raw:
        return raw
    first, *rest = raw.split("&")
    out = [first]
    for part in rest:
        code, dash, tail = part.partition("-")
        if not dash:
            return raw
        if not code:
            out.append("&" + tail)
            continue
        try:
            data = b64decode(code.replace(",", "/") + "=" * (-len(code) % 4), validate=True)
            out.append(data.decode("utf-16-be") + tail)
        except (Base64Error, UnicodeError, ValueError):
            return raw
    return "".join(out)
