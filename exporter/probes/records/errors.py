"""The exception of the DNS record parsers, and how messages quote a record."""

from __future__ import annotations


class RecordError(ValueError):
    """A record violates its specification. `section` is the place in the RFC, `text` what is wrong."""

    def __init__(self, section: str, text: str) -> None:
        super().__init__(f"{text} ({section})")
        self.section = section  # "RFC 7208 section 4.6.1"
        self.text = text


def shown(text: str, limit: int = 60) -> str:
    """Return a part of a record, quoted for a message."""
    return repr(text if len(text) <= limit else text[:limit] + "…")
