"""Provider presets: servers, folders and special behaviour of known mail providers, and which domains are theirs.

In: exporter/data/providers.yaml. Used to fill in what a mailbox in config.yaml leaves out. What the user wrote always
has priority.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import yaml

from exporter.model import Security, Service
from exporter.model.phrases import Phrases
from exporter.model.servers import site

GENERIC = "generic"
"""The preset of an unknown provider."""

_SECURITY = {"implicit_tls": Security.TLS, "starttls": Security.STARTTLS}
_ROLES = ("sent", "junk", "trash", "drafts")
FLAGS = frozenset(
    {
        *("needs_id", "no_sasl_ir", "no_idle", "search_unreliable", "status_omits_uidnext"),
        *("imap_user_is_local_part", "subdomains", "local_bridge", "decided_by_mx"),
    }
)
"""The quirks that change what the program does; `exporter/data/providers.yaml` says how."""

WELL_KNOWN: Mapping[int, tuple[Service, Security]] = {
    25: (Service.SMTP, Security.STARTTLS),
    465: (Service.SMTP, Security.TLS),
    587: (Service.SMTP, Security.STARTTLS),
    994: (Service.SMTP, Security.TLS),  # the second implicit-TLS port of NetEase
    2525: (Service.SMTP, Security.STARTTLS),
    143: (Service.IMAP, Security.STARTTLS),
    993: (Service.IMAP, Security.TLS),
    110: (Service.POP3, Security.STARTTLS),
    995: (Service.POP3, Security.TLS),
    443: (Service.HTTPS, Security.TLS),
}
"""Default protocol and security of a port (RFC 8314)."""

_DEFAULT_PORT = {
    (Service.IMAP, Security.TLS): 993,
    (Service.IMAP, Security.STARTTLS): 143,
    (Service.IMAP, Security.PLAIN): 143,
    (Service.POP3, Security.TLS): 995,
    (Service.POP3, Security.STARTTLS): 110,
    (Service.POP3, Security.PLAIN): 110,
    (Service.SMTP, Security.TLS): 465,
    (Service.SMTP, Security.STARTTLS): 587,
    (Service.SMTP, Security.PLAIN): 25,
}


@dataclass(frozen=True, slots=True)
class ServerRow:
    """One server of a preset. `security` is None if nobody has verified it: then the user must write it."""

    host: str  # may contain <domain> (of the mailbox) or <region> (known from its MX or the user)
    port: int
    security: Security | None
    own_domain: bool = False  # for customers' domains, not for the provider's own
    for_domains: tuple[str, ...] = ()  # domains of the provider for which this server is the best


@dataclass(frozen=True, slots=True)
class OAuthPreset:
    """A provider's OAuth 2.0 endpoints. <domain> stands for the domain of the mailbox."""

    token_url: str
    device_url: str = ""
    authorize_url: str = ""
    redirect_url: str = ""  # a page that shows the code, if the provider does not redirect to this machine
    scope: str = ""
    imap: str = ""  # additional scopes, one per service
    pop3: str = ""
    smtp: str = ""
    application_scope: str = ""  # scope for client_credentials

    def scopes(self, services: Sequence[Service]) -> str:
        """Return the scopes that a sign-in requests."""
        return " ".join(filter(None, [self.scope, *(str(getattr(self, service.value, "")) for service in services)]))


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider."""

    id: str
    name: str
    name_zh: str
    domains: tuple[str, ...]
    imap: tuple[ServerRow, ...]
    pop3: tuple[ServerRow, ...]
    smtp: tuple[ServerRow, ...]
    login: str  # what the provider accepts as password: authorization_code, app_password, oauth2_only …
    folders: tuple[tuple[str, tuple[str, ...]], ...]  # (role, names as listed by the server, raw or decoded)
    signature_families: tuple[str, ...]
    help_url: str
    quirks: tuple[str, ...]  # notes for people
    mx: tuple[re.Pattern[str], ...]  # patterns of the MX hosts of domains at this provider
    cname: tuple[re.Pattern[str], ...]  # patterns of the CNAME target of imap.<domain> or mail.<domain>
    code_at: tuple[tuple[str, str], ...]  # (language, where to create the password for mail programs)
    old_hosts: tuple[str, ...]  # host names that were published once and are not servers (any more)
    superseded_by: str  # id of the preset whose servers replaced these, or ""
    idle_timeout: float | None  # seconds after which an idle connection is dropped
    visible_after: float  # longest time in seconds from delivery until IMAP shows a mail
    oauth2: OAuthPreset | None = None
    needs_id: bool = False  # requires ID (RFC 2971) after LOGIN, otherwise SELECT is refused
    no_sasl_ir: bool = False  # announces SASL-IR but refuses an initial response
    no_idle: bool = False
    search_unreliable: bool = False  # SEARCH returns wrong results (the program never uses SEARCH)
    status_omits_uidnext: bool = False  # new mail is found by opening the folder
    imap_user_is_local_part: bool = False
    subdomains: bool = False  # the subdomains of its domains belong to it too
    local_bridge: bool = False  # the host is a program on this machine
    decided_by_mx: bool = False  # it has no servers of its own: the domain's MX shows whose they are

    @property
    def families(self) -> tuple[str, ...]:
        """Return the signature families of its servers. A provider without signatures counts as a family of its own."""
        return self.signature_families or (() if self.id == GENERIC else (self.id,))

    def rows(self, service: Service) -> tuple[ServerRow, ...]:
        return {Service.IMAP: self.imap, Service.POP3: self.pop3, Service.SMTP: self.smtp}.get(service, ())


@cache
def presets() -> Mapping[str, Preset]:
    """Return all presets by id; read at the first use."""
    text = resources.files("exporter").joinpath("data/providers.yaml").read_bytes()
    rows: list[dict[str, Any]] = yaml.load(text, Loader=yaml.CSafeLoader)
    by_id = {str(row["id"]): row for row in rows}
    return {name: _preset(row, by_id) for name, row in by_id.items()}


def _preset(row: dict[str, Any], by_id: Mapping[str, dict[str, Any]]) -> Preset:
    folders = row["folders"]
    if "same_as" in folders:
        folders = by_id[folders["same_as"]]["folders"]
    unknown = set(row["flags"]) - FLAGS
    if unknown:
        raise ValueError(f"providers.yaml: {row['id']}: unknown flags {unknown}")
    return Preset(
        id=str(row["id"]),
        name=row["name"],
        name_zh=row.get("name_zh", row["name"]),
        domains=tuple(str(each) for each in row["domains"]),
        imap=_rows(row["imap"]),
        pop3=_rows(row["pop3"]),
        smtp=_rows(row["smtp"]),
        login=row["login"] or "",
        folders=tuple((role, tuple(folders[role])) for role in _ROLES if folders.get(role)),
        signature_families=tuple(row["signature_families"]),
        help_url=row.get("help_url", ""),
        quirks=tuple(row["quirks"]),
        mx=tuple(re.compile(each, re.IGNORECASE) for each in row["mx_patterns"]),
        cname=tuple(re.compile(each, re.IGNORECASE) for each in row.get("cname_patterns", ())),
        code_at=tuple(row.get("code_at", {}).items()),
        old_hosts=tuple(row.get("old_hosts", ())),
        superseded_by=row.get("superseded_by", ""),
        idle_timeout=row.get("idle_timeout"),
        visible_after=row.get("visible_after", 0.0),
        oauth2=OAuthPreset(**row["oauth2"]) if "oauth2" in row else None,
        **dict.fromkeys(row["flags"], True),
    )


def _rows(rows: list[dict[str, Any]]) -> tuple[ServerRow, ...]:
    return tuple(
        ServerRow(
            each["host"],
            each["port"],
            _SECURITY.get(each["security"]),
            each.get("own_domain", False),
            tuple(each.get("for_domains", ())),
        )
        for each in rows
    )


@cache
def _by_domain() -> Mapping[str, Preset]:
    return {domain: preset for preset in presets().values() for domain in preset.domains}


def recognise(domain: str) -> Preset | None:
    """Return the provider that owns this domain. A customer's domain at a provider cannot be found by its name."""
    found = _by_domain().get(domain)
    if found is None and domain.count(".") > 1:
        above = _by_domain().get(domain.partition(".")[2])
        found = above if above is not None and above.subdomains else None
    return found


