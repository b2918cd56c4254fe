"""Config → targets: of the mailboxes, of their servers and domains, and what is listed besides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from exporter import providers
from exporter.accounts import NOBODY, Account, Accounts
from exporter.config.errors import ConfigError, Problem, dotted, fold
from exporter.config.errors import Path as Key
from exporter.config.load import Config, Part
from exporter.config.shape import Domain, ImapServer, Route, Server
from exporter.config.shape import Endpoint as Listed
from exporter.model import Endpoint, Kind, Labels, ProbeName, Security, Service, Target, Wait
from exporter.probes import dns, imap, pop3, roundtrip, smtp, tls, webmail
from exporter.recognition import Recognition

STEPS = 6  # network steps of a round trip beside the wait for the mail: their timeouts bound a run


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mailbox whose servers are not known."""

    name: str
    domain: str
    why: str  # "" = its provider is not recognised


@dataclass(frozen=True, slots=True)
class Built:
    """The targets in the config's order, and what is worth a warning."""

    targets: tuple[Target, ...]
    warnings: tuple[str, ...]
    by_dns: tuple[str, ...] = ()  # domains whose provider only the DNS tells
    waiting: tuple[Waiting, ...] = ()  # mailboxes that are not watched, because their servers are not known


def build(config: Config, recognised: Mapping[str, Recognition] = NOBODY) -> Built:
    """`recognised`: by domain, what the DNS told. Raises ConfigError where no server can be named, or names clash."""
    return _Builder(config, recognised).build()


def waiting(target: Target, wait: Wait) -> Target:
    """The same target, but a round trip waits this long for its mail: for `check`."""
    settings = target.settings
    if not isinstance(settings, roundtrip.Settings):
        return target
    patience = settings.lost_after if wait is Wait.SETTLED else settings.late_after
    return replace(target, settings=replace(settings, wait=wait), deadline=patience + STEPS * target.timeout)


@dataclass(slots=True)
class _Server:
    """One host and port, and the mailboxes on it. The first one's trust settings hold."""

    endpoint: Endpoint
    part: Part
    users: list[Account] = field(default_factory=list)


