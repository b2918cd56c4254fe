"""Makes text from a server safe to show."""

from __future__ import annotations

MAX_TEXT = 512


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Return server text that is safe to show: control characters become `.`, at most `limit` characters."""
    cut = text[:limit]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else "\n" if c == "\n" else "." for c in cut)
    return cut + "…" if len(text) > limit else cut


def shortened(text: str, limit: int) -> str:
    """Return the text as one line of at most `limit` characters; a longer one ends in an ellipsis."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
