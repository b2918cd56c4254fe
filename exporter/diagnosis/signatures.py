"""Loads the signatures in `data/signatures.yaml`: known texts of mail servers and the reason each one means.

The signatures of one provider or software form a scope. For a text, a scope returns its first matching signature in
file order. `classify` decides which scopes are asked. All patterns are RE2, so matching takes linear time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import re2
import yaml

from exporter.diagnosis.reply import Reply, normalise
from exporter.model import Service
from exporter.model.reasons import Layer, Reason, about

ANY = "any"
"""The scope of signatures that are not specific to a provider or software."""
SASL = "sasl"
"""The protocol of signatures for the JSON in a SASL challenge and from a token endpoint."""
CONNECT = "connect"
"""The protocol of signatures for messages of client libraries: only for `explain`."""

_SPOKEN_BY = {
    Service.IMAP: frozenset({"imap", ANY}),
    Service.POP3: frozenset({"pop3", ANY}),
    Service.SMTP: frozenset({"smtp", ANY}),
    Service.HTTPS: frozenset({SASL}),
    None: frozenset({"imap", "pop3", "smtp", ANY, CONNECT}),
}


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """One signature. One with a `code` has no pattern: the standard codes decide; its example is their test."""

    id: str
    protocol: str  # imap, pop3, smtp, sasl, connect, any
    provider: str  # a signature family, a server software, any
    reason: Reason
    example: str
    source: str
    pattern: str = ""
    code: str = ""  # the rule of the standard codes that decides
    when: str = ""  # login or later: applies only to the answer to a login, or only to other answers
    # other servers use the same text: reliable only if the family is known and nothing else is said
    shared: bool = False
    weak: bool = False  # a generic text that names no cause by itself
    causes: tuple[Reason, ...] = ()  # of an ambiguous text
    apart: tuple[str, str] = ("", "")  # how to tell the causes apart over time, in English and Chinese
    note: str = ""
    more_examples: tuple[str, ...] = ()


class _Matcher:
    """The signatures of one scope and protocol in an RE2 FilteredRE2.

    One automaton searches for the fixed words of all patterns, then only the patterns whose words occur are tried.
    Linear in the length of the text.
    """

    def __init__(self, rows: Iterable[Signature]) -> None:
        options = re2.Options()
        options.case_sensitive = False
        options.never_capture = True
        options.longest_match = True
        self._options = options
        self._rows = tuple(rows)
        self._compiled: dict[int, Any] = {}
        self._filter = re2.Filter()
        for row in self._rows:
            self._filter.Add(f"(?m:{row.pattern})", options)  # ^ matches at the start of a line
        if self._rows:
            self._filter.Compile()

    def matching(self, text: str) -> list[Signature]:
        """Return the matching signatures in file order."""
        return [self._rows[index] for index in sorted(self._filter.Match(text) or ())] if self._rows else []

    def words(self, text: str) -> list[tuple[Signature, str]]:
        """Return the matching signatures in file order, each with the words that it matches."""
        found = []
        for index in sorted(self._filter.Match(text) or ()) if self._rows else ():
            row = self._rows[index]
            if index not in self._compiled:
                self._compiled[index] = re2.compile(f"(?m:{row.pattern})", self._options)
            match = self._compiled[index].search(text)
            found.append((row, _CODES.sub("", match.group(0)).strip() if match else ""))
        return found


# The codes and status words at the beginning of a line: no words of the sentence.
_CODES = re.compile(r"^(?:[45]\d\d\b[ -]?)?(?:[45]\.\d{1,3}\.\d{1,3}\b)?\s*")
_WARM: set[tuple[str | None, Service]] = set()


@cache
def rows() -> tuple[Signature, ...]:
    """Return all signatures in file order; read at the first use."""
    data = resources.files("exporter").joinpath("data")
    return tuple(
        _row(each)
        for name in ("signatures.yaml", "wordings.yaml")
        for each in yaml.load(data.joinpath(name).read_bytes(), Loader=yaml.CSafeLoader)
    )


def _row(each: dict[str, Any]) -> Signature:
    apart = each.get("apart") or {}
    pattern = each.get("pattern", "")
    return Signature(
        id=each["id"],
        protocol=each["protocol"],
        provider=each["provider"],
        reason=Reason(each["reason"]),
        example=each["example"],
        source=each["source"],
        pattern=pattern if isinstance(pattern, str) else "|".join(pattern),
        code=each.get("code", ""),
        when=each.get("when", ""),
        shared=each.get("shared", False),
        weak=each.get("weak", False),
        causes=tuple(Reason(cause) for cause in each.get("causes", ())),
        apart=(apart.get("en", ""), apart.get("zh", "")),
        note=each.get("note", ""),
        more_examples=tuple(each.get("more_examples", ())),
    )


@cache
def scopes() -> frozenset[str]:
    """Return every provider family and software that has signatures."""
    return frozenset(row.provider for row in rows()) - {ANY}


@cache
def by_id() -> Mapping[str, Signature]:
    return {row.id: row for row in rows()}


@cache
def _matcher(scope: str | None, protocol: Service | None) -> _Matcher:
    """Return the matcher of a scope. `scope` None: all families and all software together."""
    spoken = _SPOKEN_BY[protocol]
    return _Matcher(
        row
        for row in rows()
        if row.pattern
        and row.protocol in spoken
        and (row.provider == scope if scope is not None else row.provider != ANY)
    )


@cache
def _sasl() -> _Matcher:
    return _Matcher(row for row in rows() if row.protocol == SASL)


def warm(protocol: Service, families: tuple[str, ...]) -> None:
    """Read and compile the signatures for servers of these families now, so that no run has to wait for it.

    RE2 builds its automata when it sees texts, so the examples are matched once here. The rows of a software that only
    a greeting tells are compiled at the first use: they are few.
    """
    said = [normalise(protocol, row.example, None) for row in rows() if row.protocol in _SPOKEN_BY[protocol]]
    for scope in (*(families or (None,)), ANY):
        matcher = _matcher(scope, protocol)
        if (scope, protocol) not in _WARM:
            _WARM.add((scope, protocol))
            for each in said:
                matcher.matching(each.line)


Match = tuple[Signature, str]
"""A matching signature and the words of the reply that it matches."""


def in_scope(scope: str, protocol: Service | None, said: Reply, *, login: bool) -> Match | None:
    """Return the first matching signature of a scope. `login`: the reply answers a login."""
    return next((each for each in _matcher(scope, protocol).words(said.line) if _applies(each[0], login)), None)


def everywhere(protocol: Service | None, said: Reply, *, login: bool) -> list[Match]:
    """Return the first matching signature of every scope, for a server of unknown family."""
    found: dict[str, Match] = {}
    for row, words in _matcher(None, protocol).words(said.line):
        if _applies(row, login):
            found.setdefault(row.provider, (row, words))
    return list(found.values())


def generic(protocol: Service | None, said: Reply, *, login: bool) -> list[Match]:
    """Return every matching signature that is not specific to a provider or software."""
    return [each for each in _matcher(ANY, protocol).words(said.plain) if _applies(each[0], login)]


@cache
def login_causes(scopes: tuple[str, ...]) -> tuple[Reason, ...]:
    """Return for what reasons these providers refuse a login, as their signatures tell, the most common first."""
    counted = Counter(
        cause
        for row in rows()
        if row.provider in scopes and row.when != "later"
        for cause in (row.causes or (row.reason,))
        if about(cause).layer is Layer.AUTH and cause not in (Reason.AUTH_MISSING, Reason.AMBIGUOUS_LOGIN_REFUSED)
    )
    return tuple(cause for cause, _ in counted.most_common())


def about_token(said: Reply) -> Signature | None:
    """Return the signature for the JSON about a token in a challenge."""
    found = _sasl().matching(said.json) if said.json else []
    return found[0] if found else None


def _applies(row: Signature, login: bool) -> bool:
    return not row.when or (row.when == "login") is login
