"""Whose servers a company's domain is on: by the names in its MX and CNAME records, each way with its evidence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from exporter.config import presets as providers
from exporter.config.presets import NoServerError, Preset, presets
from exporter.model import Endpoint, Service
from exporter.net.dns.resolver import Answer

Lookup = Callable[[str, str], Awaitable[Answer]]
"""`Resolver.lookup`: (name, record type) → what the DNS says; never raises for what it does not."""

ALIASES = ("imap", "mail")  # whose CNAME is asked for where the MX is nobody's that we know
MAX_HOSTS = 20  # of an MX record set


class RecognisedBy(StrEnum):
    """By what a provider was recognised."""

    ID = "id"
    DOMAIN = "domain"
    HOST = "host"
    MX = "mx"
    CNAME = "cname"


@dataclass(frozen=True, slots=True)
class Recognition:
    """A provider, and what gave it away."""

    provider: str  # id of its preset
    by: RecognisedBy
    evidence: str  # the domain, or the host's name

    @property
    def preset(self) -> Preset:
        return presets()[self.provider]

    @property
    def mx(self) -> str:
        """What `providers.choose` wants to know."""
        return self.evidence if self.by is RecognisedBy.MX else ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the DNS said about a domain. Without `found` and `unclear` it is nobody's that we know."""

    found: Recognition | None = None
    unclear: str = ""  # why nothing can be said: no definite answer
    hosts: tuple[str, ...] = ()  # of its MX, the preferred first


def by_mx(hosts: Iterable[str]) -> Recognition | None:
    """The provider of the first of these MX hosts that is somebody's. Presets in the file's order."""
    for host in hosts:
        for preset in presets().values():
            if any(pattern.search(host) for pattern in preset.mx):
                return Recognition(preset.id, RecognisedBy.MX, host)
    return None


def by_cname(target: str) -> Recognition | None:
    """The provider whose server another name leads to."""
    for preset in presets().values():
        if any(pattern.search(target) for pattern in preset.cname):
            return Recognition(preset.id, RecognisedBy.CNAME, target)
    known = providers.at_host(target, own_domain=True)
    return Recognition(known.id, RecognisedBy.CNAME, target) if known else None


async def look_up(domain: str, lookup: Lookup) -> Seen:
    """Ask for the domain's MX, and where that is nobody's that we know, for the CNAMEs of its usual server names."""
    answer = await lookup(domain, "MX")
    if not answer.definite:
        return Seen(unclear=answer.text or answer.kind)
    hosts = _by_preference(answer.records)
    found = by_mx(hosts)
    if found is not None:
        return Seen(found, hosts=hosts)
    for label in ALIASES:
        alias = await lookup(f"{label}.{domain}", "CNAME")
        if not alias.definite:
            return Seen(unclear=alias.text or alias.kind, hosts=hosts)
        for target in alias.records:
            found = by_cname(target)
            if found is not None:
                return Seen(found, hosts=hosts)
    return Seen(hosts=hosts)


def _by_preference(records: Iterable[str]) -> tuple[str, ...]:
    """The hosts of an MX record set; a null MX (RFC 7505) names none."""
    parsed = []
    for record in records:
        number, _, host = record.partition(" ")
        if number.isdecimal() and host.strip("."):
            parsed.append((int(number), host.strip(".").lower()))
    return tuple(host for _, host in sorted(parsed)[:MAX_HOSTS])


async def better_host(endpoint: Endpoint, domain: str, lookup: Lookup) -> tuple[str, str]:
    """Where the domain's mailboxes are, if that is another server of this kind, and a sentence that says so; or blanks.

    For people: no password is ever sent there by itself.
    """
    found = (await look_up(domain, lookup)).found
    if found is None or endpoint.protocol is Service.HTTPS:
        return "", ""
    try:
        host, _, _ = providers.choose(
            endpoint.protocol, found.preset, domain, host=None, port=None, security=None, mx=found.mx
        )
    except NoServerError:
        return "", ""
    if host == endpoint.host.lower():
        return "", ""
    wrong = "cluster" if host.partition(".")[2] == endpoint.host.lower().partition(".")[2] else "server"
    return host, f"wrong {wrong}: this domain lives on {host} (its {found.by.upper()} is {found.evidence})"


async def real_name(endpoint: Endpoint, lookup: Lookup) -> tuple[str, str]:
    """The provider's server that a name of one's own is only another name for (CNAME), and a sentence; or blanks."""
    for target in (await lookup(endpoint.host, "CNAME")).records:
        if by_cname(target) is not None:
            return target, f"{endpoint.host} is only another name (CNAME) of {target}: write host: {target}"
    return "", ""
