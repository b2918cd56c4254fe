"""The smaller pages (incidents, runbooks, logs, config) and the style sheet, script and icons."""

from __future__ import annotations

import asyncio
import hashlib
import time

from aiohttp import web

from exporter.incidents.alert_text import tells
from exporter.model.reasons import about
from exporter.web.api.negotiate import wants_html
from exporter.web.api.run_log import log_text
from exporter.web.pages import config as configured
from exporter.web.pages import incidents as incident_list
from exporter.web.pages import runbooks, status, target
from exporter.web.pages.rendering import FOLDER
from exporter.web.pages.rendering import html as _html
from exporter.web.pages.rendering import lang_query as _lang_query
from exporter.web.pages.rendering import render as _render
from exporter.web.pages.rendering import words_of as _words
from exporter.web.pages.rows import path_of
from exporter.web.view import VIEW, find

PER_PAGE = 200  # incidents per page
ICONS = {
    "ok": ("#17663a", "M8 16.5l5.5 5.5L24 11"),
    "failed": ("#b3261e", "M11 11l10 10M21 11L11 21"),
    "unclear": ("#5d6266", "M11 16h10"),
}
"""Icons of the browser tab by state: a tick, a cross, a dash."""

_STYLE = (FOLDER / "style.css").read_bytes()
_SCRIPT = (FOLDER / "page.js").read_bytes()


def pages(app: web.Application) -> list[web.RouteDef]:
    """Return the routes of all pages for people, and set up what the pages keep between requests."""
    status.setup(app)
    return [
        web.get("/", status.status),
        web.get("/style.css", style),
        web.get("/page.js", script),
        web.get("/icon-{state}.svg", icon),
        web.get("/targets/{name:.+}", target.target),
        web.post("/targets/{name:.+}", target.run),
        web.get("/incidents", incidents),
        web.get("/runbooks/", runbook_index),
        web.get("/runbooks/reasons", reasons),
        web.get("/runbooks/{alert}", runbook),
        web.get("/logs", logs),
        web.get("/config", config),
    ]


async def incidents(request: web.Request) -> web.Response:
    """GET /incidents: the open ones, latest first, then those resolved in the last 15 minutes, latest first."""
    words, found = _words(request), incident_list.in_order(request.app[VIEW].incidents())

    def make() -> str:
        items = incident_list.items(found[:PER_PAGE], words, time.time())
        more = max(len(found) - PER_PAGE, 0)
        return _render("incidents.html.j2", request, words, incidents=items, more=more, refresh=status.REFRESH)

    return _html(await asyncio.to_thread(make))


async def runbook(request: web.Request) -> web.Response:
    """GET /runbooks/ALERT, the runbook_url of our alerts: what to do, and the open incidents."""
    words, alert, now = _words(request), request.match_info["alert"], time.time()
    book = (await asyncio.to_thread(runbooks.library, words.language)).get(alert)
    if book is None:
        raise web.HTTPNotFound
    known = incident_list.in_order(request.app[VIEW].incidents())
    open_ones = [each for each in known if dict(each.labels)["alertname"] == alert]
    shown = incident_list.items(open_ones[:PER_PAGE], words, now) if tells(alert) else None
    query = _lang_query(request, words)
    body = runbooks.body(alert, words.language, query)
    text = _render("runbook.html.j2", request, words, inline=runbooks.inline, book=book, body=body, incidents=shown)
    return _html(text)


async def runbook_index(request: web.Request) -> web.Response:
    """GET /runbooks/: all alerts, each with one sentence."""
    words = _words(request)
    books = (await asyncio.to_thread(runbooks.library, words.language)).values()
    return _html(_render("runbooks.html.j2", request, words, books=books, inline=runbooks.inline, refresh=0))


async def reasons(request: web.Request) -> web.Response:
    """GET /runbooks/reasons: the meaning of each reason, and what to do."""
    layers = runbooks.by_layer()
    return _html(_render("reasons.html.j2", request, _words(request), layers=layers, about=about, refresh=0))


async def not_found(request: web.Request) -> web.Response:
    return _html(_render("not_found.html.j2", request, _words(request), refresh=0), status=404)


async def style(request: web.Request) -> web.Response:
    return _kept(request, _STYLE, "text/css")


async def script(request: web.Request) -> web.Response:
    return _kept(request, _SCRIPT, "text/javascript")


def _kept(request: web.Request, content: bytes, content_type: str) -> web.Response:
    """Return a file that the browser caches but revalidates before each use. An unchanged file is not sent again."""
    tag = hashlib.sha256(content).hexdigest()[:32]
    known = {each.value for each in request.if_none_match or ()}
    headers = {"Cache-Control": "no-cache", "ETag": f'"{tag}"'}
    if known & {tag, "*"}:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type=content_type, charset="utf-8", headers=headers)


async def icon(request: web.Request) -> web.Response:
    """GET /icon-STATE.svg"""
    if request.match_info["state"] not in ICONS:
        raise web.HTTPNotFound
    colour, path = ICONS[request.match_info["state"]]
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" '
        f'fill="{colour}"/><path d="{path}" fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round"/></svg>'
    )
    return web.Response(text=drawn, content_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})


async def logs(request: web.Request) -> web.Response:
    """GET /logs?id= (the probe_id of an exemplar) or /logs?target=&module= (the last run)."""
    view, query = request.app[VIEW], request.query
    if "id" in query:
        result = view.history.by_id(query["id"])
        missing = "no run with this id is remembered any more"
    else:
        wanted = [t for t in find(view, query.get("target", "")) if query.get("module", t.probe) == t.probe]
        result = view.history.last(wanted[0].key) if len(wanted) == 1 else None
        missing = "give id=, or target= and module= of a target whose run has finished"
    if result is None:
        return web.Response(text=f"{missing}\n", status=404)
    return web.Response(text=log_text(result))


async def config(request: web.Request) -> web.Response:
    """GET /config: the configuration in use; a page for browsers, else (and with format=text) the YAML text."""
    view = request.app[VIEW]
    if request.query.get("format") == "text" or not wants_html(request.headers.get("Accept", "")):
        text = await asyncio.to_thread(view.config_text)
        return web.Response(text=text, headers={"Vary": "Accept"})
    words, known = _words(request), frozenset(path_of(each.name) for each in view.targets())

    def make() -> str:
        document = view.config_document()
        files, sections = configured.files(document), configured.sections(document)
        return _render("config.html.j2", request, words, known=known, files=files, sections=sections)

    async with request.app[status.RENDERING]:
        response = _html(await asyncio.to_thread(make))
    response.headers["Vary"] = "Accept, Accept-Language"
    return response
