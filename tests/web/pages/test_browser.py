"""Tests of the pages in a real Chromium: layout, keyboard, and the state of a page when it refreshes itself."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from aiohttp import web

from exporter.model import Phase
from exporter.model.reasons import Reason
from exporter.web.pages import status
from exporter.web.pages import target as target_page
from exporter.web.server import Runner, build
from tests.results import failed, mailbox, ok
from tests.servers.chromium import DESKTOP, PHONE, WITHIN, Browser, Page
from tests.web.pages.page import PATHS, fleet, hostile
from tests.web.view import FakeView

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SMALLEST = (320, 700)  # WCAG 2.2, 1.4.10: what a zoom of 400 % leaves of 1280
TOO_WIDE = """
[...document.querySelectorAll("body *")].filter(each => each.getBoundingClientRect().right > innerWidth + 1
  && !each.closest(".vh, .skip, thead") && getComputedStyle(each).visibility === "visible"
  && !(function hidden(at) { for (; at; at = at.parentElement) if (getComputedStyle(at).overflowX !== "visible"
       && at !== document.documentElement && at !== document.body) return true })(each.parentElement))
  .map(each => each.outerHTML.slice(0, 200))
"""
CONTROLS = """
[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']")]
  .filter(each => each.checkVisibility() && each.getClientRects().length)
"""
SESSION: web.AppKey[aiohttp.ClientSession] = web.AppKey("session")
Serve = Callable[[FakeView], Awaitable[str]]


@pytest.fixture
async def listen() -> AsyncIterator[Callable[[web.AppRunner], Awaitable[str]]]:
    """Call it with a runner to get its address."""
    runners: list[web.AppRunner] = []

    async def start(runner: web.AppRunner) -> str:
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def serve(listen) -> Serve:
    """Call it with a view to get the address of its pages."""
    return lambda view: listen(Runner(build(view)))


async def fits(page: Page) -> None:
    """Nothing is cut off at the right, and nobody needs to scroll sideways."""
    assert await page.run("document.documentElement.scrollWidth") <= await page.run("innerWidth")
    assert await page.run(TOO_WIDE) == []


async def with_axe(page: Page) -> None:
    assert AXE.exists(), "npm ci --prefix tests brings it; make test does that"
    await page.command("Page.addScriptToEvaluateOnNewDocument", source=AXE.read_text(encoding="utf-8"))


def size_of(png: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", png[16:24])
    return width, height


# -- what is seen ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [SMALLEST, PHONE, DESKTOP], ids=str)
async def test_every_page_fits_its_window(browser: Browser, serve: Serve, size):
    page, url = await browser.page(size), await serve(fleet())
    for number, path in enumerate(PATHS):
        await page.open(f"{url}{path}{'&' if '?' in path else '?'}lang={'zh' if number % 2 else 'en'}")
        await fits(page)
    assert [each for each in page.complaints if "404" not in each] == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=str)
async def test_a_picture_of_the_page_shows_it(browser: Browser, serve: Serve, size, language):
    page, url = await browser.page(size), await serve(fleet())
    for path in ("/", "/targets/sales"):
        await page.open(f"{url}{path}?lang={language}")
        await fits(page)
        png = await page.screenshot()
        assert size_of(png) == size
        assert len(png) > 20_000  # an empty one has 3,000


async def test_light_and_dark_follow_the_reader(browser: Browser, serve: Serve):
    url = await serve(fleet())
    shades = []
    for dark in (False, True):
        page = await browser.page(dark=dark)
        await page.open(url)
        shades.append(await page.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"))
    light, dark_one = shades
    assert min(light) > 200
    assert max(dark_one) < 60


async def test_each_state_has_a_sign_beside_its_colour(browser: Browser, serve: Serve):
    page = await browser.page()
    await page.open(await serve(fleet()))
    signs = await page.run(
        'Object.fromEntries([...document.querySelectorAll("table .state")]'
        ".map(each => [each.className, getComputedStyle(each, '::before').content[1]]))"
    )
    assert signs == {
        "state failed": "✕",
        "state stale": "–",
        "state inconclusive": "?",
        "state waiting": "…",
        "state ok": "✓",
    }


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing(browser: Browser, serve: Serve, language, dark):
    url, page = await serve(fleet()), await browser.page(dark=dark, csp=False)
    await with_axe(page)
    for path in ("/", "/targets/sales", "/runbooks/MailHostOutage", "/incidents", "/nothing"):
        await page.open(f"{url}{path}{'&' if '?' in path else '?'}lang={language}")
        await page.run("document.querySelectorAll('details').forEach(each => { each.open = true })")
        found = await page.run(
            "axe.run({resultTypes: ['violations']}).then(told => [told.passes.length,"
            " told.violations.map(each => [each.id, each.nodes.map(node => node.html + node.failureSummary)])])"
        )
        assert found[0] > 10
        assert found[1] == [], path


async def test_axe_finds_nothing_on_the_other_pages_and_on_a_phone(browser: Browser, serve: Serve):
    url, page = await serve(fleet()), await browser.page(PHONE, csp=False)
    await with_axe(page)
    for path in ("/", "/targets/sales", "/targets/example.com", "/targets/sales-to-backup", "/runbooks/", "/config"):
        await page.open(url + path)
        assert (
            await page.run("axe.run({resultTypes: ['violations']}).then(told => told.violations.map(each => each.id))")
            == []
        ), path
    await page.open("data:text/html,<form method=post action='" + url + "/targets/sales'><button>")
    await page.press("Tab")
    await page.press("Enter")
    await page.loaded()
    assert "403" in await page.run("document.title")
    assert (
        await page.run("axe.run({resultTypes: ['violations']}).then(told => told.violations.map(each => each.id))")
        == []
    )


# -- the keyboard ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/targets/sales", "/incidents", "/runbooks/MailHostOutage"])
async def test_the_tab_key_reaches_every_control_in_order_and_shows_where_it_is(browser: Browser, serve: Serve, path):
    page = await browser.page()
    await page.open(await serve(fleet()) + path)
    wanted = await page.run(f"{CONTROLS}.map((each, number) => (each.dataset.number = number, number))")
    assert len(wanted) > 5
    reached = []
    for _ in wanted:
        await page.press("Tab")
        number, outline = await page.run(
            "[Number(document.activeElement.dataset.number), getComputedStyle(document.activeElement).outlineWidth]"
        )
        assert outline != "0px"
        reached.append(number)
    assert reached == wanted


async def test_everything_can_be_done_with_the_keyboard(browser: Browser, serve: Serve):
    view = fleet()
    view.next_result = ok(mailbox(provider="qq"), started=time.time() + 30)  # later than the button is pressed
    page = await browser.page()
    await page.open(f"{await serve(view)}/?lang=en")
    await page.press("Tab")
    assert await page.run("document.activeElement.className") == "skip"
    await page.press("Enter")
    assert await page.run("document.activeElement.id") == "content"

    await page.run("document.querySelector('input[name=q]').focus()")
    await page.type("sales")
    await page.press("Enter")
    await page.loaded()
    names = await page.run("[...document.querySelectorAll('tbody')].map(each => each.id)")
    assert sorted(names) == ["t-sales", "t-sales-to-backup"]
    await page.run("document.querySelector('#t-sales a').focus()")
    await page.press("Enter")
    await page.loaded()
    assert await page.run("document.querySelector('h1').textContent") == "sales"

    closed = await page.run("document.getElementById('transcript-smtp') === null")
    assert closed is True  # it had nothing to say
    await page.run("document.querySelector('#runs-smtp summary').focus()")
    await page.press("Enter")
    assert await page.run("document.getElementById('runs-smtp').open") is True
    await page.run("document.querySelector('#imap button').focus()")
    await page.press("Enter")
    await page.loaded()
    assert view.runs == [("sales", "imap", "late", False)]
    assert "/targets/sales?lang=en&asked=" in await page.run("location.href")
    assert "ended at" in await page.run("document.querySelector('#imap .asked').textContent")


async def test_the_report_is_copied_with_a_button(browser: Browser, serve: Serve):
    page, url = await browser.page(), await serve(fleet())
    await page.command("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    await page.open(f"{url}/targets/sales")
    await page.run("document.getElementById('ticket').open = true")
    await page.run("document.querySelector('[data-copy]').focus()")
    await page.press("Enter")
    await page.until("document.querySelector('[data-copy]').textContent === 'Copied'")
    text = await page.run("document.getElementById('ticket-text').textContent")
    assert "535 Login fail. Account is abnormal" in text


# -- without and with scripts ---------------------------------------------------------------------------------------


async def test_without_scripts_the_pages_work_and_renew_themselves(browser: Browser, serve: Serve, monkeypatch):
    monkeypatch.setattr(status, "REFRESH", 1)
    view = fleet()
    view.next_result = ok(mailbox(provider="qq"))
    page = await browser.page(scripts=False)
    url = await serve(view)
    await page.open(url)
    before = await page.run("document.querySelector('h1').textContent")
    view.record(failed(mailbox("box1", provider="gmail")))
    view.record(failed(mailbox("box1", provider="gmail"), started=view.history.since(mailbox().key) or 0))
    await page.loaded()
    assert await page.run("document.querySelector('h1').textContent") != before

    await page.open(f"{url}/?refresh=off")
    await page.run("document.querySelector('select[name=provider]').value = 'gmail'")
    await page.run("document.querySelector('.filter button').focus()")
    await page.press("Enter")
    await page.loaded()
    assert await page.run("document.querySelectorAll('tbody').length") == 6
    await page.open(f"{url}/targets/sales")
    assert await page.run("getComputedStyle(document.querySelector('.copying')).display") == "none"
    await page.run("document.querySelector('#imap button').focus()")
    await page.press("Enter")
    await page.loaded()
    assert len(view.runs) == 1
    assert page.complaints == []


async def test_a_renewal_leaves_alone_what_the_reader_has_open_typed_and_scrolled_to(
    browser: Browser, serve: Serve, monkeypatch
):
    monkeypatch.setattr(target_page, "REFRESH", 0.3)
    view, page = fleet(), await browser.page()
    await page.open(await serve(view) + "/targets/sales")
    await page.run(
        "document.querySelector('#runs-smtp').open = true, document.querySelector('#transcript-imap').open = false,"
        "document.querySelector('#runs-smtp summary').focus(), window.kept = document.querySelector('#runs-smtp'),"
        "scrollTo(0, 700)"
    )
    runs = "document.querySelectorAll('#runs-smtp tbody tr').length"
    before = await page.run(runs)
    view.record(ok(view.targets()[1], started=view.history.since(mailbox().key) or 0))
    await page.until(f"{runs} === {before + 1}")
    assert await page.run(
        "[kept.open, kept.isConnected, document.activeElement === kept.firstElementChild,"
        " document.querySelector('#transcript-imap').open, scrollY]"
    ) == [True, True, True, False, 700]
    assert page.complaints == []


async def test_a_renewal_moves_rows_and_keeps_the_focus_on_the_target_that_it_was_on(
    browser: Browser, serve: Serve, monkeypatch
):
    monkeypatch.setattr(status, "REFRESH", 0.3)
    view, page = fleet(), await browser.page()
    await page.open(await serve(view))
    await page.run(
        "document.querySelector('#t-box1 a').focus(), document.querySelector('input[name=q]').value = 'typed'"
    )
    first = "document.querySelector('tbody').id"
    assert await page.run(first) != "t-box1"
    view.record(failed(mailbox("box1", provider="gmail"), Reason.WRONG_PASSWORD, started=time.time()))
    await page.until(f"{first} === 't-box1'")
    assert await page.run("document.activeElement.textContent") == "box1"
    assert await page.run("document.querySelector('input[name=q]').value") == "typed"
    assert "failed" in await page.run("document.getElementById('icon').href")


async def test_while_text_is_selected_nothing_moves(browser: Browser, serve: Serve, monkeypatch):
    monkeypatch.setattr(status, "REFRESH", 0.2)
    view, page = fleet(), await browser.page()
    select = "getSelection().selectAllChildren(document.querySelector('h1'))"
    early = f"document.addEventListener('readystatechange', () => {select}, {{once: true}})"
    await page.command("Page.addScriptToEvaluateOnNewDocument", source=early)  # before the page's own script runs
    await page.open(await serve(view))
    before = await page.run("document.querySelector('h1').textContent")
    asked = "performance.getEntriesByType('resource').filter(each => each.initiatorType === 'xmlhttprequest').length"
    view.record(failed(mailbox("box1", provider="gmail"), started=time.time()))
    await page.run("new Promise(done => setTimeout(done, 800))")
    assert await page.run(asked) == 0
    assert await page.run("getSelection().toString()") == before
    await page.run("getSelection().removeAllRanges()")
    await page.until(f"document.querySelector('h1').textContent !== {before!r}")


async def test_a_page_that_cannot_be_renewed_says_so(browser: Browser, listen, monkeypatch):
    monkeypatch.setattr(status, "REFRESH", 0.2)
    runner, page = Runner(build(fleet())), await browser.page()
    await page.open(await listen(runner))
    assert await page.run("document.getElementById('lost').checkVisibility()") is False
    await runner.cleanup()
    await page.until("document.getElementById('lost').checkVisibility()")


# -- what nobody must be able to do ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=str)
async def test_what_servers_say_neither_runs_nor_breaks_the_page(browser: Browser, serve: Serve, size):
    view = hostile()
    url, page = await serve(view), await browser.page(size)
    names = [quote(target.name, safe="") for target in view.targets()]
    for path in ("/", "/incidents", "/config", *(f"/targets/{name}" for name in names)):
        await page.open(f"{url}{path}?lang=en")
        await page.run("document.querySelectorAll('details').forEach(each => { each.open = true })")
        await fits(page)
        foreign = (
            "img, iframe, style, b, i, main svg:not(.latency, .runs, .share, td.bar svg), [onload], [onerror], [style]"
        )
        assert await page.run(f"document.querySelectorAll({foreign!r}).length") == 0
        assert await page.run("document.scripts.length") == 1
        assert await page.run("document.querySelectorAll('h1').length") == 1
        assert await page.run("location.href") == f"{url}{path}?lang=en"
        body = await page.run("document.body.textContent")
        assert not {each for each in body if each in "\x00\x08\x1b\x7f\x9b\u202e\u2066\u2067\u200f\u061c\u2028"}
        assert "⟨U+202E⟩" in body
        assert "⟨U+001B⟩[31mansi" in body
        assert "{{ 7*7 }}" in body
    assert page.dialogs == []
    assert page.complaints == []


async def test_another_site_in_the_same_browser_cannot_press_the_button(browser: Browser, listen):
    view, page = fleet(), await browser.page()
    app, answers = build(view), []

    async def answered(request: web.Request, response: web.StreamResponse) -> None:
        answers.append((request.method, request.path, response.status))

    app.on_response_prepare.append(answered)
    url = await listen(Runner(app))
    run = f"{url}/api/v1/run?target=sales&amp;probe=imap"
    # A frame for each: what the first is answered would cancel the next one's way into the same frame.
    attack = f"""
      <form id=a method=post action="{url}/targets/sales" target=hole-a><input name=probe value=imap></form>
      <form id=b method=post action="{run}" target=hole-b></form>
      <form id=c method=post action="{url}/-/reload" target=hole-c></form>
      <iframe name=hole-a></iframe><iframe name=hole-b></iframe><iframe name=hole-c></iframe>"""

    async def evil(request: web.Request) -> web.Response:
        return web.Response(text=attack, content_type="text/html")

    other = web.Application()
    other.add_routes([web.get("/", evil)])
    address = await listen(web.AppRunner(other, access_log=None))
    for host in ("127.0.0.1", "localhost"):  # another origin of the same site; and another site
        answers.clear()
        await page.open(address.replace("127.0.0.1", host))
        for number, form in enumerate("abc", 1):
            await page.run(f"document.getElementById('{form}').submit()")
            async with asyncio.timeout(WITHIN):
                while len(answers) < number:  # noqa: ASYNC110 - what is waited for happens in another process
                    await asyncio.sleep(0.01)
        dressed = "{method: 'POST', headers: {'X-Mailprobe': '1'}}"
        asked = f"fetch('{url}/api/v1/run?target=sales&probe=imap', {dressed}).then(() => 'heard', () => 'blocked')"
        assert await page.run(asked) == "blocked"
        plain = f"fetch('{url}/-/reload', {{method: 'POST', mode: 'no-cors'}}).then(() => 0, () => 0)"
        await page.run(plain)
        assert answers == [
            ("POST", "/targets/sales", 403),
            ("POST", "/api/v1/run", 403),
            ("POST", "/-/reload", 403),
            ("OPTIONS", "/api/v1/run", 405),
            ("POST", "/-/reload", 403),
        ]
    assert (view.runs, view.reloads) == ([], 0)


async def test_behind_a_proxy_with_a_path_of_its_own_everything_works(browser: Browser, serve: Serve, listen):
    """A proxy that strips its prefix and puts its own Host, as nginx does without further settings."""
    view = fleet()
    view.next_result = ok(mailbox(provider="qq"), phases=((Phase.CONNECT, 0.1),))
    upstream = await serve(view)

    async def forward(request: web.Request) -> web.Response:
        headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "accept-encoding")}
        async with request.app[SESSION].request(
            request.method,
            upstream + request.rel_url.raw_path_qs.removeprefix("/mail"),
            headers=headers,
            data=await request.read(),
            allow_redirects=False,
        ) as answer:
            kept = {k: v for k, v in answer.headers.items() if k.lower() not in ("content-length", "transfer-encoding")}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    app = web.Application()
    app.cleanup_ctx.append(_client)
    app.add_routes([web.route("*", "/mail/{rest:.*}", forward)])
    page = await browser.page()
    base = await listen(web.AppRunner(app, access_log=None)) + "/mail/"
    await page.open(base)
    assert await page.run("getComputedStyle(document.querySelector('.status')).backgroundColor") == "rgb(255, 255, 255)"
    await page.run("document.querySelector('#t-sales a').focus()")
    await page.press("Enter")
    await page.loaded()
    await page.run("document.querySelector('#imap button').focus()")
    await page.press("Enter")
    await page.loaded()
    assert (await page.run("location.href")).startswith(f"{base}targets/sales?asked=")
    assert len(view.runs) == 1
    assert page.complaints == []


async def _client(app: web.Application) -> AsyncIterator[None]:
    async with aiohttp.ClientSession() as app[SESSION]:
        yield
