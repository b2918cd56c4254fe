"""Incident: something that is wrong, from its start until some time after its end; and how it is stored."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from exporter.incidents.rootcause.cause import Cause, sentence
from exporter.model import Labels, ProbeName, Scope, TargetKey
from exporter.model.phrases import Phrases
from exporter.model.reasons import Layer, Reason


@dataclass(slots=True)
class Member:
    """One (target, probe) of an incident."""

    layer: Layer  # at which it failed
    conclusive: bool = True  # False: nothing could be told of it, because of our own side
    good: bool | None = None  # at the last look; None: not looked at since the start
    seq: int = 0  # of the last look


@dataclass(slots=True)
class Incident:
    """Something that is wrong, from its opening until some time after its end."""

    key: str
    scope: Scope
    layer: Layer
    reason: Reason
    text: str  # the server's reply
    told: tuple[str, str]  # what is wrong, in one sentence: English, Chinese
    server: str
    provider: str
    domain: str
    targets: tuple[str, ...]  # names that fail now, or failed last
    labels: Labels  # of its alert; never changed, since they are its identity there
    since: float  # Unix time of the first bad look
    opened: float  # Unix time
    interval: float  # seconds between looks: the longest of its targets
    resolved: float = 0.0  # Unix time; 0 while open
    confirmed: bool = True  # a target was found failing since the start; False: known from disk only
    cause: Cause | None = None  # as it was last told
    version: int = 0  # grows with each change of what is told
    members: dict[TargetKey, Member] = field(default_factory=dict)
    good_looks: int = 0  # since the cause was last there
    absent_since: int | None = None  # looks that had been taken when the cause was last there; None: it is there

    def what(self, language: str) -> str:
        """What is wrong, in one sentence. From disk it is known in two languages: then in the nearer of them."""
        if self.cause is not None:
            return sentence(self.cause, language)
        return self.told[Phrases(language).like == "zh"]

    @property
    def open(self) -> bool:
        return not self.resolved

    def freeze(self) -> str:
        """For the state file."""
        members = [(name, probe, each.layer, each.conclusive) for (name, probe), each in self.members.items()]
        kept = {name: getattr(self, name) for name in _PLAIN}
        return json.dumps({**kept, "members": members})


_PLAIN = (
    *("scope", "layer", "reason", "text", "told", "server", "provider", "domain", "targets", "labels"),
    *("since", "opened", "interval", "resolved"),
)


def thaw(key: str, record: str) -> Incident | None:
    """An incident from the state file; None where the record is of a version that knew other words."""
    try:
        data = json.loads(record)
        members = {
            (str(name), ProbeName(probe)): Member(Layer(layer), bool(conclusive))
            for name, probe, layer, conclusive in data["members"]
        }
        english, chinese = data["told"]
        return Incident(
            key=key,
            scope=Scope(data["scope"]),
            layer=Layer(data["layer"]),
            reason=Reason(data["reason"]),
            text=str(data["text"]),
            told=(str(english), str(chinese)),
            server=str(data["server"]),
            provider=str(data["provider"]),
            domain=str(data["domain"]),
            targets=tuple(map(str, data["targets"])),
            labels=tuple((str(name), str(value)) for name, value in data["labels"]),
            since=float(data["since"]),
            opened=float(data["opened"]),
            interval=float(data["interval"]),
            resolved=float(data["resolved"]),
            confirmed=False,
            members=members,
            absent_since=0,
        )
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Changes:
    """What a tick brought. Each must be on disk before anybody is told."""

    opened: tuple[Incident, ...] = ()
    resolved: tuple[Incident, ...] = ()  # over, or its targets have left the config
    changed: tuple[Incident, ...] = ()  # open before and after, with other targets or another reason
    forgotten: tuple[str, ...] = ()  # keys of those resolved long ago

    def __bool__(self) -> bool:
        return bool(self.opened or self.resolved or self.changed or self.forgotten)
