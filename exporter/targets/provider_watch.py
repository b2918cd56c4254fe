"""Recognises providers by DNS while the daemon runs, and remembers the result.

The first definite answer decides which servers a mailbox uses and is kept in the state. A later, different answer only
gives a notice: a password must never be sent to another server because DNS changed.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from exporter.config.presets import presets
from exporter.model.logger import logger_of
from exporter.model.phrases import Phrases
from exporter.state.store import Notes
from exporter.targets.provider_lookup import Lookup, RecognisedBy, Recognition, Seen, look_up

NOTE = "provider"  # key of the note; its subject is the domain
AT_ONCE = 20  # domains looked up in parallel
FIRST_RETRY, LONGEST_RETRY = 5.0, 600.0  # seconds; each pause is twice the one before
LOOK_AGAIN = 3600.0  # seconds after a definite answer
IDLE = 3600.0  # seconds to sleep if there is nothing to look up

logger = logger_of(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    """A message about a domain, for the log and the page."""

    kind: str  # unclear, unknown, moved or left
    domain: str
    places: tuple[tuple[str, str], ...]

    def text(self, language: str = "en") -> str:
        return Phrases(language, "notices")(self.kind, domain=self.domain, **dict(self.places))


def _warn(text: str) -> None:
    logger.warning("%s", text)


class Discovery:
    """Looks up domains and remembers their providers. The targets are built with `known`."""

    def __init__(self, lookup: Lookup, notes: Notes, tell: Callable[[str], None] | None = None) -> None:
        self.lookup = lookup  # may be replaced
        self._tell_user = tell or _warn
        self.known: dict[str, Recognition] = {}
        self._notes = notes
        self._notices: dict[str, Notice] = {}
        self._due: dict[str, float] = {}  # time of the next lookup, as `time.monotonic()`
        self._tries: dict[str, int] = {}  # lookups in a row without a definite answer
        self._wake = asyncio.Event()

    async def recall(self, domains: Iterable[str]) -> bool:
        """Load what the state holds about these domains. True if something is new."""
        news = False
        for domain in domains:
            if domain not in self.known:
                found = _read(await self._notes.get(domain, NOTE))
                if found is not None:
                    self.known[domain] = found
                    news = True
        return news

    async def look(self, domain: str) -> bool:
        """Look up a domain once. True if its provider is known now and was not before."""
        recalled = await self.recall([domain])  # a remembered provider has priority over the answer
        seen = await look_up(domain, self.lookup)
        self._plan(domain, seen)
        before = self.known.get(domain)
        self._tell(domain, _notice(domain, before, seen), keep=bool(seen.unclear and before))
        if before is not None or seen.found is None:
            return recalled
        found = self.known[domain] = seen.found
        value = {"provider": found.provider, "by": str(found.by), "evidence": found.evidence}
        await self._notes.put(domain, NOTE, json.dumps(value))
        recognised_by: dict[str, Any] = {found.by: found.evidence}
        logger.info("provider recognised and remembered", domain=domain, provider=found.provider, **recognised_by)
        return True

    async def look_all(self, domains: Iterable[str]) -> bool:
        """Look up all these domains, some in parallel. True if something is new."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(domain: str) -> bool:
            async with gate:
                return await self.look(domain)

        return any(await asyncio.gather(*(one(domain) for domain in domains)))

    async def watch(self, domains: Callable[[], Collection[str]], on_news: Callable[[], Awaitable[None]]) -> None:
        """Look up each domain when it is due, forever. `domains` is called each time, because they may change."""
        while True:
            self._wake.clear()
            wanted = domains()
            self._forget_all_but(wanted)
            now = time.monotonic()
            due = sorted((at, domain) for domain in wanted if (at := self._due.get(domain, 0.0)) <= now)[:AT_ONCE]
            if due:
                # Small batches, so that the first answers do not wait for the slowest of thousands.
                if await self.look_all(domain for _, domain in due):
                    await on_news()
                continue
            pause = min((at - now for at in self._due.values()), default=IDLE)
            try:
                async with asyncio.timeout(max(0.1, pause)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def wake(self) -> None:
        """Call after the domains may have changed. Domains without a definite answer are looked up now."""
        for domain, tries in self._tries.items():
            if tries:
                self._due[domain] = 0.0
        self._wake.set()

    def notices(self) -> tuple[Notice, ...]:
        """The notices that apply now, by domain."""
        return tuple(self._notices[domain] for domain in sorted(self._notices))

    def _plan(self, domain: str, seen: Seen) -> None:
        tries = self._tries[domain] = self._tries.get(domain, 0) + 1 if seen.unclear else 0
        wait = min(FIRST_RETRY * 2 ** min(tries - 1, 20), LONGEST_RETRY) if tries else LOOK_AGAIN
        self._due[domain] = time.monotonic() + wait * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, no secret

    def _tell(self, domain: str, notice: Notice | None, *, keep: bool) -> None:
        """Report a new notice once, and drop it when it no longer applies. `keep`: this lookup gave no information."""
        known = self._notices.get(domain)
        if notice is None:
            if not keep:
                self._notices.pop(domain, None)
            return
        self._notices[domain] = notice
        same = known is not None and known.kind == notice.kind
        # the kind of DNS failure may differ from lookup to lookup
        if not same or (notice.kind != "unclear" and known != notice):
            self._tell_user(notice.text())

    def _forget_all_but(self, domains: Collection[str]) -> None:
        for memory in (self._notices, self._due, self._tries):
            for domain in memory.keys() - set(domains):
                del memory[domain]


def _notice(domain: str, before: Recognition | None, seen: Seen) -> Notice | None:
    hosts = ", ".join(seen.hosts[:4]) or "none"
    if before is None:
        if seen.unclear:
            return Notice("unclear", domain, (("why", seen.unclear),))
        return None if seen.found else Notice("unknown", domain, (("hosts", hosts),))
    if seen.unclear or (seen.found and _same(before, seen)):
        return None
    name = before.preset.name
    if seen.found is None:
        return Notice("left", domain, (("before", name), ("hosts", hosts)))
    now = seen.found
    places = (("before", name), ("now", now.preset.name), ("hosts", now.evidence), ("id", now.provider))
    return Notice("moved", domain, places)


def _same(before: Recognition, seen: Seen) -> bool:
    """Tell whether the answer agrees with the remembered provider. A second MX elsewhere does not matter."""
    if seen.found is not None and seen.found.provider == before.provider:
        return True
    return any(pattern.search(host) for pattern in before.preset.mx for host in seen.hosts)


def _read(note: str | None) -> Recognition | None:
    """A note about a preset that no longer exists, written by an older version, counts as none."""
    try:
        value = json.loads(note or "{}")
        found = Recognition(value["provider"], RecognisedBy(value["by"]), str(value["evidence"]))
    except (ValueError, KeyError, TypeError):
        return None
    return found if found.provider in presets() else None
