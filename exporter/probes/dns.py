"""The dns probe: looks up MX, addresses, SPF, DKIM and DMARC of a mail domain and checks each record.

In: a domain and its DKIM selectors. Out: facts about every record set. All records are queried and all facts written
before the most serious problem is raised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from exporter.model import FactName, Phase
from exporter.model.errors import DnsFailure, ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.dns.resolver import Answer, Resolver
from exporter.probes.context import Context
from exporter.probes.records import dkim, dmarc, mx, spf
from exporter.probes.records.errors import RecordError, shown

MAX_HOSTS = 10  # mail servers whose addresses are looked up, the preferred ones first
MAX_WALK = 8  # names queried for a DMARC record, RFC 9989 section 4.10


@dataclass(frozen=True, slots=True)
class Settings:
    """A mail domain, and its DKIM selectors."""

    domain: str
    dkim_selectors: tuple[str, ...] = ()


class _Rank(IntEnum):
    """Order of severity.

    Of several problems the first kind is raised: no mail can arrive, then unknown, then policies.
    """

    MX_TROUBLE = 0
    MX_MISSING = 1
    MX_INVALID = 2
    TROUBLE = 3
    INVALID = 4
    MISSING = 5


@dataclass(frozen=True, slots=True)
class _Problem:
    rank: _Rank
    error: Exception

    @property
    def definite(self) -> bool:
        return not isinstance(self.error, DnsFailure)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One query and its answer."""

    name: str
    answer: Answer


async def probe(settings: Settings, context: Context, trace: Trace, /) -> None:
    """Look up all records of a domain. Raises the most serious problem."""
    domain = settings.domain
    with trace.phase(Phase.RESOLVE):
        look = _Query(context.resolver, trace)
        async with asyncio.TaskGroup() as group:
            mail = group.create_task(_mail_hosts(look, domain))
            senders = group.create_task(look.ask(domain, "TXT"))
            policy = group.create_task(_dmarc_walk(look, domain))
            keys = [group.create_task(look.ask(f"{s}._domainkey.{domain}", "TXT")) for s in settings.dkim_selectors]
        exchange, v4, v6 = mail.result()
        spf_asked, dmarc_asked, dkim_asked = senders.result(), policy.result(), [key.result() for key in keys]

        notebook = _Notebook(domain, context, trace)
        await notebook.record_set("mx", [exchange], exchange.answer.records)
        if v4:
            await notebook.record_set("a", v4, [f"{a.name} {each}" for a in v4 for each in a.answer.records])
            await notebook.record_set("aaaa", v6, [f"{a.name} {each}" for a in v6 for each in a.answer.records])
        await notebook.record_set("spf", [spf_asked], [t for t in spf_asked.answer.records if spf.is_spf(t)])
        policies = [t for t in dmarc_asked[-1].answer.records if dmarc.is_dmarc(t)]
        await notebook.record_set("dmarc", dmarc_asked, policies)
        if dkim_asked:
            published = [f"{asked.name} {text}" for asked in dkim_asked for text in asked.answer.records]
            await notebook.record_set("dkim", dkim_asked, published)

        notebook.policy("mx", _judge_mx(domain, exchange, v4, v6))
        notebook.policy("spf", _judge_spf(domain, spf_asked))
        notebook.policy("dmarc", _judge_dmarc(domain, dmarc_asked))
        for selector, asked in zip(settings.dkim_selectors, dkim_asked, strict=True):
            notebook.keys += _judge_dkim(selector, asked, trace)
        if dkim_asked:
            notebook.policy("dkim", notebook.keys)
        if notebook.problems:
            raise min(notebook.problems, key=lambda problem: problem.rank).error


# -- queries --------------------------------------------------------------------------------------------------------


class _Query:
    """Sends queries, and writes the transcript and the time of the phase."""

    def __init__(self, resolver: Resolver, trace: Trace) -> None:
        self._resolver = resolver
        self._trace = trace

    async def ask(self, name: str, record_type: str) -> _Asked:
        self._trace.said(">", f"{name} {record_type}")
        answer = await self._resolver.lookup(name, record_type)
        found = " · ".join(answer.records) if answer.kind == "ok" else answer.text or answer.kind
        self._trace.said("<", f"{name} {record_type}: {found}")
        if answer.arrived:
            self._trace.arrived(answer.arrived)
        return _Asked(name, answer)


