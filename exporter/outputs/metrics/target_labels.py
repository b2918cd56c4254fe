"""The labels of a target's series: target, route, server or domain, depending on the metric. No I/O.

Labels that several series of a target have in common are rendered once, as the start of their label list.
"""

from __future__ import annotations

from exporter.model import Endpoint, ProbeName, Target
from exporter.model.names import RESERVED_LABELS
from exporter.outputs.metrics import families as table
from exporter.outputs.metrics.exposition import label, labels, number
from exporter.outputs.metrics.family import Subject


def endpoints(target: Target) -> tuple[Endpoint, ...]:
    """Return the servers that a target's settings name."""
    endpoint = getattr(target.settings, "endpoint", None)
    return (endpoint,) if isinstance(endpoint, Endpoint) else ()


def prefixes(target: Target, alert_labels: tuple[str, ...]) -> dict[Subject, str]:
    """Return the first labels of each series, by the subject of its metric."""
    configured = dict(target.labels)
    extra = tuple((name, configured.get(name, "")) for name in alert_labels if name not in RESERVED_LABELS)
    own = (("target", target.name), ("kind", target.kind), ("provider", target.provider), ("domain", target.domain))
    start, end = target.route or ("", "")
    found = {
        Subject.TARGET: labels((*own, *extra)),
        Subject.ROUTE: labels((*own, *extra, ("from", start), ("to", end))),
        Subject.DOMAIN: labels((("domain", target.domain), ("provider", target.provider))),
        Subject.RECORD: label("domain", target.domain),
    }
    for endpoint in endpoints(target):
        found[Subject.ENDPOINT] = labels(
            (
                ("protocol", endpoint.protocol),
                ("server", endpoint.host),
                ("port", str(endpoint.port)),
                ("family", endpoint.family),
                ("provider", target.provider),
            )
        )
    return found


def shared_prefix(found: dict[Subject, str], probe: ProbeName) -> str:
    """Return the labels of the series without `target`: two targets with the same labels must not both show them."""
    subject = {ProbeName.TLS: Subject.ENDPOINT, ProbeName.DNS: Subject.DOMAIN}.get(probe)
    return found.get(subject, "") if subject is not None else ""


def identity(target: Target, alert_labels: tuple[str, ...]) -> tuple[tuple[Subject, str], ...]:
    """Return the identity of the series. If it changes, they are new series and their counters start again."""
    return tuple(sorted(prefixes(target, alert_labels).items()))


def target_info(target: Target, alert_labels: tuple[str, ...]) -> str:
    """Return the line of target_info, with every configured label."""
    others = tuple(
        (name, value) for name, value in target.labels if name not in RESERVED_LABELS and name not in alert_labels
    )
    own = prefixes(target, alert_labels)[Subject.TARGET]
    text = ",".join([own, *(label(name, value) for name, value in others)])
    return f"{table.TARGET_INFO.full_name}{{{text}}} {number(1)}\n"
