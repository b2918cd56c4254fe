"""One row of the table of metrics: its name, type, labels, and where its values come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from exporter.model import FactName, ProbeName


class Shape(StrEnum):
    """The metric type, as written in the TYPE line of OpenMetrics."""

    GAUGE = "gauge"
    COUNTER = "counter"
    INFO = "info"
    HISTOGRAM = "histogram"


class Subject(StrEnum):
    """The object that a series describes. It decides the first labels of the series."""

    TARGET = "target"
    ROUTE = "route"
    ENDPOINT = "endpoint"
    DOMAIN = "domain"
    RECORD = "record"
    PROVIDER = "provider"
    OUTAGE = "outage"
    SELF = "self"


BASE_LABELS: dict[Subject, tuple[str, ...]] = {
    Subject.TARGET: ("target", "kind", "provider", "domain"),  # followed by the alert_labels
    Subject.ROUTE: ("target", "kind", "provider", "domain"),  # followed by the alert_labels, from and to
    Subject.ENDPOINT: ("protocol", "server", "port", "family", "provider"),
    Subject.DOMAIN: ("domain", "provider"),
    Subject.RECORD: ("domain",),
    Subject.PROVIDER: ("probe", "provider"),
    Subject.OUTAGE: ("scope", "server", "provider", "domain"),  # followed by the alert_labels that all targets share
    Subject.SELF: (),
}


@dataclass(frozen=True, slots=True, eq=False)
class MetricFamily:
    """One row of the table. Compared by identity, so that hashing it as a dictionary key is cheap."""

    name: str  # without the prefix mailprobe_, with the suffix (_total, _info) of its samples
    shape: Shape
    subject: Subject
    help: str
    labels: tuple[str, ...] = ()  # added after the labels of the subject
    fact: FactName | None = None  # the fact that provides the value
    probe: ProbeName | None = None  # the only probe that provides the fact; None = any
    standing: bool = False  # a gauge that does not depend on a run: exported from loading on, never withdrawn
    kept: bool = False  # the last value is kept if a run does not provide the fact
    fleeting: bool = False  # a standing gauge that may be absent after some runs
    replaced_by: str = ""  # set if deprecated: the name of the metric that has the same values
    buckets: tuple[float, ...] = ()
    full_name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "full_name", f"mailprobe_{self.name}")

    @property
    def withdrawn(self) -> bool:
        """Whether its series are removed when the last result is stale."""
        return self.shape in (Shape.GAUGE, Shape.INFO) and not self.standing and self.subject is not Subject.SELF
