"""Builds all targets of this shard from the configuration.

Second step of the flow: config → targets → run. In: a Config, and what DNS told about domains. Out: Built (targets,
warnings, mailboxes that wait). Servers and domains that several mailboxes share become one target each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from exporter.config import presets
from exporter.config.load import Config, ConfigFile
from exporter.config.problems import ConfigError, KeyPath, Problem, dotted, fold
from exporter.config.schema.targets import Domain, Route
from exporter.config.schema.targets import Endpoint as Listed
from exporter.model import Kind, ProbeName, Service, Target, Wait
from exporter.model.sharding import WHOLE, Sharding
from exporter.probes import webmail
from exporter.probes.roundtrip import trip
from exporter.targets.accounts import NOBODY, Account, Accounts
from exporter.targets.kinds import Machine, endpoint_of, merged, of_domain, of_login, of_server
from exporter.targets.placement import Keys, Placement, place
from exporter.targets.provider_lookup import Recognition

STEPS = 6  # network steps of a round trip, besides the wait for the mail: their timeouts limit a run


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mailbox whose servers are not known yet."""

    name: str
    domain: str
    why: str  # "" if its provider is not recognised


@dataclass(frozen=True, slots=True)
class Built:
    """The targets of this shard in the order of the configuration, and warnings."""

    targets: tuple[Target, ...]
    warnings: tuple[str, ...]
    by_dns: tuple[str, ...] = ()  # domains whose provider only DNS tells
    waiting: tuple[Waiting, ...] = ()  # mailboxes without targets, because their servers are not known
    credentials: Mapping[str, Keys] = field(default_factory=dict, repr=False)  # see `Placement`


def build(config: Config, recognised: Mapping[str, Recognition] = NOBODY, sharding: Sharding = WHOLE) -> Built:
    """Build the targets. `recognised`: domain → what DNS told.

    Raises ConfigError if no server can be named, names are used twice, or a limit cannot be divided among the shards.
    """
    return _Builder(config, recognised, sharding).build()


def with_wait(target: Target, wait: Wait) -> Target:
    """Return the same target with another wait for the mail of a round trip: for `check`."""
    settings = target.settings
    if not isinstance(settings, trip.Settings):
        return target
    patience = settings.lost_after if wait is Wait.SETTLED else settings.late_after
    return replace(target, settings=replace(settings, wait=wait), deadline=patience + STEPS * target.timeout)


