"""The endpoint /probe?target=&module=: results of a configured target under the metric names of blackbox_exporter.

Existing dashboards for blackbox_exporter work with it.
"""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from exporter.model import FactName, Outcome, Phase, ProbeName, Result, Target
from exporter.outputs.metrics.exposition import label, number
from exporter.run.scheduler import Interrupted
from exporter.web.api.negotiate import TEXT
from exporter.web.api.run_log import log_text
from exporter.web.view import VIEW, AppView, find

LONGEST_WAIT = 120.0  # seconds; Prometheus sends its own, shorter timeout

HELP = {
    "probe_success": "Displays whether or not the probe was a success",
    "probe_duration_seconds": "Returns how long the probe took to complete in seconds",
    "probe_dns_lookup_time_seconds": "Returns the time taken for probe dns lookup in seconds",
    "probe_ip_protocol": "Specifies whether probe ip protocol is IP4 or IP6",
    "probe_ssl_earliest_cert_expiry": "Returns last SSL chain expiry in unixtime",
    "probe_ssl_last_chain_expiry_timestamp_seconds": "Returns last SSL chain expiry in timestamp",
    "probe_ssl_last_chain_info": "Contains SSL leaf certificate information",
    "probe_tls_version_info": "Returns the TLS version used or NaN when unknown",
    "probe_tls_cipher_info": "Returns the TLS cipher negotiated during handshake",
    "probe_http_status_code": "Response HTTP status code",
    "probe_http_ssl": "Indicates if SSL was used for the final redirect",
}


async def probe(request: web.Request) -> web.Response:
    """Return the last result if it is younger than the interval, else run the probe, unless it sends mail."""
    view = request.app[VIEW]
    target = _wanted(view, request.query.get("target", ""), request.query.get("module", ""))
    result = view.history.last(target.key)
    if target.probe is not ProbeName.ROUNDTRIP and (result is None or _age(result) >= view.interval(target)):
        result = await run_within(view, target, _patience(request, view.timeout_offset)) or result
    if result is None:
        return _text(f"no run of {target.probe} for {target.name} has finished yet\n", status=503)
    verdict = view.history.last_conclusive(target.key)
    body = blackbox_text(result, verdict)
    if request.query.get("debug") == "true":
        body = f"Logs for the probe:\n{log_text(result)}\n\n\nMetrics that would have been returned:\n{body}"
        response = _text(body)
    else:
        response = web.Response(body=body.encode(), headers={"Content-Type": TEXT})
    response.headers["X-Mailprobe-Age"] = f"{max(_age(result), 0):.3f}"
    return response


def _text(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status)


def _age(result: Result) -> float:
    return time.time() - result.started


def _wanted(view: AppView, name: str, module: str) -> Target:
    """Return the configured target. Never probes a host that the request names. Raises HTTPBadRequest."""
    if not name:
        raise web.HTTPBadRequest(text="the parameter target is missing: the name of a configured target\n")
    probes = {target.probe: target for target in find(view, name)}
    if not probes:
        raise web.HTTPBadRequest(text=f"unknown target {name!r}: only configured names can be probed\n")
    if not module and len(probes) == 1:
        return next(iter(probes.values()))
    for probe_name, target in probes.items():
        if probe_name == module:
            return target
    raise web.HTTPBadRequest(text=f"unknown module {module!r} for {name!r}: it has {', '.join(sorted(probes))}\n")


def _patience(request: web.Request, offset: float) -> float:
    """Return the seconds that the response may take, from the scrape timeout in the header of Prometheus."""
    try:
        told = float(request.headers.get("X-Prometheus-Scrape-Timeout-Seconds", ""))
    except ValueError:
        return LONGEST_WAIT
    return min(max(told - offset, 0.1), LONGEST_WAIT) if told > 0 else LONGEST_WAIT


async def run_within(view: AppView, target: Target, patience: float) -> Result | None:
    """Run the probe; None if it does not finish in `patience` seconds.

    A late run is not cancelled: its result goes to the history.
    """
    task = asyncio.ensure_future(view.run_now(target.name, target.probe))
    done, _ = await asyncio.wait({task}, timeout=patience)
    if not done:
        _unfinished.add(task)
        task.add_done_callback(_settle)
        return None
    try:
        return task.result()
    except Interrupted:
        return None


_unfinished: set[asyncio.Future[Result | None]] = set()
"""References to the late runs, because the event loop has only weak references to its tasks."""


def _settle(task: asyncio.Future[Result | None]) -> None:
    _unfinished.discard(task)
    if not task.cancelled():
        task.exception()  # marks the exception as retrieved: the scheduler has logged it already


def blackbox_text(result: Result, verdict: Result | None) -> str:
    """Return metrics with the names of blackbox_exporter.

    Without a conclusive verdict there is no probe_success.
    """
    samples: list[tuple[str, str, float]] = []
    if verdict is not None:
        samples.append(("probe_success", "", verdict.outcome is Outcome.OK))
    samples.append(("probe_duration_seconds", "", result.duration))
    phases = dict(result.phases)
    samples.append(("probe_dns_lookup_time_seconds", "", phases.get(Phase.RESOLVE, 0.0)))
    family = result.fact(FactName.FAMILY)
    if family is not None:
        samples.append(("probe_ip_protocol", "", 6 if family == "ipv6" else 4))
    samples += _tls_samples(result)
    status = result.fact(FactName.HTTP_STATUS)
    if status is not None and not isinstance(status, str):
        samples += [("probe_http_status_code", "", status), ("probe_http_ssl", "", 1)]
    return "".join(
        f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n{name}{labels and '{' + labels + '}'} {number(value)}\n"
        for name, labels, value in samples
    )


def _tls_samples(result: Result) -> list[tuple[str, str, float]]:
    samples: list[tuple[str, str, float]] = []
    leaf, chain = (result.fact(name) for name in (FactName.CERT_NOT_AFTER, FactName.CHAIN_NOT_AFTER))
    expiries = [value for value in (leaf, chain) if value is not None and not isinstance(value, str)]
    if expiries:
        samples.append(("probe_ssl_earliest_cert_expiry", "", min(expiries)))
        if result.fact(FactName.CERT_VALID) == 1:
            samples.append(("probe_ssl_last_chain_expiry_timestamp_seconds", "", min(expiries)))
    info = (
        ("fingerprint_sha256", FactName.CERT_FINGERPRINT),
        ("issuer", FactName.CERT_ISSUER),
        ("subject", FactName.CERT_SUBJECT),
        ("subjectalternative", FactName.CERT_NAMES),
    )
    if result.fact(FactName.CERT_FINGERPRINT) is not None:
        labels = ",".join([label(name, str(result.fact(fact) or "")) for name, fact in info])
        samples.append(("probe_ssl_last_chain_info", labels, 1))
    version, cipher = result.fact(FactName.TLS_VERSION), result.fact(FactName.TLS_CIPHER)
    if version is not None:
        samples.append(("probe_tls_version_info", label("version", str(version).replace("TLSv", "TLS ")), 1))
    if cipher is not None:
        samples.append(("probe_tls_cipher_info", label("cipher", str(cipher)), 1))
    return samples
