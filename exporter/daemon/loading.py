"""Loads the configuration and builds from it the targets and the Context of their probes."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.config import Config, ConfigError, load
from exporter.credentials.access_tokens import AccessTokens
from exporter.credentials.guard import LoginGuard
from exporter.credentials.token_store import TokenStore
from exporter.daemon import descriptors
from exporter.daemon.options import Options
from exporter.model import Target
from exporter.model.effective import EffectiveConfig
from exporter.model.logger import logger_of
from exporter.model.settings import Limits, LoginShares, PushSettings
from exporter.model.sharding import WHOLE, Sharding
from exporter.net.dns.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.probes.context import Context
from exporter.run.timing import plan
from exporter.state.store import State
from exporter.targets.build import Built, build
from exporter.targets.placement import allotted, newcomers
from exporter.targets.provider_watch import Discovery
from exporter.targets.resharding import Move

logger = logger_of(__name__)

TOKENS = "tokens"  # folder in the storage folder for refresh tokens that providers sent as a replacement


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and what was built from it."""

    config: Config
    built: Built
    sharding: Sharding = WHOLE

    @property
    def limits(self) -> Limits:
        """Return this shard's part of the limits."""
        return self.config.limits.divided(self.sharding)

    @property
    def push(self) -> PushSettings | None:
        """Return the settings of the push, with the shard as a label:

        otherwise one shard would resolve another's alerts.
        """
        push = self.config.alertmanager
        if push is None or not self.sharding.on or "shard" in dict(push.labels):
            return push
        return dataclasses.replace(push, labels=(*push.labels, ("shard", str(self.sharding.shard))))

    def effective(self, move: Move | None = None) -> EffectiveConfig:
        """Return the settings in effect for the parts of the daemon.

        `move`: this process was another shard until now.
        """
        config, built = self.config, self.built
        planned = plan(built.targets, self.limits)
        few = descriptors.warning(self.limits, descriptors.limit())
        shares = LoginShares(allotted(built.credentials, self.sharding, config.login_guard))
        if move is not None:
            since_then = newcomers(built.credentials, self.sharding, move.before)
            shares = dataclasses.replace(shares, newcomers=since_then, careful_until=move.until)
        return EffectiveConfig(
            targets=built.targets,
            intervals=planned.intervals,
            spreads=planned.spreads,
            limits=descriptors.bounded(self.limits, descriptors.limit()),
            resolvers=config.resolvers,
            login_guard=config.login_guard,
            login_shares=shares,
            vantage=config.vantage,
            alert_labels=config.alert_labels,
            incidents=config.incidents,
            push=self.push,
            bridges=config.bridges,
            warnings=[
                str(each) for each in (*config.warnings, *built.warnings, *planned.warnings, *([few] if few else []))
            ],
        )


def load_all(options: Options, sharding: Sharding = WHOLE) -> Loaded:
    """Read and validate the configuration and build the targets. Blocks. Raises ConfigError."""
    config = load(options.config_file)
    return Loaded(config, build(config, sharding=sharding), sharding)


async def recalled(loaded: Loaded, discovery: Discovery) -> Loaded:
    """Do the same as `load_all`, with the stored providers of domains that were recognised by DNS."""
    await discovery.recall(loaded.built.by_dns)
    if not loaded.built.by_dns:
        return loaded
    try:
        built = await asyncio.to_thread(build, loaded.config, dict(discovery.known), loaded.sharding)
        return dataclasses.replace(loaded, built=built)
    except ConfigError as exc:
        # A provider that was recognised by DNS must not make the user's configuration invalid.
        logger.error(  # noqa: TRY400 - the message is complete; a traceback does not help the user
            "mailboxes that were recognised cannot be watched", err=str(exc)
        )
        return loaded


def reasons(built: Built, discovery: Discovery) -> dict[str, str]:
    """Return the mailboxes without targets and why, by name."""
    told = {notice.domain: notice.text() for notice in discovery.notices()}
    return {each.name: each.why or told.get(each.domain, "its provider is being looked up") for each in built.waiting}


def make_context(
    resolvers: Sequence[str], state: State, logins: LoginGuard, tokens: TokenStore | None = None
) -> Context:
    """Return the Context for probes. `resolvers`: as configured; if empty, the resolvers of the system are used."""
    resolver, contexts = Resolver(resolvers), TlsContexts()
    return Context(
        resolver=resolver,
        contexts=contexts,
        logins=logins,
        tokens=AccessTokens(resolver, contexts, logins, tokens),
        mailbag=state.mailbag,
        notes=state.notes,
        signing_key=state.signing_key,
    )


def stored_tokens(storage: Path) -> TokenStore:
    """Return the OAuth tokens stored in this storage folder."""
    return TokenStore(storage / TOKENS)


def logins_of(target: Target) -> set[str]:
    """Return the accounts that a run of this target logs in to."""
    fields = dataclasses.fields(target.settings) if dataclasses.is_dataclass(target.settings) else ()
    found = (getattr(target.settings, field.name) for field in fields)
    return {value.account for value in found if hasattr(value, "account")}
