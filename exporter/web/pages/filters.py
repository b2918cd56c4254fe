"""Parses the query string of the status page: search words, state, provider, label, sort order, page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LONGEST = 200  # characters of a value
MOST_WORDS = 8
UNKNOWN = "-"  # the provider of targets whose provider nobody knows

SORTS = ("state", "name", "provider", "since", "took")
"""What fails first · by name · what changed last · what is slowest. With - before it: backwards."""


@dataclass(frozen=True, slots=True)
class Filters:
    """All are optional; what is not understood is left out."""

    text: str = ""
    words: tuple[str, ...] = ()  # of the text, each of which must be there
    state: str = ""
    kind: str = ""
    provider: str = ""
    label: str = ""  # name=value
    cause: str = ""  # the key of a cause
    sort: str = ""
    page: int = 1

    @property
    def narrow(self) -> bool:
        """Whether they leave out targets of any state."""
        return bool(self.words or self.kind or self.provider or self.label)

    @property
    def any(self) -> bool:
        """Whether anything may be hidden by them."""
        return bool(self.narrow or self.state or self.cause)


def parse(query: Mapping[str, str], states: tuple[str, ...]) -> Filters:
    """From the query of an address."""
    given = {key: query.get(key, "").strip()[:LONGEST] for key in ("q", "state", "kind", "provider", "label", "cause")}
    sort, page = query.get("sort", ""), query.get("page", "1")
    return Filters(
        text=given["q"],
        words=tuple(given["q"].casefold().split()[:MOST_WORDS]),
        state=given["state"] if given["state"] in states else "",
        kind=given["kind"],
        provider=given["provider"],
        label=given["label"],
        cause=given["cause"],
        sort=sort if sort.removeprefix("-") in SORTS else "",
        page=max(int(page), 1) if page.isascii() and page.isdigit() and len(page) < 6 else 1,
    )
