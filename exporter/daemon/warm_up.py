"""Loads the libraries and data that the targets of a configuration need, before the first run needs them.

In: the targets. Libraries and error signatures that only some targets use are not loaded with the program, to save
memory. It is called in a thread: loading on the event loop would stop all runs and falsify the measured times.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from exporter.diagnosis import signatures
from exporter.model import Endpoint, ProbeName, Service, Target

_CERTIFICATES = "exporter.net.certificate"
_DKIM = "dkim"
_SPOKEN = {
    ProbeName.IMAP: (Service.IMAP,),
    ProbeName.POP3: (Service.POP3,),
    ProbeName.SMTP: (Service.SMTP,),
    ProbeName.ROUNDTRIP: (Service.SMTP, Service.IMAP),
}


def warm_up(targets: Iterable[Target]) -> None:
    """Load what these targets need. Idempotent: a second call loads only what is missing."""
    servers: set[tuple[Service, tuple[str, ...]]] = set()
    for target in targets:
        import_module(_DKIM if target.probe is ProbeName.ROUNDTRIP else _CERTIFICATES)
        servers |= {(service, target.families_of(service)) for service in _services(target)}
    for service, families in sorted(servers):
        signatures.warm(service, families)


def _services(target: Target) -> tuple[Service, ...]:
    """Yield the protocols and services of a run whose replies may have to be classified."""
    endpoint = getattr(target.settings, "endpoint", None)
    if target.probe is ProbeName.TLS and isinstance(endpoint, Endpoint):
        return (endpoint.protocol,) if endpoint.protocol is not Service.HTTPS else ()
    return _SPOKEN.get(target.probe, ())
