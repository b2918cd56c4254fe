"""Standing: what is known of the failures of one (target, probe), so that a restart does not lose it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from exporter.model.names import Outcome, ProbeName
from exporter.model.reasons import Layer, Reason, about
from exporter.model.result import FactName, Result
from exporter.model.spell import Spell

MAX_TEXT = 2048  # characters
LOGIN_PROBES = frozenset({ProbeName.IMAP, ProbeName.POP3, ProbeName.SMTP, ProbeName.ROUNDTRIP})


@dataclass(slots=True)
class Standing:
    """The latest failure of one (target, probe), and what was said first. Times are Unix times, 0 if there is none."""

    failure: Spell = field(default_factory=Spell)
    login: Spell = field(default_factory=Spell)  # of runs that reached the server: others tell nothing about a login
    domain: Spell = field(default_factory=Spell)  # of what keeps mail from a domain
    first: float = 0.0  # the first of the latest consecutive failed runs
    last_success: float = 0.0
    reason: str = ""  # of the first failed run
    text: str = ""  # the words of the first failed run

    @property
    def failing(self) -> bool:
        """Whether the last run with a verdict failed."""
        return self.failure.lasts

    def look(self, result: Result) -> bool:
        """Take over a run with a verdict. Returns whether a failure began, came back or ended."""
        before = self._spells()
        failed, at = result.outcome is not Outcome.OK, result.started
        if not failed:
            self.last_success = at
        elif not self.failing:
            self.first = at
            self.reason = str(result.failure.reason if result.failure is not None else Reason.UNKNOWN)
            self.text = result.failure.text[:MAX_TEXT] if result.failure is not None else ""
        self.failure.look(at, bad=failed)
        if result.target.probe in LOGIN_PROBES and not _is_unreached(result):
            self.login.look(at, bad=failed)
        if result.target.probe is ProbeName.DNS:
            self.domain.look(at, bad=_is_cut_off(result))
        return before != self._spells()

    def _spells(self) -> tuple[float, ...]:
        return tuple(time for each in (self.failure, self.login, self.domain) for time in (each.start, each.end))

    def forgotten(self) -> Standing:
        """Return what is left if nobody has looked for long: a failure that lasted then may have ended since."""
        failure, login, domain = (each if each.end else Spell() for each in (self.failure, self.login, self.domain))
        return Standing(failure, login, domain, last_success=self.last_success if self.failing else 0.0)

    def freeze(self) -> str:
        """Return it as text for the state file."""
        return json.dumps(asdict(self), ensure_ascii=False)


def thaw(record: str) -> Standing | None:
    """Return a standing from the state file; None if another version wrote it in another format."""
    try:
        data = json.loads(record)
        return Standing(
            failure=_spell(data["failure"]),
            login=_spell(data["login"]),
            domain=_spell(data["domain"]),
            first=float(data["first"]),
            last_success=float(data["last_success"]),
            reason=str(Reason(data["reason"])) if data["reason"] else "",
            text=str(data["text"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _spell(data: Any) -> Spell:
    return Spell(float(data["start"]), float(data["end"]))


def _is_unreached(result: Result) -> bool:
    return result.failure is not None and about(result.failure.reason).layer in (Layer.DNS, Layer.TRANSPORT)


def _is_cut_off(result: Result) -> bool:
    """Return whether nobody can send mail to the domain, by a dns run: as the alerts about it do."""
    lookups = (result.fact(FactName.DNS_LOOKUP, record) for record in ("mx", "a"))
    return result.fact(FactName.DNS_POLICY_VALID, "mx") == 0 or any(found == 0 for found in lookups)
