"""Tests of the content of the pages."""

from __future__ import annotations

import html
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from yarl import URL

from exporter.model import FactName, Failure, Line, Outcome, Phase, ProbeName, Service
from exporter.model.phrases import languages
from exporter.model.reasons import Reason, about
from exporter.targets.provider_watch import Notice
from exporter.web.pages import words
from tests.results import IMAP_SERVER, SMTP_SERVER, domain, fact, failed, incident, mailbox, ok, server
from tests.web.view import FakeView

HOSTILE = "NO <script>alert('x')</script> & \"quoted\""


def now() -> float:
    return time.time() - 5


class Checker(HTMLParser):
    """Collects what a page loads and runs, and whether its tags close."""

    VOID = frozenset({"meta", "link", "input", "br"})  # and page.js is the one script that there is

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.forbidden: list[str] = []

    def handle_starttag(self, tag, attrs):
        ours = tag == "script" and dict(attrs).get("src", "").endswith("page.js")
        if (tag == "script" and not ours) or any(name.startswith("on") or name == "style" for name, _ in attrs):
            self.forbidden.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check_markup(text: str) -> None:
    """Well formed, and nothing in it that the Content-Security-Policy would block."""
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert checker.forbidden == []


async def test_the_status_page_shows_what_fails_first_with_reason_text_remedy_and_since(browse):
    good, bad = mailbox("a-good"), mailbox("z-bad")
    client = await browse(FakeView([good, bad], [ok(good, started=now()), failed(bad, started=now())]))
    text = await (await client.get("/")).text()
    check_markup(text)
    assert "1 of 2 targets is failing" in text
    assert text.index("z-bad") < text.index("a-good")
    assert "wrong_password" in text
    assert "NO [AUTHENTICATIONFAILED] Authentication failed." in text
    assert html.escape(about(Reason.WRONG_PASSWORD).remedy("en"), quote=False) in text
    assert "5 s ago" in text
    assert "FAILING" in text
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in text
    assert '<body data-refresh="30">' in text


async def test_what_broke_last_comes_first(browse):
    old, new = mailbox("a-old"), mailbox("b-new")
    results = [failed(old, started=now() - 500), failed(old, started=now()), failed(new, started=now())]
    text = await (await (await browse(FakeView([old, new], results))).get("/")).text()
    rows = text[text.index("<table") :]
    assert rows.index("b-new") < rows.index("a-old")
    assert "8 min ago" in text


@pytest.mark.parametrize(
    ("query", "header", "expected", "tag"),
    [
        ("", "zh-CN,zh;q=0.9", "1 个对象中有 1 个失败", "zh-Hans"),
        ("?lang=zh", "en", "失败", "zh-Hans"),
        ("?lang=en", "zh", "failing", "en"),
        ("", "zh-HK,zh;q=0.9", "1 個對象中有 1 個失敗", "zh-Hant-TW"),
        ("?lang=zh-TW", "en", "失敗", "zh-Hant-TW"),
    ],
)
async def test_the_language_follows_the_browser_and_the_address(browse, query, header, expected, tag):
    client = await browse(FakeView([mailbox()], [failed(mailbox(), started=now())]))
    text = await (await client.get("/" + query, headers={"Accept-Language": header})).text()
    assert expected in text
    assert f'<html lang="{tag}">' in text
    known = about(Reason.WRONG_PASSWORD)
    language = next(each.code for each in languages().values() if each.tag == tag)
    assert known.remedy(language) in text
    assert {other for other in languages() if f'lang="{other}" hreflang="{other}"' in text} == languages().keys() - {
        language
    }


async def test_each_state_is_a_word_and_not_only_a_colour(browse):
    names = ("failing", "unclear", "waiting", "stale", "working")
    targets = {name: mailbox(name) for name in names}
    results = [
        failed(targets["failing"], started=now()),
        failed(targets["unclear"], Reason.LOCAL_ERROR, None, outcome=Outcome.INCONCLUSIVE, started=now()),
        ok(targets["stale"], started=now() - 10_000),
        ok(targets["working"], started=now()),
    ]
    text = await (await (await browse(FakeView(list(targets.values()), results))).get("/")).text()
    shown = re.findall(r'class="state \w+">([^<]+)<', text[text.index("<table") :])
    assert shown == ["FAILING", "NO NEWS", "UNCLEAR", "WAITING", "OK"]


