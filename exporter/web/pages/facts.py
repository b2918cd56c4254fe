"""Formats the facts of a run as rows for the page: certificate, connection, mailbox, DNS, round trip.

A test checks that every FactName has its place here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from exporter.model import FactName, Result
from exporter.outputs.json_objects import EVENTS
from exporter.web.pages.fact_words import FactWords
from exporter.web.pages.formatting import duration, moment, number, size
from exporter.web.pages.words import Words

CERTIFICATE_SOON = 21 * 86400  # seconds; a test compares it with the thresholds of the alerts
CERTIFICATE_URGENT = 7 * 86400
QUOTA_HIGH, QUOTA_FULL = 0.90, 0.97

Facts = Mapping[FactName, Mapping[tuple[str, ...], float | str]]


@dataclass(frozen=True, slots=True)
class FactRow:
    """One row. `sign` is ok, failed, unclear or ""."""

    label: str
    value: str
    sign: str = ""
    note: str = ""
    code: bool = False  # True: shown in a monospaced font
    share: float | None = None  # used share of a quota, 0 to 1


@dataclass(frozen=True, slots=True)
class Group:
    """A title and its rows."""

    title: str
    rows: tuple[FactRow, ...]


def groups(result: Result, words: Words, now: float) -> tuple[Group, ...]:
    """Return the groups that have facts, the most important one first. `now` is Unix time."""
    found: dict[FactName, dict[tuple[str, ...], float | str]] = {}
    for fact in result.facts:
        values = found.setdefault(fact.name, {})
        before = values.get(fact.labels)
        if fact.name in EVENTS and isinstance(before, float | int) and isinstance(fact.value, float | int):
            values[fact.labels] = before + fact.value
        else:
            values[fact.labels] = fact.value
    page = _Page(found, words, FactWords(words.language), now)
    made = ((title, tuple(rows(page))) for title, rows in _GROUPS.items())
    return tuple(Group(page.says(title), rows) for title, rows in made if rows)


class _Page:
    """The facts of one run, and the texts of one language."""

    def __init__(self, facts: Facts, words: Words, says: FactWords, now: float) -> None:
        self._facts = facts
        self._words = words
        self.says = says
        self.now = now

    def value(self, name: FactName, *labels: str) -> float | str | None:
        return self._facts.get(name, {}).get(labels)

    def text(self, name: FactName, *labels: str) -> str:
        value = self.value(name, *labels)
        return "" if value is None else str(value)

    def number(self, name: FactName, *labels: str) -> float | None:
        value = self.value(name, *labels)
        return None if value is None or isinstance(value, str) else value

    def labels(self, *names: FactName) -> list[tuple[str, ...]]:
        """Return the label values that any of these facts has, in the order of the facts."""
        return list(dict.fromkeys(labels for name in names for labels in self._facts.get(name, {})))

    def when(self, at: float) -> str:
        known = moment(at, self.now, self._words)
        return self.says("when", time=known.whole, distance=known.ago)

    def span(self, seconds: float) -> str:
        return self._words.span(seconds)

    def plain(self, *names: FactName, code: bool = False) -> Iterable[FactRow]:
        """Yield a plain row for each of these facts that the run has."""
        for name in names:
            if text := self.text(name):
                yield FactRow(self.says.name(name), text, code=code)


def _certificate(page: _Page) -> Iterable[FactRow]:
    valid = page.number(FactName.CERT_VALID)
    if valid is not None:
        yield FactRow(page.says.name(FactName.CERT_VALID), page.says("verifies" if valid else "fails"), _sign(valid))
    for name in (FactName.CERT_NOT_AFTER, FactName.CHAIN_NOT_AFTER):
        ends = page.number(name)
        if ends is not None and (name is FactName.CERT_NOT_AFTER or ends != page.number(FactName.CERT_NOT_AFTER)):
            left = ends - page.now
            sign = "failed" if left < CERTIFICATE_URGENT else "unclear" if left < CERTIFICATE_SOON else "ok"
            yield FactRow(page.says.name(name), page.when(ends), sign, page.says("expired") if left < 0 else "")
    begins = page.number(FactName.CERT_NOT_BEFORE)
    if begins is not None:
        yield FactRow(
            page.says.name(FactName.CERT_NOT_BEFORE), page.when(begins), "failed" if begins > page.now else ""
        )
    if names := page.text(FactName.CERT_NAMES):
        yield FactRow(page.says.name(FactName.CERT_NAMES), page.says.comma.join(names.split()))
    yield from page.plain(FactName.CERT_SUBJECT, FactName.CERT_ISSUER)
    if fingerprint := page.text(FactName.CERT_FINGERPRINT):
        grouped = ":".join(fingerprint[at : at + 2] for at in range(0, len(fingerprint), 2))
        yield FactRow(page.says.name(FactName.CERT_FINGERPRINT), grouped, code=True)


def _connection(page: _Page) -> Iterable[FactRow]:
    if address := page.text(FactName.ADDRESS):
        family = {"ipv4": "IPv4", "ipv6": "IPv6"}.get(page.text(FactName.FAMILY), "")
        yield FactRow(page.says.name(FactName.ADDRESS), address, note=family, code=True)
    yield from page.plain(FactName.SOURCE_ADDRESS, code=True)
    if version := page.text(FactName.TLS_VERSION):
        yield FactRow("TLS", version.replace("TLSv", "TLS "), note=page.text(FactName.TLS_CIPHER))
    yield from page.plain(FactName.MECHANISM)
    expiry = page.number(FactName.OAUTH_EXPIRY)
    if expiry is not None:
        yield FactRow(page.says.name(FactName.OAUTH_EXPIRY), page.when(expiry), "failed" if expiry < page.now else "")
    limit = page.number(FactName.SMTP_SIZE_LIMIT)
    if limit is not None:
        yield FactRow(page.says.name(FactName.SMTP_SIZE_LIMIT), size(limit) if limit else page.says("unlimited"))
    yield from page.plain(FactName.PROVIDER_ALERT)
    yield from page.plain(FactName.BETTER_HOST, FactName.GREETING, FactName.CAPABILITIES, code=True)
    status = page.number(FactName.HTTP_STATUS)
    if status is not None:
        yield FactRow(page.says.name(FactName.HTTP_STATUS), f"{status:.0f}")
    yield from page.plain(FactName.HTTP_LOCATION, code=True)


def _mailbox(page: _Page) -> Iterable[FactRow]:
    kinds: tuple[tuple[FactName, FactName, Callable[[float], str]], ...] = (
        (FactName.QUOTA_USED_BYTES, FactName.QUOTA_LIMIT_BYTES, size),
        (FactName.QUOTA_USED_MESSAGES, FactName.QUOTA_LIMIT_MESSAGES, number),
    )
    for used_name, limit_name, shown in kinds:
        for labels in page.labels(used_name, limit_name):
            used, limit = page.number(used_name, *labels), page.number(limit_name, *labels)
            if used is None:
                continue
            label = page.says.name(used_name)
            if not limit:
                yield FactRow(label, shown(used), note=" ".join(labels))
                continue
            share = used / limit
            sign = "failed" if share >= QUOTA_FULL else "unclear" if share >= QUOTA_HIGH else "ok"
            told = page.says("of", used=shown(used), limit=shown(limit), percent=f"{100 * share:.0f}")
            yield FactRow(label, told, sign, " ".join(labels), share=min(share, 1.0))
    messages, octets = page.number(FactName.MAILDROP_MESSAGES), page.number(FactName.MAILDROP_BYTES)
    if messages is not None:
        yield FactRow(
            page.says.name(FactName.MAILDROP_MESSAGES),
            page.says("messages", count=number(messages)),
            note=size(octets) if octets is not None else "",
        )
    for labels in page.labels(FactName.FOLDER_NAME, FactName.FOLDER_MESSAGES):
        count, unseen = page.number(FactName.FOLDER_MESSAGES, *labels), page.number(FactName.FOLDER_UNSEEN, *labels)
        newest = page.number(FactName.FOLDER_NEWEST, *labels)
        parts = [page.says("messages", count=number(count))] if count is not None else []
        parts += [page.says("unseen", count=number(unseen))] if unseen is not None else []
        parts += [page.says("newest", at=page.when(newest))] if newest else []
        role, name = labels[0] if labels else "", page.text(FactName.FOLDER_NAME, *labels)
        label = page.says.folder(role)
        note = "" if name.casefold() in (role, label.casefold()) else name
        yield FactRow(label, page.says.comma.join(parts) or "–", note=note)


def _dns(page: _Page) -> Iterable[FactRow]:
    policies = {
        labels[0]: page.number(FactName.DNS_POLICY_VALID, *labels) for labels in page.labels(FactName.DNS_POLICY_VALID)
    }
    for labels in page.labels(FactName.DNS_LOOKUP):
        kind = labels[0]
        answered, count = page.number(FactName.DNS_LOOKUP, kind), page.number(FactName.DNS_RECORDS, kind)
        seconds, changed = page.number(FactName.DNS_LOOKUP_SECONDS, kind), page.number(FactName.DNS_LAST_CHANGE, kind)
        valid = policies.pop(kind, None)
        notes = [page.says("invalid")] if valid == 0 else []
        notes += [page.says("answered_in", span=duration(seconds))] if seconds is not None and answered else []
        notes += [page.says("changed", at=page.when(changed))] if changed else []
        told = page.text(FactName.DNS_TEXT, kind) or page.says("no_answer" if not answered else "no_record")
        sign = "failed" if not answered or valid == 0 else "ok" if valid else ""
        yield FactRow(page.says.record(kind), told, sign, page.says.dot.join(notes), code=bool(count))
    for kind, valid in policies.items():
        yield FactRow(page.says.record(kind), page.says("valid" if valid else "invalid"), _sign(valid))
    for labels in page.labels(FactName.DKIM_KEY_BITS):
        bits = page.number(FactName.DKIM_KEY_BITS, *labels)
        selector, algorithm = (*labels, "", "")[:2]
        yield FactRow(
            page.says("dkim_key", selector=selector), page.says("bits", bits=f"{bits or 0:.0f}"), note=algorithm
        )


def _round_trip(page: _Page) -> Iterable[FactRow]:
    received = page.number(FactName.ROUNDTRIP_RECEIVED)
    if received is not None:
        within = page.number(FactName.ROUNDTRIP_PRECISION)
        note = page.says("precision", seconds=duration(within)) if within else ""
        yield FactRow(page.says.name(FactName.ROUNDTRIP_RECEIVED), duration(received), "ok", note=note)
    late = page.number(FactName.ROUNDTRIP_CAME_LATE)
    if late is not None:
        yield FactRow(page.says.name(FactName.ROUNDTRIP_CAME_LATE), page.says("came_after", span=page.span(late)))
    for labels in page.labels(FactName.ROUNDTRIP_HOP_DELAY):
        seconds = page.number(FactName.ROUNDTRIP_HOP_DELAY, *labels)
        yield FactRow(page.says("hop", hop=page.says.hop(labels[0])), duration(seconds or 0.0))
    for labels in page.labels(FactName.ROUNDTRIP_AUTHENTICATION):
        passed = page.number(FactName.ROUNDTRIP_AUTHENTICATION, *labels)
        yield FactRow(page.says.method(labels[0]), page.says("passed" if passed else "not_passed"), _sign(passed))
    for name in (FactName.ROUNDTRIP_SENT, *_TROUBLES):
        count = page.number(name)
        if count:
            yield FactRow(page.says.name(name), number(count), "failed" if name in _TROUBLES else "")
    waiting, oldest = page.number(FactName.ROUNDTRIP_IN_FLIGHT), page.number(FactName.ROUNDTRIP_OLDEST_IN_FLIGHT)
    if waiting is not None:
        note = page.says("oldest", at=page.when(oldest)) if oldest else ""
        yield FactRow(page.says.name(FactName.ROUNDTRIP_IN_FLIGHT), number(waiting), note=note)


_TROUBLES = (
    FactName.ROUNDTRIP_LATE,
    FactName.ROUNDTRIP_LOST,
    FactName.ROUNDTRIP_BOUNCED,
    FactName.ROUNDTRIP_MISFILED,
    FactName.ROUNDTRIP_ALTERED,
    FactName.ROUNDTRIP_DUPLICATED,
)

_GROUPS: Mapping[str, Callable[[_Page], Iterable[FactRow]]] = {
    "common.certificate": _certificate,
    "dns": _dns,
    "round_trip": _round_trip,
    "mailbox": _mailbox,
    "connection": _connection,
}


def _sign(good: float | None) -> str:
    return "" if good is None else "ok" if good else "failed"
