"""A configuration, the targets built from it, and the world that their probes get."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path

from exporter.config import Config, ConfigError, load
from exporter.discovery import Discovery
from exporter.guard import Logins
from exporter.model import Target
from exporter.net.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.options import Options
from exporter.state import State
from exporter.targets import Built, build
from exporter.tokens import Tokens
from exporter.world import World

logger = logging.getLogger(__name__)

TOKENS = "tokens"  # folder in the storage folder: refresh tokens that providers have put in the place of others


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration and what became of it."""

    config: Config
    built: Built


def load_all(options: Options) -> Loaded:
    """Read, check and build, synchronously. Raises ConfigError."""
    config = load(options.config_file)
    return Loaded(config, build(config))


async def recalled(loaded: Loaded, discovery: Discovery) -> Loaded:
    """The same, with what is remembered of domains whose provider only the DNS tells."""
    await discovery.recall(loaded.built.by_dns)
    if not loaded.built.by_dns:
        return loaded
    try:
        return Loaded(loaded.config, await asyncio.to_thread(build, loaded.config, dict(discovery.known)))
    except ConfigError as exc:
        # What the DNS said must not stop what the user wrote.
        logger.error(  # noqa: TRY400 - the message tells all; a traceback would tell the user nothing
            "mailboxes that were recognised cannot be watched", extra={"fields": {"err": str(exc)}}
        )
        return loaded


def reasons(built: Built, discovery: Discovery) -> dict[str, str]:
    """Why mailboxes are not watched, by name."""
    told = {notice.domain: notice.text() for notice in discovery.notices()}
    return {each.name: each.why or told.get(each.domain, "its provider is being looked up") for each in built.waiting}


def make_world(config: Config, state: State, logins: Logins, tokens: Tokens | None = None) -> World:
    """The capabilities that a configuration's probes get."""
    return World(
        resolver=Resolver(config.resolvers),
        contexts=TlsContexts(),
        logins=logins,
        mailbag=state.mailbag,
        notes=state.notes,
        signing_key=state.signing_key,
        tokens=tokens or Tokens(),
    )


def stored_tokens(storage: Path) -> Tokens:
    """The OAuth tokens kept in this storage folder."""
    return Tokens(storage / TOKENS)


def logins_of(target: Target) -> set[str]:
    """The accounts that a run of this target logs in to."""
    fields = dataclasses.fields(target.settings) if dataclasses.is_dataclass(target.settings) else ()
    found = (getattr(target.settings, field.name) for field in fields)
    return {value.account for value in found if hasattr(value, "account")}
