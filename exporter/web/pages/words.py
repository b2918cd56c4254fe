"""The texts of the pages in the language of the reader."""

from __future__ import annotations

from exporter.model.phrases import Phrases


class Words(Phrases):
    """The words of one language. `words("key", n=1)` fills the places in."""

    def __init__(self, language: str) -> None:
        super().__init__(language, "pages")

    def span(self, seconds: float) -> str:
        """A length of time in words, roughly."""
        for key, size, limit in (("seconds", 1, 90), ("minutes", 60, 90), ("hours", 3600, 48)):
            if seconds / size < limit:
                return self(key, n=max(round(seconds / size), 0))
        return self("days", n=round(seconds / 86400))
