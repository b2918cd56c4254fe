"""What the codes of a refusal say by themselves, without its words."""

from __future__ import annotations

from exporter.diagnosis.standard_codes import Verdict, evidence
from exporter.model import Phase, Service


def judge(protocol: Service, code: str, text: str, phase: Phase | None) -> Verdict | None:
    """Return the reason that the most exact code states, and the rule that found it. `phase` None: unknown."""
    found = evidence(protocol, code, text, phase)
    return (found[0].reasons[0], found[0].rule) if found else None
