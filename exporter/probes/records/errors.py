"""What the parsers of DNS records raise, and how they quote a record."""

from __future__ import annotations


class RecordError(ValueError):
    """A record breaks its specification. `section` says where that is written, `text` what is wrong."""

    def __init__(self, section: str, text: str) -> None:
        super().__init__(f"{text} ({section})")
        self.section = section  # "RFC 7208 section 4.6.1"
        self.text = text


def shown(text: str, limit: int = 60) -> str:
    """A piece of a record, quoted for a message."""
    return repr(text if len(text) <= limit else text[:limit] + "…")
