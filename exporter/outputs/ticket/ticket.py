"""Collects the content of a support ticket about a target from its results. The texts are in `words`.

It contains only results, in which credentials are masked, and names and addresses from the configuration.
"""

from __future__ import annotations

import platform
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from exporter import __version__
from exporter.model import Endpoint, FactName, Outcome, ProbeName, Result, Service, Target
from exporter.model.effective import IntervalOf
from exporter.outputs.history import History, Run
from exporter.outputs.ticket.evidence import AGAINST, Statement, endpoints_of, fresh_verdicts, login_of, statements

MAX_CASES = 4  # probes that are described in full
STATES = ("failing", "recovered", "inconclusive", "working", "waiting")
"""The most important one first."""

# The code in a server's reply: SMTP reply code with enhanced code, IMAP or POP3 response code, HTTP status.
_CODES = (
    re.compile(r"^([245]\d\d)(?:[ -]([245]\.\d{1,3}\.\d{1,3}))?(?=[ -]|$)", re.MULTILINE),
    re.compile(r"^(-ERR(?: \[[^\]\r\n]{1,80}\])?)(?= |$)", re.MULTILINE),
    re.compile(r"^(?:\S{1,40} )??((?:NO|BAD|BYE)(?: \[[^\]\r\n]{1,80}\])*)(?= |$)", re.MULTILINE),
    re.compile(r"^HTTP/\d(?:\.\d)? (\d{3})\b"),
)


_OTHER_CODES = ("errno:", "ssl:", "verify:", "dns:", "http:")  # rules that are an error code themselves


@dataclass(frozen=True, slots=True)
class Case:
    """One probe of the target. `result` is the run to describe: the failed one, else the last one, if any."""

    target: Target
    state: str  # one of STATES
    result: Result | None
    code: str  # from the server's own reply to this probe; "" if it gave none
    since: float | None  # Unix time at which the current verdict began
    runs: tuple[Run, ...]  # newest first
    came: float = 0.0  # seconds after which a mail came in the end that the run called late; 0: no later run found it
    awaited: bool = False  # a mail was still in flight when the last run ended
    spoken: Result | None = None  # where `result` sent no password: the last run of this probe that did, if remembered
    began: float | None = None  # Unix time of the first run of the latest failure, also of one before a restart
    worked: float | None = None  # Unix time of the last success, if it is known
    first_words: str = ""  # what was said at the first run of the latest failure

    @property
    def inferred_from(self) -> Service | None:
        """The protocol whose server said the words, if it is another one than this probe's."""
        return self.result.words_of if self.result is not None else None

    @property
    def shown(self) -> Result | None:
        """The run whose steps and dialogue are told: one that sent the password, None if none is remembered."""
        return self.spoken if self.result is not None and self.result.login_suspended else self.result


@dataclass(frozen=True, slots=True)
class Ticket:
    """The content of a ticket. Times are Unix time."""

    name: str
    first: Target
    account: str
    cases: tuple[Case, ...]  # the most important one first
    others: tuple[Case, ...]  # those that are only in the history section
    ruled_out: tuple[Statement, ...]
    also: tuple[Statement, ...]
    facts: dict[FactName, float | str]  # of the leading case; certificate facts also from the endpoint's tls probe
    endpoints: tuple[Endpoint, ...]
    made: float

    @property
    def state(self) -> str:
        return self.cases[0].state

    @property
    def leading(self) -> Case:
        return self.cases[0]


@cache
def client() -> str:
    """Return the name and versions of this client, for the support desk."""
    return (
        f"mailprobe {__version__} (Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, "
        f"{platform.system()} {platform.machine()})"
    )


