"""Cause: a root cause, and the sentence that describes it in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.model import ProbeName, Scope
from exporter.model.reasons import Layer, Owner, Reason, about

NAMED = 10  # targets that one sentence names


@dataclass(frozen=True, slots=True)
class Cause:
    """Why one or many targets fail. A target has exactly one; what follows from it is named in `also`."""

    key: str  # the same for as long as it lasts, whatever the reason: "host:imap.example.com"
    scope: Scope
    layer: Layer
    reason: Reason  # the most frequent one
    targets: tuple[str, ...]  # all that it explains; of scope `target` the first is the one that has it
    server: str = ""  # host of the server that fails, where one does
    provider: str = ""  # id of the preset, where all targets agree
    domain: str = ""  # where all targets agree
    since: float = 0.0  # Unix time of the first failure
    text: str = ""  # the server's words at the first failure
    subject: str = ""  # what fails, for people: a host, a provider's name, a domain, a target, a port
    mailboxes: int = 0  # of `targets`
    of: int = 0  # mailboxes there: at the server, provider or domain
    also: tuple[ProbeName, ...] = ()  # what else fails of them: symptoms
    inconclusive: bool = False  # it only keeps us from telling anything


_SENTENCES: Mapping[str, tuple[str, str]] = {
    "vantage_offline": (
        "Our own network is down: nothing can be said about {count} targets.",
        "本机网络已断开：{count} 个对象无法判断。",
    ),
    "port_blocked": (
        "Port {subject} is blocked on our side, other ports answer: nothing can be said about {count} targets.",
        "本机到端口 {subject} 的连接被拦截（其他端口正常）：{count} 个对象无法判断。",
    ),
    "clock_wrong": (
        "This machine's clock is wrong, say many certificates: nothing can be said about {count} targets.",
        "本机时钟不准（多家服务器的证书同时显示不在有效期内）：{count} 个对象无法判断。",
    ),
    "vantage": (
        "This machine itself is in trouble ({reason}): nothing can be said about {count} targets.",
        "本机自身有问题（{reason}）：{count} 个对象无法判断。",
    ),
    "host": (
        "{mailboxes} of {of} mailboxes at {subject} fail ({reason}): it is the server, not you.",
        "{subject} 上 {of} 个邮箱中有 {mailboxes} 个失败（{reason}）：是服务器的问题，不是您的问题。",
    ),
    "host_ours": (
        "{mailboxes} of {of} mailboxes at {subject} fail ({reason}): they have one cause.",
        "{subject} 上 {of} 个邮箱中有 {mailboxes} 个失败（{reason}）：原因相同。",
    ),
    "host_alone": ("The server {subject} fails ({reason}).", "服务器 {subject} 失败（{reason}）。"),
    "provider": (
        "{mailboxes} of {of} mailboxes at {subject} fail ({reason}): it is the provider, not you.",
        "{subject} 的 {of} 个邮箱中有 {mailboxes} 个失败（{reason}）：是服务商的问题，不是您的问题。",
    ),
    "provider_ours": (
        "{mailboxes} of {of} mailboxes at {subject} fail together ({reason}): look at what they have in common.",
        "{subject} 的 {of} 个邮箱中有 {mailboxes} 个同时失败（{reason}）：请检查它们的共同点。",
    ),
    "domain": (
        "{mailboxes} of {of} mailboxes of {subject} fail ({reason}): it is the domain's mail service, not one mailbox.",
        "{subject} 的 {of} 个邮箱中有 {mailboxes} 个失败（{reason}）：是该域名的邮件服务的问题，不是单个邮箱的问题。",
    ),
    "dns": (
        "The DNS of {subject} fails ({reason}); {count} targets depend on it.",
        "域名 {subject} 的 DNS 失败（{reason}），{count} 个对象受影响。",
    ),
    "targets": ("{count} targets fail ({reason}): {subject}.", "{count} 个对象失败（{reason}）：{subject}。"),
    "target": ("{subject} fails ({reason}).", "{subject} 失败（{reason}）。"),
    "inconclusive": ("Nothing can be said about {subject} ({reason}).", "{subject} 无法判断（{reason}）。"),
}
_ALSO = ("Also failing: {also}.", "同时失败：{also}。")


def sentence(cause: Cause, language: str) -> str:
    """One line: how many of what, why, and whose fault it is."""
    index = 1 if language == "zh" else 0
    told = _SENTENCES[_template(cause)][index].format(
        count=len(cause.targets),
        mailboxes=cause.mailboxes,
        of=cause.of,
        subject=cause.subject,
        reason=cause.reason,
    )
    if cause.scope is not Scope.TARGET or not cause.also:
        return told
    also = ("、" if index else ", ").join(cause.also)
    return f"{told}{'' if index else ' '}{_ALSO[index].format(also=also)}"


def fold(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """The same, but targets that have one reason, each for itself, are told in one line."""
    folded: dict[tuple[str, bool] | str, list[Cause]] = {}
    for cause in causes:
        single = cause.scope is Scope.TARGET and not cause.inconclusive
        folded.setdefault((cause.reason, cause.inconclusive) if single else cause.key, []).append(cause)
    return tuple(_one(same) if len(same) > 1 else same[0] for same in folded.values())


def _one(same: Sequence[Cause]) -> Cause:
    names = tuple(name for cause in same for name in cause.targets)
    more = f" … (+{len(same) - NAMED})" if len(same) > NAMED else ""
    return replace(
        min(same, key=lambda cause: cause.since),
        key=f"targets:{same[0].reason}",
        targets=names,
        subject=", ".join(cause.subject for cause in same[:NAMED]) + more,
        mailboxes=sum(cause.mailboxes for cause in same),
        of=sum(cause.of for cause in same),
        also=tuple(probe for probe in ProbeName if any(probe in cause.also for cause in same)),
    )


def _template(cause: Cause) -> str:
    ours = about(cause.reason).owner is Owner.YOU
    match cause.scope:
        case Scope.VANTAGE:
            return cause.reason if cause.reason in _SENTENCES else "vantage"
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
