"""What one run does: one module (or folder) per probe, and their registry `PROBES`.

Step "probe" of the flow. In: the probe's Settings, a Context and a Trace. A probe writes facts and transcript lines
into the Trace and raises an exception if something fails. It returns nothing, catches nothing that a user should see,
and uses nothing outside its arguments.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from exporter.model import ProbeName
from exporter.model.trace import Trace
from exporter.probes import dns, imap, pop3, smtp, tls, webmail
from exporter.probes.context import Context
from exporter.probes.roundtrip import trip

# The first argument is the probe's own Settings; the runner passes on what the package `targets` built.
Probe = Callable[[Any, Context, Trace], Awaitable[None]]

PROBES: Mapping[ProbeName, Probe] = {
    ProbeName.DNS: dns.probe,
    ProbeName.TLS: tls.probe,
    ProbeName.IMAP: imap.probe,
    ProbeName.POP3: pop3.probe,
    ProbeName.SMTP: smtp.probe,
    ProbeName.ROUNDTRIP: trip.probe,
    ProbeName.WEBMAIL: webmail.probe,
}
