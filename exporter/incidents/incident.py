"""Incident: something that is wrong, from its start until some time after its end; and how it is stored."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from exporter.incidents.rootcause.cause import Cause, sentence
from exporter.model import Labels, ProbeName, Scope, TargetKey
from exporter.model.advice import Advice
from exporter.model.phrases import Phrases
from exporter.model.reasons import Layer, Reason


@dataclass(slots=True)
class Member:
    """One (target, probe) that an incident affects."""

    layer: Layer  # the layer at which it failed
    conclusive: bool = True  # False: its runs are inconclusive because of a fault on our side
    good: bool | None = None  # whether the last result was good; None: no result since the start of the daemon
    seq: int = 0  # sequence number of the last result
    good_at: float = 0.0  # Unix time at which the first good run after the failure began; 0 while it fails


@dataclass(slots=True)
class Incident:
    """One incident. It is kept until some time after it is resolved."""

    key: str
    scope: Scope
    layer: Layer
    reason: Reason
    text: str  # the server's reply
    advice: Advice | None  # the case, if it is known more exactly than its reason
    told: tuple[str, str]  # what is wrong, in one sentence, in English and in Chinese
    server: str
    provider: str
    domain: str
    targets: tuple[str, ...]  # names of the targets that fail now, or failed last
    labels: (
        Labels  # labels of its alert. They never change, because they are the identity of the alert in Alertmanager.
    )
    since: float  # Unix time of the first bad result
    opened: float  # Unix time
    interval: float  # seconds between two results: the longest interval of its targets
    resolved: float = 0.0  # Unix time; 0 while open
    ended: float = 0.0  # Unix time of the first good look of the member that recovered last; 0 if nobody saw it
    returned: bool = False  # True: it came back soon after its end, so it must stay away for longer
    confirmed: bool = True  # False: loaded from the state file, and no result has confirmed it since the start
    cause: Cause | None = None  # the cause as last seen
    version: int = 0  # is incremented when the content of the alert changes
    members: dict[TargetKey, Member] = field(default_factory=dict)
    good_looks: int = 0  # good results since the cause was last present
    absent_since: int | None = None  # number of results when the cause was last present; None: it is present

    def what(self, language: str) -> str:
        """Return what is wrong, in one sentence. An incident from the state file has only English and Chinese."""
        if self.cause is not None:
            return sentence(self.cause, language)
        return self.told[Phrases(language).like == "zh"]

    @property
    def open(self) -> bool:
        return not self.resolved

    def freeze(self) -> str:
        """Return the incident as text for the state file."""
        members = [(name, probe, each.layer, each.conclusive) for (name, probe), each in self.members.items()]
        kept = {name: getattr(self, name) for name in _PLAIN}
        return json.dumps({**kept, "members": members})


_PLAIN = (
    *("scope", "layer", "reason", "text", "advice", "told", "server", "provider", "domain", "targets", "labels"),
    *("since", "opened", "interval", "resolved", "ended", "returned"),
)


def thaw(key: str, record: str) -> Incident | None:
    """Return an incident from the state file; None if another version wrote the record in another format."""
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
            advice=Advice(data["advice"]) if data.get("advice") else None,
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
            ended=float(data.get("ended", 0.0)),  # older versions did not store these two
            returned=bool(data.get("returned", False)),
            confirmed=False,
            members=members,
            absent_since=0,
        )
    except (ValueError, KeyError, TypeError):
        return None


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of one tick. They must be written to the state file before anybody is notified."""

    opened: tuple[Incident, ...] = ()
    resolved: tuple[Incident, ...] = ()  # the failure is over, or its targets were removed from the configuration
    changed: tuple[Incident, ...] = ()  # still open, with other targets or another reason
    forgotten: tuple[str, ...] = ()  # keys of incidents that were resolved long ago

    def __bool__(self) -> bool:
        return bool(self.opened or self.resolved or self.changed or self.forgotten)
