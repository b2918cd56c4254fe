"""Converts root causes and incidents to JSON objects, and root causes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from exporter.incidents.incident import Incident
from exporter.incidents.rootcause.cause import Cause
from exporter.model import ProbeName, Scope
from exporter.model.advice import Advice
from exporter.model.details import detail
from exporter.model.reasons import Layer, Reason, about


def cause_object(cause: Cause) -> dict[str, Any]:
    """Return one element of `causes` in the HTTP API."""
    known = about(cause.reason)
    return {
        "targets": list(cause.targets),
        "reason": str(cause.reason),
        "layer": str(cause.layer),
        "scope": str(cause.scope),
        "remedy": known.remedies(cause.advice),
    }


def whole_object(cause: Cause) -> dict[str, Any]:
    """Return all fields of a cause, for `mailprobe check`."""
    return asdict(cause)


def from_object(data: Mapping[str, Any]) -> Cause:
    """Return the Cause from the output of `whole_object`. Raises ValueError, KeyError, TypeError."""
    return Cause(
        **{
            **data,
            "scope": Scope(data["scope"]),
            "layer": Layer(data["layer"]),
            "reason": Reason(data["reason"]),
            "targets": tuple(map(str, data["targets"])),
            "also": tuple(map(ProbeName, data["also"])),
            "advice": Advice(data["advice"]) if data.get("advice") else None,
        }
    )


def incident_object(incident: Incident) -> dict[str, Any]:
    """Return one element of /api/v1/incidents."""
    known, labels, chinese = about(incident.reason), dict(incident.labels), detail(incident.text, "zh")
    return {
        "alert": labels["alertname"],
        "severity": labels["severity"],
        "scope": str(incident.scope),
        "layer": str(incident.layer),
        "reason": str(incident.reason),
        "server": incident.server or None,
        "provider": incident.provider or None,
        "domain": incident.domain or None,
        "targets": list(incident.targets),
        "text": incident.text or None,
        "text_zh": chinese if chinese != incident.text else None,
        "told": {"en": incident.told[0], "zh": incident.told[1]},
        "owner": str(known.owner),
        "waiting_helps": known.waiting_helps,
        "remedy": known.remedies(incident.advice),
        "since": incident.since,
        "opened": incident.opened,
        "resolved": incident.resolved or None,
        "ended": incident.ended or None,
        "confirmed": incident.confirmed,
        "labels": labels,
    }
