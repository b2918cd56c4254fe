"""Decides which targets are looked at again when a server goes down or comes back. No I/O.

A mailbox's last result says nothing about a fault that began after it. So, when the tls probe of a server changes
between "reached" and "not reached", the mailboxes there run soon instead of at their next turn; and when a mailbox
contradicts what is known of its server, the tls probe of that server runs soon. After an outage of our own network
everything runs soon.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from exporter.model import Kind, Outcome, Phase, ProbeName, Result, TargetKey
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Layer, Reason, about
from exporter.run.timing import fraction

AT_ONCE = 2.0  # seconds within which a server runs
SOON = 10.0  # the shortest time in seconds over which the mailboxes of a server are spread
MOST = 2  # extra runs of a target within one interval: a server that flaps must not get more
_UNREACHED = frozenset({Layer.DNS, Layer.TRANSPORT})


class Flips:
    """What is known of each server, and when its mailboxes were hurried."""

    def __init__(self) -> None:
        self._config = EffectiveConfig()
        self._boxes: dict[str, list[TargetKey]] = {}  # host:port → the runs of mailboxes there, without round trips
        self._ports: dict[str, list[TargetKey]] = {}  # host:port → the tls probes of it
        self._reached: dict[TargetKey, bool] = {}  # by the last run with a verdict
        self._offline: set[TargetKey] = set()  # whose last run told nothing, because our own network was down
        self._hurried: dict[TargetKey, tuple[float, ...]] = {}  # times of the last extra runs, monotonic
        self._intervals: dict[TargetKey, float] = {}
        self._hosts: dict[TargetKey, tuple[str, ...]] = {}  # the hosts that a run logs in to
        self._rates: defaultdict[str, float] = defaultdict(float)  # host → logins a minute by schedule

    def load(self, config: EffectiveConfig) -> None:
        """Apply a configuration. What is known of targets that are still there is kept."""
        self._config = config
        self._boxes, self._ports, self._rates = {}, {}, defaultdict(float)
        self._intervals = {target.key: config.interval(target) for target in config.targets}
        self._hosts = {target.key: target.logins for target in config.targets}
        for target in config.targets:
            for host in target.logins:
                self._rates[host] += 60.0 / self._intervals[target.key]
            if target.kind is Kind.MAILBOX or target.probe is ProbeName.TLS:
                found = self._boxes if target.kind is Kind.MAILBOX else self._ports
                for server in target.servers:
                    found.setdefault(server, []).append(target.key)
        self._reached = {key: value for key, value in self._reached.items() if key in self._intervals}
        self._hurried = {key: value for key, value in self._hurried.items() if key in self._intervals}

    def see(self, result: Result, now: float) -> Iterator[tuple[TargetKey, float]]:
        """Yield each target to run again, with the seconds until then. `now` is `time.monotonic()`."""
        if result.target.key not in self._intervals:
            return
        yield from self._back_online(result, now)
        reached = is_reached(result)
        if reached is None:
            return
        key, before = result.target.key, self._reached.get(result.target.key)
        self._reached[key] = reached
        for server in result.target.servers:
            ports, boxes = self._ports.get(server, ()), self._boxes.get(server, ())
            if key in ports and before is not None and before is not reached:
                yield from self._hurry([each for each in boxes if self._reached.get(each) is not reached], now, reached)
            elif key in boxes:
                yield from self._hurry([each for each in ports if self._reached.get(each) is (not reached)], now)

    def _back_online(self, result: Result, now: float) -> Iterator[tuple[TargetKey, float]]:
        """Yield what could not be looked at while our own network was down, after the first run with a verdict."""
        if result.outcome is Outcome.INCONCLUSIVE:
            offline = result.failure is not None and result.failure.reason is Reason.VANTAGE_OFFLINE
            if offline and result.target.probe is not ProbeName.ROUNDTRIP:
                self._offline.add(result.target.key)
            return
        waiting, self._offline = self._offline - {result.target.key}, set()
        yield from self._hurry(sorted(waiting & self._intervals.keys()), now, True)

    def _hurry(
        self, keys: Sequence[TargetKey], now: float, back: bool | None = None
    ) -> Iterator[tuple[TargetKey, float]]:
        """Yield the targets that may run now. `back`: their server is back; None: they log in nowhere."""
        keys = [key for key in keys if self._may(key, now)]
        spread = AT_ONCE if back is None else self._spread(keys, back=back)
        for key in keys:
            if spread <= self._intervals[key]:  # else its own turn comes as soon
                self._hurried[key] = (*self._hurried.get(key, ())[1 - MOST :], now)
                yield key, fraction(key) * spread

    def _may(self, key: TargetKey, now: float) -> bool:
        extra = self._hurried.get(key, ())
        return len(extra) < MOST or now - extra[0] >= self._intervals[key]

    def _spread(self, keys: Sequence[TargetKey], *, back: bool) -> float:
        """Return the seconds over which so many runs keep the limit of logins per minute.

        A server that does not answer gets no logins. One that is back gets those of the schedule as well.
        """
        longest, limit = SOON, self._config.limits.logins_per_host_per_minute
        for host, count in Counter(host for key in keys for host in self._hosts[key]).items():
            spare = limit - self._rates[host] if back else limit
            longest = max(longest, 60.0 * count / spare if spare > 0 else float("inf"))
        return longest


def is_reached(result: Result) -> bool | None:
    """Return whether the run reached its server; None if it does not tell."""
    if result.outcome is Outcome.INCONCLUSIVE:
        return None
    failure = result.failure
    if result.outcome is Outcome.OK or failure is None:
        return True
    if failure.phase is Phase.TOKEN:  # about the token endpoint, not the mail server
        return None
    return about(failure.reason).layer not in _UNREACHED
