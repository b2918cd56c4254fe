"""The JSON API (targets, run now, service discovery) and the endpoints /-/healthy, /-/ready and /-/reload."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from aiohttp import web

from exporter.incidents.json_objects import incident_object, whole_object
from exporter.model import Result, Target, Wait
from exporter.outputs.json_objects import SCHEMA_VERSION, result_object, target_object
from exporter.outputs.ticket.render import FORMATS, render
from exporter.outputs.ticket.ticket import make
from exporter.run.scheduler import Interrupted
from exporter.web.access.origin import from_browser, may_act, own_page
from exporter.web.api.blackbox import probe
from exporter.web.api.negotiate import language, zone
from exporter.web.view import VIEW, AppView, find

AT_ONCE = 200
RELOADING: web.AppKey[asyncio.Lock] = web.AppKey("reloading")


def api(app: web.Application) -> list[web.RouteDef]:
    """Return the routes for programs, and set up what they keep between requests."""
    app[RELOADING] = asyncio.Lock()
    return [
        web.get("/probe", probe),
        web.get("/sd", discovery),
        web.get("/api/v1/targets", targets),
        web.get("/api/v1/targets/{name:.+}", target),
        web.get("/api/v1/report", report),
        web.get("/api/v1/causes", causes),
        web.get("/api/v1/incidents", incidents),
        web.post("/api/v1/run", run),
        web.get("/-/healthy", healthy),
        web.get("/-/ready", ready),
        web.post("/-/reload", reload),
        web.put("/-/reload", reload),
    ]


async def targets(request: web.Request) -> web.Response:
    """GET /api/v1/targets"""
    view = request.app[VIEW]
    by_name: dict[str, list[Target]] = {}
    for target in view.targets():
        by_name.setdefault(target.name, []).append(target)
    objects = []
    for index, probes in enumerate(by_name.values(), 1):
        objects.append(target_object(probes, _last_results(view, probes)))
        if index % AT_ONCE == 0:
            await asyncio.sleep(0)
    waiting = [{"target": name, "text": why} for name, why in view.waiting().items()]
    here = view.sharding
    shard = {"shard": {"ordinal": here.shard, "total": here.total}} if here.on else {}
    known = {"targets": objects, "waiting": waiting, "config_hash": view.config_hash()}
    return web.json_response({"schema_version": SCHEMA_VERSION, **known, **shard})


async def target(request: web.Request) -> web.Response:
    """GET /api/v1/targets/NAME"""
    view, name = request.app[VIEW], request.match_info["name"]
    probes = find(view, name)
    if not probes:
        return _error(404, f"unknown target {name!r}")
    found = target_object(probes, _last_results(view, probes))
    return web.json_response({"schema_version": SCHEMA_VERSION, "target": found})


async def causes(request: web.Request) -> web.Response:
    """GET /api/v1/causes: the causes of the current failures, widest scope first."""
    found = [whole_object(cause) for cause in request.app[VIEW].causes()]
    return web.json_response({"schema_version": SCHEMA_VERSION, "causes": found})


async def incidents(request: web.Request) -> web.Response:
    """GET /api/v1/incidents: the open ones, latest first, then those resolved in the last 15 minutes."""
    found = [incident_object(each) for each in request.app[VIEW].incidents()]
    return web.json_response({"schema_version": SCHEMA_VERSION, "incidents": found})


def _last_results(view: AppView, probes: list[Target]) -> list[Result]:
    return [result for probe in probes if (result := view.history.last(probe.key)) is not None]


async def report(request: web.Request) -> web.Response:
    """GET /api/v1/report?target=[&lang=][&tz=][&format=text|md|json]: the support ticket about a target."""
    view, query = request.app[VIEW], request.query
    name, shape = query.get("target", ""), query.get("format", "text")
    if shape not in FORMATS:
        return _error(400, f"format={shape}: must be one of {', '.join(FORMATS)}")
    if not find(view, name):
        return _error(404, f"unknown target {name!r}")
    targets, recent = list(view.targets()), view.history.recent()
    try:
        times_in = zone(query.get("tz", ""), view.time_zone)
    except ValueError as exc:
        return _error(400, f"tz: {exc}")
    spoken = language(request.headers.get("Accept-Language", ""), query.get("lang", ""))

    def write() -> str:
        made = make(name, targets, view.history, recent, time.time(), interval_of=view.interval)
        return render(made, shape, spoken, times_in)

    text = await asyncio.to_thread(write)
    return web.Response(text=text, content_type=FORMATS[shape], headers={"Cache-Control": "no-store"})


async def run(request: web.Request) -> web.Response:
    """POST /api/v1/run?target=&probe=[&wait=]: run a probe now.

    The limits apply and, unless `force=1`, the login guard.
    """
    if not may_act(request):
        return _error(403, "refused: a program sends the header X-Mailprobe: 1; a browser asks from a page of ours")
    view, name = request.app[VIEW], request.query.get("target", "")
    wanted = [t for t in find(view, name) if t.probe == request.query.get("probe", "")]
    if not wanted:
        return _error(404, f"unknown target {name!r} or probe {request.query.get('probe', '')!r}")
    wait = request.query.get("wait", "late")
    if wait not in set(Wait):
        return _error(400, f"wait={wait}: must be one of {', '.join(Wait)}")
    force = request.query.get("force") == "1" and request.headers.get("X-Mailprobe") == "1"
    try:
        result = await view.run_now(name, wanted[0].probe, wait=Wait(wait), force=force)
    except Interrupted as exc:
        return _error(503, str(exc))
    if result is None:
        return _error(404, f"unknown target {name!r}")
    return web.json_response(result_object(result))


async def discovery(request: web.Request) -> web.Response:
    """GET /sd: http_sd for /probe. The labels contain all parameters, so that a scrape config needs no relabeling."""
    view = request.app[VIEW]
    address = urlsplit(view.external_url) if view.external_url else None
    groups = []
    for found in view.targets():
        labels = {
            "__metrics_path__": f"{address.path.rstrip('/') if address else view.route_prefix.path}/probe",
            "__param_target": found.name,
            "__param_module": str(found.probe),
            "instance": found.name,
            "target": found.name,
            "probe": str(found.probe),
            "kind": str(found.kind),
            "provider": found.provider,
            "domain": found.domain,
        }
        if scheme := address.scheme if address else "https" * request.secure:
            labels["__scheme__"] = scheme
        groups.append({"targets": [address.netloc if address else request.host], "labels": labels})
    return web.json_response(groups)


async def healthy(request: web.Request) -> web.Response:
    """Answer that the daemon is running. Does not depend on the mail services."""
    del request
    return web.Response(text="mailprobe is healthy.\n")


async def ready(request: web.Request) -> web.Response:
    if request.app[VIEW].ready():
        return web.Response(text="mailprobe is ready.\n")
    return web.Response(text="mailprobe is not ready yet.\n", status=503)


async def reload(request: web.Request) -> web.Response:
    """POST or PUT /-/reload. If files are invalid, they are refused and the previous configuration stays in use."""
    if from_browser(request) and not own_page(request):
        return web.Response(text="refused: asked by another web site\n", status=403)
    async with request.app[RELOADING]:
        error = await request.app[VIEW].reload()
    if error is None:
        return web.Response(text="the config was reloaded\n")
    return web.Response(text=f"{error}\n", status=500)


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status)
