"""Tests of the runbooks on the daemon's pages: both languages, no dead link, and the present incidents."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urldefrag, urljoin

import pytest

from exporter.model.phrases import languages
from exporter.model.reasons import Reason
from exporter.web.pages import runbooks
from tests.results import incident
from tests.web.view import FakeView

MOST_PAGES = 300


def check_markup(text: str) -> None:
    """Nothing that the Content-Security-Policy would block: no script or style of the page's own."""
    assert not re.search(r"<[^>]*\s(?:style|on\w+)=", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style", text)


async def crawl(client, start: str) -> dict[str, str]:
    """Every page that /runbooks/ leads to, by address; asserts that all are there, with the places linked to."""
    pages: dict[str, str] = {}
    places: set[tuple[str, str]] = set()
    waiting = [start]
    while waiting:
        address = waiting.pop()
        if address in pages:
            continue
        answer = await client.get(address, headers={"Accept": "text/html"})
        assert answer.status == 200, address
        pages[address] = text = await answer.text()
        assert len(pages) < MOST_PAGES
        if "/runbooks/" not in address:
            continue  # other pages of the daemon are looked at, and not followed
        for href in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', text):
            target, place = urldefrag(urljoin(address, unescape(href)))
            places.add((target, place))
            waiting.append(target)
    for target, place in places:
        assert not place or f'id="{place}"' in pages[target], (target, place)
    return pages


@pytest.mark.parametrize("language", ["en", "zh", "zh-TW"])
async def test_every_runbook_is_served_and_no_link_is_dead(browse, language):
    view = FakeView()
    view.known_incidents = [incident()]
    pages = await crawl(await browse(view), f"/runbooks/?lang={language}")
    tag = languages()[language].tag
    for alert, book in runbooks.library(language).items():
        page = pages[f"/runbooks/{alert}?lang={language}"]
        check_markup(page)
        assert f'<html lang="{tag}">' in page
        assert "**" not in page  # emphasis beside Chinese punctuation is easily none
        for heading in re.findall(r"^## (.*)$", book.text, re.MULTILINE):
            assert f"<h2>{heading}</h2>" in page
    reasons = pages[f"/runbooks/reasons?lang={language}"]
    check_markup(reasons)
    assert all(f'id="{reason}"' in reasons for reason in Reason)


async def test_the_language_is_that_of_the_browser(browse):
    client = await browse(FakeView())
    chinese = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}
    assert "<h2>诊断</h2>" in await (await client.get("/runbooks/MailLoginRejected", headers=chinese)).text()
    traditional = {"Accept-Language": "zh-HK,zh;q=0.9"}
    assert "<h2>診斷</h2>" in await (await client.get("/runbooks/MailLoginRejected", headers=traditional)).text()
    assert "<h2>Diagnosis</h2>" in await (await client.get("/runbooks/MailLoginRejected")).text()
    other = await client.get("/runbooks/MailLoginRejected?lang=en", headers=chinese)
    assert "<h2>Diagnosis</h2>" in await other.text()


async def test_a_runbook_shows_the_open_incidents_of_its_alert(browse):
    view = FakeView()
    view.known_incidents = [incident(text="NO <script>alert(1)</script>")]
    client = await browse(view)
    text = await (await client.get("/runbooks/MailHostOutage")).text()
    assert "The server fails." in text
    assert "<script>" not in text
    assert "The server fails." not in await (await client.get("/runbooks/MailEndpointDown")).text()
    # This one only Prometheus can tell: nothing is said of incidents.
    assert "No incident" not in await (await client.get("/runbooks/MailErrorBudgetBurn")).text()


@pytest.mark.parametrize("name", ["Nonsense", "README", "en", "..%2f..%2fconfig", "en%2fMailHostOutage", "%00"])
async def test_what_is_no_runbook_is_not_found(browse, name):
    assert (await (await browse(FakeView())).get(f"/runbooks/{name}")).status == 404


def test_markdown_brings_no_markup_and_no_way_out():
    text = "<script>x</script> <img src=x> ![i](http://evil/) [a](javascript:alert) [b](http://evil/) [c](/etc) <http://e/>"
    made = runbooks.inline(text, "")
    assert "<script" not in made
    assert "<img" not in made
    assert "href" not in made


def test_links_lead_to_pages_and_keep_the_language():
    made = runbooks.inline(
        "[x](MailHostOutage.md) [r](../../reasons.md#auth-login--登录) [d](../../metrics.md)", "?lang=zh"
    )
    assert made == '<a href="MailHostOutage?lang=zh">x</a> <a href="reasons?lang=zh#auth">r</a> d'


def test_reasons_and_pages_in_code_are_links():
    made = runbooks.inline("`wrong_password` `/config` `/` `PORT`", "?lang=en")
    assert '<a href="reasons?lang=en#wrong_password"><code>wrong_password</code></a>' in made
    assert '<a href="../config?lang=en"><code>/config</code></a>' in made
    assert '<a href="../?lang=en"><code>/</code></a>' in made
    assert made.endswith("<code>PORT</code>")


def test_a_file_that_is_no_runbook_is_told():
    with pytest.raises(ValueError, match="MailX"):
        runbooks.parse("MailX", "# MailY\n\nlead\n\nfacts\n\n## Meaning\n")
