"""Tests of providers found by DNS:

chosen once, stored, not changed by later answers; a different answer is reported.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.net.dns.resolver import Answer, Resolver
from exporter.state.store import State
from exporter.targets import provider_watch
from exporter.targets.provider_lookup import RecognisedBy, Recognition
from exporter.targets.provider_watch import NOTE, Discovery
from tests.servers.daemon import Daemon, mailprobe
from tests.servers.dns import Authoritative, Zone
from tests.servers.dns import Resolver as Unbound
from tests.servers.process import wait_until

EXMAIL = Recognition("exmail", RecognisedBy.MX, "mxbiz1.qq.com")
TENCENT = ["@ MX 5 mxbiz1.qq.com.", "@ MX 10 mxbiz2.qq.com."]
NETEASE = ["@ MX 5 hzmx01.mxmail.netease.com."]
MOVED = (
    "the MX of acme.test now points to NetEase Enterprise Mail (Hangzhou cluster) (hzmx01.mxmail.netease.com): "
    "the logins go on to Tencent Exmail, as remembered. If the mailboxes have moved, set provider: netease_qiye_hz"
)
LEFT = (
    "the MX of acme.test (mail.acme.test) no longer points to Tencent Exmail: the logins go on there, as remembered. "
    "If the mailboxes have moved, write their servers or their provider"
)


@pytest.fixture
async def state(tmp_path) -> AsyncIterator[State]:
    opened = await State.open(tmp_path / "data")
    yield opened
    await opened.close()


@pytest.fixture
def finder(resolver: str, state: State):
    """A new one, as after a restart, with what it tells the user."""

    def make():
        told: list[str] = []
        return Discovery(Resolver([resolver], timeout=2.5).lookup, state.notes, tell=told.append), told

    return make


# -- against a real resolver ------------------------------------------------------------------------------------------


async def test_the_first_answer_is_remembered_on_disk(finder, authoritative: Authoritative, state: State, tmp_path):
    authoritative.add("acme.test", Zone(TENCENT))
    found, told = finder()
    assert await found.look("acme.test")
    assert found.known == {"acme.test": EXMAIL}
    assert told == []
    await state.close()
    again = await State.open(tmp_path / "data")
    try:
        after = Discovery(Resolver(["127.0.0.1:1"]).lookup, again.notes)
        assert await after.recall(["acme.test", "other.test"])
        assert after.known == {"acme.test": EXMAIL}
    finally:
        await again.close()


@pytest.mark.parametrize(
    ("later", "notice"),
    [
        (
            NETEASE,
            MOVED,
        ),
        (
            ["@ MX 5 mail", "mail A 127.0.0.1"],
            LEFT,
        ),
    ],
)
async def test_a_later_different_answer_only_warns(
    finder, authoritative: Authoritative, resolver_server: Unbound, later, notice
):
    """The password stays where it is; the warning is given once, and ends when the old answer is back."""
    authoritative.add("acme.test", Zone(TENCENT))
    await finder()[0].look("acme.test")
    authoritative.change("acme.test", later)
    resolver_server.flush()
    found, told = finder()
    assert await found.recall(["acme.test"])
    for _ in range(2):
        assert not await found.look("acme.test")
        assert found.known == {"acme.test": EXMAIL}
    assert told == [notice]
    assert [each.text() for each in found.notices()] == [notice]
    assert "acme.test" in found.notices()[0].text("zh")
    authoritative.change("acme.test", TENCENT)
    resolver_server.flush()
    await found.look("acme.test")
    assert found.notices() == ()


async def test_no_answer_is_no_different_answer(finder, authoritative: Authoritative, resolver_server: Unbound):
    authoritative.add("acme.test", Zone(TENCENT))
    found, told = finder()
    await found.look("acme.test")
    authoritative.remove("acme.test")
    resolver_server.flush()
    assert not await found.look("acme.test")
    assert (found.known, found.notices(), told) == ({"acme.test": EXMAIL}, (), [])


@pytest.mark.parametrize(
    ("domain", "records", "says"),
    [
        ("acme.silent.test", [], "acme.silent.test: the provider of its mailboxes is not known yet"),
        ("acme.test", ["@ MX 5 mail"], "acme.test: its MX (mail.acme.test) is of no provider that is known here"),
    ],
)
async def test_who_is_not_recognised_is_told_once_and_what_to_write(
    finder, authoritative: Authoritative, domain, records, says
):
    if records:
        authoritative.add(domain, Zone(records))
    found, told = finder()
    for _ in range(2):
        assert not await found.look(domain)
    assert len(told) == 1
    assert told[0].startswith(says)
    assert found.known == {}


# -- in time ----------------------------------------------------------------------------------------------------------


async def test_without_an_answer_it_is_asked_again_and_the_news_are_told(state: State, monkeypatch):
    """SERVFAIL twice, then the MX: the targets of the mailbox may begin."""
    monkeypatch.setattr(provider_watch, "FIRST_RETRY", 0.01)
    answers = [Answer("servfail", text="x"), Answer("timeout"), Answer("ok", ("5 mxbiz1.qq.com",))]
    asked: list[str] = []

    async def lookup(name: str, _: str) -> Answer:
        asked.append(name)
        return answers.pop(0)

    found, news = Discovery(lookup, state.notes), asyncio.Event()

    async def on_news() -> None:
        news.set()

    watching = asyncio.create_task(found.watch(lambda: ("acme.test",), on_news))
    await asyncio.wait_for(news.wait(), 60)
    watching.cancel()
    assert asked == ["acme.test"] * 3
    assert found.known == {"acme.test": EXMAIL}
    assert found.notices() == ()


async def test_a_domain_that_left_is_asked_about_no_more_and_a_new_one_at_once(state: State):
    domains = ["a.test"]
    asked: list[str] = []
    heard = asyncio.Event()

    async def lookup(name: str, _: str) -> Answer:
        asked.append(name)
        heard.set()
        return Answer("ok", (f"5 mx.{name}",)) if name in ("a.test", "b.test") else Answer("nxdomain")

    found = Discovery(lookup, state.notes, tell=lambda _: None)

    async def on_news() -> None:
        raise AssertionError("there are none")

    async def told_about(domain: str) -> None:
        while [each.domain for each in found.notices()] != [domain]:
            heard.clear()
            await asyncio.wait_for(heard.wait(), 60)
            await asyncio.sleep(0)

    watching = asyncio.create_task(found.watch(lambda: domains, on_news))
    await told_about("a.test")
    domains[:] = ["b.test"]
    found.wake()
    await told_about("b.test")
    watching.cancel()
    assert asked == ["a.test", "imap.a.test", "mail.a.test", "b.test", "imap.b.test", "mail.b.test"]


@pytest.mark.parametrize("note", ["", "{", "[]", json.dumps({"provider": "gone", "by": "mx", "evidence": "x"})])
async def test_a_note_that_means_nothing_any_more_is_as_good_as_none(state: State, note):
    await state.notes.put("acme.test", NOTE, note)
    found = Discovery(Resolver(["127.0.0.1:1"]).lookup, state.notes)
    assert not await found.recall(["acme.test"])


async def test_what_is_remembered_comes_before_what_is_answered(state: State):
    """Also where nobody has called `recall`: an answer must not take the place of a note."""
    value = {"provider": "zoho", "by": "mx", "evidence": "mx.zoho.com"}
    await state.notes.put("acme.test", NOTE, json.dumps(value))

    async def lookup(_: str, __: str) -> Answer:
        return Answer("ok", ("5 mxbiz1.qq.com",))

    found = Discovery(lookup, state.notes, tell=lambda _: None)
    assert await found.look("acme.test")
    assert found.known["acme.test"].provider == "zoho"
    assert [notice.kind for notice in found.notices()] == ["moved"]


# -- as the user sees it ----------------------------------------------------------------------------------------------

CONFIG = """\
resolvers: ["{resolver}"]
defaults: {{timeout: 1s}}
mailboxes:
  - name: sales
    address: sales@acme.test
    password_file: secrets/sales