async def test_an_empty_config_is_explained(browse):
    text = await (await (await browse(FakeView())).get("/")).text()
    check_markup(text)
    assert "Nothing is watched yet" in text
    assert "config.yaml" in text


async def test_what_a_server_says_is_shown_as_text_and_never_run(browse):
    target = mailbox("<b>name</b>", labels=(("team", "<i>x</i>"),))
    result = failed(target, text=HOSTILE, transcript=(Line(0.1, "<", HOSTILE),), started=now())
    client = await browse(FakeView([target], [result]))
    for path in ("/", "/targets/%3Cb%3Ename%3C%2Fb%3E"):
        response = await client.get(path)
        text = await response.text()
        assert response.status == 200
        check_markup(text)
        assert "<script>" not in text
        assert "&lt;script&gt;" in text
        assert "<b>" not in text
        assert "<i>" not in text


async def test_only_a_servers_words_are_a_quotation(browse):
    servers, ours = mailbox("servers"), mailbox("ours")
    said = Failure(Phase.LOGIN, Reason.WRONG_PASSWORD, "535 no", "guard", quoted=True, answer_to=Service.SMTP)
    results = [
        failed(servers, started=now(), failure=said),
        failed(ours, Reason.TIMEOUT, text="no answer before the deadline", started=now()),
    ]
    client = await browse(FakeView([servers, ours], results))
    text = await (await client.get("/")).text()
    check_markup(text)
    assert re.findall("<q [^>]*>([^<]*)</q>", text) == ["535 no"]
    text = await (await client.get("/targets/servers")).text()
    assert re.findall("<blockquote[^>]*>([^<]*)</blockquote>", text) == ["535 no"]
    assert "(answer to the smtp login)" in text
    text = await (await client.get("/targets/ours")).text()
    assert "<blockquote" not in text
    assert "Detail</span> no answer before the deadline" in text


async def test_code_in_a_remedy_is_marked_as_such(browse):
    target = mailbox()
    view = FakeView([target], [failed(target, Reason.CLOCK_WRONG, started=now())])
    text = await (await (await browse(view)).get("/targets/sales")).text()
    check_markup(text)
    assert "<code>timedatectl set-ntp true</code>" in text
    assert "`" not in text


async def test_a_mailbox_leads_to_the_servers_and_the_domain_that_it_depends_on(browse):
    """There the certificate's names and dates are, whatever that target is called."""
    login, listed, other = mailbox(), server("front/door"), server("mx.example.net:25", SMTP_SERVER)
    listed = replace(listed, servers=(IMAP_SERVER.name,))
    other = replace(other, servers=(SMTP_SERVER.name,))
    view = FakeView(
        [login, mailbox(probe=ProbeName.SMTP, servers=()), listed, other, domain(), domain("other.example")]
    )
    ends = fact(FactName.CERT_NOT_AFTER, 1_899_979_200)
    view.record(ok(listed, ends, started=now()))
    view.record(failed(domain(), Reason.RECORD_MISSING, started=now()))
    client = await browse(view)
    text = await (await client.get("/targets/sales")).text()
    check_markup(text)
    links = re.search(r'<nav class="related".*?</nav>', text, re.DOTALL)
    assert links is not None
    assert re.findall(r'href="([^"]+)"', links[0]) == ["../targets/front%2Fdoor", "../targets/example.com"]
    assert "certificate until 2030-03-17" in links[0]
    assert "record_missing" in links[0]


async def test_a_refused_reload_is_told_on_every_page_in_one_line(browse):
    view = FakeView([mailbox()])
    client = await browse(view)
    assert "running configuration" not in await (await client.get("/")).text()
    view.reload_error = "config.yaml:3: unknown key <b>\nconfig.yaml:9: another"
    for path in ("/", "/targets/sales"):
        text = await (await client.get(path)).text()
        check_markup(text)
        assert "The running configuration is not the file’s: config.yaml:3: unknown key &lt;b&gt;</p>" in text


