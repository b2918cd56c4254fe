"""Splits the list of capabilities that an IMAP server sends (RFC 3501 section 7.2.1), within bounds."""

from __future__ import annotations

from functools import lru_cache

from exporter.model import bounds
from exporter.model.errors import Garbage
from exporter.model.text import clean

MAX_REMEMBERED = 1024  # characters of a list that is kept for the next session


def capability_words(text: str) -> frozenset[str]:
    """Return the capabilities in upper case. Raises Garbage if there are more than any server has."""
    if len(text) > bounds.IMAP_CAPABILITIES:
        raise Garbage(f"more than {bounds.IMAP_CAPABILITIES} characters of capabilities: {clean(text[:200], 80)}")
    return _remembered(text) if len(text) <= MAX_REMEMBERED else frozenset(text.upper().split())


@lru_cache(maxsize=256)
def _remembered(text: str) -> frozenset[str]:
    """Cached, because thousands of mailboxes are on few servers with the same list."""
    return frozenset(text.upper().split())
