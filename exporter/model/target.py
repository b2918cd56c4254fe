"""What a run needs: the target, its servers and its logins. All of it is frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from exporter.model.names import AddressFamily, Flow, Kind, ProbeName, Security, Service
from exporter.model.secret import Secret, SecretSource


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server socket and how to speak to it."""

    host: str
    port: int
    security: Security
    protocol: Service
    server_name: str | None = None  # for SNI and the certificate's name; default: host
    ca_file: Path | None = None
    family: AddressFamily = AddressFamily.ANY
    source_address: str | None = None

    @property
    def name(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Where a login's access tokens come from (OAuth 2.0). Equal ones share their tokens."""

    name: str  # which credential this is: the guard counts refusals by the token endpoint under it
    flow: Flow
    token_url: str
    client_id: str
    scope: str
    seed: SecretSource  # the refresh token, the client's secret, or the key, as configured
    client_secret: SecretSource | None = None  # beside a refresh token
    subject: str = ""  # the mailbox, where the token is for one alone (jwt_bearer)
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What is sent in a password's place, for an hour or so."""

    secret: Secret
    expires: float  # Unix time, seconds
    fetched: float  # `Clock.now()`
    spoil: Callable[[], None]  # a mail server has refused it: the next login asks for another


@dataclass(frozen=True, slots=True)
class Login:
    """A credential: one user name and one secret. `account` is the key under which the guard counts refusals."""

    account: str
    username: str
    source: SecretSource  # with `oauth`: its seed, by which the guard knows the credential
    # Exactly one mechanism a run: auto, plain, login, scram-sha-256, xoauth2, oauthbearer, or oauth (either of the two)
    auth: str = "auto"
    oauth: TokenSource | None = None
    leads: bool = True  # of a mailbox's logins the one whose access token's end is told
    families: tuple[str, ...] = ()  # whose texts its server answers with: see `signatures`


Labels = tuple[tuple[str, str], ...]
"""Label names and values, sorted by name."""

TargetKey = tuple[str, ProbeName]
"""(target, probe): what a run is known by everywhere."""


@dataclass(frozen=True, slots=True)
class Target:
    """All that one run needs. (name, probe) is its key everywhere; a reload restarts only what `!=`."""

    name: str
    kind: Kind
    probe: ProbeName
    settings: object  # the probe's own frozen Settings
    interval: float  # seconds, as configured
    timeout: float  # seconds, for one network step of a round trip, for the whole run of any other probe
    deadline: float  # seconds, after which the runner cancels the run
    recheck: float = 20.0  # seconds until a fresh failure is looked at again
    provider: str = ""  # "" = not recognised
    domain: str = ""
    labels: Labels = ()  # every configured label, sorted
    servers: tuple[str, ...] = ()  # host:port of each server that a run talks to, for the per-host limit
    logins: tuple[str, ...] = ()  # host of each password login of a run, for the login budget
    route: tuple[str, str] | None = None  # (from, to)
    families: tuple[str, ...] = ()  # whose texts its server answers with (`signatures`); of a route the sender's
    receiving: tuple[str, ...] = ()  # of a route: the receiver's families

    @property
    def key(self) -> tuple[str, ProbeName]:
        return self.name, self.probe

    def families_of(self, protocol: Service | None) -> tuple[str, ...]:
        """The signature families of the server that speaks this protocol in a run."""
        return self.receiving if self.route and protocol is Service.IMAP else self.families


def agreed(values: Iterable[str]) -> str:
    """The value that all have; "" where they differ or there is none."""
    found = set(values)
    return found.pop() if len(found) == 1 else ""
