"""Cause: a root cause, and the sentence that describes it to people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from exporter.model import ProbeName, Scope
from exporter.model.advice import Advice, shared
from exporter.model.phrases import Phrases
from exporter.model.reasons import Layer, Owner, Reason, about

NAMED = 10  # the maximum of targets that one sentence names


@dataclass(frozen=True, slots=True)
class Cause:
    """Why one or many targets fail. A failing target has exactly one cause; `also` has the symptoms."""

    key: str  # stays the same while the cause lasts, even if the reason changes, for example "host:imap.example.com"
    scope: Scope
    layer: Layer
    reason: Reason  # the most frequent one
    targets: tuple[str, ...]  # all targets that it explains; if the scope is `target`, the first one is the origin
    server: str = ""  # host of the failing server, if there is one
    provider: str = ""  # id of the preset, if it is the same for all targets
    domain: str = ""  # if it is the same for all targets
    since: float = 0.0  # Unix time of the first failure
    text: str = ""  # the server's reply at the first failure
    advice: Advice | None = None  # the case of that failure, if it is known more exactly than its reason
    subject: str = ""  # the name of what fails, for display: a host, a provider's name, a domain, a target, a port
    mailboxes: int = 0  # number of mailboxes in `targets`
    of: int = 0  # number of the mailboxes at the server, provider or domain that were looked at since the fault began
    unseen: int = 0  # number of the other mailboxes there: what is known of them is older than the fault
    also: tuple[ProbeName, ...] = ()  # other failing probes of these targets: symptoms
    inconclusive: bool = False  # True: it only makes runs inconclusive
    back: float = 0.0  # Unix time since which the server answers again, if its targets were not looked at since; else 0


def sentence(cause: Cause, language: str) -> str:
    """Return one line: how many targets fail, why, and who must act."""
    say = Phrases(language, "causes")
    told = say(
        _template(cause, say),
        count=len(cause.targets),
        mailboxes=cause.mailboxes,
        of=cause.of,
        subject=cause.subject,
        reason=say.reason(cause.reason),
    )
    if cause.back:
        return say("back", subject=cause.subject, n=len(cause.targets))
    parts = [told]
    if cause.unseen:
        parts.append(say("unseen", n=cause.unseen))
    if cause.scope is Scope.TARGET and cause.also:
        parts.append(say("also", also=say("common.comma").join(cause.also)))
    return say("common.gap").join(parts)


def fold(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """Return the causes, with causes of single targets that have the same reason merged into one."""
    folded: dict[tuple[str, bool] | str, list[Cause]] = {}
    for cause in causes:
        single = cause.scope is Scope.TARGET and not cause.inconclusive
        folded.setdefault((cause.reason, cause.inconclusive) if single else cause.key, []).append(cause)
    return tuple(_one(same) if len(same) > 1 else same[0] for same in folded.values())


def _one(same: Sequence[Cause]) -> Cause:
    names = tuple(name for cause in same for name in cause.targets)
    more = f" … (+{len(names) - NAMED})" if len(names) > NAMED else ""
    return replace(
        min(same, key=lambda cause: cause.since),
        key=f"targets:{same[0].reason}",
        targets=names,
        advice=shared(cause.advice for cause in same),
        subject=", ".join(names[:NAMED]) + more,
        mailboxes=sum(cause.mailboxes for cause in same),
        of=sum(cause.of for cause in same),
        also=tuple(probe for probe in ProbeName if any(probe in cause.also for cause in same)),
    )


def _template(cause: Cause, say: Phrases) -> str:
    ours = about(cause.reason).owner is Owner.YOU
    match cause.scope:
        case Scope.VANTAGE:
            return cause.reason if say.find(f"causes.{cause.reason}") else "vantage"
        case Scope.HOST if cause.mailboxes < 2:
            return "host_alone"
        case Scope.HOST:
            return "host_ours" if ours else "host"
        case Scope.PROVIDER:
            return "provider_ours" if ours else "provider"
        case Scope.DOMAIN:
            return "dns" if cause.layer is Layer.DNS else "domain"
        case _:
            if cause.key.startswith("targets:"):
                return "targets"
            return "inconclusive" if cause.inconclusive else "target"
