"""Notifications as a message for a group chat, in one language: what, with whom, since when, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum

from exporter.model.phrases import Phrases
from exporter.web.bridge.webhook import Alert, Notification

MOST_NAMES = 10  # limit of mailbox names for one kind of alert
FEW_NAMES = 3  # limit of names in the title
KEYWORD = "mailprobe"  # in each message, because a robot can be set to accept only messages with a keyword


class Level(StrEnum):
    """The worst alert of a message. It decides the colour."""

    CRITICAL = "critical"
    WARNING = "warning"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Markup:
    """How a robot's Markdown marks lines and colours."""

    newline: str
    heading: Callable[[str, Level], str]


@dataclass(frozen=True, slots=True)
class Message:
    """A message: the title, which the phone's lock screen shows, and the text."""

    title: str
    text: str
    level: Level


_RANKS = {"critical": 0, "warning": 1}


@dataclass(frozen=True, slots=True)
class _Group:
    """Alerts with the same name, state and summary."""

    alerts: tuple[Alert, ...]

    @property
    def first(self) -> Alert:
        return self.alerts[0]

    def names(self) -> list[str]:
        return list(dict.fromkeys(each.who for each in self.alerts))


@dataclass(frozen=True, slots=True)
class Composed:
    """A message, and for each notification whether it contains it. The others need another message."""

    message: Message
    told: tuple[bool, ...]


def compose(
    notifications: Sequence[Notification],
    language: str,
    markup: Markup,
    fits: Callable[[Message], bool],
    zone: tzinfo | None = None,
) -> Composed:
    """Return one message with as many complete notifications as fit, the most urgent first.

    If the first one alone is too long, the message has as many kinds of alerts as fit, and the number of the others.
    This notification counts as sent, because a retry would give the same message. The work is limited: the text that
    is built is only a few times as long as what fits. `zone` is the time zone; None is the one of this host.
    """
    words = Phrases(language, "bridge")
    keys = [each.key or index for index, each in enumerate(notifications)]
    newest = dict(zip(keys, notifications, strict=True))
    order = sorted(newest, key=lambda key: min(map(_rank, newest[key].alerts)))
    kinds = len({_kind(alert) for each in newest.values() for alert in each.alerts})

    def page(count: int) -> _Page:
        return _Page([newest[key] for key in order[:count]], kinds, words, markup, zone)

    def whole(count: int) -> bool:
        tried = page(count)
        return all(fits(tried.message(shown)) for shown in _doubling(len(tried.groups)))

    count = max(1, _most(len(order), whole))
    chosen, inside = page(count), set(order[:count])
    shown = _most(len(chosen.groups), lambda most: fits(chosen.message(most)))
    message = chosen.message(shown) if shown else _cut(chosen.message(0), chosen.first(), fits)
    return Composed(message, tuple(key in inside for key in keys))


class _Page:
    """Builds a message. Each block is built when it is first needed."""

    def __init__(
        self,
        notifications: Sequence[Notification],
        kinds: int,
        words: Phrases,
        markup: Markup,
        zone: tzinfo | None,
    ) -> None:
        self.groups = _groups(alert for each in notifications for alert in each.alerts)
        self._left_out = sum(each.left_out for each in notifications)
        self._kinds, self._words, self._markup, self._zone = kinds, words, markup, zone
        self._title, self._level = _title(self.groups, words), _level(self.groups)
        self._blocks: list[list[str]] = []

    def message(self, shown: int) -> Message:
        """Return the message with the first `shown` kinds of alerts and the number of the others. 0: only the title."""
        for group in self.groups[len(self._blocks) : shown]:
            self._blocks.append(_block(group, self._words, self._markup, self._zone))
        tail = [self._words("kinds", n=self._kinds - shown)] if shown < self._kinds else []
        tail += [self._words("left_out", n=self._left_out)] if self._left_out else []
        lines = [*_between(self._blocks[:shown]), *tail, KEYWORD] if shown else []
        return Message(self._title, self._markup.newline.join(lines), self._level)

    def first(self) -> str:
        """Return the text about the most urgent kind of alerts."""
        return self._markup.newline.join([*_block(self.groups[0], self._words, self._markup, self._zone), KEYWORD])


def _doubling(most: int) -> Iterator[int]:
    """Yield 1, 2, 4 … and `most`."""
    count = 1
    while count < most:
        yield count
        count *= 2
    yield most


