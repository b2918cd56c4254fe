"""Tests of the pages and the JSON of a daemon that is one of several shards."""

from __future__ import annotations

from exporter.model.sharding import Sharding
from tests.results import mailbox
from tests.web.view import FakeView


async def test_a_shard_says_which_it_is_and_that_another_may_watch_what_is_not_here(browse):
    view = FakeView([mailbox()])
    view.sharding = Sharding(1, 4)
    client = await browse(view)
    html = {"Accept": "text/html"}
    assert "shard 1 of 4, counted from 0" in await (await client.get("/?lang=en", headers=html)).text()
    assert "分片 1（共 4 个，从 0 起）" in await (await client.get("/?lang=zh", headers=html)).text()
    missing = await (await client.get("/targets/nobody?lang=en", headers=html)).text()
    assert "Or another shard watches it." in missing
    assert (await (await client.get("/api/v1/targets")).json())["shard"] == {"ordinal": 1, "total": 4}


async def test_one_daemon_alone_does_not_speak_of_shards(browse):
    client = await browse(FakeView([mailbox()]))
    assert "shard" not in await (await client.get("/?lang=en")).text()
    assert "shard" not in await (await client.get("/api/v1/targets")).json()