async def _mail_hosts(look: _Query, domain: str) -> tuple[_Asked, list[_Asked], list[_Asked]]:
    """Query the MX records, then the addresses of their hosts."""
    exchange = await look.ask(domain, "MX")
    try:
        hosts = list(dict.fromkeys(each.host for each in mx.parse(exchange.answer.records)))[:MAX_HOSTS]
    except RecordError:
        hosts = []
    async with asyncio.TaskGroup() as group:
        v4 = [group.create_task(look.ask(host, "A")) for host in hosts]
        v6 = [group.create_task(look.ask(host, "AAAA")) for host in hosts]
    return exchange, [task.result() for task in v4], [task.result() for task in v6]


async def _dmarc_walk(look: _Query, domain: str) -> list[_Asked]:
    """Query the domain's DMARC record, else that of its nearest parent, which covers it too (RFC 9989 section 4.10)."""
    labels = domain.removesuffix(".").split(".")
    asked: list[_Asked] = []
    for start in range(max(1, min(len(labels) - 1, MAX_WALK))):
        asked.append(await look.ask("_dmarc." + ".".join(labels[start:]), "TXT"))
        answer = asked[-1].answer
        if not answer.definite or any(_meant_for_dmarc(text) for text in answer.records):
            break
    return asked


def _meant_for_dmarc(text: str) -> bool:
    return "dmarc1" in text.lower()


# -- facts ----------------------------------------------------------------------------------------------------------


class _Notebook:
    """Writes facts about record sets and policies, and collects the problems found."""

    def __init__(self, domain: str, context: Context, trace: Trace) -> None:
        self.problems: list[_Problem] = []
        self.keys: list[_Problem] = []
        self._domain = domain
        self._context = context
        self._trace = trace

    async def record_set(self, record_type: str, asked: Sequence[_Asked], records: Sequence[str]) -> None:
        definite = all(each.answer.definite for each in asked)
        fact = self._trace.fact
        fact(FactName.DNS_LOOKUP, 1 if definite else 0, record_type)
        fact(FactName.DNS_LOOKUP_SECONDS, max(each.answer.seconds for each in asked), record_type)
        if not definite:
            return
        text = "\n".join(sorted(records))
        fact(FactName.DNS_RECORDS, len(records), record_type)
        fact(FactName.DNS_TEXT, text, record_type)
        changed = await self._context.notes.changed(self._domain, record_type, text, self._context.now())
        fact(FactName.DNS_LAST_CHANGE, changed, record_type)

    def policy(self, name: str, problems: Sequence[_Problem]) -> None:
        """Write whether a policy is valid.

        Invalid needs a definite problem; if the answer is unknown, write no fact.
        """
        self.problems += problems
        if not problems or any(problem.definite for problem in problems):
            self._trace.fact(FactName.DNS_POLICY_VALID, 0 if problems else 1, name)


# -- checks ---------------------------------------------------------------------------------------------------------


def _trouble(asked: _Asked, record_type: str) -> DnsFailure:
    return DnsFailure(asked.answer.kind, f"{asked.name} {record_type}: {asked.answer.text}")


def _judge_mx(domain: str, exchange: _Asked, v4: Sequence[_Asked], v6: Sequence[_Asked]) -> list[_Problem]:
    answer = exchange.answer
    if not answer.definite:
        return [_Problem(_Rank.MX_TROUBLE, _trouble(exchange, "MX"))]
    if answer.kind == "nxdomain":
        return [_Problem(_Rank.MX_MISSING, ProbeError(Reason.HOST_NOT_FOUND, f"{domain}: {answer.text}"))]
    if not answer.records:
        text = f"{domain} has no MX record; publish one that names its mail server: {domain}. MX 10 mail.{domain}."
        return [_Problem(_Rank.MX_MISSING, ProbeError(Reason.RECORD_MISSING, text))]
    try:
        hosts = mx.parse(answer.records)
    except RecordError as exc:
        return [_invalid(_Rank.MX_INVALID, f"MX of {domain}: {exc}")]
    if not hosts:
        return [_invalid(_Rank.MX_INVALID, f"{domain} publishes a null MX (RFC 7505): it says that it takes no mail")]
    problems = []
    for a, aaaa in zip(v4, v6, strict=True):
        troubles = [_trouble(each, kind) for each, kind in ((a, "A"), (aaaa, "AAAA")) if not each.answer.definite]
        if troubles:
            reachable = any(each.answer.records for each in (*v4, *v6))
            rank = _Rank.TROUBLE if reachable else _Rank.MX_TROUBLE
            problems += [_Problem(rank, trouble) for trouble in troubles]
        elif not a.answer.records and not aaaa.answer.records:
            why = "does not exist" if a.answer.kind == "nxdomain" else "has neither A nor AAAA record"
            problems.append(_invalid(_Rank.MX_INVALID, f"the mail server {a.name} (MX of {domain}) {why}"))
    return problems


