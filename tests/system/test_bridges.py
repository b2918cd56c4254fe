"""Tests with a real Alertmanager that posts to the real daemon, which sends to robots that check everything."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from tests.canary import leaks
from tests.notifications import alert, notification
from tests.servers.daemon import Daemon
from tests.servers.monitoring import Alertmanager
from tests.servers.process import wait_until
from tests.servers.robots import KEY, SECRET, Robots
from tests.web.config.material import hashed

KINDS = ("dingtalk", "feishu", "wecom")
TOKEN = "bridge-token-0123456789"
BRIDGE = "  - {{name: {kind}, kind: {kind}, url_file: secrets/{kind}, token_file: secrets/token{more}}}\n"
ROUTES = """\
route: {{receiver: robots, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: robots
    webhook_configs:
"""
ROUTE = """\
      - url: {url}/bridge/{kind}
        send_resolved: true
        max_alerts: 200
        http_config: {{authorization: {{type: Bearer, credentials_file: {token}}}}}
"""


def configured(robots: dict[str, Robots], flags: tuple[str, ...] = ()) -> Daemon:
    text = "bridges:\n"
    secrets = {"token": TOKEN, "secret": SECRET}
    for kind in KINDS:
        text += BRIDGE.format(kind=kind, more="" if kind == "wecom" else ", secret_file: secrets/secret")
        secrets[kind] = robots[kind].url(kind)
    return Daemon(text, secrets, flags)


@pytest.fixture
async def robots() -> AsyncIterator[dict[str, Robots]]:
    async with AsyncExitStack() as stack:
        yield {kind: await stack.enter_async_context(Robots(keyword="mailprobe")) for kind in KINDS}


def fire(alertmanager: Alertmanager, mailboxes: list[str], since: datetime, *, over: bool = False) -> None:
    ends = datetime.now(UTC) + (timedelta() if over else timedelta(minutes=10))
    times = {"startsAt": since.isoformat(), "endsAt": ends.isoformat()}
    made = [alert(mailbox) for mailbox in mailboxes]
    bodies = [{"labels": each["labels"], "annotations": each["annotations"], **times} for each in made]
    request = urllib.request.Request(
        f"{alertmanager.url}/api/v2/alerts",
        data=json.dumps(bodies).encode(),
        headers={"Content-Type": "application/json"},
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60).close()


async def refuse(_: web.Request) -> web.Response:
    return web.Response(status=502)


async def test_forty_mailboxes_reach_all_three_robots_and_so_does_their_end(robots: dict[str, Robots]):
    for each in robots.values():
        each.instead.append(refuse)  # the first try fails: Alertmanager comes again
    with configured(robots) as daemon:
        routes = ROUTES.format() + "".join(
            ROUTE.format(url=daemon.url, kind=kind, token=daemon.secrets / "token") for kind in KINDS
        )
        with Alertmanager(routes) as alertmanager:
            boxes = [f"box{number:02}" for number in range(40)]
            since = datetime.now(UTC)  # what began before group_wait would not wait for the others
            await asyncio.to_thread(fire, alertmanager, boxes, since)
            for kind in KINDS:
                text = await robots[kind].wait_for("严重：邮箱无法登录")
                assert "、".join(boxes[:10]) + "，另有 30 个" in text
                assert "原因：box00：密码错误" in text
                assert "[处理办法](https://mailprobe.example.com/runbooks/MailLoginFailing)" in text
                assert f"告警时间：{since.astimezone().strftime('%Y-%m-%d %H:%M')}" in text
            await asyncio.to_thread(fire, alertmanager, boxes, since, over=True)
            for kind in KINDS:
                assert "分钟）" in await robots[kind].wait_for("已恢复：邮箱无法登录")
        for kind in KINDS:
            assert [bool(text) for _, text in robots[kind].messages] == [True, True]
            assert daemon.metric(f'mailprobe_bridge_messages_total{{bridge="{kind}"}}') == 3
            assert daemon.metric(f'mailprobe_bridge_messages_failed_total{{bridge="{kind}"}}') == 1
            assert daemon.metric(f'mailprobe_bridge_messages_dropped_total{{bridge="{kind}"}}') == 0
        texts = {path: daemon.text(path) for path in ("/", "/config", "/metrics")}
        texts["log"] = daemon.tail(10_000)
        assert texts["/config"].count("<secret>") == 8  # URL, token, and for two of them a secret
    for secret in (KEY, SECRET, TOKEN):
        found = leaks(secret, texts.values())
        assert not found, [name for name, text in texts.items() if text in found]


def post(daemon: Daemon, kind: str, token: str) -> tuple[int, str]:
    """Status and what is asked for."""
    request = urllib.request.Request(
        f"{daemon.url}/bridge/{kind}",
        data=json.dumps(notification([alert()])).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.headers.get("WWW-Authenticate", "")


class Guarded(Daemon):
    """A daemon that asks everybody for a password is ready as soon as it does."""

    def ready(self) -> bool:
        try:
            return super().ready() or post(self, "nobody", "")[0] == 404
        except OSError:
            return False


async def test_where_everybody_must_log_in_a_bridge_asks_for_its_token_alone(robots: dict[str, Robots], tmp_path):
    """Alertmanager can show a token or a password, not both."""
    users = tmp_path / "web.yml"
    users.write_text(f"basic_auth_users:\n  prometheus: {hashed()}\n")
    users.chmod(0o600)
    plain = configured(robots)
    daemon = Guarded(plain.config.read_text(), {}, [f"--web.config.file={users}"])
    for kind in (*KINDS, "token", "secret"):
        daemon.secret(kind, (plain.secrets / kind).read_text().strip())
    plain.close()
    with daemon:
        assert await asyncio.to_thread(post, daemon, "wecom", TOKEN) == (200, "")
        assert await asyncio.to_thread(post, daemon, "wecom", "another") == (401, "Bearer")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            await asyncio.to_thread(daemon.text, "/metrics")
    assert len(robots["wecom"].messages) == 1


async def test_a_reload_adds_and_removes_bridges(robots: dict[str, Robots]):
    with configured(robots) as daemon:
        assert (await asyncio.to_thread(post, daemon, "feishu", TOKEN))[0] == 200
        without = daemon.config.read_text().splitlines(keepends=True)
        daemon.config.write_text("".join(line for line in without if "feishu" not in line))
        assert (await asyncio.to_thread(daemon.post, "/-/reload"))[0] == 200
        assert (await asyncio.to_thread(post, daemon, "feishu", TOKEN))[0] == 404
        assert 'bridge="feishu"' not in daemon.text("/metrics")
        assert (await asyncio.to_thread(post, daemon, "dingtalk", TOKEN))[0] == 200
        daemon.config.write_text("bridges: []\n")
        assert (await asyncio.to_thread(daemon.post, "/-/reload"))[0] == 200
        wait_until(lambda: "bridge=" not in daemon.text("/metrics"), 10, "no bridge has metrics")
