"""The webmail probe: requests a web page over HTTPS and checks status and certificate. It never logs in."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.model import Endpoint, FactName, Phase, Service
from exporter.model.errors import ProbeError, Refusal
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.dial import dial
from exporter.net.http import Head, get, without_query
from exporter.net.tls import note_certificates
from exporter.probes.context import Context

HTTPS = 443


@dataclass(frozen=True, slots=True)
class Settings:
    """The page to request."""

    endpoint: Endpoint
    page: str = "/"  # path and query
    expect_status: tuple[int, ...] = (200,)


async def probe(settings: Settings, context: Context, trace: Trace, /) -> None:
    """Connect, do the handshake, send one GET, check the status. Redirects are not followed: their status counts."""
    endpoint = settings.endpoint
    async with await dial(endpoint, context.resolver, context.contexts, trace) as wire:
        if wire.tls is not None:
            trace.fact(FactName.CERT_VALID, 1)
            note_certificates(wire.tls, trace)
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        with trace.phase(Phase.HTTP):
            head = await get(wire, host if endpoint.port == HTTPS else endpoint.name, settings.page, trace)
            trace.fact(FactName.HTTP_STATUS, head.status)
            if location := head.field("location"):
                trace.fact(FactName.HTTP_LOCATION, without_query(location))
            if head.status not in settings.expect_status:
                text = _words(head, settings)
                if head.status < 300:  # not an error status, only another one than expected
                    raise ProbeError(Reason.HTTP_STATUS, text)
                raise Refusal(Service.HTTPS, str(head.status), text)


def _words(head: Head, settings: Settings) -> str:
    """Return the status line, the target of a redirect, and what was expected."""
    wanted = ", ".join(str(status) for status in settings.expect_status)
    parts = [head.line]
    if 300 <= head.status < 400 and (location := head.field("location")):
        parts.append(f"Location: {without_query(location)}")
    if after := head.field("retry-after"):
        parts.append(f"Retry-After: {after[:40]}")
    return "\n".join([*parts, f"(expect_status: {wanted})"])
