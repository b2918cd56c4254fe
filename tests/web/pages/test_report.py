"""Tests of the support ticket over HTTP."""

from __future__ import annotations

from pathlib import Path

from exporter.cli.report import report
from exporter.daemon.options import Options
from tests.results import failed, mailbox
from tests.web.view import FakeView


async def test_the_daemon_writes_it_in_every_format(browse):
    view = FakeView([mailbox()], [failed(mailbox())])
    client = await browse(view)
    plain = await client.get("/api/v1/report?target=sales")
    assert (plain.status, plain.content_type) == (200, "text/plain")
    assert (await plain.text()).startswith("IMAP of sales fails")
    marked = await client.get("/api/v1/report?target=sales&format=md", headers={"Accept-Language": "zh-CN"})
    assert (marked.content_type, "账号" in await marked.text()) == ("text/markdown", True)
    assert (await (await client.get("/api/v1/report?target=sales&format=json&lang=zh")).json())["language"] == "zh"
    assert (await client.get("/api/v1/report?target=sales&format=pdf")).status == 400
    missing = await client.get("/api/v1/report?target=nobody")
    assert (missing.status, (await missing.json())["error"]) == (404, "unknown target 'nobody'")


async def test_the_page_of_a_target_has_it_to_copy_and_as_files(browse):
    client = await browse(FakeView([mailbox("a&b")], [failed(mailbox("a&b"))]))
    page = await (await client.get("/targets/a%26b")).text()
    assert "IMAP of a&amp;b fails" in page
    assert 'href="../api/v1/report?target=a%26b&amp;lang=en&amp;format=md"' in page


async def test_the_command_prints_what_the_daemon_writes(browse, capsys, tmp_path: Path):
    """And tells an unknown target, and somebody else's server, in a sentence."""
    client = await browse(FakeView([mailbox()], [failed(mailbox())]))
    url = str(client.make_url("/")).rstrip("/")
    options = Options(tmp_path / "none.yaml", False, None, (), "", "/metrics", tmp_path, "info", "logfmt", 1, 0.5)
    assert await report(options, "sales", url, "md", "zh") == 0
    assert capsys.readouterr().out.startswith("# sales 的 IMAP 失败：密码错误 wrong\\_password")
    assert await report(options, "nobody", url, "text", "en") == 2
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "mailprobe: unknown target 'nobody'\n")
    assert await report(options, "sales", f"{url}/targets", "text", "en") == 2
    assert "not like mailprobe" in capsys.readouterr().err
    assert await report(options, "sales", "http://127.0.0.1:1", "text", "en") == 2
    assert "none.yaml" in capsys.readouterr().err
