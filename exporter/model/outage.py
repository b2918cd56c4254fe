"""Outage: what many targets have in common that fail for one cause, from its first failure until after its end."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.model.names import Scope
from exporter.model.target import Labels


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage of a server, provider, domain, or of our own network.

    Its labels do not depend on which targets fail at the moment, so that one outage stays one series and one alert.
    """

    scope: Scope
    server: str = ""  # the host, if the scope is a host
    provider: str = ""  # if the scope is a provider, or if it is that of all targets of the host
    domain: str = ""  # if the scope is a domain, or if the mailboxes of the host are all mailboxes of that domain
    labels: Labels = ()  # the alert labels that are the same for all targets there
    targets: int = 0  # number of targets that fail; 0 after the end
    start: float = 0.0  # Unix time at which the first failed run started
    end: float = 0.0  # Unix time at which the run started that found the last target working; 0 while it lasts
