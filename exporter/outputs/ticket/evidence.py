"""What other results show about a failure, for the support ticket: what can be excluded, what else fails. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from exporter.model import Endpoint, FactName, Kind, Login, Outcome, Phase, ProbeName, Result, Security, Target
from exporter.model.effective import IntervalOf
from exporter.model.staleness import lifetime
from exporter.outputs.history import History

VerdictOf = Callable[[Target], Result | None]

_BEFORE_TLS = frozenset({Phase.RESOLVE, Phase.CONNECT})


class Says(StrEnum):
    """Kinds of statements about a failure. Those in `AGAINST` exclude a cause, the others name other failures."""

    REACHED = "reached"  # server, address
    ENCRYPTED = "encrypted"  # version, cipher
    ENDPOINT_WORKS = "endpoint_works"  # server, at
    DOMAIN_WORKS = "domain_works"  # domain, at
    ACCOUNT_WORKS = "account_works"  # probe, server, at
    PROBE_WORKS = "probe_works"  # probe, server, at
    NEIGHBOURS_WORK = "neighbours_work"  # server, count, total
    OTHERS_WORK = "others_work"  # count, total
    ENDPOINT_FAILS = "endpoint_fails"  # server, reason
    DOMAIN_FAILS = "domain_fails"  # domain, reason
    NEIGHBOURS_FAIL = "neighbours_fail"  # server, count, total


AGAINST = frozenset(Says) - {Says.ENDPOINT_FAILS, Says.DOMAIN_FAILS, Says.NEIGHBOURS_FAIL}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, with the values for the placeholders of its sentence. `at` is Unix time; 0 if not used."""

    says: Says
    words: tuple[tuple[str, str], ...] = ()
    at: float = 0.0


def endpoints_of(target: Target) -> tuple[Endpoint, ...]:
    """Return the servers that a target's settings name."""
    found = (getattr(target.settings, name, None) for name in ("endpoint", "smtp", "imap"))
    return tuple(each for each in found if isinstance(each, Endpoint))


def login_of(target: Target) -> Login | None:
    found = getattr(target.settings, "login", None)
    return found if isinstance(found, Login) else None


def statements(result: Result, targets: Sequence[Target], verdict_of: VerdictOf, began: float) -> tuple[Statement, ...]:
    """Return what the other results show about `result`, which has failed.

    `began`: Unix time of the first failed run. What worked before says nothing about this failure.
    """

    def since(target: Target) -> Result | None:
        seen = verdict_of(target)
        return None if seen is None or (seen.outcome is Outcome.OK and seen.started < began) else seen

    return (*_own_steps(result), *_same_place(result, targets, since), *_others(result, targets, since))


def _own_steps(result: Result) -> Iterable[Statement]:
    """Return which steps of the run itself succeeded."""
    failed = result.failure.phase if result.failure else None
    done = {phase for phase, _ in result.phases} - {failed}
    ends = endpoints_of(result.target)
    if Phase.CONNECT in done and failed not in _BEFORE_TLS and ends:
        address = str(result.fact(FactName.ADDRESS) or "")
        yield Statement(Says.REACHED, (("server", ends[0].name), ("address", address)))
    if Phase.TLS in done and all(end.security is not Security.PLAIN for end in ends):
        version, cipher = (str(result.fact(name) or "") for name in (FactName.TLS_VERSION, FactName.TLS_CIPHER))
        yield Statement(Says.ENCRYPTED, (("version", version), ("cipher", cipher)))


def _same_place(result: Result, targets: Sequence[Target], verdict_of: VerdictOf) -> Iterable[Statement]:
    """Compare with the tls probes of the same servers, the same domain, and the same account by other protocols."""
    mine, login = result.target, login_of(result.target)
    for target in targets:
        if target.key == mine.key:
            continue
        seen = verdict_of(target)
        if seen is None:
            continue
        works, at = seen.outcome is Outcome.OK, seen.started
        reason = str(seen.failure.reason) if seen.failure else ""
        if target.probe is ProbeName.TLS and set(target.servers) & set(mine.servers):
            words = (("server", target.servers[0]), ("reason", reason))
            yield Statement(Says.ENDPOINT_WORKS if works else Says.ENDPOINT_FAILS, words, at)
        elif target.probe is ProbeName.DNS and mine.domain and target.domain == mine.domain:
            words = (("domain", target.domain), ("reason", reason))
            yield Statement(Says.DOMAIN_WORKS if works else Says.DOMAIN_FAILS, words, at)
        elif works and target.name == mine.name and target.kind is mine.kind:
            other, server = login_of(target), ", ".join(target.servers)
            words = (("probe", str(target.probe).upper()), ("server", server))
            same = login is not None and other is not None and login.source == other.source
            yield Statement(Says.ACCOUNT_WORKS if same and seen.login_attempted else Says.PROBE_WORKS, words, at)


def _others(result: Result, targets: Sequence[Target], verdict_of: VerdictOf) -> Iterable[Statement]:
    """Compare with other mailboxes on the same server, and with other servers."""
    mine = result.target
    neighbours: list[bool] = []
    elsewhere: dict[str, bool] = {}
    for target in targets:
        if target.name == mine.name or not target.servers:
            continue
        near = bool(set(target.servers) & set(mine.servers))
        if near and (target.kind is not Kind.MAILBOX or target.probe is not mine.probe):
            continue
        if not near and target.probe is not ProbeName.TLS:
            continue
        seen = verdict_of(target)
        if seen is None:
            continue
        works = seen.outcome is Outcome.OK
        if near:
            neighbours.append(works)
        else:
            elsewhere[target.servers[0]] = works
    if neighbours:
        good, total = sum(neighbours), str(len(neighbours))
        server = ("server", ", ".join(mine.servers))
        if good:
            yield Statement(Says.NEIGHBOURS_WORK, (server, ("count", str(good)), ("total", total)))
        if good < len(neighbours):
            yield Statement(Says.NEIGHBOURS_FAIL, (server, ("count", str(len(neighbours) - good)), ("total", total)))
    if good := sum(elsewhere.values()):
        yield Statement(Says.OTHERS_WORK, (("count", str(good)), ("total", str(len(elsewhere)))))


def fresh_verdicts(history: History, interval_of: IntervalOf, now: float) -> VerdictOf:
    """Return a function that returns the last conclusive result of a target, or None if it is missing or stale."""

    def verdict_of(target: Target) -> Result | None:
        found = history.last_conclusive(target.key)
        if found is None or now - found.started > lifetime(interval_of(target)):
            return None
        return found

    return verdict_of
