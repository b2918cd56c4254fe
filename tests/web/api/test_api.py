"""Tests of the JSON for programs, and of who may start an action."""

from __future__ import annotations

import time

from exporter.model import Kind, ProbeName, Wait
from exporter.model.reasons import Reason, about
from exporter.run.scheduler import Interrupted
from tests.results import failed, incident, mailbox, ok, route
from tests.web.view import FakeView


async def test_targets_list_their_probes_and_last_results(browse):
    imap, smtp = mailbox(), mailbox(probe=ProbeName.SMTP)
    client = await browse(FakeView([imap, smtp, route()], [failed(imap)]))
    body = await (await client.get("/api/v1/targets")).json()
    assert body["schema_version"] == 1
    sales, trip = body["targets"]
    assert (sales["target"], sales["kind"], sales["probes"]) == ("sales", Kind.MAILBOX, ["imap", "smtp"])
    assert [(r["probe"], r["outcome"], r["reason"]) for r in sales["results"]] == [("imap", "failed", "wrong_password")]
    assert (trip["probes"], trip["results"]) == (["roundtrip"], [])
    one = await (await client.get("/api/v1/targets/sales")).json()
    assert one == {"schema_version": 1, "target": sales}
    assert (await client.get("/api/v1/targets/nobody")).status == 404


async def test_a_run_now_answers_with_its_result(browse):
    view = FakeView([mailbox()])
    view.next_result = ok(mailbox())
    client = await browse(view)
    response = await client.post("/api/v1/run?target=sales&probe=imap", headers={"X-Mailprobe": "1"})
    assert response.status == 200
    assert (await response.json())["outcome"] == "ok"
    await client.post("/api/v1/run?target=sales&probe=imap&wait=settled&force=1", headers={"X-Mailprobe": "1"})
    assert view.runs == [("sales", "imap", Wait.LATE, False), ("sales", "imap", Wait.SETTLED, True)]
    assert (await client.post("/api/v1/run?target=sales&probe=imap&wait=1", headers={"X-Mailprobe": "1"})).status == 400


async def test_a_force_needs_a_program_and_not_a_button(browse):
    view = FakeView([mailbox()])
    view.next_result = ok(mailbox())
    client = await browse(view)
    await client.post("/api/v1/run?target=sales&probe=imap&force=1", headers={"Sec-Fetch-Site": "same-origin"})
    assert view.runs == [("sales", "imap", Wait.LATE, False)]


async def test_a_run_of_what_is_not_configured_is_refused(browse):
    view = FakeView([mailbox()])
    client = await browse(view)
    for query in ("target=nobody&probe=imap", "target=sales&probe=smtp", "target=sales", ""):
        response = await client.post(f"/api/v1/run?{query}", headers={"X-Mailprobe": "1"})
        assert response.status == 404
        assert "error" in await response.json()
    assert view.runs == []
    assert (await client.get("/api/v1/run?target=sales&probe=imap")).status == 405


async def test_an_interrupted_run_is_not_a_bug(browse, monkeypatch):
    view = FakeView([mailbox()])

    async def interrupted(*args: object, **options: object) -> None:
        raise Interrupted("the daemon stops")

    monkeypatch.setattr(view, "run_now", interrupted)
    client = await browse(view)
    response = await client.post("/api/v1/run?target=sales&probe=imap", headers={"X-Mailprobe": "1"})
    assert (response.status, (await response.json())["error"]) == (503, "the daemon stops")


async def test_service_discovery_needs_no_relabeling(browse):
    view = FakeView([mailbox()])
    client = await browse(view)
    (group,) = await (await client.get("/sd")).json()
    assert group["targets"] == [client.make_url("/").authority]
    assert group["labels"]["__param_target"] == group["labels"]["instance"] == "sales"
    assert group["labels"]["__param_module"] == "imap"
    assert group["labels"]["__metrics_path__"] == "/probe"
    assert all(isinstance(value, str) for value in group["labels"].values())
    view.external_url = "https://status.example.com/mail/"
    (group,) = await (await client.get("/sd")).json()
    assert group["targets"] == ["status.example.com"]
    assert group["labels"]["__scheme__"] == "https"
    assert group["labels"]["__metrics_path__"] == "/mail/probe"


async def test_a_wait_that_does_not_exist_is_refused(browse):
    client = await browse(FakeView([mailbox()]))
    response = await client.post("/api/v1/run?target=sales&probe=imap&wait=1", headers={"X-Mailprobe": "1"})
    assert response.status == 400
    assert "settled" in (await response.json())["error"]


async def test_incidents_are_told_with_reason_targets_and_remedy(browse):
    view = FakeView([mailbox()])
    view.known_incidents = [incident(), incident(key="b", resolved=time.time())]
    body = await (await (await browse(view)).get("/api/v1/incidents")).json()
    first, second = body["incidents"]
    assert body["schema_version"] == 1
    assert (first["alert"], first["severity"], first["scope"]) == ("MailHostOutage", "critical", "host")
    assert (first["layer"], first["reason"], first["owner"]) == ("transport", "connection_refused", "provider")
    assert (first["targets"], first["provider"], first["resolved"]) == (["sales", "info"], None, None)
    assert first["remedy"]["zh"] == about(Reason.CONNECTION_REFUSED).remedy("zh")
    assert second["resolved"] > second["opened"]
