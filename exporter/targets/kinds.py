"""Builds one Target from a login, a server or a domain: probe settings, limits, labels, signature families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.config.load import ConfigFile
from exporter.config.schema.targets import Domain, ImapServer, Server
from exporter.model import Endpoint, Kind, Labels, ProbeName, Security, Service, Target
from exporter.model.target import agreed
from exporter.probes import dns, imap, pop3, smtp, tls
from exporter.targets.accounts import Account


@dataclass(slots=True)
class Machine:
    """One host and port, and the mailboxes that use it. The trust settings of the first one apply."""

    endpoint: Endpoint
    part: ConfigFile
    users: list[Account] = field(default_factory=list)


def endpoint_of(part: ConfigFile, host: str, port: int, service: Service) -> Endpoint:
    defaults = part.defaults
    return Endpoint(
        host,
        port,
        Security.TLS,
        service,
        ca_file=defaults.ca_file,
        family=defaults.family,
        source_address=defaults.source_address,
        ehlo_name=defaults.ehlo_name,
    )


def of_login(account: Account, service: Service, server: Server) -> Target:
    defaults, preset = account.part.defaults, account.preset
    endpoint, login = account.ends[service], account.logins[service]
    settings: imap.Settings | pop3.Settings | smtp.Settings = smtp.Settings(endpoint, login)
    if service is Service.POP3:
        settings = pop3.Settings(endpoint, login)
    if isinstance(server, ImapServer):
        settings = imap.Settings(
            endpoint,
            login,
            server.folders,
            needs_id=preset is not None and preset.needs_id,
            folder_names=preset.folders if preset else (),
        )
    timeout = server.timeout or defaults.timeout
    return Target(
        name=account.mailbox.title,
        kind=Kind.MAILBOX,
        probe=ProbeName(service.value),
        settings=settings,
        interval=server.interval or defaults.interval.login,
        timeout=timeout,
        deadline=timeout,
        recheck=defaults.recheck,
        provider=account.provider,
        domain=account.domain,
        labels=account.labels,
        servers=(endpoint.name,),
        logins=(endpoint.host,),
        families=account.families,
    )


def of_server(name: str, server: Machine) -> Target:
    defaults = server.part.defaults
    return Target(
        name=name,
        kind=Kind.ENDPOINT,
        probe=ProbeName.TLS,
        settings=tls.Settings(server.endpoint),
        interval=defaults.interval.tls,
        timeout=defaults.timeout,
        deadline=defaults.timeout,
        recheck=defaults.recheck,
        provider=agreed(user.provider for user in server.users),
        domain=agreed(user.domain for user in server.users),
        labels=merged(server.part, server.users),
        servers=(server.endpoint.name,),
        families=_agreed_families(server.users),
    )


def of_domain(part: ConfigFile, listed: Domain, users: Sequence[Account]) -> Target:
    return Target(
        name=listed.name,
        kind=Kind.DOMAIN,
        probe=ProbeName.DNS,
        settings=dns.Settings(listed.name, listed.dkim_selectors),
        interval=listed.interval or part.defaults.interval.dns,
        timeout=part.defaults.timeout,
        deadline=part.defaults.timeout,
        recheck=part.defaults.recheck,
        provider=agreed(user.provider for user in users),
        domain=listed.name,
        labels=merged(part, users),
    )


def _agreed_families(users: Sequence[Account]) -> tuple[str, ...]:
    return users[0].families if len({user.families for user in users}) == 1 else ()


def merged(part: ConfigFile, users: Sequence[Account]) -> Labels:
    """Return the labels that are equal for all mailboxes of a shared target, or the file's labels if nobody uses it.

    A shared target must not carry the label of a single tenant.
    """
    if not users:
        return tuple(sorted(part.labels.items()))
    return tuple(sorted(set(users[0].labels).intersection(*(user.labels for user in users[1:]))))
