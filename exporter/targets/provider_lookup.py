"""Recognises the provider of a company's domain by its MX and CNAME records.

Out: a Recognition (provider and evidence), or Seen without one. The Resolver does the queries; nothing raises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from exporter.config import presets as providers
from exporter.config.presets import NoServerError, Preset, presets
from exporter.model import Endpoint, Service
from exporter.net.dns.resolver import Answer

Lookup = Callable[[str, str], Awaitable[Answer]]
"""`Resolver.lookup`: (name, record type) → the Answer; failures are in it, not raised."""

ALIASES = ("imap", "mail")  # names whose CNAME is looked up if the MX is not of a known provider
MAX_HOSTS = 20  # of an MX record set


class RecognisedBy(StrEnum):
    """How a provider was recognised."""

    ID = "id"
    DOMAIN = "domain"
    HOST = "host"
    MX = "mx"
    CNAME = "cname"


@dataclass(frozen=True, slots=True)
class Recognition:
    """A provider, and the evidence for it."""

    provider: str  # id of its preset
    by: RecognisedBy
    evidence: str  # the domain, or the name of the host

    @property
    def preset(self) -> Preset:
        return presets()[self.provider]

    @property
    def mx(self) -> str:
        """The MX host that `presets.choose` needs, or ""."""
        return self.evidence if self.by is RecognisedBy.MX else ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What DNS said about a domain. Without `found` and `unclear` the provider is not a known one."""

    found: Recognition | None = None
    unclear: str = ""  # why nothing is known: no definite answer
    hosts: tuple[str, ...] = ()  # the MX hosts, preferred ones first


def by_mx(hosts: Iterable[str]) -> Recognition | None:
    """Return the provider of the first MX host that belongs to one. Presets are tried in the order of the file."""
    for host in hosts:
        for preset in presets().values():
            if any(pattern.search(host) for pattern in preset.mx):
                return Recognition(preset.id, RecognisedBy.MX, host)
    return None


def by_cname(target: str) -> Recognition | None:
    """Return the provider whose server is the target of a CNAME."""
    for preset in presets().values():
        if any(pattern.search(target) for pattern in preset.cname):
            return Recognition(preset.id, RecognisedBy.CNAME, target)
    known = providers.at_host(target, own_domain=True)
    return Recognition(known.id, RecognisedBy.CNAME, target) if known else None


async def look_up(domain: str, lookup: Lookup) -> Seen:
    """Look up the MX of a domain and, if it is not of a known provider, the CNAMEs of its usual server names."""
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
    """Return the hosts of an MX record set by preference; () for a null MX (RFC 7505)."""
    parsed = []
    for record in records:
        number, _, host = record.partition(" ")
        if number.isdecimal() and host.strip("."):
            parsed.append((int(number), host.strip(".").lower()))
    return tuple(host for _, host in sorted(parsed)[:MAX_HOSTS])


async def better_host(endpoint: Endpoint, domain: str, lookup: Lookup) -> tuple[str, str]:
    """Return the server of this kind where the domain's mailboxes are, if it is another one, and a sentence; or "".

    Only for messages: a password is never sent there automatically.
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
    """Return the provider's server if the configured name is only a CNAME of it, and a sentence; or ""."""
    for target in (await lookup(endpoint.host, "CNAME")).records:
        if by_cname(target) is not None:
            return target, f"{endpoint.host} is only an alias (CNAME) of {target}: write host: {target}"
    return "", ""
