"""The front page: root causes first, then all targets, filtered and sorted, a hundred per page."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from exporter.config.presets import provider_name
from exporter.web.pages import causes as cause_list
from exporter.web.pages import incidents as incident_list
from exporter.web.pages.filters import UNKNOWN, Filters, parse
from exporter.web.pages.fleet import STATES, Fleet, SnapshotCache, select
from exporter.web.pages.formatting import moment
from exporter.web.pages.rendering import html, render, words_of
from exporter.web.pages.rows import Known, brief, row_of
from exporter.web.pages.words import Words
from exporter.web.view import VIEW

PER_PAGE = 100
REFRESH = 30  # seconds
MAX_NOTICES = 20
MAX_WAITING = 20  # limit of listed mailboxes that are not monitored yet

WATCH: web.AppKey[SnapshotCache] = web.AppKey("watch")
RENDERING: web.AppKey[asyncio.Lock] = web.AppKey("rendering")
"""Limits rendering to one large page at a time. More threads would slow down the event loop and not be faster."""


async def status(request: web.Request) -> web.Response:
    """GET /?q=&state=&kind=&provider=&label=&cause=&sort=&page=&lang=&tz=&refresh=off"""
    view, words, filters = request.app[VIEW], words_of(request), parse(request.query, STATES)
    # Read here, on the event loop, what a thread must not read.
    causes, incidents, targets = view.causes(), view.incidents(), view.targets()
    notices = [notice.text(words.language) for notice in view.notices()[:MAX_NOTICES]]
    waiting = list(view.waiting().items())
    vantage = view.vantage()

    def make() -> str:
        fleet, look = request.app[WATCH].look(targets, view.history, view.interval)
        known = Known(view.history, view.interval, words, time.time())
        now = known.now
        lines = cause_list.lines(causes, incidents, words, now)
        cause = cause_list.named(causes, filters.cause) if filters.cause else None
        names = None if not filters.cause else frozenset(cause.targets if cause else ())
        found, counts = select(look, filters, names)
        pages = max(-(-len(found) // PER_PAGE), 1)
        page = min(filters.page, pages)
        shown = found[(page - 1) * PER_PAGE : page * PER_PAGE]
        return render(
            "status.html.j2",
            request,
            words,
            refresh=REFRESH,
            at=moment(look.at, now, words),
            everywhere=look.counts,
            total=len(look.targets),
            checks=len(targets),
            counts=counts,
            rows=[row_of(each, known) for each in shown],
            found=len(found),
            page=page,
            pages=pages,
            filters=filters,
            with_provider=bool(fleet.providers),
            choices=_choices(fleet, filters, words),
            chosen=next((line.told for line in lines if line.key == filters.cause), ""),
            brief=brief,
            causes=lines[: cause_list.MOST],
            more=max(len(lines) - cause_list.MOST, 0),
            incidents=incident_list.items(incident_list.in_order(incidents)[: incident_list.MOST], words, now),
            vantage=vantage,
            notices=notices,
            waiting=waiting[:MAX_WAITING],
            more_waiting=max(len(waiting) - MAX_WAITING, 0),
        )

    async with request.app[RENDERING]:
        return html(await asyncio.to_thread(make))


def _choices(fleet: Fleet, filters: Filters, words: Words) -> dict[str, list[tuple[str, str]]]:
    """Return (value, name) of the choices of each filter. A filter with nothing to choose is left out."""
    providers = [(each, provider_name(each, words.language)) for each in fleet.providers]
    if fleet.some_unrecognised:
        providers.append((UNKNOWN, words("provider_unknown")))
    found = {
        "kind": [(each, words(each)) for each in fleet.kinds],
        "provider": sorted(providers, key=lambda pair: pair[1].casefold()),
        "label": [(each, each) for each in fleet.labels],
    }
    for name, chosen in (("kind", filters.kind), ("provider", filters.provider), ("label", filters.label)):
        if chosen and all(value != chosen for value, _ in found[name]):
            found[name].append((chosen, chosen))
    return {name: pairs for name, pairs in found.items() if len(pairs) > 1}


def setup(app: web.Application) -> None:
    """Set up what the page keeps between requests."""
    app[WATCH] = SnapshotCache()
    app[RENDERING] = asyncio.Lock()