routes: [{{from: sales, to: sales}}]
"""


def provider_of_sales(daemon: Daemon) -> str:
    for line in daemon.text("/metrics").splitlines():
        if line.startswith("mailprobe_target_info{") and 'target="sales"' in line:
            return line.partition('provider="')[2].partition('"')[0]
    return ""


def test_a_daemon_waits_for_the_dns_then_watches_and_remembers(
    resolver_server: Unbound, authoritative: Authoritative, resolver: str
):
    """SERVFAIL at the first start stops nothing; the targets appear with the answer; the next start needs none."""
    with Daemon(CONFIG.format(resolver=resolver), {"sales": "x"}) as daemon:
        wait_until(lambda: "not known yet" in daemon.text("/"), 15, "the page says what is waited for")
        assert "尚不知邮箱在哪家服务商" in daemon.text("/?lang=zh")
        assert "acme.test: the provider of its mailboxes is not known yet" in daemon.tail(100)
        (waiting,) = json.loads(daemon.text("/api/v1/targets"))["waiting"]
        assert waiting["target"] == "sales"
        assert provider_of_sales(daemon) == ""
        authoritative.add("acme.test", Zone(TENCENT))
        resolver_server.flush()
        assert daemon.post("/-/reload")[0] == 200
        wait_until(lambda: provider_of_sales(daemon) == "exmail", 15, "the mailbox is watched")
        assert 'server="imap.exmail.qq.com"' in daemon.text("/metrics")
        assert 'target="sales-to-sales"' in daemon.text("/metrics")
        assert "not known yet" not in daemon.text("/")
        daemon.stop()
        authoritative.remove("acme.test")
        resolver_server.flush()
        daemon.start()
        assert provider_of_sales(daemon) == "exmail"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG.format(resolver="127.0.0.1:1"))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "sales").write_text("x")
    (tmp_path / "secrets" / "sales").chmod(0o600)
    return tmp_path


def test_the_configuration_is_checked_offline_and_says_what_is_recognised_later(folder: Path):
    done = mailprobe("--config.check", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "1 mailboxes name no provider and no server: recognised at run time, by the MX of acme.test" in done.stdout


def test_check_looks_itself_and_says_which_mailbox_cannot_be_checked(folder: Path):
    done = mailprobe("check", "--url=", "sales", cwd=folder)
    assert done.returncode == 2
    assert "sales cannot be checked: acme.test: the provider of its mailboxes is not known yet" in done.stderr
    assert "Traceback" not in done.stderr


def test_check_recognises_by_the_same_look_up(folder: Path, authoritative: Authoritative, resolver: str):
    """With the answer, the mailbox is checked where it is: here its host does not resolve, so no password is sent."""
    authoritative.add("acme.test", Zone(TENCENT))
    (folder / "config.yaml").write_text(CONFIG.format(resolver=resolver))
    done = mailprobe("check", "--url=", "sales", "--probe=imap", "--json", cwd=folder)
    (result,) = json.loads(done.stdout)["results"]
    assert (result["provider"], result["phase"]) == ("exmail", "resolve")
