"""Remembers which shard the state belongs to, for the login guard to be careful with accounts that were another's."""

from __future__ import annotations

import json
from dataclasses import dataclass

from exporter.credentials.breaker import DAY
from exporter.model.sharding import Sharding
from exporter.state.key_values import Notes

NOTE = ("sharding", "layout")


@dataclass(frozen=True, slots=True)
class Move:
    """What this daemon was before, and until when that matters."""

    before: Sharding | None  # None: nobody knows; it may have been nothing
    until: float  # Unix time


async def remember(notes: Notes, sharding: Sharding, now: float) -> Move | None:
    """Note which shard this is. Returns the move to it, for a day: so long do refusals count."""
    known = _read(await notes.get(*NOTE))
    if known is None and not sharding.on:
        known = (sharding, None, 0.0)  # one daemon alone has the memory of all accounts
    if known is None or known[0] != sharding:
        known = (sharding, known[0] if known else None, now)
    here, before, since = known
    pair = [before.shard, before.total] if before else None
    await notes.put(*NOTE, json.dumps({"shard": here.shard, "total": here.total, "before": pair, "since": since}))
    return Move(before, since + DAY) if now < since + DAY else None


def _read(note: str | None) -> tuple[Sharding, Sharding | None, float] | None:
    """Which shard, which one before, since when. None where nothing is noted that can be read."""
    try:
        value = json.loads(note or "")
        before = Sharding(*map(int, value["before"])) if value["before"] is not None else None
        return Sharding(int(value["shard"]), int(value["total"])), before, float(value["since"])
    except (ValueError, KeyError, TypeError):
        return None
