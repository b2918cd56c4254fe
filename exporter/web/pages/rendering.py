"""Renders templates into HTTP responses. The only module that uses jinja2.

All values are escaped: nothing that a server or a user wrote may become markup.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from aiohttp import web

from exporter import __version__
from exporter.model.phrases import languages
from exporter.model.text import shortened
from exporter.model.zones import named
from exporter.web.api.negotiate import language, zone
from exporter.web.pages.escaping import shown
from exporter.web.pages.words import Words
from exporter.web.view import VIEW

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"
MAX_ZONE = 64  # characters of an unknown time zone
MAX_ERROR = 500  # limit of the text of a refused reload, in characters
BREATHE = 500  # pieces of a page after which other threads may run


@cache
def _templates() -> Environment:
    """Return the template environment. It is created when the first page is rendered."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        auto_reload=False,
        finalize=shown,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def words_of(request: web.Request) -> Words:
    """Return the texts in the language of the URL, else of the browser, and the time zone of the URL, else ours."""
    spoken = language(request.headers.get("Accept-Language", ""), request.query.get("lang", ""))
    try:
        times_in = zone(request.query.get("tz", ""), request.app[VIEW].time_zone)
    except ValueError:  # the page says so
        times_in = request.app[VIEW].time_zone
    return Words(spoken, times_in)


def lang_query(request: web.Request, words: Words) -> str:
    """Return the query that keeps what the URL chooses for all pages: "", or for example "?lang=zh&tz=Asia/Tokyo"."""
    query = kept(request, words)
    return f"?{urlencode(query, safe='/')}" if query else ""


def kept(request: web.Request, words: Words) -> dict[str, str]:
    """Return the language and the time zone, as far as the URL chooses them."""
    found = {"lang": words.language} if "lang" in request.query else {}
    key = getattr(words.zone, "key", "")
    return {**found, "tz": key} if request.query.get("tz") and not _bad_zone(request) else found


def _bad_zone(request: web.Request) -> str:
    """Return the time zone of the URL if there is none of this name, else ""."""
    try:
        zone(request.query.get("tz", ""), None)
    except ValueError:
        return request.query["tz"][:MAX_ZONE]
    return ""


def render(
    template: str,
    request: web.Request,
    words: Words,
    *,
    refresh: int = 0,
    unscripted: int | None = None,
    **context: object,
) -> str:
    """Return the HTML of a page.

    `refresh` is the number of seconds after which page.js updates the page in place, 0 = never. `unscripted` is the
    same for browsers without JavaScript, which reload the page and so close what the reader has opened. The variable
    `root` of the templates is the relative path to the front page, which also works behind a reverse proxy.
    """
    view, paused = request.app[VIEW], request.query.get("refresh") == "off"
    made, pieces = _templates().get_template(template), list[str]()
    for piece in made.generate(
        words=words,
        languages=languages().values(),
        root=view.route_prefix.root(request.rel_url.raw_path),
        query_with=lambda **changes: query_with(request, **changes),
        lang_query=lang_query(request, words),
        kept=kept(request, words),
        zone=named(time.time(), words.zone),
        bad_zone=_bad_zone(request),
        version=__version__,
        telemetry_path=view.telemetry_path.lstrip("/"),
        config_error=shortened((view.config_error() or "").strip().partition("\n")[0], MAX_ERROR),
        state_error=shortened(view.state_error(), MAX_ERROR),
        sharding=view.sharding,
        paused=paused,
        refresh=0 if paused else refresh,
        unscripted=0 if paused else refresh if unscripted is None else unscripted,
        **context,
    ):
        pieces.append(piece)
        if len(pieces) % BREATHE == 0:
            time.sleep(0)  # pages are rendered in a thread: let the event loop run
    return "".join(pieces)


def query_with(request: web.Request, **changes: object) -> str:
    """Return the query of the current URL with these changes; None removes a key."""
    query = request.rel_url.query
    kept = {key: value for key, value in query.items() if key not in changes}
    added = {key: str(value) for key, value in changes.items() if value is not None}
    return "?" + str(request.rel_url.with_query({**kept, **added}).query_string)


def html(text: str, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Language"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)