async def test_a_disk_that_refuses_is_told_on_every_page(browse):
    view = FakeView([mailbox()])
    client = await browse(view)
    assert "storage folder" not in await (await client.get("/")).text()
    view.write_error = "database or disk is full <b>"
    for path in ("/", "/targets/sales"):
        text = await (await client.get(path)).text()
        check_markup(text)
        assert "mailprobe cannot write to its storage folder (database or disk is full &lt;b&gt;)" in text
    assert "mailprobe 无法写入存储目录（database or disk is full" in await (await client.get("/?lang=zh")).text()
    assert (await client.get("/-/ready")).status == 200


@pytest.mark.parametrize(("zone", "shown"), [("UTC", "UTC"), ("Asia/Shanghai", "UTC+08:00")])
async def test_the_page_tells_its_time_zone(browse, monkeypatch, zone, shown):
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        text = await (await (await browse(FakeView([mailbox()]))).get("/")).text()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert re.search(rf"As of \d\d:\d\d:\d\d {re.escape(shown)}<", text)


async def test_a_target_page_shows_every_probe_with_phases_facts_transcript_and_runs(browse):
    imap, smtp = mailbox(), mailbox(probe=ProbeName.SMTP)
    results = [ok(imap, started=now() - 300), failed(imap, started=now())]
    client = await browse(FakeView([imap, smtp, domain()], results))
    text = await (await client.get("/targets/sales")).text()
    check_markup(text)
    assert "A1 LOGIN sales &lt;secret&gt;" in text
    assert "12 ms" in text
    assert re.findall(r'<rect class="(ok|failed)"', text) == ["ok", "failed"]  # the newest at the right
    assert "No run has finished yet." in text
    assert "team=export" in text
    assert "example.com" in text
    assert "http-equiv" not in text  # would close what the reader has opened
    assert '<body data-refresh="30">' in text


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_words_with_several_causes_list_them_with_what_to_do(browse, language):
    made = failed(mailbox(), Reason.AMBIGUOUS_LOGIN_REFUSED)
    assert made.failure is not None
    causes = (Reason.AUTH_CODE_REQUIRED, Reason.RATE_LIMITED)
    result = replace(made, failure=replace(made.failure, ambiguous=causes), started=now())
    client = await browse(FakeView([mailbox()], [result]))
    text = html.unescape(await (await client.get(f"/targets/sales?lang={language}")).text())
    for cause in causes:
        remedy = about(cause).remedy("zh") if language == "zh" else about(cause).remedy("en")
        assert f"<code>{cause}</code> {remedy}" in text


@pytest.mark.parametrize(
    "name", ["imap.example.com:993", "[2001:db8::1]:993", "a/b", "采购@example.cn", "100%", "a?b#c"]
)
async def test_a_target_of_any_name_has_a_page_that_the_status_page_links_to(browse, name):
    target = mailbox(name)
    client = await browse(FakeView([target], [ok(target, started=now())]))
    text = await (await client.get("/")).text()
    (link,) = set(re.findall(r'href="(targets/[^"]+)"', text))
    page = await client.get(URL(f"/{link}", encoded=True))
    assert page.status == 200
    body = await page.text()
    root = re.search(r'href="((?:\.\./|\./)+)style.css"', body)
    assert root is not None
    assert page.url.join(URL(root.group(1))).path == "/"


async def test_an_address_that_leads_nowhere_has_a_page_for_people_and_a_line_for_programs(browse):
    client = await browse(FakeView())
    for path in ("/nothing", "/targets/nobody", "/deep/er/nothing"):
        page = await client.get(path, headers={"Accept": "text/html"})
        assert page.status == 404
        text = await page.text()
        check_markup(text)
        assert "There is nothing at this address" in text
        line = await client.get(path)
        assert (line.status, await line.text()) == (404, "404: there is nothing here\n")


