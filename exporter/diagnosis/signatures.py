"""Loads the signatures in `data/signatures.yaml`: known texts of mail servers and the reason each one means.

The signatures of one provider or software form a scope. For a text, a scope returns its first matching signature in
file order. `classify` decides which scopes are asked. All patterns are RE2, so matching takes linear time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import re2
import yaml

from exporter.diagnosis.reply import Reply, normalise
from exporter.model import Service
from exporter.model.reasons import Reason

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
    shared: bool = False  # other servers use the same text: reliable only if the family is known
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
        self._rows = tuple(rows)
        self._filter = re2.Filter()
        for row in self._rows:
            self._filter.Add(f"(?m:{row.pattern})", options)  # ^ matches at the start of a line
        if self._rows:
            self._filter.Compile()

    def matching(self, text: str) -> list[Signature]:
        """Return the matching signatures in file order."""
        return [self._rows[index] for index in sorted(self._filter.Match(text) or ())] if self._rows else []


_WARM: set[tuple[str | None, Service]] = set()


@cache
def rows() -> tuple[Signature, ...]:
    """Return all signatures in file order; read at the first use."""
    text = resources.files("exporter").joinpath("data/signatures.yaml").read_bytes()
    found: list[dict[str, Any]] = yaml.load(text, Loader=yaml.CSafeLoader)
    return tuple(_row(each) for each in found)


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


def in_scope(scope: str, protocol: Service | None, said: Reply) -> tuple[Signature, ...]:
    """Return the first matching signature of a scope.

    If it is unknown whether the reply answers a login: one for each case.
    """
    return _first(_matcher(scope, protocol).matching(said.line), said)


def everywhere(protocol: Service | None, said: Reply) -> tuple[Signature, ...]:
    """Return the same for every scope at once, for a server of unknown family."""
    found: dict[str, list[Signature]] = {}
    for row in _matcher(None, protocol).matching(said.line):
        found.setdefault(row.provider, []).append(row)
    return tuple(row for each in found.values() for row in _first(each, said))


def about_token(said: Reply) -> Signature | None:
    """Return the signature for the JSON about a token in a challenge."""
    found = _sasl().matching(said.json) if said.json else []
    return found[0] if found else None


def _first(matching: Sequence[Signature], said: Reply) -> tuple[Signature, ...]:
    if not matching:
        return ()
    if said.login is not None:
        picks = [_pick(matching, login=said.login)]
    elif said.likely is not None:
        picks = [_pick(matching, login=said.likely) or _pick(matching, login=not said.likely)]
    else:
        picks = [_pick(matching, login=True), _pick(matching, login=False)]
    return tuple(dict.fromkeys(row for row in picks if row is not None))


def _pick(matching: Sequence[Signature], *, login: bool) -> Signature | None:
    return next((row for row in matching if not row.when or (row.when == "login") is login), None)
