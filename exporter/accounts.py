"""A mailbox with everything decided that its targets need: whose servers, which credential, which labels."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from exporter import providers
from exporter.config.errors import Path as Key
from exporter.config.fields import domain_of
from exporter.config.load import Part
from exporter.config.secrets import source_of
from exporter.config.shape import Mailbox, Server
from exporter.model import Endpoint, Labels, Login, SecretSource, Security, Service
from exporter.providers import NoServerError, Preset


@dataclass(frozen=True, slots=True)
class Account:
    """One mailbox of the config, its preset applied."""

    part: Part
    mailbox: Mailbox
    preset: Preset | None
    domain: str
    labels: Labels
    ends: dict[Service, Endpoint]  # imap and smtp, where they are on
    logins: dict[Service, Login]

    @property
    def provider(self) -> str:
        return self.preset.id if self.preset else ""

    def servers(self) -> Iterator[tuple[Service, Server]]:
        """What the config says about the servers that are on."""
        return _servers(self.mailbox)


class Accounts:
    """Makes accounts, and notes what is wrong or doubtful about them."""

    def __init__(self) -> None:
        self.wrong: list[tuple[Key, str]] = []
        self.doubts: list[tuple[Key, str]] = []
        self._endpoints: dict[object, Endpoint] = {}

    def make(self, part: Part, path: Key, mailbox: Mailbox) -> Account | None:
        """None where no server can be named: then `wrong` says so."""
        domain = domain_of(mailbox.address)
        preset = providers.presets()[mailbox.provider] if mailbox.provider else providers.recognise(domain)
        ends: dict[Service, Endpoint] = {}
        failed = False
        for service, server in _servers(mailbox):
            try:
                end = ends[service] = self._endpoint(part, service, server, preset, domain)
            except NoServerError as exc:
                self.wrong.append(((*path, service.value), str(exc)))
                failed = True
                continue
            if end.security is Security.PLAIN and not is_loopback(end.host):
                self.doubts.append(((*path, service.value), "security: plain shows the password to the network"))
        if failed:
            return None
        if preset is not None and preset.login == "oauth2_only":
            self.doubts.append((path, f"{preset.name} refuses passwords: OAuth 2 only, which is not supported yet"))
        return Account(
            part,
            mailbox,
            preset,
            domain,
            tuple(sorted({**part.labels, **mailbox.labels}.items())),
            ends,
            _logins(mailbox, preset, source_of(mailbox, part.file.parent), ends),
        )

    def _endpoint(self, part: Part, service: Service, server: Server, preset: Preset | None, domain: str) -> Endpoint:
        """One object for all mailboxes of a server. Raises NoServerError."""
        defaults = part.defaults
        trust = (server.server_name, server.ca_file or defaults.ca_file, defaults.family, defaults.source_address)
        key = (service, preset and preset.id, domain, server.host, server.port, server.security, trust)
        found = self._endpoints.get(key)
        if found is None:
            host, port, security = providers.choose(
                service, preset, domain, host=server.host, port=server.port, security=server.security
            )
            found = self._endpoints[key] = Endpoint(host, port, security, service, *trust)
        return found


def _servers(mailbox: Mailbox) -> Iterator[tuple[Service, Server]]:
    if mailbox.imap is not None:
        yield Service.IMAP, mailbox.imap
    if mailbox.smtp is not None:
        yield Service.SMTP, mailbox.smtp


def _logins(
    mailbox: Mailbox, preset: Preset | None, source: SecretSource, ends: dict[Service, Endpoint]
) -> dict[Service, Login]:
    """The mailbox's credential for each of its servers. The guard counts refusals of one account together."""
    username = mailbox.username or mailbox.address
    account = f"{username.casefold()}@@{_site(ends.get(Service.IMAP) or ends[Service.SMTP])}"
    logins = {}
    for service, server in _servers(mailbox):
        name, auth = username, server.auth
        if preset is not None and service is Service.IMAP:
            if preset.imap_user_is_local_part and mailbox.username is None:
                name = mailbox.address.rpartition("@")[0]
            if preset.no_sasl_ir and auth == "auto":
                auth = "login"
        logins[service] = Login(account, name, source, auth)
    return logins


def _site(endpoint: Endpoint) -> str:
    """What imap.example.com and smtp.example.com have in common; of an address, which has no such thing, all of it."""
    if _is_address(endpoint.host):
        return endpoint.name
    _, _, above = endpoint.host.partition(".")
    return above if "." in above else endpoint.host


def _is_address(host: str) -> bool:
    if not (host[-1].isdecimal() or ":" in host):
        return False  # at once: no name ends in a number
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether nobody else can listen in on the way there."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
