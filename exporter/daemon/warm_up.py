"""Loads what the targets of a configuration will need, before a run waits for it.

Comes in: the targets. Libraries that only some of them use, and the signatures of their servers' families, are not
loaded with the program: a daemon that does not need them has the memory. Called in a thread, so that the event loop,
and with it every measured time, does not stand still.
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
    """Idempotent; what is there already costs nothing."""
    servers: set[tuple[Service, tuple[str, ...]]] = set()
    for target in targets:
        import_module(_DKIM if target.probe is ProbeName.ROUNDTRIP else _CERTIFICATES)
        servers |= {(service, target.families_of(service)) for service in _services(target)}
    for service, families in sorted(servers):
        signatures.warm(service, families)


def _services(target: Target) -> tuple[Service, ...]:
    """What is spoken in a run, in which a server may say words that have to be classified."""
    endpoint = getattr(target.settings, "endpoint", None)
    if target.probe is ProbeName.TLS and isinstance(endpoint, Endpoint):
        return (endpoint.protocol,) if endpoint.protocol is not Service.HTTPS else ()
    return _SPOKEN.get(target.probe, ())
