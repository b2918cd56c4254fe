"""What config.yaml sets for the daemon as a whole, typed and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from exporter.model.secret import SecretSource
from exporter.model.sharding import Sharding, part
from exporter.model.target import Labels


@dataclass(frozen=True, slots=True)
class Limits:
    """The config's `limits`."""

    in_flight: int = 200
    per_host: int = 4  # runs at once against one server, host:port
    logins_per_host_per_minute: float = 60

    def fault(self, sharding: Sharding) -> str:
        """Why these cannot be divided by so many shards; "" where they can."""
        if self.per_host >= sharding.total:
            return ""
        return f"{self.per_host} cannot be divided by {sharding.total} shards: write {sharding.total} or more"

    def divided(self, sharding: Sharding) -> Limits:
        """What of them a shard may use up, so that all of them together stay within what a server is asked to bear.

        By all shards, not by those that use a server: where the DNS tells whose servers a mailbox is on, no shard
        knows that of the others' mailboxes. A server that is busy enough to need a limit is used by all of them.
        """
        return replace(
            self,
            per_host=part(self.per_host, sharding.shard, sharding.total),
            logins_per_host_per_minute=self.logins_per_host_per_minute / sharding.total,
        )


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """The config's `login_guard`."""

    failures: int = 2  # refusals in a row until logins pause
    refusals_per_day: int = 6
    first_pause: float = 1800.0  # seconds; doubles with each refusal that follows
    longest_pause: float = 86400.0  # seconds

    def careful(self) -> GuardSettings:
        """For what somebody else may have been refused with a moment ago: one refusal, then the longest pause."""
        return replace(self, failures=1, first_pause=self.longest_pause)


@dataclass(frozen=True, slots=True)
class LoginShares:
    """What one of several shards may use up of the accounts that other shards log in to as well."""

    allotted: Mapping[str, GuardSettings] = field(default_factory=dict)  # by account
    newcomers: frozenset[str] = frozenset()  # accounts of other shards until now, whose refusals we cannot know
    careful_until: float = 0.0  # Unix time; until then one refusal pauses a newcomer for long, unless it has let us in


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that answers whenever our network works: a port to connect to, or (port 0) a name to look up."""

    host: str
    port: int = 0

    @property
    def name(self) -> str:
        return f"{self.host} port {self.port}" if self.port else f"DNS of {self.host}"


@dataclass(frozen=True, slots=True)
class VantageSettings:
    """The config's `vantage`."""

    references: tuple[Reference, ...] = ()
    quorum: int = 1  # so many must answer


@dataclass(frozen=True, slots=True)
class IncidentSettings:
    """How many looks it takes."""

    open_after: int = 3
    resolve_after: int = 2


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """One of them, and how to get in."""

    url: str  # without /api/v2/alerts
    username: str = ""
    password: SecretSource | None = None
    bearer_token: SecretSource | None = None
    ca_file: Path | None = None

    @property
    def name(self) -> str:
        """host:port, as the label `alertmanager` has it."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class PushSettings:
    """Where to, with which labels, how often."""

    targets: tuple[Alertmanager, ...]
    labels: Labels = ()  # for every alert
    resend: float = 60.0  # seconds


class RobotKind(StrEnum):
    """Whose robot it is."""

    DINGTALK = "dingtalk"
    FEISHU = "feishu"
    WECOM = "wecom"


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """One of the config's `bridges`."""

    name: str
    kind: RobotKind
    url: SecretSource
    secret: SecretSource | None  # None where the robot asks for no signature
    token: SecretSource  # what the caller has to show
    language: str = "zh"
