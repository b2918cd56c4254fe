"""Tests of the page of the configuration in use: readable in a browser, in each language, and text for programs."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from exporter.config import as_yaml, document, load, redacted
from exporter.model.phrases import languages, texts
from exporter.web.pages import config
from exporter.web.pages.config import LISTS, Line, files, marked, sections
from tests.canary import leaks
from tests.results import mailbox, route, server
from tests.web.pages.test_pages import check_markup
from tests.web.view import FakeView

SECRET = "canary-pa55word"
WRITTEN = f"""
resolvers: [192.0.2.53]
alert_labels: [team]
mailboxes:
  - {{name: sales, address: sales@acme.example, password: {SECRET}, imap: {{host: imap.acme.example}},
     smtp: {{host: smtp.acme.example}}, labels: {{team: trade}}}}
  - {{name: info <b>, address: info@acme.example, password_command: [show, {SECRET}], imap: {{host: imap.acme.example}},
     smtp: off}}
domains: [{{name: acme.example}}]
endpoints: [{{host: "2001:db8::1", port: 993}}, {{url: "https://mail.acme.example/", name: webmail}}]
routes: [{{from: sales, to: info <b>}}]
"""
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def view(tmp_path: Path) -> FakeView:
    path = tmp_path / "config.yaml"
    path.write_text(WRITTEN)
    path.chmod(0o600)
    loaded = load(path)
    made = FakeView([mailbox("sales"), route("sales-to-info <b>"), server("[2001:db8::1]:993")])
    made.document = document(loaded)
    made.config_text = lambda: redacted(loaded)  # type: ignore[method-assign]  # the text of the same document
    return made


async def test_a_browser_gets_a_page_and_a_program_the_text(browse, view):
    client = await browse(view)
    page = await client.get("/config", headers=HTML)
    assert (page.status, page.content_type) == (200, "text/html")
    assert page.headers["Vary"] == "Accept, Accept-Language"
    for query, headers in (("", {}), ("", {"Accept": "*/*"}), ("?format=text", HTML)):
        plain = await client.get(f"/config{query}", headers=headers)
        assert (plain.content_type, await plain.text()) == ("text/plain", view.config_text())
    assert 'href="?format=text"' in await page.text()
    chosen = await (await client.get("/config?lang=zh&tz=Asia/Tokyo", headers=HTML)).text()
    assert 'href="?lang=zh&amp;tz=Asia/Tokyo&amp;format=text"' in chosen


async def test_the_page_has_every_line_of_the_text_and_no_secret(browse, view):
    text = await (await (await browse(view)).get("/config", headers=HTML)).text()
    check_markup(text)
    assert leaks(SECRET, [text]) == []
    plain = unescape(re.sub(r"<[^>]+>", "", text))
    headings = {*view.document, *LISTS, "labels", "defaults", "file"}  # the key is a heading, or is not shown if empty
    for line in view.config_text().splitlines():
        key, _, value = line.strip().removeprefix("- ").partition(":")
        said = value.strip() if key in headings else line.strip().removeprefix("- ")
        assert said in plain or said in ("[]", "{}"), line
    assert '<span class="key">password</span>: &lt;secret&gt;' in text


async def test_each_target_is_named_and_leads_to_its_page_if_it_has_one(browse, view):
    text = await (await (await browse(view)).get("/config", headers=HTML)).text()
    named = re.findall(r"<summary>([^<]+)</summary>", text)
    assert [unescape(each) for each in named] == [
        *("sales", "info <b>", "acme.example", "[2001:db8::1]:993", "webmail", "sales-to-info <b>")
    ]
    links = re.findall(r'href="./targets/([^"]+)"', text)
    assert links == ["sales", "%5B2001%3Adb8%3A%3A1%5D%3A993", "sales-to-info%20%3Cb%3E"]
    assert '<code>mailboxes</code> <span class="count">2</span>' in text


@pytest.mark.parametrize("language", languages())
async def test_each_key_is_explained_in_every_language(browse, view, language):
    text = await (await (await browse(view)).get(f"/config?lang={language}", headers=HTML)).text()
    check_markup(text)
    shown = set(re.findall(r"<h3><code>(\w+)</code>", text))
    assert shown == {*view.document.keys(), *LISTS, "defaults"} - {"files"}
    words = texts(language)["pages"]
    assert [key for key in shown if words[f"config_{key}"].split("`")[0] not in unescape(text)] == []
    assert "config_labels" in words, "shown for a file that has labels"


async def test_thousands_of_mailboxes_make_no_endless_page(browse, view, monkeypatch):
    monkeypatch.setattr(config, "MOST", 1)
    text = await (await (await browse(view)).get("/config", headers=HTML)).text()
    assert text.count("<summary>") == 4
    assert text.count("and 1 more") == 2


def test_an_included_file_shows_its_labels_and_only_what_it_has():
    part = {
        "file": "conf.d/a.yaml",
        "labels": {"tenant": "a"},
        "defaults": {},
        "mailboxes": [],
        "domains": [{"name": "a.example"}],
    }
    (file,) = files({"limits": {}, "files": [part | {"endpoints": [], "routes": []}]})
    assert (file.name, [each.key for each in file.sections]) == ("conf.d/a.yaml", ["labels", "domains"])
    assert [each.key for each in sections({"limits": {}, "files": []})] == ["limits"]


def test_keys_are_marked_and_nothing_else():
    assert marked("a: 1\nb:\n- c: x\n  d-e: 'f: g'\n- h: i\n- j\nk: l: m\n") == (
        Line("", "a", ": 1"),
        Line("", "b", ":"),
        Line("- ", "c", ": x"),
        Line("  ", "d-e", ": 'f: g'"),
        Line("- ", "h", ": i"),
        Line("", "", "- j"),
        Line("", "k", ": l: m"),
    )
    assert as_yaml(None) == "null\n"
    assert as_yaml({"a": [1]}) == "a:\n- 1\n"
