"""The settings of config.yaml that apply to the whole daemon, typed and frozen."""

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
    """The section `limits` of the configuration."""

    in_flight: int = 200
    per_host: int = 4  # parallel runs against one server, host:port
    logins_per_host_per_minute: float = 60

    def fault(self, sharding: Sharding) -> str:
        """Return why these limits cannot be divided among the shards, or ""."""
        if self.per_host >= sharding.total:
            return ""
        return f"{self.per_host} cannot be divided by {sharding.total} shards: write {sharding.total} or more"

    def divided(self, sharding: Sharding) -> Limits:
        """Return the share of one shard, so that all shards together stay within the limits.

        The limits are divided by all shards, not by those that use a server. If DNS decides which server a mailbox
        uses, no shard knows the servers of the others' mailboxes. A server busy enough to need a limit is used by all
        shards anyway.
        """
        return replace(
            self,
            per_host=part(self.per_host, sharding.shard, sharding.total),
            logins_per_host_per_minute=self.logins_per_host_per_minute / sharding.total,
        )


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """The section `login_guard` of the configuration."""

    failures: int = 2  # refused logins in a row until logins pause
    refusals_per_day: int = 6
    first_pause: float = 1800.0  # seconds; doubles with each further refusal
    longest_pause: float = 86400.0  # seconds
    unsettled_per_day: int = 48  # logins that were neither accepted nor refused

    def careful(self) -> GuardSettings:
        """Stricter settings, if another daemon may use the same credential: one refusal, then the longest pause."""
        unsettled = min(self.unsettled_per_day, self.refusals_per_day)
        return replace(self, failures=1, first_pause=self.longest_pause, unsettled_per_day=unsettled)


@dataclass(frozen=True, slots=True)
class LoginShares:
    """What one of several shards may use up of the accounts that other shards log in to as well."""

    allotted: Mapping[str, GuardSettings] = field(default_factory=dict)  # by account
    newcomers: frozenset[str] = frozenset()  # accounts of other shards until now, whose refusals we cannot know
    careful_until: float = 0.0  # Unix time; until then one refusal pauses a newcomer for long, unless it has let us in


@dataclass(frozen=True, slots=True)
class Reference:
    """Something that answers whenever our own network works: a port to connect to, or (port 0) a name to resolve."""

    host: str
    port: int = 0

    @property
    def name(self) -> str:
        return f"{self.host} port {self.port}" if self.port else f"DNS of {self.host}"


@dataclass(frozen=True, slots=True)
class VantageSettings:
    """The section `vantage` of the configuration."""

    references: tuple[Reference, ...] = ()
    quorum: int = 1  # number of references that must answer


@dataclass(frozen=True, slots=True)
class IncidentSettings:
    """How many results it takes to open and to close an incident."""

    open_after: int = 3
    resolve_after: int = 2


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """One Alertmanager, and how to log in to it."""

    url: str  # without /api/v2/alerts
    username: str = ""
    password: SecretSource | None = None
    bearer_token: SecretSource | None = None
    ca_file: Path | None = None

    @property
    def name(self) -> str:
        """host:port, as in the label `alertmanager`."""
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class PushSettings:
    """Where incidents are pushed, with which labels, and how often."""

    targets: tuple[Alertmanager, ...]
    labels: Labels = ()  # added to every alert
    resend: float = 60.0  # seconds


class RobotKind(StrEnum):
    """The chat service of a group robot."""

    DINGTALK = "dingtalk"
    FEISHU = "feishu"
    WECOM = "wecom"


@dataclass(frozen=True, slots=True)
class BridgeSettings:
    """One entry of the section `bridges`."""

    name: str
    kind: RobotKind
    url: SecretSource
    secret: SecretSource | None  # None if the robot needs no signature
    token: SecretSource  # the token that the caller must send
    language: str = "zh"