def make(
    name: str,
    targets: Sequence[Target],
    history: History,
    recent: Sequence[Result],
    now: float,
    *,
    interval_of: IntervalOf,
) -> Ticket:
    """Return the ticket about the target of this name. Raises KeyError if there is none.

    `recent` is `history.recent()`, which must be called on the event loop. This function may run in a thread.
    `now` is Unix time.
    """
    own = [target for target in targets if target.name == name]
    if not own:
        raise KeyError(name)
    cases = sorted((_case(target, history, recent) for target in own), key=lambda case: STATES.index(case.state))
    told = [case for case in cases if case.state == cases[0].state][:MAX_CASES]
    leading = told[0]
    about = leading.result if leading.state in ("failing", "recovered", "inconclusive") else None
    verdict_of = fresh_verdicts(history, interval_of, now)
    began = history.failing_since(leading.target.key) if leading.state != "inconclusive" else None
    found = statements(about, targets, verdict_of, began or about.started) if about is not None else ()
    return Ticket(
        name=name,
        first=own[0],
        account=account_of(leading.target),
        cases=tuple(told),
        others=tuple(case for case in cases if case not in told),
        ruled_out=tuple(each for each in found if each.says in AGAINST),
        also=tuple(each for each in found if each.says not in AGAINST),
        facts=_facts(leading, targets, history),
        endpoints=endpoints_of(leading.target),
        made=now,
    )


def account_of(target: Target) -> str:
    """Return the affected account: a user name, the two ends of a route, else the target's name."""
    login = login_of(target)
    if login is not None:
        return login.username
    ends = [getattr(target.settings, name, None) for name in ("sender", "recipient")]
    if all(isinstance(end, str) for end in ends):
        return " → ".join(str(end) for end in ends)
    return target.name


def _case(target: Target, history: History, recent: Sequence[Result]) -> Case:
    last, verdict = history.last(target.key), history.last_conclusive(target.key)
    failed = history.last_failed(target.key)
    if last is None:
        state, told = "waiting", None
    elif verdict is None:
        state, told = "inconclusive", last
    elif verdict.outcome is Outcome.FAILED:
        state, told = "failing", _with_login(verdict, recent)
    elif failed is not None:
        state, told = "recovered", _with_login(failed, recent)
    else:
        state, told = "working", last
    spoken = None
    if told is not None and told.login_suspended:
        spoken = next((each for each in recent if each.target.key == target.key and each.login_attempted), None)
    key = target.key
    case = Case(
        target,
        state,
        told,
        code_of(told),
        history.since(key),
        history.runs(key),
        _came(told, recent) if told is not None else 0.0,
        last is not None and bool(last.fact(FactName.ROUNDTRIP_IN_FLIGHT)),
        spoken,
        began=history.failing_since(key),
        worked=history.last_success(key),
        first_words=history.first_words(key),
    )
    return replace(case, code="") if case.inferred_from else case


def _with_login(result: Result, recent: Sequence[Result]) -> Result:
    """While logins are paused, return the last run with a login: it explains more than one without a login."""
    if not result.login_suspended or result.failure is None:
        return result
    reason = result.failure.reason
    for each in recent:
        if each.target.key == result.target.key and each.login_attempted and each.failure is not None:
            return each if each.failure.reason is reason else result
    return result


def _came(told: Result, recent: Sequence[Result]) -> float:
    """Return how long the mail took in the end that a run called late, in seconds; 0 if no later run has found it."""
    later = [each for each in recent if each.target.key == told.target.key and each.started > told.started]
    found = (each.fact(FactName.ROUNDTRIP_CAME_LATE) for each in sorted(later, key=lambda each: each.started))
    return next((float(seconds) for seconds in found if seconds), 0.0)


def code_of(result: Result | None) -> str:
    """Return the error code that the server, the network or the TLS library gave, or ""."""
    failure = result.failure if result is not None else None
    if failure is None:
        return ""
    for pattern in _CODES:
        found = pattern.search(failure.text)
        if found:
            return " ".join(filter(None, found.groups()))
    return failure.rule if failure.rule.startswith(_OTHER_CODES) else ""


def _facts(case: Case, targets: Sequence[Target], history: History) -> dict[FactName, float | str]:
    """Return the facts without labels.

    The certificate's dates come from the tls probe; login probes do not read them.
    """
    found: dict[FactName, float | str] = {}
    servers = set(case.target.servers)
    for target in targets:
        if target.probe is ProbeName.TLS and servers & set(target.servers):
            seen = history.last(target.key)
            found |= {fact.name: fact.value for fact in seen.facts if not fact.labels} if seen else {}
            break
    if case.result is not None:
        found |= {fact.name: fact.value for fact in case.result.facts if not fact.labels}
    return found