def _judge_spf(domain: str, asked: _Asked) -> list[_Problem]:
    hint = f'{domain} has no SPF record; publish a TXT record there that names who sends for it: "v=spf1 mx -all"'
    return _judge("SPF", asked, hint, is_one=spf.is_spf, was_meant=_meant_for_spf, check=_check_spf)


def _meant_for_spf(text: str) -> bool:
    return "spf1" in text[:12].lower()


def _check_spf(text: str) -> None:
    lookups = spf.parse(text).lookups
    if lookups > spf.MAX_LOOKUPS:
        words = f"it needs {lookups} DNS lookups, {spf.MAX_LOOKUPS} are allowed (RFC 7208 section 4.6.4)"
        raise ProbeError(Reason.TOO_MANY_LOOKUPS, words)


def _judge_dmarc(domain: str, asked: Sequence[_Asked]) -> list[_Problem]:
    hint = (
        f"{domain} has no DMARC record; publish a TXT record at _dmarc.{domain}: "
        f'"v=DMARC1; p=none; rua=mailto:postmaster@{domain}"'
    )
    return _judge("DMARC", asked[-1], hint, is_one=dmarc.is_dmarc, was_meant=_meant_for_dmarc, check=dmarc.parse)


def _judge_dkim(selector: str, asked: _Asked, trace: Trace) -> list[_Problem]:
    def check(text: str) -> None:
        key = dkim.parse(text)
        trace.fact(FactName.DKIM_KEY_BITS, key.bits, selector, key.algorithm)
        if key.revoked:
            raise RecordError("RFC 6376 section 3.6.1", "the key is revoked: p is empty")
        if key.weak:
            raise RecordError(
                "RFC 8301 section 3.2", f"{key.bits} bits are too few, receivers want {dkim.MIN_RSA_BITS}"
            )

    hint = f'{asked.name} has no DKIM key; publish the public key of the selector there: "v=DKIM1; k=rsa; p=…"'
    return _judge("DKIM", asked, hint, is_one=lambda _: True, was_meant=lambda _: False, check=check)


def _judge(
    policy: str,
    asked: _Asked,
    hint: str,
    *,
    is_one: Callable[[str], bool],
    was_meant: Callable[[str], bool],
    check: Callable[[str], object],
) -> list[_Problem]:
    """Return the problems of the one record that must exist."""
    if not asked.answer.definite:
        return [_Problem(_Rank.TROUBLE, _trouble(asked, "TXT"))]
    records = [text for text in asked.answer.records if is_one(text)]
    where = f"{policy} of {asked.name}"
    if not records:
        meant = [text for text in asked.answer.records if was_meant(text)]
        if meant:
            return [_invalid(_Rank.INVALID, f"{where}: {shown(meant[0])} does not begin as such a record must")]
        return [_Problem(_Rank.MISSING, ProbeError(Reason.RECORD_MISSING, hint))]
    if len(records) > 1:
        text = f"{where}: {len(records)} records, where only one may be: {' · '.join(map(shown, records[:4]))}"
        return [_Problem(_Rank.INVALID, ProbeError(Reason.RECORD_MULTIPLE, text))]
    try:
        check(records[0])
    except RecordError as exc:
        return [_invalid(_Rank.INVALID, f"{where}: {exc}")]
    except ProbeError as exc:
        return [_Problem(_Rank.INVALID, ProbeError(exc.reason, f"{where}: {exc.text}"))]
    return []


def _invalid(rank: _Rank, text: str) -> _Problem:
    return _Problem(rank, ProbeError(Reason.RECORD_INVALID, text))
