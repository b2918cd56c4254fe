"""After a run against the wrong server: puts the right server, found by DNS, at the start of the failure's text."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from exporter.model import Endpoint, FactName, Failure, Target
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.dns.resolver import Resolver
from exporter.targets.provider_lookup import better_host, real_name

LOOK_UP = 5.0  # seconds for finding the right server of a mailbox that the configured server does not know


async def with_right_server(target: Target, failure: Failure, resolver: Resolver, trace: Trace) -> Failure:
    """Return the failure with the right server, if it is known. A password is never sent there."""
    endpoint = getattr(target.settings, "endpoint", None)
    if not isinstance(endpoint, Endpoint):
        return failure
    host, says = "", ""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_UP):
            if failure.reason is Reason.WRONG_SERVER and target.domain:
                host, says = await better_host(endpoint, target.domain, resolver.lookup)
            elif failure.reason is Reason.CERTIFICATE_NAME_MISMATCH and failure.advice is None:
                host, says = await real_name(endpoint, resolver.lookup)
    if not host:
        return failure
    trace.fact(FactName.BETTER_HOST, host)
    trace.said("#", says)
    return replace(failure, text=f"{says}\n{failure.text}")