class _Builder:
    def __init__(self, config: Config, recognised: Mapping[str, Recognition], sharding: Sharding) -> None:
        self.config = config
        self.sharding = sharding
        self.recognised = recognised
        self.by_dns: dict[str, None] = {}
        self.waiting: list[Waiting] = []
        self.wrong: list[tuple[ConfigFile, KeyPath, str]] = []
        self.doubts: list[Problem] = []
        self.targets: dict[tuple[str, ProbeName], Target] = {}
        self.listed: dict[tuple[str, ProbeName], tuple[ConfigFile, KeyPath]] = {}
        self.everybody: list[tuple[ConfigFile, KeyPath, Account]] = []
        self.accounts: dict[str, Account] = {}  # by name of the mailbox; only those whose servers are known
        self.servers: dict[str, Machine] = {}  # by host:port
        self.domains: dict[str, list[Account]] = {}

    def build(self) -> Built:
        for part in self.config.parts:
            self._mailboxes(part)
        for part in self.config.parts:
            for index, route in enumerate(part.routes):
                self._route(part, ("routes", index), route)
        self._endpoints()
        self._domains()
        everybody = [account for _, _, account in self.everybody]
        placed = place(everybody, (route for part in self.config.parts for route in part.routes))
        self._divide(placed)
        if self.wrong:
            raise ConfigError(
                problem
                for part in self.config.parts
                for problem in part.problems([(key, text) for where, key, text in self.wrong if where is part])
            )
        unknown = [each for each in everybody if each.by_dns]
        ours = {each.domain for each in unknown if placed.logs_in(each.mailbox.title, self.sharding)}
        return Built(
            tuple(target for target in self.targets.values() if self._is_ours(target, placed)),
            tuple(str(doubt) for doubt in fold(self.doubts)),
            tuple(domain for domain in self.by_dns if domain in ours or self.sharding.owns(domain)),
            tuple(each for each in self.waiting if placed.owns(each.name, self.sharding)),
            placed.credentials,
        )

    def _is_ours(self, target: Target, placed: Placement) -> bool:
        if target.kind is Kind.MAILBOX or target.route is not None:
            return placed.owns(target.route[0] if target.route is not None else target.name, self.sharding)
        server = self.servers.get(target.name) if target.kind is Kind.ENDPOINT else None
        return placed.watches(target.name, server.users if server is not None else (), self.sharding)

    def _divide(self, placed: Placement) -> None:
        """Report what the shards together cannot keep within the limits."""
        if not self.sharding.on:
            return
        fault = self.config.limits.fault(self.sharding)
        if fault:
            self.wrong.append((self.config.parts[0], ("limits", "per_host"), fault))
        accounts = [account for _, _, account in self.everybody]
        for index, text in placed.faults(accounts, self.sharding, self.config.login_guard):
            part, path, _ = self.everybody[index]
            self.wrong.append((part, path, text))
        for index, text in placed.doubts(accounts, self.sharding):
            part, path, _ = self.everybody[index]
            self.doubts.append(Problem(str(part.file), 0, dotted((*path, "oauth2")), text))

    def _add(self, part: ConfigFile, path: KeyPath, target: Target) -> None:
        if target.key in self.targets:
            where = (part, path) if path else self.listed[target.key]  # a target that nobody wrote has no line
            self.wrong.append((*where, f"another endpoint has the name {target.name}: give this one a different name"))
        self.targets[target.key] = target
        self.listed[target.key] = (part, path)

    def _mailboxes(self, part: ConfigFile) -> None:
        accounts = Accounts(self.recognised)
        for index, mailbox in enumerate(part.mailboxes):
            path = ("mailboxes", index)
            account = accounts.make(part, path, mailbox)
            if account is None:
                continue
            self.everybody.append((part, path, account))
            if "." in account.domain and not presets.is_free_mail(account.domain):
                self.domains.setdefault(account.domain, []).append(account)
            if not account.ends:
                self.waiting.append(Waiting(mailbox.title, account.domain, account.waits_for))
                continue
            self.accounts[mailbox.title] = account
            for service, server in account.servers():
                end = account.ends[service]
                self.servers.setdefault(end.name, Machine(end, part)).users.append(account)
                self._add(part, path, of_login(account, service, server))
        self.by_dns |= accounts.by_dns
        self.wrong += [(part, path, text) for path, text in accounts.wrong]
        self.doubts += [Problem(str(part.file), 0, dotted(path), text) for path, text in accounts.doubts]

    def _route(self, part: ConfigFile, path: KeyPath, route: Route) -> None:
        sender, receiver = self.accounts.get(route.sender), self.accounts.get(route.receiver)
        if sender is None or receiver is None:
            return  # one of the two mailboxes is invalid, or not recognised yet
        visible = receiver.preset.visible_after if receiver.preset else 0.0
        if route.late_after <= visible:
            text = f"a mail to {receiver.provider} may take {visible:g} s to appear there: late_after is too short"
            self.doubts.append(Problem(str(part.file), 0, dotted((*path, "late_after")), text))
        out, back = sender.ends[Service.SMTP], receiver.ends[Service.IMAP]  # the loader has checked that both are on
        settings = trip.Settings(
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
            labels=merged(part, [sender]),
            servers=tuple(dict.fromkeys((out.name, back.name))),
            logins=(out.host, back.host),
            route=(route.sender, route.receiver),
            families=sender.families,
            receiving=receiver.families,
        )
        self._add(part, path, target)

    # -- servers and domains: one target each, however many mailboxes use them ----------------------------------------

    def _endpoints(self) -> None:
        for part in self.config.parts:
            for index, listed in enumerate(part.endpoints):
                if listed.url is not None:
                    self._page(part, ("endpoints", index), listed, listed.url)
        for part in self.config.parts:
            for index, listed in enumerate(part.endpoints):
                server = self._listed(part, ("endpoints", index), listed)
                if server is not None:
                    self._add(part, ("endpoints", index), of_server(listed.name or server.endpoint.name, server))
        for name, server in self.servers.items():
            self._add(server.part, (), of_server(name, server))

    def _page(self, part: ConfigFile, path: KeyPath, listed: Listed, url: str) -> None:
        """Add a web page. Its server is monitored automatically, like that of a mailbox."""
        parts = urlsplit(url)
        endpoint = endpoint_of(part, parts.hostname or "", parts.port or webmail.HTTPS, Service.HTTPS)
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
            labels=merged(part, ()),
            servers=(endpoint.name,),
        )
        self._add(part, path, target)
        self.servers.setdefault(endpoint.name, Machine(endpoint, part))

    def _listed(self, part: ConfigFile, path: KeyPath, listed: Listed) -> Machine | None:
        """Use a listed endpoint in place of the mailboxes' own. Keys it does not set are taken from there."""
        if listed.host is None or listed.port is None:  # it is a web page
            return None
        endpoint = endpoint_of(part, listed.host, listed.port, Service.IMAP)
        known = self.servers.pop(endpoint.name, None)
        usual = presets.WELL_KNOWN.get(listed.port)
        if known is not None:
            usual = (known.endpoint.protocol, known.endpoint.security)
            endpoint = replace(endpoint, server_name=known.endpoint.server_name, ca_file=known.endpoint.ca_file)
        protocol = Service(listed.protocol) if listed.protocol else usual and usual[0]
        security = listed.security or (usual and usual[1])
        for key, found in (("protocol", protocol), ("security", security)):
            if not found:
                self.wrong.append((part, path, f"the {key} of port {listed.port} is not known: add {key}: …"))
        if not protocol or not security:
            return None
        return Machine(replace(endpoint, protocol=protocol, security=security), part, known.users if known else [])

    def _domains(self) -> None:
        for part in self.config.parts:
            for index, listed in enumerate(part.domains):
                self._add(part, ("domains", index), of_domain(part, listed, self.domains.pop(listed.name, [])))
        for name, users in self.domains.items():
            self._add(users[0].part, (), of_domain(users[0].part, Domain(name=name), users))
