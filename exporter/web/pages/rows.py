"""The rows of the status table: a target, its probes, and why they fail."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from exporter.config.presets import provider_name
from exporter.model import Result, Target
from exporter.model.details import detail
from exporter.model.effective import IntervalOf
from exporter.model.reasons import about
from exporter.model.text import shortened
from exporter.outputs.history import History
from exporter.web.pages.fleet import STATES, TargetState, state_of
from exporter.web.pages.formatting import Moment, duration, moment
from exporter.web.pages.words import Words

MAX_WORDS = 200  # characters of the server's reply in the table
MAX_LABELS = 6  # labels of a target in the table


@dataclass(frozen=True, slots=True)
class Known:
    """The data and the texts from which a page is rendered."""

    history: History
    interval_of: IntervalOf
    words: Words
    now: float  # Unix time


@dataclass(frozen=True, slots=True)
class Finding:
    """The failure of a check."""

    reason: str  # the value of the label reason
    phase: str
    text: str
    quoted: bool  # True: the text is the literal reply of the server
    answer_to: str  # the protocol of the login that got this reply, if it is another one
    remedy: str
    waiting_helps: bool
    suspended_until: str
    ambiguous: tuple[tuple[str, str], ...] = ()  # (reason, what to do) if the reply can have several causes


@dataclass(frozen=True, slots=True)
class Check:
    """The state of one probe of a target."""

    probe: str
    state: str
    took: str
    finding: Finding | None
    unseen_since: Moment | None = None  # the last look, if a fault that concerns this probe began after it


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A row of the status table."""

    name: str
    path: str
    kind: str
    provider: str
    labels: tuple[str, ...]
    state: str
    since: Moment | None
    checks: tuple[Check, ...]

    @property
    def unseen_since(self) -> Moment | None:
        """The last look at it, if nothing fails but a fault that concerns it began after that."""
        if self.state != "stale":
            return None
        return next((check.unseen_since for check in self.checks if check.unseen_since is not None), None)

    @property
    def findings(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.finding is not None)


def row_of(standing: TargetState, known: Known) -> TargetRow:
    entry = standing.entry
    return TargetRow(
        entry.name,
        path_of(entry.name),
        entry.first.kind,
        provider_name(entry.first.provider, known.words.language),
        entry.labels[:MAX_LABELS],
        STATES[standing.rank],
        moment(standing.since, known.now, known.words) if standing.since else None,
        tuple(check_of(target, known) for _, target in entry.probes),
    )


def check_of(target: Target, known: Known) -> Check:
    past = known.history.standing(target.key)
    if past is None:
        return Check(target.probe, "waiting", "", None)
    last, verdict, _ = past
    state = STATES[state_of(target, last, verdict, known.interval_of, known.now)]
    looked = known.history.overtaken.get(target.key)
    if state == "ok" and looked is not None:
        unseen = moment(looked, known.now, known.words)
        return Check(target.probe, "stale", duration(last.duration), None, unseen)
    shown = verdict if state == "failed" else last if state == "inconclusive" else None
    finding = finding_of(shown, known.words, known.now) if shown else None
    return Check(target.probe, state, duration(last.duration), finding)


def finding_of(result: Result, words: Words, now: float) -> Finding | None:
    failure = result.failure
    if failure is None:
        return None
    known = about(failure.reason)
    causes = ((cause, about(cause)) for cause in failure.ambiguous)
    until = moment(result.login_next_attempt, now, words).whole if result.login_next_attempt else ""
    return Finding(
        failure.reason,
        failure.phase or "",
        failure.text if failure.quoted else detail(failure.text, words.language),
        failure.quoted,
        result.words_of or "",
        known.remedy(words.language, failure.advice),
        known.waiting_helps,
        until if result.login_suspended else "",
        tuple((str(cause), each.remedy(words.language)) for cause, each in causes),
    )


def brief(text: str) -> str:
    """Return a server's reply as one line for the table."""
    return shortened(text, MAX_WORDS)


def path_of(name: str) -> str:
    """Return the path of a target's page, relative to targets/."""
    return quote(name, safe="")
