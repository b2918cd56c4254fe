"""Renders templates into HTTP responses. The only module that uses jinja2.

All values are escaped: nothing that a server or a user wrote may become markup.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from exporter import __version__
from exporter.model.phrases import languages
from exporter.model.text import shortened
from exporter.web.api.negotiate import language
from exporter.web.pages.escaping import shown
from exporter.web.pages.words import Words
from exporter.web.view import VIEW

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"
MAX_ERROR = 500  # characters of why a reload was refused
BREATHE = 500  # pieces of a page after which other threads get the interpreter


@cache
def _templates() -> Environment:
    """Made when the first page is shown."""
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
    """In the language of the address, else of the browser."""
    return Words(language(request.headers.get("Accept-Language", ""), request.query.get("lang", "")))


def lang_query(request: web.Request, words: Words) -> str:
    """What keeps a language that was chosen in the address."""
    return f"?lang={words.language}" if "lang" in request.query else ""


def render(
    template: str,
    request: web.Request,
    words: Words,
    *,
    refresh: int = 0,
    unscripted: int | None = None,
    **context: object,
) -> str:
    """`root` leads back to the front page, whatever stands before our paths in a reverse proxy.

    `refresh`: seconds after which page.js renews the page in place, 0 = never. `unscripted`: the same for browsers that
    do not run it and must load the page anew, which closes what the reader has opened.
    """
    view, paused = request.app[VIEW], request.query.get("refresh") == "off"
    made, pieces = _templates().get_template(template), list[str]()
    for piece in made.generate(
        words=words,
        languages=languages().values(),
        root=view.route_prefix.root(request.rel_url.raw_path),
        query_with=lambda **changes: query_with(request, **changes),
        lang_query=lang_query(request, words),
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
            time.sleep(0)  # pages are rendered in a thread: let the event loop have the interpreter
    return "".join(pieces)


def query_with(request: web.Request, **changes: object) -> str:
    """The present address's query with these changes; None takes a key out."""
    query = request.rel_url.query
    kept = {key: value for key, value in query.items() if key not in changes}
    added = {key: str(value) for key, value in changes.items() if value is not None}
    return "?" + str(request.rel_url.with_query({**kept, **added}).query_string)


def html(text: str, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Language"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)
