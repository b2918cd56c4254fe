"""What a run needs: the Target, its endpoints and its logins. Frozen.

The package targets builds these from the configuration; the scheduler, the runner and the probes read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from exporter.model.names import AddressFamily, Flow, Kind, ProbeName, Security, Service
from exporter.model.secret import Secret, SecretSource


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server socket and how to talk to it."""

    host: str
    port: int
    security: Security
    protocol: Service
    server_name: str | None = None  # for SNI and certificate check; default: host
    ca_file: Path | None = None
    family: AddressFamily = AddressFamily.ANY
    source_address: str | None = None
    ehlo_name: str | None = None  # what SMTP says in EHLO and HELO; default: our address as a literal

    @property
    def name(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Where the access tokens of a login come from (OAuth 2.0). Equal sources share their tokens."""

    name: str  # name of the credential: refusals by the token endpoint are counted under it
    flow: Flow
    token_url: str
    client_id: str
    scope: str
    seed: SecretSource  # the refresh token, client secret or key, as configured
    client_secret: SecretSource | None = None  # in addition to a refresh token
    subject: str = ""  # the mailbox, if the token is for a single one (jwt_bearer)
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that is sent instead of a password, usually valid for about an hour."""

    secret: Secret
    expires: float  # Unix time, seconds
    fetched: float  # `Clock.now()`
    spoil: Callable[[], None]  # called when a mail server refused it: the next login requests a new one


@dataclass(frozen=True, slots=True)
class Login:
    """A credential: user name and secret. The login guard counts refusals under `account`."""

    account: str
    username: str
    source: SecretSource  # with `oauth`: its seed, by which the guard identifies the credential
    # Exactly one mechanism per run: auto, plain, login, scram-sha-256, xoauth2, oauthbearer, or oauth (one of the last
    # two).
    auth: str = "auto"
    oauth: TokenSource | None = None
    leads: bool = True  # this login reports the expiry of the mailbox's access token
    families: tuple[str, ...] = ()  # signature families of the server's replies: see `signatures`


Labels = tuple[tuple[str, str], ...]
"""Label names and values, sorted by name."""

TargetKey = tuple[str, ProbeName]
"""(target, probe): identifies a run everywhere."""


@dataclass(frozen=True, slots=True)
class Target:
    """Everything that one run needs. (name, probe) is its key everywhere.

    A reload restarts only targets that changed.
    """

    name: str
    kind: Kind
    probe: ProbeName
    settings: object  # the probe's own frozen Settings
    interval: float  # seconds, as configured
    timeout: float  # seconds, for one network step of a round trip, or for the whole run of any other probe
    deadline: float  # seconds, after which the runner cancels the run
    recheck: float = 20.0  # seconds until a new failure is checked again
    provider: str = ""  # "" if not recognised
    domain: str = ""
    labels: Labels = ()  # every configured label, sorted
    servers: tuple[str, ...] = ()  # host:port of each server that a run uses, for the per-host limit
    logins: tuple[str, ...] = ()  # host of each password login of a run, for the login budget
    route: tuple[str, str] | None = None  # (from, to)
    families: tuple[str, ...] = ()  # signature families of the server's replies; for a route, those of the sender
    receiving: tuple[str, ...] = ()  # for a route: the families of the receiver

    @property
    def key(self) -> tuple[str, ProbeName]:
        return self.name, self.probe

    def families_of(self, protocol: Service | None) -> tuple[str, ...]:
        """Return the signature families of the server that speaks this protocol in a run."""
        return self.receiving if self.route and protocol is Service.IMAP else self.families


def agreed(values: Iterable[str]) -> str:
    """Return the value that all have in common; "" if they differ or there are none."""
    found = set(values)
    return found.pop() if len(found) == 1 else ""


def common_label(targets: Iterable[Target], label: str) -> str:
    """Return the value of a configured label that all mailboxes among the targets have; "" if they differ.

    Servers and domains seldom have the labels of the mailboxes that use them. They count where there is no mailbox.
    """
    every = list(targets)
    boxes = [target for target in every if target.kind is Kind.MAILBOX]
    return agreed(dict(target.labels).get(label, "") for target in boxes or every)


def domain_of_all(there: Iterable[Target], every: Iterable[Target]) -> str:
    """Return the domain of the mailboxes there if they are all mailboxes of that domain; else "".

    So an alert about a server may mute those of a domain only if the domain has its mailboxes nowhere else.
    """
    boxes = [target for target in there if target.kind is Kind.MAILBOX]
    domain = agreed(target.domain for target in boxes)
    names = {target.name for target in boxes}
    whole = all(each.name in names for each in every if each.kind is Kind.MAILBOX and each.domain == domain)
    return domain if whole else ""
