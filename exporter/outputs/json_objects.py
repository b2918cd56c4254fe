"""Converts results to the JSON objects of `check --json` and of the HTTP API. Missing values are null."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from exporter.model import FactName, Failure, Outcome, Result, Target
from exporter.model.details import detail
from exporter.model.reasons import Reason, about

SCHEMA_VERSION = 1

EVENTS = frozenset(
    {
        FactName.ROUNDTRIP_SENT,
        FactName.ROUNDTRIP_LATE,
        FactName.ROUNDTRIP_LOST,
        FactName.ROUNDTRIP_DUPLICATED,
        FactName.ROUNDTRIP_MISFILED,
        FactName.ROUNDTRIP_ALTERED,
        FactName.ROUNDTRIP_BOUNCED,
    }
)
"""Facts of which a run has one per event: the JSON has their sum. Of other facts it has the last value."""


def result_object(result: Result) -> dict[str, Any]:
    """Return the JSON object of one result."""
    target, failure = result.target, result.failure
    known = about(failure.reason) if failure else None
    # The run did not wait for the mail: nobody is at fault, so there is no owner.
    in_flight = result.outcome is Outcome.INCONCLUSIVE and failure and failure.reason is Reason.MESSAGE_LATE
    return {
        "target": target.name,
        "kind": str(target.kind),
        "provider": target.provider or None,
        "domain": target.domain or None,
        "probe": str(target.probe),
        "probe_id": result.probe_id,
        "outcome": str(result.outcome),
        "phase": str(failure.phase) if failure and failure.phase else None,
        "reason": str(failure.reason) if failure else None,
        "layer": str(known.layer) if known else None,
        "rule": (failure.rule or None) if failure else None,
        "ambiguous": [str(each) for each in failure.ambiguous] or None if failure else None,
        "text": (failure.text or None) if failure else None,
        "text_zh": _in_chinese(failure) if failure else None,
        "quoted": failure.quoted if failure else None,
        "answer_to": str(failure.answer_to) if failure and failure.answer_to else None,
        "owner": str(known.owner) if known and not in_flight else None,
        "waiting_helps": known.waiting_helps if known else None,
        "remedy": known.remedies(failure.advice) if known and failure else None,
        "started": result.started,
        "duration_seconds": result.duration,
        "phases": [{"name": str(phase), "seconds": seconds} for phase, seconds in result.phases],
        "facts": facts_object(result),
        "login_suspended": result.login_suspended,
    }


def _in_chinese(failure: Failure) -> str | None:
    """Return our own words in Chinese; None if a server said them, or we have no Chinese for them."""
    told = failure.text if failure.quoted else detail(failure.text, "zh")
    return told if told != failure.text else None


def facts_object(result: Result) -> dict[str, Any]:
    """Return the facts by name.

    The value of a fact with labels is an object; its keys are the label values, joined by `/`.
    """
    found: dict[str, Any] = {}
    for fact in result.facts:
        if not fact.labels:
            before = found.get(fact.name, 0) if fact.name in EVENTS else None
            found[str(fact.name)] = fact.value if before is None or isinstance(fact.value, str) else before + fact.value
        else:
            values = found.setdefault(str(fact.name), {})
            if isinstance(values, dict):
                values["/".join(fact.labels)] = fact.value
    return found


def target_object(targets: Iterable[Target], results: Iterable[Result]) -> dict[str, Any]:
    """Return the JSON object of a target, with the given results. `targets` are all probes of one target name."""
    probes = list(targets)
    first = probes[0]
    return {
        "target": first.name,
        "kind": str(first.kind),
        "provider": first.provider or None,
        "domain": first.domain or None,
        "labels": dict(first.labels),
        "probes": [str(target.probe) for target in probes],
        "results": [result_object(result) for result in results],
    }
