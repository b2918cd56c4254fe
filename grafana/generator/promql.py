"""PromQL selectors that only use existing metrics, filtered by each variable whose label the metric has.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from exporter.outputs.metrics.families import FAMILIES
from exporter.outputs.metrics.family import BASE_LABELS, MetricFamily, Shape, Subject

_FAMILIES = {family.full_name: family for family in FAMILIES}
_HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")

OURSELVES = 'job=~"$job", instance=~"$instance"'
OWNER = "job, target"
LOGINS = "~imap|pop3|smtp"
HOUR = "1h"  # intervals are minutes long: with a shorter window most points would have no event


def labels_of(family: MetricFamily) -> tuple[str, ...]:
    """Return the labels of a family, without job and instance."""
    ends = ("from", "to") if family.subject is Subject.ROUTE else ()
    return (*BASE_LABELS[family.subject], *ends, *family.labels)


def family_of(name: str) -> MetricFamily:
    """Return the family of a series with this full name. Raises KeyError."""
    if name in _FAMILIES:
        return _FAMILIES[name]
    for suffix in _HISTOGRAM_SUFFIXES:
        family = _FAMILIES.get(name.removesuffix(suffix))
        if family and family.shape is Shape.HISTOGRAM:
            return family
    raise KeyError(f"there is no metric {name}")


def series(name: str, **matchers: str) -> str:
    """Return a selector of `mailprobe_NAME`. The value of a matcher may begin with ~ (pattern) or ! (is not)."""
    full = f"mailprobe_{name}"
    labels = labels_of(family_of(full))
    parts = [OURSELVES]
    fixed = {name for name, value in matchers.items() if not value.startswith("!")}
    chosen = [name for name in ("provider", "target", "probe") if name in labels and name not in fixed]
    parts += [f'{name}=~"${name}"' for name in chosen]
    for label, value in matchers.items():
        if label not in labels:
            raise KeyError(f"{full} has no label {label}")
        operator = {"~": "=~", "!": "!="}.get(value[:1], "=")
        parts.append(f'{label}{operator}"{value.lstrip("~!")}"')
    return f"{full}{{{', '.join(parts)}}}"


def foreign(name: str) -> str:
    """Return a selector of a metric that comes from Prometheus or the client library."""
    return f"{name}{{{OURSELVES}}}"


def counted(name: str, labels: str, window: str = "$__rate_interval", **matchers: str) -> str:
    """Return how often something happened, on all replicas together."""
    return f"sum by ({labels}) (increase({series(name, **matchers)}[{window}]))"


def quantile(name: str, labels: str, share: float, window: str) -> str:
    """Return the quantile `share` of a histogram."""
    return f"histogram_quantile({share}, sum by ({labels}, le) (rate({series(f'{name}_bucket')}[{window}])))"


def verdict(labels: str, **matchers: str) -> str:
    """Return the state: 1 works, 0 fails, between: replicas disagree. With several probes, the worst state."""
    told = series("probe_success", **matchers)
    unclear = series("probe_inconclusive", **matchers)
    # Not grouped by provider or domain: replicas may have recognised different ones. A replica whose last run was
    # inconclusive is not counted if another replica has a result.
    votes = f"avg by ({OWNER}, probe) ({told} unless on (job, instance, target, probe) {unclear} == 1)"
    return f"min by ({labels}) ({votes} or avg by ({OWNER}, probe) ({told}))"


def failing(labels: str, **matchers: str) -> str:
    """Return 1 if it fails on most replicas, else 0, so that the values can be added."""
    return f"({verdict(labels, **matchers)} < bool 0.5)"


def once_failed(labels: str, **matchers: str) -> str:
    """Return `verdict` for those that failed within the time range."""
    lowest = f"min_over_time({series('probe_success', **matchers)}[$__range] @ end())"
    return f"{verdict(labels, **matchers)} and on ({labels}) (min by ({labels}) ({lowest}) == 0)"


def availability(labels: str, window: str, **matchers: str) -> str:
    """Return the share of time in which it worked, as the error budget counts it."""
    return f"avg by ({labels}) (avg_over_time({series('probe_success', **matchers)}[{window}]))"


def quota(kind: str = "bytes") -> str:
    """Return how full a mailbox is, 0 to 1, as in the alerts."""
    used, limit = series(f"quota_used_{kind}"), series(f"quota_limit_{kind}")
    return f"avg by ({OWNER}, quota_root) ({used} / ({limit} > 0))"


def days_left(name: str, labels: str) -> str:
    """Return the days until a certificate expires.

    As in the alerts, it is the latest that a replica has seen: one replica may not have seen the renewed certificate.
    """
    return f"(max by ({labels}) ({series(name)}) - time()) / 86400"
