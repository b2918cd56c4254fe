"""Tests of the time zone of the pages: that of the URL, of the flag, or of the machine; and that each time names it."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import pytest

from exporter.cli.report import report
from exporter.daemon.options import Options
from exporter.model import FactName
from exporter.model.zones import time_zone
from tests.results import fact, failed, incident, mailbox, ok, server
from tests.web.pages.page import PATHS, fleet
from tests.web.view import FakeView

START = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC
TIMED = ("/", "/targets/sales", "/incidents", "/runbooks/MailHostOutage")
TIME = re.compile(
    r'<time datetime="[^"]+([+-]\d\d:\d\d)" title="[^"]+">[^<]+</time>(?: <span class="zone">([^<]+)</span>)?'
)


def view(zone: str = "") -> FakeView:
    box, host = mailbox(), replace(server(), servers=("imap.example.com:993",))
    expiry = fact(FactName.CERT_NOT_AFTER, START)
    view = FakeView(
        [box, host],
        [ok(box, started=START - 60), failed(box, started=START), ok(host, expiry, started=START)],
    )
    view.known_incidents = [incident(since=START), incident(key="b", since=START, resolved=START + 9)]
    view.time_zone = time_zone(zone) if zone else None
    return view


@pytest.mark.parametrize(
    ("flag", "query"), [("", "?tz=Asia/Shanghai"), ("Asia/Shanghai", ""), ("UTC", "?tz=Asia/Shanghai")]
)
async def test_times_are_in_the_zone_of_the_url_else_of_the_flag(browse, flag, query):
    client = await browse(view(flag))
    for path in TIMED:
        text = await (await client.get(path + query)).text()
        assert "Times are in Asia/Shanghai (UTC+08:00)." in text
        times = TIME.findall(text)
        assert times, path
        assert {offset for offset, _ in times} == {"+08:00"}, path
        assert {zone for _, zone in times} <= {"UTC+08:00", ""}, path
        if flag != "UTC":
            assert "2023-11-15" in text, "the day after that of UTC"
    target = await (await client.get(f"/targets/sales{query}")).text()
    assert "Started · UTC+08:00</th>" in target
    assert "2023-11-15 06:13 UTC+08:00 · failing · " in target.lower().replace("utc", "UTC")
    assert "2023-11-15 06:13:20 +08:00 CST = 2023-11-14 22:13:20 UTC" in target, "in the report to copy"
    assert "certificate until 2023-11-15" in target.lower()
    facts = await (await client.get(f"/targets/imap.example.com%3A993{query}")).text()
    assert "2023-11-15 06:13 UTC+08:00 (" in facts, "when the certificate expires"


async def test_a_time_without_its_zone_stands_only_below_a_heading_that_names_it(browse):
    client = await browse(view())
    for path in TIMED:
        text = await (await client.get(f"{path}?tz=Asia/Shanghai")).text()
        for table in re.findall(r"<table.*?</table>", text, re.DOTALL):
            assert "UTC+08:00" in table or "<time" not in table, path
            text = text.replace(table, "")
        text = re.sub(r"(<time [^>]*>[^<]*</time>) – (<time [^>]*>[^<]*</time> UTC)", "", text)  # from – to
        assert [zone for _, zone in TIME.findall(text) if not zone] == [], path


async def test_every_link_of_ours_keeps_the_zone_and_the_language(browse):
    client = await browse(fleet())
    for path in (each for each in PATHS if each != "/nothing"):
        joined = "&" if "?" in path else "?"
        text = await (
            await client.get(f"{path}{joined}lang=zh&tz=America/New_York", headers={"Accept": "text/html"})
        ).text()
        links = [unescape(each) for each in re.findall(r'<a [^>]*?href="([^"]+)"', text)]
        pages = [each for each in links if not re.search(r"metrics|logs\?|api/v1|^#|^https?:", each)]
        assert len(pages) > 3, path
        assert [each for each in pages if "tz=America/New_York" not in each.replace("%2F", "/")] == [], path
        assert [each for each in pages if "lang=" not in each] == [], path
        reports = [each for each in links if "api/v1/report" in each]
        assert all("tz=America/New_York" in each for each in reports)
    form = await (await client.get("/?tz=America/New_York")).text()
    assert '<input type="hidden" name="tz" value="America/New_York">' in form


async def test_without_a_choice_links_stay_short(browse):
    text = await (await (await browse(view("Asia/Shanghai"))).get("/")).text()
    assert "tz=" not in text
    assert 'href="targets/sales"' in text


async def test_an_unknown_zone_is_told_and_the_page_is_shown_in_the_usual_one(browse):
    client = await browse(view("Asia/Tokyo"))
    for path in TIMED:
        answer = await client.get(f"{path}?tz=<b>Mars</b>")
        text = await answer.text()
        assert answer.status == 200
        assert "This machine knows no time zone &lt;b&gt;Mars&lt;/b&gt;: times are in Asia/Tokyo (UTC+09:00)." in text
    assert "本机没有名为 Mars 的时区" in await (await client.get("/?tz=Mars&lang=zh")).text()
    assert (await client.get("/nothing?tz=Mars")).status == 404
    refused = await client.get("/api/v1/report?target=sales&tz=Mars")
    assert refused.status == 400
    assert (await refused.json())["error"].startswith("tz: 'Mars' is no time zone that this machine knows")


async def test_a_zone_with_a_plus_sign_needs_no_escaping(browse):
    text = await (await (await browse(view())).get("/?tz=Etc/GMT+8")).text()
    assert "Times are in Etc/GMT+8 (UTC-08:00)." in text
    assert "tz=Etc/GMT%2B8" in text


async def test_the_report_is_in_the_zone_of_the_url_and_of_the_flag(browse, capsys, tmp_path: Path):
    client = await browse(view("Asia/Tokyo"))
    usual = await (await client.get("/api/v1/report?target=sales")).text()
    assert "2023-11-15 07:13:20 +09:00 JST = 2023-11-14 22:13:20 UTC" in usual
    asked = await (await client.get("/api/v1/report?target=sales&tz=UTC")).text()
    assert "2023-11-14 22:13:20 UTC\n" in asked
    url = urljoin(str(client.make_url("/")), ".").rstrip("/")
    options = Options(tmp_path / "none.yaml", False, None, (), "", "/metrics", tmp_path, "info", "logfmt", 1, 0.5)
    assert await report(replace(options, time_zone=time_zone("Asia/Shanghai")), "sales", url, "text", "en") == 0
    assert "2023-11-15 06:13:20 +08:00 CST" in capsys.readouterr().out


async def test_the_end_of_a_pause_names_its_zone(browse):
    box, now = mailbox(), time.time()
    paused = replace(failed(box, started=now), login_suspended=True, login_next_attempt=START)
    text = await (await (await browse(FakeView([box], [paused]))).get("/targets/sales?tz=Asia/Shanghai")).text()
    assert "No password is sent until 2023-11-15 06:13 UTC+08:00" in text


async def test_the_times_of_today_have_no_date_by_the_day_of_the_reader(browse):
    now = time.time()
    box = mailbox()
    client = await browse(FakeView([box], [ok(box, started=now)]))
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        text = await (await client.get(f"/targets/sales?tz={zone}")).text()
        shown = re.findall(r"<time [^>]*>([^<]+)</time>", text)
        assert re.fullmatch(r"\d\d:\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d", shown[0])
        assert time.strftime("%H:%M:%S", time.gmtime(now + (14 if "Kiri" in zone else -11) * 3600)) in shown
