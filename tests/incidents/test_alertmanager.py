"""Tests of the push to Alertmanager: what is sent, how often, and what happens when Alertmanager does not answer."""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web

from exporter.credentials.sources import FileSecret
from exporter.incidents import alertmanager, announcer
from exporter.incidents.alert_text import annotations_of
from exporter.incidents.alertmanager import MAX_QUEUED, Alert, Pusher, lease
from exporter.incidents.announcer import NOTE, Announcer
from exporter.incidents.rootcause.cause import Cause
from exporter.model import Scope
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Reason, about
from exporter.model.settings import Alertmanager, PushSettings
from exporter.state.store import State
from tests.results import failed, mailbox, ok
from tests.servers.certs import Authority
from tests.servers.process import free_port

Json = Any
SECRET = "c4nary-token"


class Counts:
    """A Watcher that counts."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.news = asyncio.Event()

    def notified(self, alertmanager: str, alerts: int) -> None:
        self.sent[alertmanager] += alerts

    def notify_failed(self, alertmanager: str, alerts: int) -> None:
        self.failed[alertmanager] += alerts
        self.news.set()

    def notify_dropped(self, alertmanager: str, alerts: int) -> None:
        self.dropped[alertmanager] += alerts


class Receiver:
    """An Alertmanager that the test controls."""

    def __init__(self) -> None:
        self.port = free_port()
        self.requests: list[tuple[dict[str, str], list[Json]]] = []
        self.status = 200
        self.location = ""
        self.scheme = "http"
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        app.router.add_post("/{tail:.*}", self._receive)
        self.scheme = "https" if context else "http"
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        status = self.status
        async with self._news:
            self.requests.append(({**request.headers, "path": request.path}, await request.json()))
            self._news.notify_all()
        headers = {"Location": self.location} if self.location else {}
        return web.Response(status=status, text="because", headers=headers)

    async def wait_for(self, wanted: Callable[[Receiver], bool]) -> None:
        async with asyncio.timeout(100), self._news:
            await self._news.wait_for(lambda: wanted(self))

    @property
    def alerts(self) -> list[Json]:
        return [alert for _, alerts in self.requests for alert in alerts]

    def last(self, name: str) -> Json:
        return next((each for each in reversed(self.alerts) if each["labels"]["alertname"] == name), None)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def pusher(monkeypatch) -> AsyncIterator[tuple[Pusher, Counts]]:
    monkeypatch.setattr(alertmanager, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(alertmanager, "LONGEST_PAUSE", 0.05)
    counts = Counts()
    made = Pusher(counts, time.time)
    yield made, counts
    await made.close()


def alert(name: str = "MailLoginFailing", **changes: object) -> Alert:
    values = {"labels": (("alertname", name), ("job", "mailprobe")), "annotations": {}, "starts": 100.0, "lease": 240.0}
    return Alert(**{**values, **changes})  # type: ignore[arg-type]  # a test sets only the fields it is about


def pushing_to(*targets: Alertmanager) -> EffectiveConfig:
    return EffectiveConfig(push=PushSettings(targets))


# -- one alert ------------------------------------------------------------------------------------------------------


def test_a_firing_alert_holds_four_intervals_or_resends_whichever_is_longer():
    assert (lease(300, 60), lease(2, 60)) == (1200, 240)
    body = alert(url="http://mon.example/").body(1000.0)
    assert (body["startsAt"], body["endsAt"]) == ("1970-01-01T00:01:40.000Z", "1970-01-01T00:20:40.000Z")
    assert body["generatorURL"] == "http://mon.example/"
    assert "generatorURL" not in alert().body(1000.0)


def test_an_alert_that_is_over_never_ends_before_it_began():
    """Otherwise Alertmanager rejects the batch. Clocks may be set back."""
    assert alert(ends=90.0).body(1000.0)["endsAt"] == "1970-01-01T00:01:40.001Z"
    assert alert(ends=500.0).body(1000.0)["endsAt"] == "1970-01-01T00:08:20.000Z"
    assert alert(starts=5000.0).body(1000.0)["startsAt"] == "1970-01-01T00:16:40.000Z"


@pytest.mark.parametrize(
    "labels",
    [(("job", "x"),), (("alertname", ""),), (("alertname", "A"), ("a-b", "x")), (("alertname", "A"), ("__a", "x"))],
)
def test_what_alertmanager_would_refuse_or_wrongly_take_is_no_alert(labels):
    with pytest.raises(ValueError, match="invalid labels"):
        alert(labels=labels)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://am.example", "am.example:80"),
        ("https://am.example/prefix", "am.example:443"),
        ("http://[::1]:9093", "[::1]:9093"),
    ],
)
def test_an_alertmanager_is_called_host_and_port(url, name):
    assert Alertmanager(url).name == name


# -- sending --------------------------------------------------------------------------------------------------------


async def test_everybody_gets_everything_in_batches(pusher, receiver):
    push, counts = pusher
    other = Receiver()
    await other.start()
    push.load(pushing_to(Alertmanager(receiver.url), Alertmanager(other.url + "/prefix")))
    push.push(alert(f"A{n}") for n in range(150))
    for each in (receiver, other):
        await each.wait_for(lambda seen: len(seen.alerts) == 150)
        assert [len(alerts) for _, alerts in each.requests] == [64, 64, 22]
    assert receiver.requests[0][0]["path"] == "/api/v2/alerts"
    assert other.requests[0][0]["path"] == "/prefix/api/v2/alerts"
    assert receiver.requests[0][0]["Content-Type"] == "application/json"
    assert counts.sent == {receiver.name: 150, other.name: 150}
    assert not counts.failed
    await other.stop()


async def test_what_cannot_be_delivered_is_counted_kept_and_delivered_later_as_it_is_then(pusher, caplog):
    push, counts = pusher
    receiver = Receiver()
    push.load(pushing_to(Alertmanager(receiver.url)))
    push.push([alert("A"), alert("B")])
    await asyncio.wait_for(counts.news.wait(), 100)
    push.push([alert("A", ends=500.0)])
    await receiver.start()
    await receiver.wait_for(lambda seen: len(seen.alerts) >= 2)
    assert sorted(each["labels"]["alertname"] for each in receiver.alerts) == ["A", "B"]
    assert receiver.last("A")["endsAt"] == "1970-01-01T00:08:20.000Z"
    assert counts.failed[receiver.name] >= 2
    assert caplog.text.count("does not take alerts") == 1
    await receiver.stop()


async def test_a_refused_alert_is_not_sent_for_ever_and_an_error_of_the_server_is_tried_again(pusher, receiver):
    push, counts = pusher
    push.load(pushing_to(Alertmanager(receiver.url)))
    receiver.status = 400
    push.push([alert("A")])
    await receiver.wait_for(lambda seen: len(seen.requests) == 1)
    receiver.status = 503
    push.push([alert("B")])
    await receiver.wait_for(lambda seen: len(seen.requests) >= 3)
    receiver.status = 200
    await receiver.wait_for(lambda seen: seen.status == 200 and seen.last("B") is not None)
    assert [each["labels"]["alertname"] for each in receiver.alerts].count("A") == 1
    assert counts.failed[receiver.name] >= 2


async def test_the_oldest_go_first_when_too_many_wait(pusher):
    push, counts = pusher
    target = Alertmanager(f"http://127.0.0.1:{free_port()}")
    push.load(pushing_to(target))
    push.push(alert(f"A{n}") for n in range(MAX_QUEUED + 7))
    assert counts.dropped == {target.name: 7}
    push.push(alert(f"A{n}") for n in range(7, MAX_QUEUED + 7))
    assert counts.dropped == {target.name: 7}, "the newer state of what waits is no loss"


async def test_passwords_and_tokens_are_read_each_time_and_never_told(pusher, receiver, tmp_path, caplog):
    push, _ = pusher
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    basic = Alertmanager(receiver.url, "user", FileSecret(file))
    push.load(pushing_to(basic))
    push.push([alert("A")])
    await receiver.wait_for(lambda seen: len(seen.requests) == 1)
    pair = base64.b64encode(f"user:{SECRET}".encode()).decode()
    assert receiver.requests[0][0]["Authorization"] == f"Basic {pair}"
    push.load(pushing_to(Alertmanager(receiver.url, bearer_token=FileSecret(file, "bearer_token_file"))))
    file.write_text("changed")
    receiver.status = 401
    push.push([alert("A")])
    await receiver.wait_for(lambda seen: len(seen.requests) == 2)
    assert receiver.requests[1][0]["Authorization"] == "Bearer changed"
    file.write_text(f"{SECRET}\x01")  # a header cannot contain it
    receiver.status = 200
    push.load(pushing_to(basic))
    push.push([alert("A")])
    assert SECRET not in caplog.text
    assert SECRET not in repr(basic)


async def test_a_secret_is_not_sent_to_where_a_redirect_leads(pusher, receiver, tmp_path):
    push, counts = pusher
    other = Receiver()
    await other.start()
    file = tmp_path / "secret"
    file.write_text(SECRET)
    receiver.status, receiver.location = 307, f"{other.url}/api/v2/alerts"
    push.load(pushing_to(Alertmanager(receiver.url, bearer_token=FileSecret(file))))
    push.push([alert("A")])
    await asyncio.wait_for(counts.news.wait(), 100)
    assert other.requests == []
    await other.stop()


async def test_a_certificate_is_verified_with_the_given_ca(pusher, authority: Authority):
    push, counts = pusher
    receiver = Receiver()
    await receiver.start(authority.good("127.0.0.1").context())
    push.load(pushing_to(Alertmanager(receiver.url)))
    push.push([alert("A")])
    await asyncio.wait_for(counts.news.wait(), 100)
    assert receiver.requests == []
    push.load(pushing_to(Alertmanager(receiver.url, ca_file=authority.ca_file)))
    push.push([alert("A")])
    await receiver.wait_for(lambda seen: len(seen.requests) == 1)
    await receiver.stop()


# -- the announcer --------------------------------------------------------------------------------------------------


def cause(name: str = "sales", reason: Reason = Reason.WRONG_PASSWORD) -> Cause:
    layer = about(reason).layer
    return Cause(f"target:{name}", Scope.TARGET, layer, reason, (name,), subject=name, text="NO", provider="p")


class Daemon:
    """An announcer over a state folder, with causes and a clock that the test controls."""

    def __init__(self, folder, url: str, resend: float = 3600.0) -> None:
        self.folder = folder
        self.push = PushSettings((Alertmanager(url),), (("site", "berlin"), ("job", "not-ours")), resend)
        self.causes: tuple[Cause, ...] = ()
        self.counts = Counts()
        self.now = 1_700_000_000.0
        self.state: State
        self.announcer: Announcer

    async def start(self, push: PushSettings | None = None) -> None:
        self.state = await State.open(self.folder)
        self.announcer = Announcer(self.state, lambda: self.causes, self.counts, now=lambda: self.now)
        self.announcer.load(EffectiveConfig([mailbox()], push=push or self.push, alert_labels=("team",)))

    async def stop(self) -> None:
        await self.announcer.close()
        await self.state.close()

    async def fail(self, times: int = 3, reason: Reason = Reason.WRONG_PASSWORD) -> None:
        self.causes = (cause(reason=reason),)
        for _ in range(times):
            self.announcer.record(failed(mailbox(), reason, started=self.now))
            self.now += 300
            await self.announcer.tick()

    async def mend(self, times: int = 2) -> None:
        self.causes = ()
        for _ in range(times):
            self.announcer.record(ok(mailbox(), started=self.now))
            self.now += 300
            await self.announcer.tick()

    def again(self) -> None:
        """Let `resend` pass."""
        self.announcer._next_push = 0.0


@pytest.fixture
async def daemon(tmp_path, receiver) -> AsyncIterator[Daemon]:
    made = Daemon(tmp_path / "data", receiver.url)
    await made.start()
    yield made
    await made.stop()


async def test_the_watchdog_comes_at_once_and_an_incident_as_soon_as_it_opens(daemon, receiver):
    await daemon.announcer.tick()
    await receiver.wait_for(lambda seen: seen.last("Watchdog") is not None)
    assert receiver.last("Watchdog")["labels"] == {
        "alertname": "Watchdog", "severity": "none", "layer": "exporter", "job": "mailprobe", "site": "berlin",
    }  # fmt: skip
    await daemon.fail()
    await receiver.wait_for(lambda seen: seen.last("MailLoginRejected") is not None)
    told = receiver.last("MailLoginRejected")
    assert told["labels"]["mailbox"] == "sales"
    assert (told["labels"]["site"], told["labels"]["job"], told["labels"]["team"]) == ("berlin", "mailprobe", "export")
    starts, ends = (datetime.fromisoformat(told[each]).timestamp() for each in ("startsAt", "endsAt"))
    assert ends - starts == 4 * daemon.push.resend


async def test_an_end_is_said_again_for_a_quarter_of_an_hour_even_after_a_restart(daemon, receiver):
    await daemon.fail()
    await daemon.mend()
    over = daemon.now
    await receiver.wait_for(lambda seen: _ends(seen, "MailLoginRejected") == over)
    await daemon.stop()
    await daemon.start()
    receiver.requests.clear()
    await daemon.announcer.tick()
    await receiver.wait_for(lambda seen: seen.last("MailLoginRejected") is not None)
    assert _ends(receiver, "MailLoginRejected") == over
    daemon.now += 901
    await daemon.announcer.tick()
    assert daemon.announcer.all() == ()
    receiver.requests.clear()
    daemon.again()
    await daemon.announcer.tick()
    await receiver.wait_for(lambda seen: seen.last("Watchdog") is not None)
    assert receiver.last("MailLoginRejected") is None


def _ends(receiver: Receiver, name: str) -> float:
    found = receiver.last(name)
    return datetime.fromisoformat(found["endsAt"]).timestamp() if found else 0.0


async def test_after_a_short_restart_what_alertmanager_holds_is_held(daemon, receiver):
    """Otherwise its endsAt would pass before a mailbox with a long interval has run again: a wrong end."""
    await daemon.fail()
    await daemon.stop()
    await daemon.start()
    receiver.requests.clear()
    daemon.now += 600
    await daemon.announcer.tick()
    await receiver.wait_for(lambda seen: seen.last("MailLoginRejected") is not None)
    assert _ends(receiver, "MailLoginRejected") > daemon.now


async def test_after_a_long_restart_nothing_is_said_until_it_was_seen_again(daemon, receiver):
    await daemon.fail()
    daemon.causes = ()
    await daemon.stop()
    await daemon.start()
    receiver.requests.clear()
    daemon.now += 4 * 3600 + 1000
    await daemon.announcer.tick()
    await receiver.wait_for(lambda seen: seen.last("Watchdog") is not None)
    assert receiver.last("MailLoginRejected") is None
    assert [each.open for each in daemon.announcer.all()] == [True]
    await daemon.fail(1)
    daemon.again()
    await daemon.announcer.tick()
    await receiver.wait_for(lambda seen: seen.last("MailLoginRejected") is not None)


async def test_it_is_on_disk_before_anybody_is_told(daemon, receiver):
    await daemon.fail()
    assert len(await _saved(daemon)) == 1
    assert float(await daemon.state.notes.get(*NOTE) or 0) > 0


async def _saved(daemon: Daemon) -> dict[str, str]:
    await daemon.stop()
    await daemon.start()
    return daemon.state.incidents


async def test_of_two_incidents_with_the_same_labels_the_open_one_speaks(daemon, receiver):
    """A mailbox that keeps failing for a reason of another layer has the same alert: it must not be resolved."""
    await daemon.fail(reason=Reason.TIMEOUT)
    await daemon.fail(reason=Reason.FOLDER_MISSING)
    assert [each.open for each in daemon.announcer.all()] == [True, False]
    receiver.requests.clear()
    daemon.again()
    await daemon.announcer.tick()
    await receiver.wait_for(lambda seen: seen.last("MailLoginFailing") is not None)
    (told,) = [each for each in receiver.alerts if each["labels"]["alertname"] == "MailLoginFailing"]
    assert datetime.fromisoformat(told["endsAt"]).timestamp() > daemon.now


async def test_without_alertmanager_incidents_are_kept_all_the_same(tmp_path):
    daemon = Daemon(tmp_path / "data", "http://127.0.0.1:1")
    await daemon.start()
    daemon.announcer.load(EffectiveConfig([mailbox()]))
    await daemon.fail()
    assert [each.open for each in daemon.announcer.all()] == [True]
    assert not daemon.counts.sent
    await daemon.stop()


async def test_a_tick_that_fails_does_not_end_the_watch(daemon, monkeypatch, caplog):
    monkeypatch.setattr(announcer, "TICK", 0.001)
    ticks = asyncio.Event()
    outcomes = iter([RuntimeError("a bug")])

    def causes():
        for bad in outcomes:
            raise bad
        ticks.set()
        return ()

    daemon.announcer._causes = causes
    running = asyncio.create_task(daemon.announcer.run())
    await asyncio.wait_for(ticks.wait(), 100)
    running.cancel()
    assert "incidents were not updated" in caplog.text


async def test_an_incident_that_cannot_be_told_does_not_keep_the_others_from_going_out(
    daemon, receiver, monkeypatch, caplog
):
    def broken(incident, url):
        if "sales" in incident.targets:
            raise RuntimeError("a bug")
        return annotations_of(incident, url)

    monkeypatch.setattr(announcer, "annotations_of", broken)
    daemon.announcer.load(EffectiveConfig([mailbox(), mailbox("export")], push=daemon.push))
    daemon.causes = (cause(), cause("export"))
    for _ in range(3):
        for name in ("sales", "export"):
            daemon.announcer.record(failed(mailbox(name), Reason.WRONG_PASSWORD, started=daemon.now))
        daemon.now += 300
        await daemon.announcer.tick()
    await receiver.wait_for(lambda seen: seen.last("MailLoginRejected") is not None)
    assert receiver.last("MailLoginRejected")["labels"]["mailbox"] == "export"
    assert "an incident has no alert" in caplog.text
