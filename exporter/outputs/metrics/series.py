"""The values of one (target, probe) for its metrics, and the lines of /metrics rendered from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice

from exporter.model import Fact, FactName, Outcome, Phase, ProbeName, Result, Target
from exporter.model.reasons import Reason, about
from exporter.model.staleness import lifetime
from exporter.model.standing import LOGIN_PROBES, Standing
from exporter.outputs.metrics import families as table
from exporter.outputs.metrics.exposition import Histogram, label, labels, number
from exporter.outputs.metrics.families import FAMILIES, SERVER_WORDS
from exporter.outputs.metrics.family import MetricFamily, Shape, Subject
from exporter.outputs.metrics.target_labels import endpoints, identity, prefixes, shared_prefix

CERTIFICATE_ONLY = frozenset(
    {
        Reason.CERTIFICATE_EXPIRED,
        Reason.CERTIFICATE_NOT_YET_VALID,
        Reason.CERTIFICATE_NAME_MISMATCH,
        Reason.CERTIFICATE_UNTRUSTED,
    }
)
MAX_SERVER_WORDS = 8  # limit of distinct values of a label in SERVER_WORDS, for one metric of one target
MAX_WORD = 64

FACT_GAUGES: dict[ProbeName, tuple[MetricFamily, ...]] = {
    probe: tuple(f for f in FAMILIES if f.fact is not None and f.shape is Shape.GAUGE and f.probe in (probe, None))
    for probe in ProbeName
}
EVENT_COUNTERS = tuple(f for f in FAMILIES if f.fact is not None and f.shape is Shape.COUNTER)
KEPT_FACTS = frozenset(f.fact for f in FAMILIES if f.kept)
SHOWN_FACTS = frozenset(f.fact for f in FAMILIES) | {FactName.TLS_VERSION, FactName.TLS_CIPHER}


class Series:
    """The counters and the last verdict of one (target, probe). `render()` is called once per recorded result."""

    __slots__ = (
        "_attempts",
        "_events",
        "_fact_lines",
        "_facts",
        "_facts_shown",
        "_failure",
        "_failures",
        "_fixed",
        "_fixed_for",
        "_inconclusive",
        "_last",
        "_prefixes",
        "_probe",
        "_refused",
        "_roundtrip",
        "_runs",
        "_standing",
        "_success",
        "_up",
        "alert_labels",
        "expires",
        "identity",
        "interval",
        "leads",
        "shared",
        "stale",
        "target",
    )

    def __init__(self, target: Target, alert_labels: tuple[str, ...]) -> None:
        self.target = target
        self.alert_labels = alert_labels
        self.interval = target.interval
        self.leads = True  # of several targets with the same endpoint or domain, only one exports these series
        self._prefixes = prefixes(target, alert_labels)
        self.shared = shared_prefix(self._prefixes, target.probe)
        self.identity = identity(target, alert_labels)
        self.expires = 0.0  # Unix time at which the result becomes stale; 0 = there is none
        self.stale = False  # the last result is too old to be exported
        self._runs = self._failures = self._inconclusive = self._attempts = self._refused = 0
        self._events: dict[MetricFamily, int] = {}
        self._roundtrip = Histogram(table.ROUNDTRIP_SECONDS) if target.probe is ProbeName.ROUNDTRIP else None
        self._last: Result | None = None
        self._success: bool | None = None
        self._standing = Standing()
        self._up = False
        self._failure: tuple[str, Reason] | None = None
        self._facts: dict[tuple[FactName, tuple[str, ...]], float | str] = {}
        self._probe = label("probe", target.probe)
        self._fixed_for: tuple[Target, float, bool] | None = None
        self._fixed: dict[MetricFamily, bytes] = {}
        self._facts_shown: dict[tuple[FactName, tuple[str, ...]], float | str] = {}
        self._fact_lines: dict[MetricFamily, bytes] = {}

    @property
    def own_labels(self) -> str:
        """The labels at the start of every series of the target."""
        return self._prefixes[Subject.TARGET]

    def restore(self, standing: Standing) -> None:
        """Take over what was known before a restart."""
        self._standing = standing

    def absorb(self, result: Result) -> None:
        """Count a result and store its values."""
        self._last = result
        self.stale = False
        self.expires = result.started + result.duration + lifetime(self.interval)
        self._runs += 1
        self._attempts += result.login_attempted
        self._refused += result.login_refused
        if result.outcome is Outcome.INCONCLUSIVE:
            self._inconclusive += 1  # gives no information: the known values stay
        else:
            self._judge(result)
            self._facts = {key: value for key, value in self._facts.items() if key[0] in KEPT_FACTS}
        if result.outcome is not Outcome.INCONCLUSIVE or not self.shared:
            self._take(result.facts)  # else a fault on our side would be shown as one of the server or domain
        if self._roundtrip is not None:
            self._count_messages(result, self._roundtrip)

    def _judge(self, result: Result) -> None:
        self._success = result.outcome is Outcome.OK
        self._standing.look(result)
        if self._success:
            self._failure = None
            self._up = True
            return
        self._failures += 1
        phase, reason = "", Reason.UNKNOWN
        if result.failure is not None:
            phase, reason = result.failure.phase or "", result.failure.reason
        self._failure = (phase, reason)
        self._up = reason in CERTIFICATE_ONLY

    def _take(self, facts: tuple[Fact, ...]) -> None:
        renewed: set[FactName] = set()
        for fact in facts:
            if fact.name not in SHOWN_FACTS:
                continue
            if fact.name in KEPT_FACTS and fact.name not in renewed:
                renewed.add(fact.name)
                self._facts = {key: value for key, value in self._facts.items() if key[0] is not fact.name}
            self._facts[fact.name, fact.labels] = fact.value

    def _count_messages(self, result: Result, histogram: Histogram) -> None:
        for fact in result.facts:
            if isinstance(fact.value, str):
                continue
            if fact.name is FactName.ROUNDTRIP_RECEIVED:
                histogram.observe(fact.value, result.probe_id, result.started + result.duration)
            for family in EVENT_COUNTERS:
                if family.fact is fact.name:
                    count = 1 if fact.name is FactName.ROUNDTRIP_RECEIVED else int(fact.value)
                    self._events[family] = self._events.get(family, 0) + count

    def render(self) -> dict[MetricFamily, bytes]:
        """Return all lines by family. They are the same in both formats, except for the histogram's exemplars.

        Facts seldom change between two runs, so their lines are rendered again only after a change.
        """
        setting = (self.target, self.interval, self.leads)
        if setting != self._fixed_for:
            self._fixed_for = setting
            self._fixed = self._lines(self._fixed_samples())
            self._fact_lines = {}
            self._facts_shown = {}
        lines = self._fixed | self._lines(self._samples())
        if self._last is not None and not self.stale:
            if self._facts != self._facts_shown:
                self._facts_shown = self._facts.copy()
                self._fact_lines = self._lines(self._fact_samples())
            lines |= self._fact_lines
        if self._roundtrip is not None:
            lines[table.ROUNDTRIP_SECONDS] = self.render_histogram(openmetrics=False).encode()
        return lines

    def _lines(self, samples: Iterable[tuple[MetricFamily, str, float]]) -> dict[MetricFamily, bytes]:
        lines: dict[MetricFamily, str] = {}
        prefixes = self._prefixes
        for family, own, value in samples:
            subject = family.subject
            if self.leads or subject is Subject.TARGET or subject is Subject.ROUTE:
                prefix = prefixes[subject]
                line = f"{family.full_name}{{{prefix}{',' if own else ''}{own}}} {number(value)}\n"
                lines[family] = lines[family] + line if family in lines else line
        return {family: text.encode() for family, text in lines.items()}

    def render_histogram(self, *, openmetrics: bool) -> str:
        """Return the lines of roundtrip_seconds; "" if the target is not a route."""
        if self._roundtrip is None:
            return ""
        return self._roundtrip.render(self._prefixes[Subject.ROUTE], openmetrics=openmetrics)

    # The generators below yield: family, labels in addition to those of its subject, value.

    def _fixed_samples(self) -> Iterator[tuple[MetricFamily, str, float]]:
        """Yield the samples that only a reload changes."""
        yield table.PROBE_INTERVAL, self._probe, self.interval
        if self._roundtrip is not None:
            late_after = getattr(self.target.settings, "late_after", None)
            if isinstance(late_after, int | float):
                yield table.ROUNDTRIP_DEADLINE, "", late_after
        for endpoint in endpoints(self.target):
            pairs = (("protocol", endpoint.protocol), ("server", endpoint.host), ("port", str(endpoint.port)))
            yield table.ENDPOINT_INFO, labels(pairs), 1

    def _samples(self) -> Iterator[tuple[MetricFamily, str, float]]:
        """Yield the samples that each run may change."""
        probe = self._probe
        yield table.PROBES, probe, self._runs
        yield table.PROBE_FAILURES, probe, self._failures
        yield table.PROBES_INCONCLUSIVE, probe, self._inconclusive
        if self.target.probe in LOGIN_PROBES:
            yield table.LOGIN_ATTEMPTS, probe, self._attempts
            yield table.LOGIN_REFUSED, probe, self._refused
        if self._roundtrip is not None:
            for family in EVENT_COUNTERS:
                yield family, "", self._events.get(family, 0)
        if self._last is not None:
            yield table.LAST_RUN, probe, self._last.started
            if not self.stale:
                yield from self._result_samples(self._last, probe)
        standing = self._standing
        if standing.last_success:
            yield table.LAST_SUCCESS, probe, standing.last_success
        for spell, start, end, own in (
            (standing.failure, table.FAILURE_START, table.FAILURE_END, probe),
            (standing.login, table.LOGIN_FAILURE_START, table.LOGIN_FAILURE_END, probe),
            (standing.domain, table.DNS_FAILURE_START, table.DNS_FAILURE_END, ""),
        ):
            if spell.start:
                yield start, own, spell.start
            if spell.end:
                yield end, own, spell.end

    def _result_samples(self, result: Result, probe: str) -> Iterator[tuple[MetricFamily, str, float]]:
        if self._success is not None:
            yield table.PROBE_SUCCESS, probe, self._success
            if self.target.probe is ProbeName.TLS:
                yield table.ENDPOINT_UP, "", self._up
        yield table.PROBE_INCONCLUSIVE, probe, result.outcome is Outcome.INCONCLUSIVE
        if self._failure is not None:
            phase, reason = self._failure
            why = labels((("phase", phase), ("reason", reason), ("layer", about(reason).layer)))
            yield table.PROBE_FAILURE, f"{probe},{why}", 1
        yield table.PROBE_DURATION, probe, result.duration
        for step, seconds in result.phases:
            yield table.PHASE_DURATION, _step_labels(self.target.probe, step), seconds
        if self.target.probe in LOGIN_PROBES:
            yield table.LOGIN_SUSPENDED, probe, result.login_suspended
            yield table.LOGIN_NEXT_ATTEMPT, probe, result.login_next_attempt

    def _fact_samples(self) -> Iterator[tuple[MetricFamily, str, float]]:
        if self.target.probe is ProbeName.TLS:
            version, cipher = (self._facts.get((name, ())) for name in (FactName.TLS_VERSION, FactName.TLS_CIPHER))
            if version is not None:
                yield table.TLS_INFO, labels((("version", str(version)), ("cipher", str(cipher or "")))), 1
        for family, values in _by_family(self.target.probe, self._facts):
            names = family.labels
            if family.subject is Subject.ROUTE:
                names = names[2:]  # the prefix contains from and to already
            if not names:
                yield from ((family, "", value) for words, value in values.items() if not words)
                continue
            room = MAX_SERVER_WORDS if SERVER_WORDS.intersection(names) else len(values)
            fitting = ((words, value) for words, value in values.items() if len(words) == len(names))
            for words, value in islice(fitting, room):
                yield family, ",".join([label(n, v) for n, v in zip(names, words, strict=True)]), value


@cache
def _step_labels(probe: ProbeName, step: Phase) -> str:
    return labels((("probe", probe), ("phase", step)))


def _by_family(
    probe: ProbeName, facts: dict[tuple[FactName, tuple[str, ...]], float | str]
) -> Iterator[tuple[MetricFamily, dict[tuple[str, ...], float]]]:
    """Yield the values of each family by label values. Label values are cut to MAX_WORD characters."""
    found: dict[FactName, dict[tuple[str, ...], float]] = {}
    for (name, words), value in facts.items():
        if not isinstance(value, str):
            cut = tuple([word[:MAX_WORD] for word in words]) if words else words
            found.setdefault(name, {})[cut] = value
    for family in FACT_GAUGES[probe]:
        if family.fact in found:
            yield family, found[family.fact]
