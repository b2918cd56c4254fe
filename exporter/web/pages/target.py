"""The page of one target, and its button to run a probe now."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping

from aiohttp import web

from exporter.config.presets import provider_name
from exporter.incidents.rootcause.cause import sentence
from exporter.model import Kind
from exporter.outputs.ticket import render as ticket_text
from exporter.outputs.ticket import ticket
from exporter.web.access.origin import own_page
from exporter.web.api.blackbox import run_within
from exporter.web.pages import causes
from exporter.web.pages.fleet import Fleet, target_state
from exporter.web.pages.probe_detail import details, related
from exporter.web.pages.rendering import html, query_with, render, words_of
from exporter.web.pages.rows import Known, row_of
from exporter.web.pages.status import RENDERING
from exporter.web.view import VIEW, find

REFRESH = 30  # seconds
LOOK_AGAIN = 3  # seconds until the page is updated while a requested run is in progress
PATIENCE = 8.0  # seconds that the response to the button waits for the run


async def target(request: web.Request) -> web.Response:
    """GET /targets/NAME: everything about one target."""
    view, words, name = request.app[VIEW], words_of(request), request.match_info["name"]
    targets, everything, recent = find(view, name), view.targets(), view.history.recent()
    if not targets:
        raise web.HTTPNotFound
    asked = _asked(request.query)
    cause = causes.wider(view.causes(), name)  # must be read on the event loop, like the history

    def make() -> str:
        known = Known(view.history, view.interval, words, time.time())
        shown = details(targets, known, asked)
        under_way = any(each.asked is not None and each.asked.done is None for each in shown)
        made = ticket.make(name, everything, view.history, recent, known.now, interval_of=view.interval)
        entry = Fleet(targets).entries[0]
        return render(
            "target.html.j2",
            request,
            words,
            # A browser without page.js would reload the page, which closes what the reader has opened.
            refresh=LOOK_AGAIN if under_way else REFRESH,
            unscripted=LOOK_AGAIN if under_way else 0,
            first=targets[0],
            row=row_of(target_state(entry, view.history, view.interval, known.now), known),
            provider=provider_name(targets[0].provider, words.language),
            details=shown,
            cause=sentence(cause, words.language) if cause else "",
            cause_key=cause.key if cause else "",
            related=related(targets, everything, known),
            is_shared=targets[0].kind in (Kind.ENDPOINT, Kind.DOMAIN),
            report=ticket_text.render(made, "text", words.language, words.zone),
            formats=list(ticket_text.FORMATS),
        )

    async with request.app[RENDERING]:
        return html(await asyncio.to_thread(make))


async def run(request: web.Request) -> web.Response:
    """POST /targets/NAME with probe=: run a probe now, within the limits and the login guard; redirects to the page.

    If the run takes longer than PATIENCE, it continues, and the page shows that it is in progress.
    """
    if not own_page(request):
        return html(await asyncio.to_thread(render, "refused.html.j2", request, words_of(request)), status=403)
    view, name = request.app[VIEW], request.match_info["name"]
    try:
        form = await request.post()
    except (
        LookupError,
        ValueError,
    ):  # unknown charset, undecodable text, invalid multipart; the error text may quote the request
        raise web.HTTPBadRequest(text="400: the form cannot be read\n") from None
    wanted = [each for each in find(view, name) if each.probe == form.get("probe")]
    if not wanted:
        raise web.HTTPNotFound
    asked = math.floor(time.time() * 1000) / 1000  # rounded down, so that it is not in the future
    await run_within(view, wanted[0], PATIENCE)
    back = query_with(request, asked=f"{asked:.3f}", probe=wanted[0].probe)
    raise web.HTTPSeeOther(f"{back}#{wanted[0].probe}")


def _asked(query: Mapping[str, str]) -> tuple[str, float]:
    """Return the probe of the requested run, and the Unix time of the request."""
    text = query.get("asked", "")
    plain = len(text) < 20 and text.isascii() and text.replace(".", "", 1).isdigit()
    return (query.get("probe", ""), float(text)) if plain else ("", 0.0)
