"""The texts of the pages in the language of the reader."""

from __future__ import annotations

from exporter.model.phrases import Phrases


class Words(Phrases):
    """The texts of one language. `words("key", n=1)` fills in the placeholders."""

    def __init__(self, language: str) -> None:
        super().__init__(language, "pages")

    def span(self, seconds: float) -> str:
        """Return an approximate duration in words."""
        for key, size, limit in (("seconds", 1, 90), ("minutes", 60, 90), ("hours", 3600, 48)):
            if seconds / size < limit:
                return self(key, n=max(round(seconds / size), 0))
        return self("days", n=round(seconds / 86400))