def provider_name(provider: str, language: str) -> str:
    """What people call a provider; the id itself where it is none of ours."""
    preset = presets().get(provider)
    if preset is None:
        return provider
    say = Phrases(language)
    return say.find(f"provider_names.{provider}") or (preset.name_zh if say.like == "zh" else preset.name)


def code_made_at(preset: Preset, language: str) -> str:
    """Where the password for mail programs is made; "" where that is not known."""
    say = Phrases(language)
    return say.find(f"code_made_at.{preset.id}") or dict(preset.code_at).get(say.like, "")


def is_free_mail(domain: str) -> bool:
    """Tell whether the domain belongs to a mail provider, so that its DNS is not the mailbox owner's concern."""
    return recognise(domain) is not None


@cache
def _by_host() -> Mapping[str, tuple[Preset, ...]]:
    found: dict[str, list[Preset]] = {}
    for preset in presets().values():
        rows = (*preset.imap, *preset.pop3, *preset.smtp)
        hosts = dict.fromkeys([*(row.host for row in rows), *preset.old_hosts])
        for host in (each for each in hosts if "<" not in each and not each.startswith("127.")):
            found.setdefault(host, []).append(preset)
    return {host: tuple(users) for host, users in found.items()}


def at_host(host: str, *, own_domain: bool = False) -> Preset | None:
    """Return the provider that has a server with this name.

    `own_domain`: for a customer's domain, not a free-mail one.
    """
    found = _by_host().get(host.lower().removesuffix("."), ())
    return min(found, key=lambda preset: own_domain and bool(preset.domains), default=None)


