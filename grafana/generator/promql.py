"""Selectors that name only metrics which exist, filtered by every variable whose label the metric has.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from exporter.outputs.metrics.families import BASE_LABELS, FAMILIES, MetricFamily, Shape, Subject

_FAMILIES = {family.full_name: family for family in FAMILIES}
_HISTOGRAM_SUFFIXES = ("_bucket", "_sum", "_count")

OURSELVES = 'job=~"$job", instance=~"$instance"'
OWNER = "job, target"
LOGINS = "~imap|pop3|smtp"
HOUR = "1h"  # beats are minutes apart: a shorter window holds no event at most points


def labels_of(family: MetricFamily) -> tuple[str, ...]:
    """The labels of a family, without job and instance."""
    ends = ("from", "to") if family.subject is Subject.ROUTE else ()
    return (*BASE_LABELS[family.subject], *ends, *family.labels)


def family_of(name: str) -> MetricFamily:
    """The family that a series of this full name belongs to. Raises KeyError."""
    if name in _FAMILIES:
        return _FAMILIES[name]
    for suffix in _HISTOGRAM_SUFFIXES:
        family = _FAMILIES.get(name.removesuffix(suffix))
        if family and family.shape is Shape.HISTOGRAM:
            return family
    raise KeyError(f"there is no metric {name}")


def series(name: str, **matchers: str) -> str:
    """A selector of `mailprobe_NAME`. A matcher's value may begin with ~ (pattern) or ! (is not)."""
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
    """A selector of a metric that Prometheus or the client library makes."""
    return f"{name}{{{OURSELVES}}}"


def counted(name: str, labels: str, window: str = "$__rate_interval", **matchers: str) -> str:
    """How often something happened, over all replicas."""
    return f"sum by ({labels}) (increase({series(name, **matchers)}[{window}]))"


def quantile(name: str, labels: str, share: float, window: str) -> str:
    """The value that this share of a histogram's observations does not exceed."""
    return f"histogram_quantile({share}, sum by ({labels}, le) (rate({series(f'{name}_bucket')}[{window}])))"


def verdict(labels: str, **matchers: str) -> str:
    """1 works, 0 fails, between: replicas disagree. Of several probes the worst."""
    told = series("probe_success", **matchers)
    unclear = series("probe_inconclusive", **matchers)
    # Not by provider or domain: replicas may have recognised different ones. A replica whose last run could tell
    # nothing has no vote while another can.
    votes = f"avg by ({OWNER}, probe) ({told} unless on (job, instance, target, probe) {unclear} == 1)"
    return f"min by ({labels}) ({votes} or avg by ({OWNER}, probe) ({told}))"


def failing(labels: str, **matchers: str) -> str:
    """1 where most replicas say that it fails, else 0: something that can be summed."""
    return f"({verdict(labels, **matchers)} < bool 0.5)"


def once_failed(labels: str, **matchers: str) -> str:
    """`verdict` of those alone that have failed within the time range."""
    lowest = f"min_over_time({series('probe_success', **matchers)}[$__range] @ end())"
    return f"{verdict(labels, **matchers)} and on ({labels}) (min by ({labels}) ({lowest}) == 0)"


def availability(labels: str, window: str, **matchers: str) -> str:
    """The share of the time in which it worked, as the error budget counts it."""
    return f"avg by ({labels}) (avg_over_time({series('probe_success', **matchers)}[{window}]))"


def quota(kind: str = "bytes") -> str:
    """How full a mailbox is, 0 to 1, as the alerts judge it."""
    used, limit = series(f"quota_used_{kind}"), series(f"quota_limit_{kind}")
    return f"avg by ({OWNER}, quota_root) ({used} / ({limit} > 0))"


def days_left(name: str, labels: str) -> str:
    """Until a certificate ends; of what replicas saw the latest, as the alerts do: one may not know the renewed one."""
    return f"(max by ({labels}) ({series(name)}) - time()) / 86400"
