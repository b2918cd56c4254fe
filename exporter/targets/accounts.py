"""Builds an Account from each mailbox of the configuration: its servers, credential and labels.

In: Mailbox models, presets, and what DNS told about domains. Out: Account objects, from which `kinds` makes targets,
and Problems if no server is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from exporter.config import presets
from exporter.config.load import ConfigFile
from exporter.config.presets import NoServerError, Preset
from exporter.config.problems import KeyPath
from exporter.config.schema.fields import domain_of
from exporter.config.schema.targets import Mailbox, Server
from exporter.credentials.sources import CommandSecret, CredentialSecret, EnvSecret, FileSecret, InlineSecret
from exporter.model import Endpoint, Labels, Login, Secret, SecretSource, Security, Service, TokenSource
from exporter.model.servers import is_address, site
from exporter.net.urls import is_loopback
from exporter.targets.provider_lookup import Recognition
from exporter.targets.token_source import NoTokenSourceError, SignIn, Whose, sign_in

NOBODY: Mapping[str, Recognition] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Account:
    """One mailbox of the configuration, with its provider preset applied."""

    part: ConfigFile
    mailbox: Mailbox
    preset: Preset | None
    domain: str
    labels: Labels
    ends: dict[Service, Endpoint]  # imap, pop3 and smtp if they are on; empty until the provider is known
    logins: dict[Service, Login]
    waits_for: str = ""  # what the user must write before its servers are known, if DNS alone is not enough
    by_dns: bool = False  # the configuration does not tell the provider, only DNS does

    @property
    def provider(self) -> str:
        return self.mailbox.provider or (self.preset.id if self.preset else "")

    @property
    def families(self) -> tuple[str, ...]:
        """The signature families of its servers."""
        return self.preset.families if self.preset else ()

    def servers(self) -> Iterator[tuple[Service, Server]]:
        """Return the configured servers that are on."""
        return _servers(self.mailbox)


class _Home(NamedTuple):
    """Where to look for a mailbox's servers."""

    preset: Preset | None
    domain: str
    mx: str = ""  # the MX host by which the domain was recognised, if it was


class Accounts:
    """Creates accounts, and collects problems and warnings. `recognised`: domain → what DNS told."""

    def __init__(self, recognised: Mapping[str, Recognition] = NOBODY) -> None:
        self.wrong: list[tuple[KeyPath, str]] = []
        self.doubts: list[tuple[KeyPath, str]] = []
        self.by_dns: dict[str, None] = {}  # domains whose provider only DNS tells
        self._recognised = recognised
        self._endpoints: dict[object, Endpoint] = {}

    def make(self, part: ConfigFile, path: KeyPath, mailbox: Mailbox) -> Account | None:
        """Create an account. Returns None, and adds to `wrong`, if no server can be named."""
        domain = domain_of(mailbox.address)
        labels = tuple(sorted({**part.labels, **mailbox.labels}.items()))
        preset = written_preset(mailbox, domain)
        home = _Home(preset, domain)
        by_dns = _is_told_by_dns(mailbox, preset, domain)
        if by_dns:
            self.by_dns[domain] = None
            found = self._recognised.get(domain)
            if found is None:
                return Account(part, mailbox, None, domain, labels, {}, {}, by_dns=True)
            preset = found.preset
            home = _Home(preset, domain, found.mx)
        ends: dict[Service, Endpoint] = {}
        failed = ""
        for service, server in _servers(mailbox):
            try:
                end = ends[service] = self._endpoint(part, service, server, home)
            except NoServerError as exc:
                failed = str(exc)
                (self.doubts if by_dns else self.wrong).append(((*path, service.value), failed))
                continue
            if end.security is Security.PLAIN and not is_loopback(end.host):
                self.doubts.append(((*path, service.value), "security: plain sends the password unencrypted"))
        if failed:
            # An answer from DNS must not stop the daemon: the mailbox waits for what the user has to write.
            return Account(part, mailbox, preset, domain, labels, {}, {}, failed, by_dns) if by_dns else None
        self.doubts += [(path, text) for text in _doubts(mailbox, preset)]
        try:
            entry = sign_in_of(part, mailbox, preset)
        except NoTokenSourceError as exc:
            (self.doubts if by_dns else self.wrong).append(((*path, "oauth2"), str(exc)))
            return Account(part, mailbox, preset, domain, labels, {}, {}, str(exc), by_dns) if by_dns else None
        if entry is None and preset is not None and preset.login == "oauth2_only":
            text = f"{preset.name} no longer accepts passwords: write oauth2, then run mailprobe oauth {mailbox.title}"
            self.doubts.append((path, text))
        source = source_of(mailbox, part.file.parent) if entry is None else entry.source.seed
        logins = _logins(mailbox, preset, source, ends, entry.source if entry is not None else None)
        return Account(part, mailbox, preset, domain, labels, ends, logins, by_dns=by_dns)

    def _endpoint(self, part: ConfigFile, service: Service, server: Server, home: _Home) -> Endpoint:
        """Return one shared object for all mailboxes of a server. Raises NoServerError."""
        defaults = part.defaults
        trust = (server.server_name, server.ca_file or defaults.ca_file, defaults.family, defaults.source_address)
        our_name = defaults.ehlo_name
        whose = (home.preset and home.preset.id, home.domain, home.mx)
        key = (service, whose, server.host, server.port, server.security, trust, our_name)
        found = self._endpoints.get(key)
        if found is None:
            host, port, security = presets.choose(
                service,
                home.preset,
                home.domain,
                host=server.host,
                port=server.port,
                security=server.security,
                mx=home.mx,
            )
            found = self._endpoints[key] = Endpoint(host, port, security, service, *trust, our_name)
        return found