class _Builder:
    def __init__(self, config: Config, recognised: Mapping[str, Recognition]) -> None:
        self.config = config
        self.recognised = recognised
        self.by_dns: dict[str, None] = {}
        self.waiting: list[Waiting] = []
        self.wrong: list[tuple[Part, Key, str]] = []
        self.doubts: list[Problem] = []
        self.targets: dict[tuple[str, ProbeName], Target] = {}
        self.listed: dict[tuple[str, ProbeName], tuple[Part, Key]] = {}
        self.accounts: dict[str, Account] = {}  # by the mailbox's name
        self.servers: dict[str, _Server] = {}  # by host:port
        self.domains: dict[str, list[Account]] = {}

    def build(self) -> Built:
        for part in self.config.parts:
            self._mailboxes(part)
        for part in self.config.parts:
            for index, route in enumerate(part.routes):
                self._route(part, ("routes", index), route)
        self._endpoints()
        self._domains()
        if self.wrong:
            raise ConfigError(
                problem
                for part in self.config.parts
                for problem in part.problems([(key, text) for where, key, text in self.wrong if where is part])
            )
        return Built(
            tuple(self.targets.values()),
            tuple(str(doubt) for doubt in fold(self.doubts)),
            tuple(self.by_dns),
            tuple(self.waiting),
        )

    def _add(self, part: Part, path: Key, target: Target) -> None:
        if target.key in self.targets:
            where = (part, path) if path else self.listed[target.key]  # what nobody has written has no line
            self.wrong.append((*where, f"a second endpoint would be called {target.name}: give this one another name"))
        self.targets[target.key] = target
        self.listed[target.key] = (part, path)

    def _mailboxes(self, part: Part) -> None:
        accounts = Accounts(self.recognised)
        for index, mailbox in enumerate(part.mailboxes):
            path = ("mailboxes", index)
            account = accounts.make(part, path, mailbox)
            if account is None:
                continue
            if "." in account.domain and not providers.is_free_mail(account.domain):
                self.domains.setdefault(account.domain, []).append(account)
            if not account.ends:
                self.waiting.append(Waiting(mailbox.title, account.domain, account.waits_for))
                continue
            self.accounts[mailbox.title] = account
            for service, server in account.servers():
                end = account.ends[service]
                self.servers.setdefault(end.name, _Server(end, part)).users.append(account)
                self._add(part, path, _login_target(account, service, server))
        self.by_dns |= accounts.by_dns
        self.wrong += [(part, path, text) for path, text in accounts.wrong]
        self.doubts += [Problem(str(part.file), 0, dotted(path), text) for path, text in accounts.doubts]

    def _route(self, part: Part, path: Key, route: Route) -> None:
        sender, receiver = self.accounts.get(route.sender), self.accounts.get(route.receiver)
        if sender is None or receiver is None:
            return  # one of the two mailboxes is wrong, or not recognised yet
        visible = receiver.preset.visible_after if receiver.preset else 0.0
        if route.late_after <= visible:
            text = f"a mail to {receiver.provider} may take {visible:g} s to be seen there: late_after is too short"
            self.doubts.append(Problem(str(part.file), 0, dotted((*path, "late_after")), text))
        out, back = sender.ends[Service.SMTP], receiver.ends[Service.IMAP]  # the loader saw that both are on
        settings = roundtrip.Settings(
            route=route.title,
            sender=sender.mailbox.address,
            recipient=route.rcpt or receiver.mailbox.address,
            smtp=out,
            smtp_login=replace(sender.logins[Service.SMTP], leads=False),
            imap=back,
            imap_login=replace(receiver.logins[Service.IMAP], leads=False),
            late_after=route.late_after,
            lost_after=route.lost_after,
            step_timeout=part.defaults.timeout,
            needs_id=receiver.preset is not None and receiver.preset.needs_id,
            folder_names=receiver.preset.folders if receiver.preset else (),
            idle=receiver.preset is None or not receiver.preset.no_idle,
            idle_timeout=receiver.preset.idle_timeout if receiver.preset else None,
            status_omits_uidnext=receiver.preset is not None and receiver.preset.status_omits_uidnext,
        )
        target = Target(
            name=route.title,
            kind=Kind.ROUTE,
            probe=ProbeName.ROUNDTRIP,
            settings=settings,
            interval=route.interval or part.defaults.interval.roundtrip,
            timeout=part.defaults.timeout,
            deadline=route.late_after + STEPS * part.defaults.timeout,
            recheck=part.defaults.recheck,
            provider=sender.provider,
            domain=sender.domain,
            labels=_merged(part, [sender]),
            servers=tuple(dict.fromkeys((out.name, back.name))),
            logins=(out.host, back.host),
            route=(route.sender, route.receiver),
            families=sender.families,
            receiving=receiver.families,
        )
        self._add(part, path, target)

    # -- servers and domains: each once, however many mailboxes are on it --------------------------------------------

    def _endpoints(self) -> None:
        for part in self.config.parts:
            for index, listed in enumerate(part.endpoints):
                if listed.url is not None:
                    self._page(part, ("endpoints", index), listed, listed.url)
        for part in self.config.parts:
            for index, listed in enumerate(part.endpoints):
                server = self._listed(part, ("endpoints", index), listed)
                if server is not None:
                    self._add(part, ("endpoints", index), _tls(listed.name or server.endpoint.name, server))
        for name, server in self.servers.items():
            self._add(server.part, (), _tls(name, server))

    def _page(self, part: Part, path: Key, listed: Listed, url: str) -> None:
        """A web page; its server is watched without asking, as a mailbox's is."""
        parts = urlsplit(url)
        endpoint = _endpoint(part, parts.hostname or "", parts.port or webmail.HTTPS, Service.HTTPS)
        page = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        target = Target(
            name=listed.name or url,
            kind=Kind.ENDPOINT,
            probe=ProbeName.WEBMAIL,
            settings=webmail.Settings(endpoint, page, listed.expect_status),
            interval=part.defaults.interval.tls,
            timeout=part.defaults.timeout,
            deadline=part.defaults.timeout,
            recheck=part.defaults.recheck,
            labels=_merged(part, ()),
            servers=(endpoint.name,),
        )
        self._add(part, path, target)
        self.servers.setdefault(endpoint.name, _Server(endpoint, part))

    def _listed(self, part: Part, path: Key, listed: Listed) -> _Server | None:
        """A listed endpoint takes the place of the mailboxes' own; what it does not say is taken from there."""
        if listed.host is None or listed.port is None:  # it is a page
            return None
        endpoint = _endpoint(part, listed.host, listed.port, Service.IMAP)
        known = self.servers.pop(endpoint.name, None)
        usual = providers.WELL_KNOWN.get(listed.port)
        if known is not None:
            usual = (known.endpoint.protocol, known.endpoint.security)
            endpoint = replace(endpoint, server_name=known.endpoint.server_name, ca_file=known.endpoint.ca_file)
        protocol = Service(listed.protocol) if listed.protocol else usual and usual[0]
        security = listed.security or (usual and usual[1])
        for key, found in (("protocol", protocol), ("security", security)):
            if not found:
                self.wrong.append((part, path, f"port {listed.port} does not tell the {key}: add {key}: …"))
        if not protocol or not security:
            return None
        return _Server(replace(endpoint, protocol=protocol, security=security), part, known.users if known else [])

    def _domains(self) -> None:
        for part in self.config.parts:
            for index, listed in enumerate(part.domains):
                self._add(part, ("domains", index), _dns(part, listed, self.domains.pop(listed.name, [])))
        for name, users in self.domains.items():
            self._add(users[0].part, (), _dns(users[0].part, Domain(name=name), users))


