"""Provider presets: what is known about the servers of a mail provider, and whose a domain is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from exporter.model import Security, Service

_SECURITY = {"implicit_tls": Security.TLS, "starttls": Security.STARTTLS}
_ROLES = ("sent", "junk", "trash", "drafts")
_FLAGS = frozenset(
    {
        *("needs_id", "no_sasl_ir", "no_idle", "search_unreliable"),
        *("imap_user_is_local_part", "subdomains", "local_bridge"),
    }
)

WELL_KNOWN: Mapping[int, tuple[Service, Security]] = {
    25: (Service.SMTP, Security.STARTTLS),
    465: (Service.SMTP, Security.TLS),
    587: (Service.SMTP, Security.STARTTLS),
    994: (Service.SMTP, Security.TLS),  # NetEase's second implicit-TLS port
    2525: (Service.SMTP, Security.STARTTLS),
    143: (Service.IMAP, Security.STARTTLS),
    993: (Service.IMAP, Security.TLS),
    110: (Service.POP3, Security.STARTTLS),
    995: (Service.POP3, Security.TLS),
}
"""What is spoken on a port, and how it is protected, where nobody says otherwise (RFC 8314)."""

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
class Row:
    """One server of a preset. `security` is None where nobody has verified it: then the user must say it."""

    host: str  # may hold <domain>, the mailbox's, or <region>, which only the user knows
    port: int
    security: Security | None


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider."""

    id: str
    name: str
    name_zh: str
    domains: tuple[str, ...]
    imap: tuple[Row, ...]
    pop3: tuple[Row, ...]
    smtp: tuple[Row, ...]
    login: str  # what the provider takes as password: authorization_code, app_password, oauth2_only …
    folders: tuple[tuple[str, tuple[str, ...]], ...]  # role, names as they are listed, raw or decoded
    signature_families: tuple[str, ...]
    help_url: str
    needs_id: bool = False  # RFC 2971 ID after LOGIN, else SELECT is refused
    no_sasl_ir: bool = False  # an initial response is advertised and refused
    no_idle: bool = False
    search_unreliable: bool = False
    imap_user_is_local_part: bool = False
    subdomains: bool = False  # the subdomains of its domains are its own too
    local_bridge: bool = False  # the host is a program on this machine

    def rows(self, service: Service) -> tuple[Row, ...]:
        return {Service.IMAP: self.imap, Service.POP3: self.pop3, Service.SMTP: self.smtp}.get(service, ())


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by id; read on first use."""
    text = resources.files("exporter").joinpath("data/providers.yaml").read_bytes()
    rows: list[dict[str, Any]] = yaml.load(text, Loader=yaml.CSafeLoader)
    by_id = {str(row["id"]): row for row in rows}
    return {name: _preset(row, by_id) for name, row in by_id.items()}


def _preset(row: dict[str, Any], by_id: Mapping[str, dict[str, Any]]) -> Preset:
    folders = row["folders"]
    if "same_as" in folders:
        folders = by_id[folders["same_as"]]["folders"]
    unknown = set(row["flags"]) - _FLAGS
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
        **dict.fromkeys(row["flags"], True),
    )


def _rows(rows: list[dict[str, Any]]) -> tuple[Row, ...]:
    return tuple(Row(each["host"], each["port"], _SECURITY.get(each["security"])) for each in rows)


@cache
def _by_domain() -> Mapping[str, Preset]:
    return {domain: preset for preset in presets().values() for domain in preset.domains}


def recognise(domain: str) -> Preset | None:
    """The provider whose own domain this is. A company's domain on a provider's servers is not known by its name."""
    found = _by_domain().get(domain)
    if found is None and domain.count(".") > 1:
        above = _by_domain().get(domain.partition(".")[2])
        found = above if above is not None and above.subdomains else None
    return found


def is_free_mail(domain: str) -> bool:
    """Whether the domain belongs to a provider, and so is not its mailboxes' owner's business."""
    return recognise(domain) is not None


class NoServerError(Exception):
    """No server can be named. The text says what to write."""


def choose(
    service: Service,
    preset: Preset | None,
    domain: str,
    *,
    host: str | None,
    port: int | None,
    security: Security | None,
) -> tuple[str, int, Security]:
    """Host, port and security for a mailbox: what the user wrote wins, the rest is the preset's, else by RFC 8314.

    Raises NoServerError.
    """
    known = [
        Row(row.host.replace("<domain>", domain), row.port, row.security)
        for row in (preset.rows(service) if preset else ())
        if "<" not in row.host.replace("<domain>", "")
    ]
    known.sort(key=lambda row: not row.host.endswith("." + domain))  # one of several of the provider's domains
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


def _fits(row: Row, host: str | None, port: int | None, security: Security | None) -> bool:
    """Whether the row agrees with everything the user wrote."""
    return (
        host in (None, row.host) and port in (None, row.port) and (security is None or row.security in (None, security))
    )


def _no_host(service: Service, preset: Preset | None, known: list[Row]) -> str:
    if known:
        row = known[0]
        return (
            f"nobody has verified how {row.host} is secured: write "
            f"{service}: {{host: {row.host}, port: {row.port}, security: tls, starttls or plain}}"
        )
    whose = f" for provider {preset.id}" if preset else ""
    return f"no {service} server is known{whose}: write {service}: {{host: …}}, or a provider, or {service}: off"