async def test_logs_are_found_by_id_and_by_target(browse):
    result = failed(mailbox(), started=now(), probe_id="feedfacecafe")
    client = await browse(FakeView([mailbox(), server()], [result]))
    for query in ("id=feedfacecafe", "target=sales&module=imap", "target=sales"):
        response = await client.get(f"/logs?{query}")
        text = await response.text()
        assert response.content_type == "text/plain"
        assert "reason=wrong_password" in text
        assert "> A1 LOGIN sales <secret>" in text
    for query in ("id=unknown", "target=sales&module=smtp", "target=nobody", "", "target=imap.example.com:993"):
        assert (await client.get(f"/logs?{query}")).status == 404


async def test_the_config_is_shown_with_its_secrets_hidden(browse):
    response = await (await browse(FakeView())).get("/config")
    assert response.content_type == "text/plain"
    assert "password: <secret>" in await response.text()


async def test_every_page_forbids_scripts_framing_and_sniffing(browse):
    client = await browse(FakeView([mailbox()]))
    for path in ("/", "/targets/sales", "/metrics", "/nothing", "/style.css", "/api/v1/targets", "/probe", "/-/reload"):
        headers = (await client.get(path)).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'"), path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "aiohttp" not in headers["Server"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89, "89 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_a_length_of_time_in_words(seconds, text):
    assert words.Words("en").span(seconds) == text


@pytest.mark.parametrize(("language", "says"), [("en", "now points to Zoho"), ("zh", "现指向 Zoho")])
async def test_a_domain_whose_mx_points_elsewhere_is_told_in_the_readers_language(browse, language, says):
    view = FakeView([mailbox()])
    places = (("before", "Tencent"), ("now", "Zoho"), ("hosts", "<mx>.zoho.com"), ("id", "zoho"))
    view.found = [Notice("moved", "acme.example", places)]
    text = await (await (await browse(view)).get(f"/?lang={language}")).text()
    check_markup(text)
    assert says in text
    assert "&lt;mx&gt;.zoho.com" in text


async def test_incidents_are_listed_and_lead_to_a_page_that_says_what_to_do(browse):
    view = FakeView([mailbox()], [failed(mailbox(), started=now())])
    view.known_incidents = [incident(text=HOSTILE), incident(key="b", resolved=now())]
    client = await browse(view)
    page = await (await client.get("/")).text()
    check_markup(page)
    assert page.count('href="runbooks/MailHostOutage"') == 2
    assert "2 affected" in page
    text = await (await client.get("/runbooks/MailHostOutage?lang=zh")).text()
    check_markup(text)
    assert "服务器失败。" in text
    assert about(Reason.CONNECTION_REFUSED).remedy("zh") in text
    assert "<script>" not in text
    empty = await (await client.get("/runbooks/MailLoginRejected")).text()
    check_markup(empty)
    assert "No incident of this kind is open." in empty
    assert (await client.get("/runbooks/Nonsense")).status == 404


async def test_open_incidents_come_first_and_the_newest_of_them_on_top(browse):
    """Whatever the order in which they were opened: an incident opens some time after its first failure."""
    began = {"old": 3000, "new": 60, "gone": 4000, "gone-late": 5000}
    view = FakeView([mailbox()], [ok(mailbox(), started=now())])
    view.known_incidents = [
        incident(
            key=name, told=(f"{name} fails.", f"{name} 失败。"), since=now() - ago, opened=now() - 50 + ago / 100,
            resolved=0.0 if "gone" not in name else now() - (10 if name == "gone-late" else 600),
        )
        for name, ago in began.items()
    ]  # fmt: skip
    client = await browse(view)
    text = await (await client.get("/incidents")).text()
    assert re.findall(r"<h2>(\S+) fails", text) == ["new", "old", "gone-late", "gone"]
    book = await (await client.get("/runbooks/MailHostOutage")).text()
    assert re.findall(r"<h3>(\S+) fails", book) == ["new", "old", "gone-late", "gone"]
    front = await (await client.get("/")).text()
    listed = front[front.index('<ul class="incidents">') :]
    assert re.findall(r'<li class="(open|resolved)">', listed) == ["open", "open", "resolved", "resolved"]


