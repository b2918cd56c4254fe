"""The texts of the pages in the language of the reader, and the reader's time zone."""

from __future__ import annotations

from datetime import tzinfo

from exporter.model.phrases import Phrases


class Words(Phrases):
    """The texts of one language. `words("key", n=1)` fills in the placeholders.

    `zone` is the time zone of the times on the page; None is the one of this machine.
    """

    def __init__(self, language: str, zone: tzinfo | None = None) -> None:
        super().__init__(language, "pages")
        self.zone = zone

    def span(self, seconds: float) -> str:
        """Return an approximate duration in words."""
        for key, size, limit in (("seconds", 1, 90), ("minutes", 60, 90), ("hours", 3600, 48)):
            if seconds / size < limit:
                return self(key, n=max(round(seconds / size), 0))
        return self("days", n=round(seconds / 86400))
