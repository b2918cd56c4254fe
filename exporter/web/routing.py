"""Adds the routes to the server: at the root, and below the route prefix if there is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from exporter.web.access.auth import from_this_account
from exporter.web.view import VIEW

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_routes(app: web.Application, routes: Sequence[web.RouteDef]) -> None:
    """Add all routes. The caller must set the view in `app` before."""
    base = app[VIEW].route_prefix.path
    if base:
        app.add_routes([web.RouteDef(each.method, base + each.path, each.handler, each.kwargs) for each in routes])
    app.add_routes(routes)


def add_front_page(app: web.Application) -> None:
    """Redirect the prefix without a trailing slash to the front page."""
    if app[VIEW].route_prefix.path:
        app.add_routes([web.get(app[VIEW].route_prefix.path, _to_front_page)])


@web.middleware
async def below_prefix(request: web.Request, handler: Handler) -> web.StreamResponse:
    """With a route prefix, serve nothing outside of it, except to the command line on the control socket."""
    prefix, path = request.app[VIEW].route_prefix, request.rel_url.raw_path
    if prefix.path and prefix.alone and not prefix.below(path) and not from_this_account(request):
        if path in ("/", prefix.path):
            return await _to_front_page(request)
        raise web.HTTPNotFound
    return await handler(request)


async def _to_front_page(request: web.Request) -> web.StreamResponse:
    raise web.HTTPFound(f"{request.app[VIEW].route_prefix.path}/")