def current(preset: Preset) -> Preset:
    """Return the preset whose servers are in use: its own, or that of its successor."""
    return presets()[preset.superseded_by] if preset.superseded_by else preset


class NoServerError(Exception):
    """No server can be chosen. The text says what to write in the configuration."""


def choose(
    service: Service,
    preset: Preset | None,
    domain: str,
    *,
    host: str | None,
    port: int | None,
    security: Security | None,
    mx: str = "",
) -> tuple[str, int, Security]:
    """Return host, port and security for a mailbox: what the user wrote, else the preset, else RFC 8314.

    `mx` is the host by which the domain was recognised, if it was. Raises NoServerError.
    """
    known = candidates(service, preset, domain, mx)
    usable = [row for row in known if row.security or security]
    fitting = [row for row in usable if _fits(row, host, port, security)]
    if fitting:
        row = fitting[0]
        return host or row.host, port or row.port, security or row.security or Security.TLS
    if host is None and usable:
        host = usable[0].host
    if host is None:
        raise NoServerError(_no_host(service, preset, known))
    if security is None:
        if port is None:
            security = Security.TLS
        elif port in WELL_KNOWN:
            security = WELL_KNOWN[port][1]
        else:
            raise NoServerError(f"port {port} does not tell how it is secured: add security: tls, starttls or plain")
    return host, port or _DEFAULT_PORT[service, security], security


def candidates(service: Service, preset: Preset | None, domain: str, mx: str = "") -> list[ServerRow]:
    """Return the servers of a preset that fit a domain, the best first, including unverified ones."""
    if preset is None:
        return []
    own = domain not in preset.domains
    filled = [replace(row, host=_filled(row.host, preset, domain, mx)) for row in current(preset).rows(service)]
    return sorted(
        (row for row in filled if "<" not in row.host),
        key=lambda row: (
            domain not in row.for_domains,
            not row.host.endswith(f".{domain}"),  # the server belongs to another domain of the provider
            row.own_domain != own,
            not mx or site(row.host) != site(mx),
        ),
    )


def _filled(host: str, preset: Preset, domain: str, mx: str) -> str:
    if "<region>" in host:
        for match in (pattern.search(mx) for pattern in preset.mx):
            if match and "region" in match.re.groupindex:
                host = host.replace("<region>", match["region"].lower())
    return host.replace("<domain>", domain) if domain else host


def _fits(row: ServerRow, host: str | None, port: int | None, security: Security | None) -> bool:
    """Whether the row agrees with everything the user wrote."""
    return (
        host in (None, row.host) and port in (None, row.port) and (security is None or row.security in (None, security))
    )


def _no_host(service: Service, preset: Preset | None, known: Sequence[ServerRow]) -> str:
    if known:
        row = known[0]
        return (
            f"nobody has verified how {row.host} is secured: write "
            f"{service}: {{host: {row.host}, port: {row.port}, security: tls, starttls or plain}}"
        )
    whose = f" for provider {preset.id}" if preset else ""
    return f"no {service} server is known{whose}: write {service}: {{host: …}}, or a provider, or {service}: off"