def _most(most: int, good: Callable[[int], bool]) -> int:
    """Return the largest number up to `most` that is good, 0 if none is. Small numbers are tried first."""
    low, high = 0, most
    for count in _doubling(most):
        if not good(count):
            high = count - 1
            break
        low = count
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if good(middle) else (low, middle - 1)
    return low


def _cut(message: Message, text: str, fits: Callable[[Message], bool]) -> Message:
    """Return the message with as many characters of the text as fit."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(Message(message.title, f"{text[:middle]}…", message.level)):
            low = middle
        else:
            high = middle - 1
    return Message(message.title, f"{text[:low]}…", message.level)


def _between(blocks: Iterable[list[str]]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        lines += ["", *block] if lines else block
    return lines


def _rank(alert: Alert) -> tuple[bool, int]:
    return not alert.firing, _RANKS.get(alert.severity, 2)


def _kind(alert: Alert) -> tuple[bool, str, str]:
    return alert.firing, alert.kind, alert.summary


def _groups(alerts: Iterable[Alert]) -> list[_Group]:
    """Return the groups: firing alerts before resolved ones, the critical ones first."""
    found: dict[tuple[bool, str, str], list[Alert]] = {}
    for alert in sorted(alerts, key=_rank):
        found.setdefault(_kind(alert), []).append(alert)
    return [_Group(tuple(each)) for each in found.values()]


def _level(groups: Sequence[_Group]) -> Level:
    first = groups[0].first
    if not first.firing:
        return Level.RESOLVED
    return Level.CRITICAL if first.severity == "critical" else Level.WARNING


def _state(alert: Alert, words: Phrases) -> str:
    if not alert.firing:
        return words("resolved")
    return words(alert.severity if alert.severity in ("critical", "warning", "info") else "alert")


def _title(groups: Sequence[_Group], words: Phrases) -> str:
    first = groups[0].first
    told = [each for each in groups if each.first.firing == first.firing]
    names = list(dict.fromkeys(name for each in told for name in each.names()))
    few = ", ".join(names[:FEW_NAMES]) + (f" +{len(names) - FEW_NAMES}" if len(names) > FEW_NAMES else "")
    more = words("and_more") if len(told) > 1 else ""
    return f"{_state(first, words)}{first.summary}{more}{words('few', names=few)}"


def _block(group: _Group, words: Phrases, markup: Markup, zone: tzinfo | None) -> list[str]:
    first, names = group.first, group.names()
    more = words("more", n=len(names) - MOST_NAMES) if len(names) > MOST_NAMES else ""
    level = _level([group])
    lines = [
        markup.heading(f"{_state(first, words)}{first.summary}", level),
        f"{words('who')}{words('common.comma').join(names[:MOST_NAMES])}{more}",
    ]
    if first.firing:
        lines += _begun(group, words, zone)
        lines += [f"{words('why')}{first.description}"] if first.description else []
        links = [
            f"[{words(label)}]({url})"
            for label, url in (("common.what_to_do", first.runbook), ("dashboard", first.dashboard))
            if url
        ]
        lines += [" · ".join(links)] if links else []
    else:
        lines += _lasted(group, words, zone)
    return lines


def _begun(group: _Group, words: Phrases, zone: tzinfo | None) -> list[str]:
    """Return since when it fails. When the alert was raised, minutes later, is told as that."""
    since = min((each.since for each in group.alerts if each.since), default=0.0)
    raised = min((each.raised for each in group.alerts if each.raised), default=0.0)
    if since:
        return [f"{words('since')}{_clock(since, zone)}"]
    return [f"{words('raised')}{_clock(raised, zone)}"] if raised else []


def _lasted(group: _Group, words: Phrases, zone: tzinfo | None) -> list[str]:
    """Return from when until when it failed, or the times of the alert if that is not known."""
    since = min((each.since for each in group.alerts if each.since), default=0.0)
    until = max(each.until for each in group.alerts)
    label = "time"
    if not since or until < since:
        since = min((each.raised for each in group.alerts if each.raised), default=0.0)
        until = max(each.closed for each in group.alerts)
        label = "alert_time"
    if not since or until < since:
        return []
    minutes = words("minutes", n=round((until - since) / 60))
    return [f"{words(label)}{_clock(since, zone)} – {_clock(until, zone)}{minutes}"]


def _clock(at: float, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(at).astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")
