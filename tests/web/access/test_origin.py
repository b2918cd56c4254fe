"""Tests that other web sites cannot cause actions with a reader's browser, and that programs and our own pages can."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from aiohttp import ClientResponse

from exporter.model import ProbeName, Wait
from exporter.run.scheduler import Interrupted
from exporter.web.access import origin
from tests.results import failed, mailbox, ok
from tests.web.conftest import Client
from tests.web.view import FakeView

SAME = {"Sec-Fetch-Site": "same-origin"}
EVIL = {"Origin": "http://evil.example"}

# What a browser says, and whether a page of ours is known by it. `HERE` is the address that the browser shows.
BROWSERS = [
    (SAME | {"Origin": "HERE"}, True),
    (SAME, True),
    ({"Origin": "HERE"}, True),  # plain HTTP beyond loopback: no Sec-Fetch-Site
    (EVIL, False),
    ({"Sec-Fetch-Site": "cross-site"} | EVIL, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "HERE"}, False),
    ({"Sec-Fetch-Site": "same-site", "Origin": "HERE"}, False),  # another port or subdomain
    ({"Sec-Fetch-Site": "none"}, False),
    ({"Origin": "null"}, False),  # a sandboxed frame, a file
    ({"Origin": "http://[::broken"}, False),
    ({"Origin": ""}, False),
    # DNS rebinding: the attacker's name leads to us, and for the browser all of this is one origin
    (SAME | {"Origin": "http://evil.example:9826", "Host": "evil.example:9826"}, False),
    ({"Origin": "http://evil.example:9826", "Host": "evil.example:9826"}, False),
    (SAME | {"Host": "127.0.0.1.evil.example"}, False),
    # names that nobody can own out there
    ({"Origin": "http://monitor:9826", "Host": "monitor:9826"}, True),
    ({"Origin": "http://mail.local:9826", "Host": "mail.local:9826"}, True),
    ({"Origin": "http://[::1]:9826", "Host": "[::1]:9826"}, True),
    # a proxy puts its own Host: what the browser says of the site is true all the same
    (SAME | {"Origin": "https://status.example.com", "Host": "127.0.0.1:9826"}, True),
    ({"Origin": "http://status.example.com", "Host": "127.0.0.1:9826"}, False),
]
PROXIED = [
    ({"Origin": "https://status.example.com"}, True),
    (SAME | {"Origin": "https://status.example.com", "Host": "status.example.com"}, True),
    (SAME | {"Host": "status.example.com:443"}, True),
    ({"Origin": "https://status.example.com:8443", "Host": "127.0.0.1:9826"}, False),
    ({"Origin": "http://status.example.com", "Host": "127.0.0.1:9826"}, False),
    (SAME | {"Origin": "http://evil.example", "Host": "evil.example"}, False),
    (EVIL, False),
]


async def says(client: Client, path: str, headers: dict[str, str], **options: Any) -> ClientResponse:
    here = str(client.make_url("/")).rstrip("/")
    given = {name: value.replace("HERE", here) for name, value in headers.items()}
    return await client.post(path, headers=given, allow_redirects=False, **options)


@pytest.mark.parametrize(("external", "headers", "ours"), [("", *each) for each in BROWSERS] + [
    ("https://status.example.com/mail/", *each) for each in PROXIED
])  # fmt: skip
async def test_a_browser_is_heard_only_from_pages_of_ours(browse, external, headers, ours):
    view = FakeView([mailbox()], [ok(mailbox())])
    view.external_url = external
    view.next_result = ok(mailbox())
    client = await browse(view)
    run = await says(client, "/api/v1/run?target=sales&probe=imap", headers)
    pressed = await says(client, "/targets/sales", headers, data={"probe": "imap"})
    reloaded = await says(client, "/-/reload", headers)
    # A header that a browser sends across sites only when allowed to changes nothing.
    dressed = await says(client, "/api/v1/run?target=sales&probe=imap", headers | {"X-Mailprobe": "1"})
    assert [each.status for each in (run, pressed, reloaded, dressed)] == ([200, 303, 200, 200] if ours else [403] * 4)
    assert (len(view.runs), view.reloads) == ((3, 1) if ours else (0, 0))


async def test_a_program_says_that_it_is_one_where_a_login_is_at_stake(browse):
    """As `mailprobe check` does; a reload is asked for as of any other exporter: curl -X POST."""
    view = FakeView([mailbox()])
    view.next_result = ok(mailbox())
    client = await browse(view)
    assert (await client.post("/api/v1/run?target=sales&probe=imap")).status == 403
    assert (await client.post("/targets/sales", data={"probe": "imap"})).status == 403
    assert view.runs == []
    program = {"X-Mailprobe": "1"}
    assert (await client.post("/api/v1/run?target=sales&probe=imap", headers=program)).status == 200
    assert (await client.post("/-/reload")).status == 200
    assert (len(view.runs), view.reloads) == (1, 1)


async def test_no_other_site_is_ever_allowed_to_send_our_header(browse):
    client = await browse(FakeView([mailbox()]))
    asks = {**EVIL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-mailprobe"}
    for path in ("/api/v1/run", "/targets/sales", "/-/reload"):
        answer = await client.options(path, headers=asks)
        assert answer.status == 405
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


async def test_the_button_leads_back_to_the_page_which_tells_what_came_of_it(browse):
    target = mailbox("a/b")
    view = FakeView([target, mailbox("a/b", ProbeName.SMTP)])
    client = await browse(view)
    answer = await says(client, "/targets/a%2Fb?lang=zh&refresh=off", SAME, data={"probe": "imap"})
    assert view.runs == [("a/b", "imap", Wait.LATE, False)]  # never past the guard
    assert answer.status == 303
    location = answer.headers["Location"]
    assert location.startswith("?lang=zh&refresh=off&asked=")
    assert location.endswith("&probe=imap#imap")
    page = await (await client.get(f"/targets/a%2Fb{location}")).text()
    assert "发起的检查正在进行" in page
    assert page.count('class="asked"') == 1
    view.record(failed(target, started=float(location.partition("asked=")[2].partition("&")[0]) + 0.001))
    page = await (await client.get(f"/targets/a%2Fb{location}")).text()
    assert "您发起的检查已于" in page
    assert 'action="?lang=zh&amp;refresh=off"' in page


async def test_while_the_run_is_under_way_the_page_looks_again_soon_with_and_without_scripts(browse):
    view = FakeView([mailbox()])
    client = await browse(view)
    answer = await says(client, "/targets/sales", SAME, data={"probe": "imap"})
    page = await (await client.get(f"/targets/sales{answer.headers['Location']}")).text()
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in page
    assert '<body data-refresh="3">' in page


@pytest.mark.parametrize("query", ["asked=nan&probe=imap", "asked=1e9&probe=imap", "asked=9999999999&probe=imap",
                                   "asked=-5", "asked=1", "asked=" + "9" * 400, "asked=٣"])  # fmt: skip
async def test_nothing_is_told_of_a_run_that_nobody_can_have_asked_for(browse, query):
    page = await (await browse(FakeView([mailbox()], [ok(mailbox())]))).get(f"/targets/sales?{query}")
    assert page.status == 200
    assert 'class="asked"' not in await page.text()


async def test_a_button_of_a_page_whose_target_has_left_finds_nothing(browse):
    client = await browse(FakeView([mailbox()]))
    for path, probe in (("/targets/nobody", "imap"), ("/targets/sales", "smtp"), ("/targets/sales", "")):
        assert (await says(client, path, SAME, data={"probe": probe})).status == 404


async def test_a_run_that_is_cut_off_leads_back_all_the_same(browse, monkeypatch):
    view = FakeView([mailbox()])

    async def interrupted(*args: object, **options: object) -> None:
        raise Interrupted("the target has changed")

    monkeypatch.setattr(view, "run_now", interrupted)
    answer = await says(await browse(view), "/targets/sales", SAME, data={"probe": "imap"})
    assert answer.status == 303


async def test_a_refusal_says_what_to_do_in_the_readers_language(browse):
    client = await browse(FakeView([mailbox()]))
    for language, word in (("en", "--web.external-url"), ("zh", "请求并非来自本站页面")):
        answer = await says(client, f"/targets/sales?lang={language}", EVIL, data={"probe": "imap"})
        assert word in await answer.text()


async def test_this_machines_own_name_is_ours(browse, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "Monitor.Corp.Example")
    origin._our_names.cache_clear()
    view = FakeView([mailbox()])
    client = await browse(view)
    named = {"Origin": "http://monitor.corp.example:9826", "Host": "monitor.corp.example:9826"}
    assert (await says(client, "/targets/sales", named, data={"probe": "imap"})).status == 303
    origin._our_names.cache_clear()