def _endpoint(part: Part, host: str, port: int, service: Service) -> Endpoint:
    defaults = part.defaults
    return Endpoint(
        host,
        port,
        Security.TLS,
        service,
        ca_file=defaults.ca_file,
        family=defaults.family,
        source_address=defaults.source_address,
    )


def _login_target(account: Account, service: Service, server: Server) -> Target:
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


def _tls(name: str, server: _Server) -> Target:
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
        provider=_agreed(user.provider for user in server.users),
        domain=_agreed(user.domain for user in server.users),
        labels=_merged(server.part, server.users),
        servers=(server.endpoint.name,),
        families=_agreed_families(server.users),
    )


def _dns(part: Part, listed: Domain, users: Sequence[Account]) -> Target:
    return Target(
        name=listed.name,
        kind=Kind.DOMAIN,
        probe=ProbeName.DNS,
        settings=dns.Settings(listed.name, listed.dkim_selectors),
        interval=listed.interval or part.defaults.interval.dns,
        timeout=part.defaults.timeout,
        deadline=part.defaults.timeout,
        recheck=part.defaults.recheck,
        provider=_agreed(user.provider for user in users),
        domain=listed.name,
        labels=_merged(part, users),
    )


def _agreed(values: Iterable[str]) -> str:
    """The value that all have, or nothing."""
    found = set(values)
    return found.pop() if len(found) == 1 else ""


def _agreed_families(users: Sequence[Account]) -> tuple[str, ...]:
    return users[0].families if len({user.families for user in users}) == 1 else ()


def _merged(part: Part, users: Sequence[Account]) -> Labels:
    """The labels on which all mailboxes of a shared target agree: it must not wear one tenant's. Else the file's."""
    if not users:
        return tuple(sorted(part.labels.items()))
    return tuple(sorted(set(users[0].labels).intersection(*(user.labels for user in users[1:]))))
