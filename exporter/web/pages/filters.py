"""Parses the query string of the status page: search words, state, provider, label, sort order, page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LONGEST = 200  # limit of a value in characters
MOST_WORDS = 8
UNKNOWN = "-"  # filter value for targets with an unknown provider

SORTS = ("state", "name", "provider", "since", "took")
"""Sort keys: state (failures first), name, last change, duration. A leading - reverses the order."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of the status page. All are optional; invalid values are ignored."""

    text: str = ""
    words: tuple[str, ...] = ()  # words that must all be in the text of a target
    state: str = ""
    kind: str = ""
    provider: str = ""
    label: str = ""  # name=value
    cause: str = ""  # key of a cause
    sort: str = ""
    page: int = 1

    @property
    def narrow(self) -> bool:
        """Whether a filter other than the state is set."""
        return bool(self.words or self.kind or self.provider or self.label)

    @property
    def any(self) -> bool:
        """Whether any filter is set."""
        return bool(self.narrow or self.state or self.cause)


def parse(query: Mapping[str, str], states: tuple[str, ...]) -> Filters:
    """Return the filters from the query of a URL."""
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
