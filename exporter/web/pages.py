"""The pages for people: status, one target, logs, config. Rendered on the server, useful without JavaScript."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import jinja2
from aiohttp import web

from exporter import __version__, ticket, ticket_text
from exporter.causes import fold, sentence
from exporter.web import incident_list, summary
from exporter.web.logs import log_text
from exporter.web.negotiate import language
from exporter.web.view import VIEW, find
from exporter.web.words import LANGUAGES, Words

PER_PAGE = 200
REFRESH = 30  # seconds
MAX_NOTICES = 20
MAX_CAUSES = 20

_FOLDER = Path(__file__).parent / "templates"
_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_STYLE = (_FOLDER / "style.css").read_text(encoding="utf-8")


async def status(request: web.Request) -> web.Response:
    """All targets, what fails first."""
    view, words = request.app[VIEW], _words(request)
    targets, query = list(view.targets()), request.query.get("q", "").strip()[:100]
    number = request.query.get("page", "1")
    page = int(number) if number.isdecimal() and len(number) < 6 else 1

    causes = fold(view.causes())

    def render() -> str:
        overview = summary.overview(targets, view.history, view.metrics, words, time.time())
        rows = [row for row in overview.rows if query.lower() in row.name.lower()]
        pages = max(-(-len(rows) // PER_PAGE), 1)
        shown = min(max(page, 1), pages)
        return _render(
            "status.html.j2",
            request,
            words,
            overview=overview,
            rows=rows[(shown - 1) * PER_PAGE : shown * PER_PAGE],
            page=shown,
            pages=pages,
            query=query,
            refresh=REFRESH,
            causes=[sentence(cause, words.language) for cause in causes[:MAX_CAUSES]],
            more=max(len(causes) - MAX_CAUSES, 0),
            incidents=incident_list.items(view.incidents()[: incident_list.MOST], words, time.time()),
            vantage=view.vantage(),
            notices=[notice.text(words.language) for notice in view.notices()[:MAX_NOTICES]],
        )

    return _html(await asyncio.to_thread(render))


async def target(request: web.Request) -> web.Response:
    """All that is known of one target."""
    view, words, name = request.app[VIEW], _words(request), request.match_info["name"]
    targets, everything = find(view, name), list(view.targets())
    if not targets:
        raise web.HTTPNotFound

    everything, recent = list(view.targets()), view.history.recent()

    def render() -> str:
        now = time.time()
        details = summary.details(targets, view.history, view.metrics, words, now)
        certificates = {each.probe: summary.certificates(each, everything) for each in targets}
        report = ticket_text.render(ticket.make(name, everything, view.history, recent, now), "text", words.language)
        return _render(
            "target.html.j2",
            request,
            words,
            first=targets[0],
            details=details,
            certificates=certificates,
            report=report,
            formats=list(ticket_text.FORMATS),
            refresh=0,
        )

    return _html(await asyncio.to_thread(render))


async def runbook(request: web.Request) -> web.Response:
    """/runbooks/ALERT, where our alerts' runbook_url leads: what it means, and its incidents with what to do."""
    words, alert, now = _words(request), request.match_info["alert"], time.time()
    meaning = incident_list.meaning(alert, words)
    if meaning is None:
        raise web.HTTPNotFound
    found = [each for each in request.app[VIEW].incidents() if dict(each.labels)["alertname"] == alert]
    shown = incident_list.items(found[:PER_PAGE], words, now)
    return _html(_render("runbook.html.j2", request, words, alert=alert, meaning=meaning, incidents=shown, refresh=0))


async def not_found(request: web.Request) -> web.Response:
    return _html(_render("not_found.html.j2", request, _words(request), refresh=0), status=404)


async def style(request: web.Request) -> web.Response:
    del request
    return web.Response(text=_STYLE, content_type="text/css", headers={"Cache-Control": "no-cache"})


async def logs(request: web.Request) -> web.Response:
    """/logs?id= (an exemplar's probe_id) or /logs?target=&module= (the last run)."""
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
    return web.Response(text=request.app[VIEW].config_text())


def _words(request: web.Request) -> Words:
    return Words(language(request.headers.get("Accept-Language", ""), request.query.get("lang", "")))


def _render(template: str, request: web.Request, words: Words, **context: object) -> str:
    """`root` leads back to the front page, whatever stands before our paths in a reverse proxy."""
    return _templates.get_template(template).render(
        words=words,
        languages=LANGUAGES,
        root="../" * (request.rel_url.raw_path.count("/") - 1) or "./",
        query_with=lambda **changes: "?" + request.rel_url.update_query(changes).query_string,
        lang_query=f"?lang={words.language}" if "lang" in request.query else "",
        version=__version__,
        telemetry_path=request.app[VIEW].telemetry_path.lstrip("/"),
        config_error=(request.app[VIEW].config_error() or "").strip().partition("\n")[0],
        **context,
    )


def _html(text: str, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Language"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)
