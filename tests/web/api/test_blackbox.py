"""Tests that /probe answers as blackbox_exporter does, and stays within the limits of the daemon."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.model import FactName as F
from exporter.model import Outcome, Phase, ProbeName, Wait
from exporter.model.reasons import Reason
from tests.results import fact, failed, mailbox, ok, route, server
from tests.web.view import FakeView

CERT = (
    fact(F.FAMILY, "ipv6"),
    fact(F.TLS_VERSION, "TLSv1.3"),
    fact(F.TLS_CIPHER, "TLS_AES_256_GCM_SHA384"),
    fact(F.CERT_VALID, 1),
    fact(F.CERT_NOT_AFTER, 2_000_000_000),
    fact(F.CHAIN_NOT_AFTER, 1_900_000_000),
    fact(F.CERT_FINGERPRINT, "ab" * 32),
    fact(F.CERT_SUBJECT, 'CN="imap"'),
)


async def values(response) -> dict[str, float]:
    return {s.name: s.value for family in parse_text(await response.text()) for s in family.samples}


async def test_it_answers_with_the_last_result_under_the_names_of_blackbox_exporter(browse):
    result = ok(server(), *CERT, started=time.time() - 10, phases=((Phase.RESOLVE, 0.002), (Phase.TLS, 0.05)))
    view = FakeView([server()], [result])
    response = await (await browse(view)).get("/probe?target=imap.example.com:993&module=tls")
    assert response.status == 200
    assert 10 <= float(response.headers["X-Mailprobe-Age"]) < 60
    assert await values(response) == {
        "probe_success": 1,
        "probe_duration_seconds": 0.25,
        "probe_dns_lookup_time_seconds": 0.002,
        "probe_ip_protocol": 6,
        "probe_ssl_earliest_cert_expiry": 1_900_000_000,
        "probe_ssl_last_chain_expiry_timestamp_seconds": 1_900_000_000,
        "probe_ssl_last_chain_info": 1,
        "probe_tls_version_info": 1,
        "probe_tls_cipher_info": 1,
    }
    assert 'version="TLS 1.3"' in await response.text()
    assert view.runs == []


async def test_a_result_older_than_the_interval_is_replaced_by_a_run(browse):
    view = FakeView([mailbox()], [ok(mailbox(), started=time.time() - 301)])
    view.next_result = failed(mailbox(), started=time.time())
    response = await (await browse(view)).get("/probe?target=sales&module=imap")
    assert (await values(response))["probe_success"] == 0
    assert view.runs == [("sales", "imap", Wait.LATE, False)]


async def test_a_round_trip_is_never_begun_by_a_scrape(browse):
    view = FakeView([route()])
    client = await browse(view)
    assert (await client.get("/probe?target=sales-to-backup&module=roundtrip")).status == 503
    view.record(ok(route(), started=time.time() - 100_000))
    response = await client.get("/probe?target=sales-to-backup&module=roundtrip")
    assert (await values(response))["probe_success"] == 1
    assert view.runs == []


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "target is missing"),
        ("target=mail.evil.example:25&module=smtp", "unknown target 'mail.evil.example:25'"),
        ("target=sales&module=tls", "unknown module 'tls' for 'sales': it has imap, smtp"),
        ("target=sales", "unknown module ''"),
    ],
)
async def test_only_what_is_configured_can_be_probed(browse, query, words):
    view = FakeView([mailbox(), mailbox(probe=ProbeName.SMTP)])
    response = await (await browse(view)).get(f"/probe?{query}")
    assert response.status == 400
    assert words in await response.text()
    assert view.runs == []


async def test_the_module_may_be_left_out_where_there_is_one(browse):
    client = await browse(FakeView([server()], [ok(server(), started=time.time())]))
    assert (await client.get("/probe?target=imap.example.com:993")).status == 200


async def test_debug_adds_the_log(browse):
    client = await browse(FakeView([mailbox()], [failed(mailbox(), started=time.time())]))
    text = await (await client.get("/probe?target=sales&module=imap&debug=true")).text()
    assert text.startswith("Logs for the probe:\n")
    assert "> A1 LOGIN sales <secret>" in text
    assert "probe_success 0" in text


async def test_without_a_conclusive_verdict_there_is_no_probe_success(browse):
    unclear = failed(mailbox(), Reason.LOCAL_ERROR, None, outcome=Outcome.INCONCLUSIVE, started=time.time())
    client = await browse(FakeView([mailbox()], [unclear]))
    assert "probe_success" not in await values(await client.get("/probe?target=sales&module=imap"))


async def test_a_run_that_takes_longer_than_the_scrape_is_not_waited_for_and_not_cancelled(browse, monkeypatch):
    old = ok(mailbox(), started=time.time() - 400, duration=0.5)
    view = FakeView([mailbox()], [old])
    begun, end = asyncio.Event(), asyncio.Event()

    async def slow(*args: object, **options: object) -> None:
        begun.set()
        await end.wait()
        view.record(ok(mailbox(), started=time.time(), duration=0.125))

    monkeypatch.setattr(view, "run_now", slow)
    client = await browse(view)
    url, headers = "/probe?target=sales&module=imap", {"X-Prometheus-Scrape-Timeout-Seconds": "0.55"}
    assert (await values(await client.get(url, headers=headers)))["probe_duration_seconds"] == 0.5
    assert begun.is_set()
    end.set()
    await asyncio.sleep(0)
    assert (await values(await client.get(url, headers=headers)))["probe_duration_seconds"] == 0.125


async def test_a_web_page_has_its_status_under_blackbox_exporters_name(browse):
    page = replace(server("webmail"), probe=ProbeName.WEBMAIL)
    client = await browse(FakeView([page], [ok(page, fact(F.HTTP_STATUS, 302), started=time.time())]))
    text = await (await client.get("/probe?target=webmail")).text()
    assert "probe_http_status_code 302" in text
    assert "probe_http_ssl 1" in text