async def test_causes_are_told_on_top_one_line_each(browse):
    """Two mailboxes that nobody can reach at one server are one line, in both languages; and so are many passwords."""
    server_name = ("imap.example.com:993",)
    dead = [mailbox(f"dead{n}", servers=server_name, provider="") for n in range(2)]
    wrong = [mailbox(f"wrong{n}", servers=("imap.elsewhere.example:993",), provider="") for n in range(2)]
    view = FakeView([*dead, *wrong])
    for each in dead:
        view.record(failed(each, Reason.TIMEOUT, Phase.CONNECT))
    for each in wrong:
        view.record(failed(each, Reason.WRONG_PASSWORD))
    client = await browse(view)
    english = await (await client.get("/?lang=en")).text()
    chinese = await (await client.get("/?lang=zh")).text()
    check_markup(english)
    first, second = re.findall(r'<li class="failed">(.*?)</li>', english, re.DOTALL)
    assert ">Server</span> 2 of 2 mailboxes at imap.example.com fail (timeout): it is the server, not you.<" in first
    assert about(Reason.TIMEOUT).remedy("en") in html.unescape(first)
    assert 'href="?lang=en&amp;cause=host:imap.example.com#targets">2 targets<' in first
    assert 'href="runbooks/reasons?lang=en#timeout"' in first
    assert "<time " in first
    assert ">Target</span> 2 targets fail (wrong_password): wrong0, wrong1.<" in second
    assert "imap.example.com 上 2 个邮箱中有 2 个失败（超时无回应 timeout）：是服务器的问题，不是您的问题。" in chinese
    assert english.index("2 of 2 mailboxes") < english.index("<table")


async def test_a_cause_is_told_with_the_words_of_its_first_failure_unless_its_targets_have_words_of_their_own(browse):
    zone, boxes = domain("acme.example"), [mailbox(f"box{n}", servers=(f"imap{n}.example:993",)) for n in range(2)]
    view = FakeView([zone, *boxes])
    view.record(failed(zone, Reason.RECORD_MISSING, Phase.RESOLVE, f"acme.example MX: no such record {HOSTILE}"))
    for each in boxes:
        view.record(failed(each, Reason.WRONG_PASSWORD, Phase.LOGIN, f"no, {each.name}"))
    text = await (await (await browse(view)).get("/?lang=en")).text()
    check_markup(text)
    causes = text[text.index('<section class="causes"') : text.index('<section class="targets"')]
    (said,) = re.findall(r'<p class="said">(.*?)</p>', causes, re.DOTALL)
    assert "Detail</span> <bdi>acme.example MX: no such record NO &lt;script&gt;" in said
    assert "2 targets fail (wrong_password)" in causes


async def test_a_cause_leads_to_what_it_affects_and_to_its_runbook(browse):
    boxes = [mailbox(f"dead{n}") for n in range(2)]
    view = FakeView([*boxes, mailbox("other", servers=("imap.elsewhere.example:993",))])
    for each in boxes:
        view.record(failed(each, Reason.TIMEOUT, Phase.CONNECT))
    view.known_incidents = [incident()]
    client = await browse(view)
    page = await (await client.get("/")).text()
    assert 'href="runbooks/MailHostOutage">Runbook<span class="vh"> MailHostOutage</span></a>' in page
    (link,) = re.findall(r'href="(\?cause=[^"#]+)', page)
    shown = await (await client.get(f"/{html.unescape(link)}")).text()
    assert re.findall(r'id="t-([^"]+)"', shown) == ["dead0", "dead1"]
    assert "Only what this cause affects: 2 of 2 mailboxes" in shown
    member = await (await client.get("/targets/dead0")).text()
    assert "Part of a wider cause</span> 2 of 2 mailboxes at imap.example.com fail" in member
    assert 'href="../?cause=host%3Aimap.example.com#targets"' in member
    over = await (await client.get("/?cause=host:nobody.example")).text()
    assert "No target matches." in over


async def test_mailboxes_that_are_not_watched_yet_are_named_with_why(browse, monkeypatch):
    view = FakeView([mailbox()])
    monkeypatch.setattr(view, "waiting", lambda: {f"box{n}": f"<why> {n}" for n in range(25)})
    text = await (await (await browse(view)).get("/")).text()
    check_markup(text)
    assert '<strong>box0</strong> <span class="muted">&lt;why&gt; 0</span>' in text
    assert "and 5 more" in text


