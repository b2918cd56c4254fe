"""Remembers which shard the state belongs to, so that the login guard is careful after a change.

An account that another shard used until now may already have refused logins that this shard does not know of.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from exporter.credentials.breaker import DAY
from exporter.model.sharding import Sharding
from exporter.state.key_values import Notes

NOTE = ("sharding", "layout")


@dataclass(frozen=True, slots=True)
class Move:
    """Which shard this daemon was before, and until when that matters."""

    before: Sharding | None  # None if unknown; it may have had no targets
    until: float  # Unix time


async def remember(notes: Notes, sharding: Sharding, now: float) -> Move | None:
    """Store which shard this is. Returns the Move to it for one day, because refusals count that long."""
    known = _read(await notes.get(*NOTE))
    if known is None and not sharding.on:
        known = (sharding, None, 0.0)  # a single daemon knows all accounts
    if known is None or known[0] != sharding:
        known = (sharding, known[0] if known else None, now)
    here, before, since = known
    pair = [before.shard, before.total] if before else None
    await notes.put(*NOTE, json.dumps({"shard": here.shard, "total": here.total, "before": pair, "since": since}))
    return Move(before, since + DAY) if now < since + DAY else None


def _read(note: str | None) -> tuple[Sharding, Sharding | None, float] | None:
    """Return which shard, which one before, and since when; None if there is no readable note."""
    try:
        value = json.loads(note or "")
        before = Sharding(*map(int, value["before"])) if value["before"] is not None else None
        return Sharding(int(value["shard"]), int(value["total"])), before, float(value["since"])
    except (ValueError, KeyError, TypeError):
        return None