def _servers(mailbox: Mailbox) -> Iterator[tuple[Service, Server]]:
    if mailbox.imap is not None:
        yield Service.IMAP, mailbox.imap
    if mailbox.pop3 is not None:
        yield Service.POP3, mailbox.pop3
    if mailbox.smtp is not None:
        yield Service.SMTP, mailbox.smtp


def written_preset(mailbox: Mailbox, domain: str) -> Preset | None:
    """Return the provider known from the configuration: by name, by the address's domain, or by a server's name."""
    if mailbox.provider:
        return presets.presets()[mailbox.provider]
    known = presets.recognise(domain)
    hosts = (server.host for _, server in _servers(mailbox) if server.host)
    return known or next((each for host in hosts if (each := presets.at_host(host, own_domain=True))), None)


def _is_told_by_dns(mailbox: Mailbox, preset: Preset | None, domain: str) -> bool:
    """Tell whether a server must be found that neither the configuration nor a preset names."""
    if preset is not None and not preset.decided_by_mx:
        return False
    return "." in domain and any(server.host is None for _, server in _servers(mailbox))


def _doubts(mailbox: Mailbox, preset: Preset | None) -> Iterator[str]:
    for service, server in _servers(mailbox):
        known = presets.at_host(server.host) if server.host else None
        successor = presets.current(known) if known else None
        if server.host and successor and successor is not known and successor.rows(service):
            yield f"{server.host} has a successor: {successor.rows(service)[0].host}"
        if preset and preset.local_bridge and not server.host:
            yield f"{preset.name} has no {service} server of its own: its bridge must run on this machine"


def sign_in_of(part: ConfigFile, mailbox: Mailbox, preset: Preset | None) -> SignIn | None:
    """Return the mailbox's `oauth2` completed by its provider's preset, or None if it has a password.

    Raises NoTokenSourceError.
    """
    if mailbox.oauth2 is None:
        return None
    whose = Whose(
        username=mailbox.username or mailbox.address,
        domain=domain_of(mailbox.address),
        services=[service for service, _ in _servers(mailbox)],
        ca_file=part.defaults.ca_file,
    )
    return sign_in(mailbox.oauth2, preset.oauth2 if preset else None, whose)


def _logins(
    mailbox: Mailbox,
    preset: Preset | None,
    source: SecretSource,
    ends: dict[Service, Endpoint],
    oauth: TokenSource | None,
) -> dict[Service, Login]:
    """Return the mailbox's login for each of its servers. The login guard counts refusals of one account together."""
    username = mailbox.username or mailbox.address
    main = ends.get(Service.IMAP) or ends.get(Service.SMTP) or ends[Service.POP3]
    account = f"{username.casefold()}@@{main.name if is_address(main.host) else site(main.host)}"
    logins: dict[Service, Login] = {}
    for service, server in _servers(mailbox):
        name, auth = username, str(server.auth)
        if preset is not None and service is Service.IMAP:
            if preset.imap_user_is_local_part and mailbox.username is None:
                name = mailbox.address.rpartition("@")[0]
            if preset.no_sasl_ir and auth == "auto" and oauth is None:
                auth = "login"
        if oauth is not None and auth == "auto":
            auth = "oauth"
        families = preset.families if preset else ()
        logins[service] = Login(account, name, source, auth, oauth, leads=not logins, families=families)
    return logins


def source_of(mailbox: Mailbox, folder: Path) -> SecretSource:
    """Return where a mailbox's password is stored. The loader has rejected mailboxes with no source or several."""
    if mailbox.password_file is not None:
        return FileSecret(mailbox.password_file)
    if mailbox.password_env is not None:
        return EnvSecret(mailbox.password_env)
    if mailbox.password_command is not None:
        return CommandSecret(mailbox.password_command, folder)
    if mailbox.password_credential is not None:
        return CredentialSecret(mailbox.password_credential)
    return InlineSecret(mailbox.password or Secret(""))