async def test_the_incidents_have_a_page(browse):
    view = FakeView([mailbox()])
    client = await browse(view)
    empty = await (await client.get("/incidents")).text()
    check_markup(empty)
    assert "No incident is open." in empty
    view.known_incidents = [
        incident(text=HOSTILE, targets=tuple(f"box/{n}" for n in range(25))),
        incident(key="b", resolved=now()),
    ]
    text = await (await client.get("/incidents?lang=zh")).text()
    check_markup(text)
    assert "&lt;script&gt;" in text
    assert 'href="./targets/box%2F0?lang=zh"' in text
    assert "另有 5 个" in text
    assert text.count("已恢复") >= 1
    assert "严重" in text


async def test_the_renewal_can_be_paused_and_goes_on(browse):
    client = await browse(FakeView([mailbox()]))
    page = await (await client.get("/?lang=en")).text()
    assert 'href="?lang=en&amp;refresh=off">Pause<' in page
    paused = await (await client.get("/?lang=en&refresh=off")).text()
    assert "http-equiv" not in paused
    assert '<body data-refresh="0">' in paused
    assert 'href="?lang=en">Go on<' in paused


async def test_style_script_and_icons_are_served(browse):
    client = await browse(FakeView())
    for path, kind in (("/style.css", "text/css"), ("/page.js", "text/javascript"), ("/icon-ok.svg", "image/svg+xml")):
        response = await client.get(path)
        assert (response.status, response.content_type) == (200, kind)
    assert (await client.get("/icon-nothing.svg")).status == 404


async def test_the_page_says_whether_our_own_network_is_watched(browse):
    view = FakeView([mailbox()])
    client = await browse(view)
    assert "vantage in config.yaml has no references" in await (await client.get("/?lang=en")).text()
    view.references = (1, 2)
    assert "1 of 2 references answer" in await (await client.get("/?lang=en")).text()
    assert "2 个参照点中有 1 个应答" in await (await client.get("/?lang=zh")).text()


@pytest.mark.parametrize(("language", "name"), [("zh", "密码错误"), ("zh-TW", "密碼錯誤"), ("en", "")])
async def test_a_chinese_page_names_each_reason_beside_its_code(browse, language, name):
    target = mailbox()
    results = [ok(target, started=now() - 60), failed(target, started=now())]
    client = await browse(FakeView([target], results))
    named = f'<span class="named">{name}</span> <code>wrong_password</code>' if name else "<code>wrong_password</code>"
    pages = {
        path: await (await client.get(f"{path}?lang={language}")).text()
        for path in ("/", "/targets/sales", "/runbooks/reasons")
    }
    for path, text in pages.items():
        check_markup(text)
        assert named in text, path
        assert ('class="named"' in text) is bool(name)
    detail = pages["/targets/sales"]
    runs = detail[detail.index('id="runs-imap"') :]
    assert named in runs[: runs.index("</table>")], "in the table of runs"
    assert f"{name} wrong_password · ".lstrip() in detail, "in the title of a run in the timeline"


async def test_our_own_words_are_chinese_on_a_chinese_page_and_a_servers_stay(browse):
    ours, theirs = mailbox("ours"), mailbox("theirs")
    text, said = "192.0.2.1 port 993: Connection refused", "NO Connection refused"
    bad = failed(ours, Reason.CONNECTION_REFUSED, Phase.CONNECT, text, transcript=(), started=now())
    view = FakeView([ours, theirs], [bad])
    view.record(failed(theirs, failure=Failure(Phase.LOGIN, Reason.WRONG_PASSWORD, said, quoted=True), started=now()))
    view.known_incidents = [incident(text=text)]
    client = await browse(view)
    for path in ("/", "/targets/ours", "/incidents", "/runbooks/MailHostOutage"):
        chinese = await (await client.get(f"{path}?lang=zh")).text()
        assert "192.0.2.1 端口 993：连接被拒绝" in chinese, path
        assert text not in chinese, path
        assert text in await (await client.get(f"{path}?lang=en")).text(), path
    assert said in await (await client.get("/targets/theirs?lang=zh")).text()
