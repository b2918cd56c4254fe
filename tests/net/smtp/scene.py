"""Runs the SMTP session against a script, for the tests of its commands and of its robustness."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from exporter.model import Endpoint, Security, Service
from exporter.model.trace import Trace
from exporter.net.smtp.session import SmtpSession
from tests.net.lines_server import Script, scripted

GREETING = "220 mail.example.test ESMTP"
PASSWORD = "canary p4ss\\word"
ENDPOINT = Endpoint("127.0.0.1", 587, Security.STARTTLS, Service.SMTP)


def text_of(trace: Trace) -> str:
    return "\n".join(line.text for line in trace.lines)


async def run(script: Script, steps: Callable[[SmtpSession], Awaitable[None]], **options: Any) -> Trace:
    """Run `steps(session)` against `script` and return the trace."""
    trace = Trace()
    async with scripted(script, trace) as wire:
        await steps(SmtpSession(wire, trace, **options))
    return trace
