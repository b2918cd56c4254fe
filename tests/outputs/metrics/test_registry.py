"""Tests of a scrape: the exact text for given results, and the rules for every metric."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from exporter.model import FactName, Outcome, Phase, ProbeName, Result, Scope, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.names import RESERVED_LABELS
from exporter.model.outage import Outage
from exporter.model.reasons import Layer, Reason
from exporter.outputs.metrics.families import FAMILIES, document
from exporter.outputs.metrics.family import BASE_LABELS, Shape, Subject
from exporter.outputs.metrics.registry import Metrics
from exporter.outputs.metrics.self_metrics import SelfMetrics
from tests.results import IMAP_SERVER, START, domain, fact, failed, mailbox, ok, route, server

parse_openmetrics: Callable[[str], Iterable[Metric]] = openmetrics_parser.text_string_to_metric_families  # untyped
GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[3]
F = FactName

IMAP_FACTS = (
    fact(F.ADDRESS, "192.0.2.1"),
    fact(F.MECHANISM, "PLAIN"),
    fact(F.QUOTA_USED_BYTES, 1024, "User quota"),
    fact(F.QUOTA_LIMIT_BYTES, 10485760, "User quota"),
    fact(F.QUOTA_USED_MESSAGES, 12, "User quota"),
    fact(F.QUOTA_LIMIT_MESSAGES, 1000, "User quota"),
    fact(F.FOLDER_NAME, "Gesendet", "sent"),
    fact(F.FOLDER_MESSAGES, 12, "inbox"),
    fact(F.FOLDER_UNSEEN, 3, "inbox"),
    fact(F.FOLDER_NEWEST, START - 60, "inbox"),
)
TLS_FACTS = (
    fact(F.FAMILY, "ipv4"),
    fact(F.TLS_VERSION, "TLSv1.3"),
    fact(F.TLS_CIPHER, "TLS_AES_256_GCM_SHA384"),
    fact(F.CERT_VALID, 1),
    fact(F.CERT_NOT_AFTER, START + 86400),
    fact(F.CHAIN_NOT_AFTER, START + 43200),
)
DNS_FACTS = (
    fact(F.DNS_LOOKUP, 1, "mx"),
    fact(F.DNS_LOOKUP_SECONDS, 0.0125, "mx"),
    fact(F.DNS_RECORDS, 2, "mx"),
    fact(F.DNS_LAST_CHANGE, 0, "mx"),
    fact(F.DNS_LOOKUP, 0, "dmarc"),
    fact(F.DNS_POLICY_VALID, 1, "spf"),
    fact(F.DKIM_KEY_BITS, 2048, "s1", "rsa"),
)
ROUTE_FACTS = (
    fact(F.ROUNDTRIP_SENT, 1),
    fact(F.ROUNDTRIP_RECEIVED, 1.25),
    fact(F.ROUNDTRIP_PRECISION, 0.5),
    fact(F.ROUNDTRIP_RECEIVED, 4.5),
    fact(F.ROUNDTRIP_MISFILED, 1),
    fact(F.ROUNDTRIP_IN_FLIGHT, 0),
    fact(F.ROUNDTRIP_OLDEST_IN_FLIGHT, 0),
    fact(F.ROUNDTRIP_HOP_DELAY, 0.5, "relay"),
    fact(F.ROUNDTRIP_AUTHENTICATION, 1, "spf"),
)

HOSTILE = mailbox('a"b\\c\nd')

CASES: dict[str, tuple[Sequence[Target], Sequence[Result]]] = {
    "loaded": ((mailbox(), server(), domain(), route()), ()),
    "mailbox_ok": ((mailbox(),), (ok(mailbox(), *IMAP_FACTS, login_attempted=True),)),
    "mailbox_refused": ((mailbox(),), (failed(mailbox(), login_attempted=True, login_refused=True),)),
    "mailbox_suspended": (
        (mailbox(),),
        (
            failed(mailbox(), login_attempted=True, login_refused=True),
            failed(mailbox(), login_suspended=True, login_next_attempt=START + 1800),
        ),
    ),
    "endpoint": ((server(),), (ok(server(), *TLS_FACTS),)),
    "domain": ((domain(),), (ok(domain(), *DNS_FACTS),)),
    "route": ((route(),), (ok(route(), *ROUTE_FACTS, duration=6.5),)),
    "hostile_name": ((HOSTILE,), (ok(HOSTILE),)),
}


def loaded(
    targets: Sequence[Target],
    results: Sequence[Result] = (),
    now: Callable[[], float] = lambda: START,
    own: SelfMetrics | None = None,
) -> Metrics:
    own = own or SelfMetrics(version="1.2.3", revision="abc")
    metrics = Metrics(own, now=now)
    config = EffectiveConfig(targets, alert_labels=["tenant"])
    own.load(config)
    metrics.load(config)
    for result in results:
        metrics.record(result)
    return metrics


def everything() -> Metrics:
    """Every metric has a series."""
    sender = mailbox("backup", ProbeName.SMTP)
    facts = {mailbox(): IMAP_FACTS, server(): TLS_FACTS, domain(): DNS_FACTS, route(): ROUTE_FACTS}
    results = [failed(domain(), facts=(fact(F.DNS_LOOKUP, 0, "mx"),), started=START - 60)]
    results += [ok(target, *known) for target, known in facts.items()]
    results.append(failed(sender, facts=(fact(F.SMTP_SIZE_LIMIT, 35882577), fact(F.OAUTH_EXPIRY, START + 3600))))
    results += [failed(HOSTILE, started=START - 60), ok(HOSTILE)]
    own = SelfMetrics(version="1.2.3", revision="abc")
    metrics = loaded([*facts, sender, HOSTILE], results, own=own)
    own.skipped(ProbeName.IMAP, "overlap")
    own.web("http://localhost:9826")
    metrics.root_causes({"sales": (Layer.AUTH, Reason.WRONG_PASSWORD, Scope.TARGET, "")})
    metrics.outages([Outage(Scope.HOST, "imap.a.example", targets=0, start=START - 60, end=START)])
    return metrics


async def scrape(metrics: Metrics, *, openmetrics: bool = False) -> str:
    return b"".join([chunk async for chunk in metrics.exposition(openmetrics=openmetrics)]).decode()


def about_targets(text: str) -> str:
    """Without what is about the process, which is never twice the same."""
    return text.partition("# HELP process_")[0]


async def samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """The values of one metric by the values of those of its labels that the tests vary."""
    wanted = ("target", "probe", "folder", "from", "reason", "server", "provider", "level", "quota_root", "hop")
    return {
        tuple(sample.labels[label] for label in wanted if label in sample.labels): sample.value
        for family in parse_text(await scrape(metrics))
        for sample in family.samples
        if sample.name == f"mailprobe_{name}"
    }


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
async def test_golden_text(case, openmetrics):
    """Given results give exactly this text. MAILPROBE_UPDATE_GOLDEN=1 writes it again: check the diff."""
    text = about_targets(await scrape(loaded(*CASES[case]), openmetrics=openmetrics))
    file = GOLDEN / f"{case}.{'openmetrics' if openmetrics else 'text'}.prom"
    if os.environ.get("MAILPROBE_UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


async def test_both_formats_say_the_same_to_the_parsers_of_prometheus_client():
    metrics = everything()

    def values(families: Iterable[Metric]) -> dict[tuple[str, object], float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
            if sample.name.startswith("mailprobe_")
        }

    text = values(parse_text(await scrape(metrics)))
    assert len(text) > 100
    assert values(parse_openmetrics(await scrape(metrics, openmetrics=True))) == text


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
async def test_promtool_has_nothing_to_say_about_any_metric(openmetrics):
    """Deprecated names are left out: what promtool dislikes about one may be why it was replaced.

    promtool reads the text format only, so OpenMetrics is translated for it, by another parser than ours.
    """
    exposition = await scrape(everything(), openmetrics=openmetrics)
    families = list((parse_openmetrics if openmetrics else parse_text)(exposition))
    deprecated = {family.full_name for family in FAMILIES if family.replaced_by}
    assert deprecated <= {family.name for family in families}
    text = as_text(families) if openmetrics else exposition
    kept = "".join(
        line for line in text.splitlines(keepends=True) if not deprecated.intersection(re.split(r"[ {]", line))
    )
    assert_promtool_accepts(kept)


def as_text(families: Sequence[Metric]) -> str:
    class Parsed(Collector):
        def collect(self) -> Iterable[Metric]:
            return families

    registry = CollectorRegistry()
    registry.register(Parsed())
    return generate_latest(registry).decode()


def assert_promtool_accepts(text: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert not os.environ.get("MAILPROBE_TEST_REQUIRE_SERVERS"), "promtool is missing (Debian package prometheus)"
        return
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


async def test_a_deprecated_metric_shows_what_its_new_name_shows():
    """Its help names the new metric; rules, dashboards and documents use the new one."""
    rows = {family.name: family for family in FAMILIES}
    lines = (await scrape(everything())).splitlines()
    for old in (family for family in FAMILIES if family.replaced_by):
        new = rows[old.replaced_by]
        assert new.full_name in old.help
        shown = [line.removeprefix(old.full_name) for line in lines if line.startswith(f"{old.full_name}{{")]
        assert shown
        assert shown == [line.removeprefix(new.full_name) for line in lines if line.startswith(f"{new.full_name}{{")]
        for folder in ("deploy", "docs", "grafana"):
            for file in (ROOT / folder).rglob("*"):
                if file.suffix in (".md", ".json", ".yml", ".yaml", ".py", ".libsonnet") and file.name != "metrics.md":
                    assert not re.search(rf"\b({old.full_name}|{old.name})\b", file.read_text()), file


async def test_openmetrics_ends_with_eof_and_carries_exemplars_and_the_text_format_does_not():
    metrics = loaded(*CASES["route"])
    text, openmetrics = await scrape(metrics), await scrape(metrics, openmetrics=True)
    assert openmetrics.endswith("# EOF\n")
    assert ' # {probe_id="0123456789ab"} 4.5 ' in openmetrics
    assert "EOF" not in text
    assert "probe_id" not in text


async def test_what_ends_in_info_is_an_info_metric():
    """The suffix is reserved for that type in OpenMetrics; the text format knows no such type."""
    metrics = everything()
    text = dict(re.findall(r"^# TYPE (\S+) (\S+)$", await scrape(metrics), re.MULTILINE))
    openmetrics = dict(re.findall(r"^# TYPE (\S+) (\S+)$", await scrape(metrics, openmetrics=True), re.MULTILINE))
    named = {name for name in text if name.endswith("_info")}
    assert {"mailprobe_probe_failure_info", "mailprobe_build_info", "python_info"} <= named
    assert {text[name] for name in named} == {"gauge"}
    assert {name.removesuffix("_info") for name in named} == {
        name for name in openmetrics if openmetrics[name] == "info"
    }
    assert not [name for name in openmetrics if name.endswith("_info")]
    assert {family.full_name for family in FAMILIES if family.shape is Shape.INFO} == {
        family.full_name for family in FAMILIES if family.name.endswith("_info")
    }


async def test_counters_stand_at_zero_and_no_result_gauge_is_there_before_the_first_run():
    metrics = loaded([mailbox()])
    assert await samples(metrics, "probes_total") == {("sales", "imap", "dovecot"): 0}
    assert await samples(metrics, "login_refused_total") == {("sales", "imap", "dovecot"): 0}
    assert await samples(metrics, "probe_success") == {}
    assert await samples(metrics, "probe_last_run_timestamp_seconds") == {}


async def test_an_inconclusive_run_keeps_the_verdict_and_what_was_known():
    inconclusive = failed(mailbox(), Reason.LOCAL_ERROR, None, outcome=Outcome.INCONCLUSIVE, started=START + 300)
    metrics = loaded([mailbox()], [ok(mailbox(), *IMAP_FACTS), inconclusive])
    key = ("sales", "imap", "dovecot")
    assert await samples(metrics, "probe_success") == {key: 1}
    assert await samples(metrics, "probe_inconclusive") == {key: 1}
    assert await samples(metrics, "probes_total") == {key: 2}
    assert await samples(metrics, "probe_failures_total") == {key: 0}
    assert await samples(metrics, "probes_inconclusive_total") == {key: 1}
    assert await samples(metrics, "probe_last_run_timestamp_seconds") == {key: START + 300}
    assert await samples(metrics, "folder_messages") == {("sales", "inbox", "dovecot"): 12}
    assert await samples(metrics, "failure_reasons_total") == {}


async def test_an_inconclusive_run_says_nothing_about_a_server_or_a_domain():
    """The cause is our own network or clock: it must not look like a failing DNS or an invalid certificate."""
    blind: dict[str, Any] = {"outcome": Outcome.INCONCLUSIVE, "started": START + 60}
    metrics = loaded(
        [server(), domain()],
        [
            ok(server(), *TLS_FACTS),
            failed(server(), Reason.CLOCK_WRONG, Phase.TLS, facts=(fact(F.CERT_VALID, 0),), **blind),
            ok(domain(), *DNS_FACTS),
            failed(domain(), Reason.VANTAGE_OFFLINE, Phase.RESOLVE, facts=(fact(F.DNS_LOOKUP, 0, "mx"),), **blind),
        ],
    )
    text = await scrape(metrics)
    assert re.search(r"^mailprobe_tls_certificate_valid\{[^}]*\} 1$", text, re.MULTILINE)
    assert re.search(r'^mailprobe_dns_lookup_success\{[^}]*record_type="mx"\} 1$', text, re.MULTILINE)


async def test_it_says_where_its_pages_are():
    metrics = loaded([], own=(own := SelfMetrics()))
    own.web("https://mail.example.com/mailprobe")
    assert 'mailprobe_web_info{external_url="https://mail.example.com/mailprobe"} 1.0\n' in await scrape(metrics)


async def test_the_failure_is_told_only_while_failing():
    metrics = loaded([mailbox()], [failed(mailbox())])
    assert await samples(metrics, "probe_failure_info") == {("sales", "imap", "wrong_password", "dovecot"): 1}
    metrics.record(ok(mailbox()))
    assert await samples(metrics, "probe_failure_info") == {}
    assert await samples(metrics, "failure_reasons_total") == {("imap", "wrong_password", "dovecot"): 1}


async def test_result_gauges_are_withdrawn_when_too_old_and_counters_stay():
    now = START
    metrics = loaded([mailbox()], [ok(mailbox(), *IMAP_FACTS)], lambda: now)
    now = START + 5 * 300
    assert await samples(metrics, "probe_success") != {}
    now += 1
    key = ("sales", "imap", "dovecot")
    assert await samples(metrics, "probe_success") == {}
    assert await samples(metrics, "folder_messages") == {}
    assert await samples(metrics, "probes_total") == {key: 1}
    assert await samples(metrics, "probe_last_run_timestamp_seconds") == {key: START}
    assert await samples(metrics, "probe_interval_seconds") == {key: 300}
    metrics.record(ok(mailbox(), started=now))
    assert await samples(metrics, "probe_success") == {key: 1}


async def test_a_short_interval_leaves_a_result_ten_minutes():
    now = START
    metrics = loaded([server()], [ok(server(), *TLS_FACTS)], lambda: now)
    now = START + 599
    assert await samples(metrics, "endpoint_up") != {}
    now = START + 601
    assert await samples(metrics, "endpoint_up") == {}


async def test_a_target_that_leaves_the_config_takes_its_series_along():
    metrics = loaded([mailbox(), server(), domain(), route()], [failed(mailbox()), ok(server(), *TLS_FACTS)])
    metrics.load(EffectiveConfig([domain()], alert_labels=["tenant"]))
    metrics.record(failed(mailbox()))
    text = about_targets(await scrape(metrics))
    assert "sales" not in text
    assert "imap.example.com" not in text
    assert "dovecot" not in text
    assert 'mailprobe_probes_total{target="example.com"' in text


async def test_a_target_of_which_one_probe_leaves_keeps_what_is_about_the_target():
    metrics = loaded([mailbox(), mailbox(probe=ProbeName.SMTP)], [failed(mailbox())])
    metrics.load(EffectiveConfig([mailbox(probe=ProbeName.SMTP)], alert_labels=["tenant"]))
    text = await scrape(metrics)
    assert (
        'target="sales",kind="mailbox",provider="dovecot",domain="example.com",tenant="acme",probe="imap"' not in text
    )
    assert 'mailprobe_target_info{target="sales"' in text
    metrics.load(EffectiveConfig([domain()], alert_labels=["tenant"]))
    assert 'target="sales"' not in await scrape(metrics)


async def test_a_reload_keeps_counters_and_follows_the_interval():
    metrics = loaded([mailbox()], [ok(mailbox())])
    metrics.load(EffectiveConfig([mailbox(interval=900.0)], alert_labels=["tenant"]))
    key = ("sales", "imap", "dovecot")
    assert await samples(metrics, "probes_total") == {key: 1}
    assert await samples(metrics, "probe_success") == {key: 1}
    assert await samples(metrics, "probe_interval_seconds") == {key: 900}


async def test_changed_labels_are_other_series_that_begin_anew():
    metrics = loaded([mailbox()], [ok(mailbox())])
    metrics.load(EffectiveConfig([mailbox(provider="cyrus")], alert_labels=["tenant"]))
    assert await samples(metrics, "probes_total") == {("sales", "imap", "cyrus"): 0}
    assert await samples(metrics, "probe_success") == {}


async def test_two_targets_with_one_server_show_its_series_once():
    """Prometheus drops a sample that comes twice."""
    twin = server("mx1", IMAP_SERVER)
    metrics = loaded([server(), twin], [ok(server(), *TLS_FACTS), ok(twin, *TLS_FACTS)])
    text = await scrape(metrics)
    assert text.count("mailprobe_endpoint_up{") == 1
    metrics.load(EffectiveConfig([twin], alert_labels=["tenant"]))
    assert (await scrape(metrics)).count("mailprobe_endpoint_up{") == 1


async def test_no_series_is_there_twice():
    targets = [mailbox(), mailbox(probe=ProbeName.SMTP), server(), domain(), route()]
    metrics = loaded(targets, [ok(t, *IMAP_FACTS, *TLS_FACTS, *DNS_FACTS, *ROUTE_FACTS, *IMAP_FACTS) for t in targets])
    names = [line.rsplit(" ", 1)[0] for line in (await scrape(metrics)).splitlines() if not line.startswith("#")]
    assert len(names) == len(set(names))


async def test_an_endpoint_is_up_although_its_certificate_is_wrong():
    metrics = loaded([server()], [failed(server(), Reason.CERTIFICATE_EXPIRED, Phase.TLS)])
    assert await samples(metrics, "endpoint_up") == {("imap.example.com", "dovecot"): 1}
    assert await samples(metrics, "probe_success") == {("imap.example.com:993", "tls", "dovecot"): 0}
    metrics.record(failed(server(), Reason.CONNECTION_REFUSED, Phase.CONNECT))
    assert await samples(metrics, "endpoint_up") == {("imap.example.com", "dovecot"): 0}


async def test_labels_that_servers_choose_are_bounded():
    facts = [fact(F.QUOTA_USED_BYTES, 1, f"root {n} {'x' * 500}") for n in range(50)]
    metrics = loaded([mailbox()], [ok(mailbox(), *facts)])
    found = await samples(metrics, "quota_used_bytes")
    assert len(found) == 8
    assert all(len(value) <= 64 for labels in found for value in labels)


async def test_a_run_without_a_message_keeps_what_the_last_one_showed():
    empty = ok(route(), fact(F.ROUNDTRIP_IN_FLIGHT, 1))
    metrics = loaded([route()], [ok(route(), *ROUTE_FACTS), empty])
    assert list((await samples(metrics, "roundtrip_last_seconds")).values()) == [4.5]
    assert len(await samples(metrics, "roundtrip_hop_delay_seconds")) == 1
    assert list((await samples(metrics, "roundtrip_messages_in_flight")).values()) == [1]
    assert list((await samples(metrics, "roundtrip_messages_received_total")).values()) == [2]
    metrics.record(ok(route(), fact(F.ROUNDTRIP_RECEIVED, 2), fact(F.ROUNDTRIP_HOP_DELAY, 1, "sender")))
    assert [labels[-1] for labels in await samples(metrics, "roundtrip_hop_delay_seconds")] == ["sender"]


async def test_mailprobe_tells_about_itself():
    metrics = loaded([mailbox()], own=(own := SelfMetrics()))
    own.in_progress(ProbeName.IMAP, 1)
    own.skipped(ProbeName.IMAP, "overlap")
    own.delay(0.02)
    own.lag(-0.001)
    own.log_message("warn")
    own.state_write_failures(3)
    own.state_write_failures(3)
    own.config_reloaded(ok=True, config_hash="ffffffffffffffff", now=START)
    own.config_reloaded(ok=False, config_hash="", now=START + 1)
    text = await scrape(metrics)
    for line in (
        'mailprobe_probes_in_progress{probe="imap"} 1.0',
        'mailprobe_probes_skipped_total{probe="imap",reason="overlap"} 1.0',
        'mailprobe_probes_skipped_total{probe="imap",reason="shutdown"} 0.0',
        "mailprobe_scheduler_delay_seconds_count 1.0",
        "mailprobe_event_loop_lag_seconds_sum 0.0",
        'mailprobe_log_messages_total{level="warn"} 1.0',
        'mailprobe_log_messages_total{level="error"} 0.0',
        "mailprobe_state_write_failures_total 3.0",
        "mailprobe_config_last_reload_successful 0.0",
        "mailprobe_config_last_reload_success_timestamp_seconds 1.7e+09",
        "mailprobe_config_hash 2.81474976710655e+14",
    ):
        assert line in text, line
    own.in_progress(ProbeName.IMAP, -1)
    assert 'mailprobe_probes_in_progress{probe="imap"} 0.0' in await scrape(metrics)


async def test_a_root_cause_is_shown_while_it_lasts():
    """With the labels that every series of its target has; a reload keeps it, and so does a target's new label."""
    cause = (Layer.TRANSPORT, Reason.TIMEOUT, Scope.HOST, "imap.example.com")
    metrics = loaded([mailbox(), mailbox(probe=ProbeName.SMTP), domain()])
    metrics.root_causes({"sales": cause, "gone": cause})
    start = 'mailprobe_root_cause_info{target="sales",kind="mailbox",provider="dovecot",domain="example.com"'
    end = ',layer="transport",reason="timeout",scope="host",server="imap.example.com"} 1\n'
    assert f'{start},tenant="acme"{end}' in await scrape(metrics)
    metrics.load(EffectiveConfig([mailbox(labels=(("team", "import"),))], alert_labels=["team"]))
    assert f'{start},team="import"{end}' in await scrape(metrics)
    metrics.root_causes({})
    assert "root_cause_info{" not in await scrape(metrics)


async def test_our_network_is_up_until_the_references_say_otherwise():
    metrics = loaded([mailbox()], own=(own := SelfMetrics()))
    assert "mailprobe_vantage_up 1.0" in await scrape(metrics)
    own.vantage(up=False)
    assert "mailprobe_vantage_up 0.0" in await scrape(metrics)


async def test_the_table_tells_the_truth():
    """Each family in the scrape is a row with its labels and type, except for `_created` series."""
    metrics = everything()
    rows = {family.full_name: family for family in FAMILIES}
    shown = 0
    for family in parse_text(await scrape(metrics)):
        if not family.name.startswith("mailprobe_"):
            continue
        row = rows[f"{family.name}_total" if family.type == "counter" else family.name]
        shown += 1
        assert family.type == ("gauge" if row.shape is Shape.INFO else row.shape)
        base = (*BASE_LABELS[row.subject], *(("tenant",) if row.subject in (Subject.TARGET, Subject.ROUTE) else ()))
        for sample in family.samples:
            assert set(sample.labels) - {"le", "team"} == {*base, *row.labels}, sample
    assert shown == len(rows)


def test_every_number_that_a_probe_may_learn_is_a_metric():
    words = {
        F.ADDRESS, F.FAMILY, F.SOURCE_ADDRESS, F.GREETING, F.CAPABILITIES, F.MECHANISM, F.TLS_VERSION, F.TLS_CIPHER,
        F.CERT_SUBJECT, F.CERT_ISSUER, F.CERT_NAMES, F.CERT_FINGERPRINT, F.FOLDER_NAME, F.DNS_TEXT, F.HTTP_LOCATION,
        F.BETTER_HOST, F.PROVIDER_ALERT,
    }  # fmt: skip
    for_people = {F.CERT_NOT_BEFORE, F.MAILDROP_MESSAGES, F.MAILDROP_BYTES, F.HTTP_STATUS, F.ROUNDTRIP_CAME_LATE}
    assert {family.fact for family in FAMILIES if family.fact} == set(FactName) - words - for_people


def test_the_configured_labels_cannot_collide_with_ours():
    shared = {label for labels in BASE_LABELS.values() for label in labels}
    own = {label for family in FAMILIES if family.subject is not Subject.SELF for label in family.labels}
    assert shared | own | {"le", "job", "instance"} <= RESERVED_LABELS
    assert "tenant" not in RESERVED_LABELS


async def test_a_failure_has_a_start_until_it_is_over_and_then_an_end():
    target = mailbox()
    metrics = loaded([target])
    assert await samples(metrics, "probe_failure_start_timestamp_seconds") == {}
    key = ("sales", "imap", "dovecot")

    async def spell() -> tuple[float | None, float | None]:
        names = ("probe_failure_start_timestamp_seconds", "probe_failure_end_timestamp_seconds")
        start, end = [(await samples(metrics, name)).get(key) for name in names]
        return start and start - START, end and end - START

    metrics.record(ok(target, started=START))
    assert await spell() == (None, None)
    for second in (60, 80, 120):
        metrics.record(failed(target, started=START + second))
        assert await spell() == (60, None)
    metrics.record(ok(target, started=START + 180))
    assert await spell() == (60, 180)
    metrics.record(ok(target, started=START + 240))
    assert await spell() == (60, 180)
    metrics.record(failed(target, started=START + 300))  # it flaps
    assert await spell() == (60, None)
    metrics.record(ok(target, started=START + 360))
    metrics.record(failed(target, started=START + 660))
    assert await spell() == (660, None)


async def test_a_refused_login_began_when_it_was_refused_first_whenever_the_server_was_down():
    target = mailbox()
    metrics = loaded([target])
    key = ("sales", "imap", "dovecot")

    async def spell() -> tuple[float | None, float | None]:
        names = ("login_failure_start_timestamp_seconds", "login_failure_end_timestamp_seconds")
        start, end = [(await samples(metrics, name)).get(key) for name in names]
        return start and start - START, end and end - START

    down = failed(target, Reason.CONNECTION_REFUSED, Phase.CONNECT, started=START)
    metrics.record(down)
    assert await spell() == (None, None)
    metrics.record(failed(target, started=START + 60))
    assert await spell() == (60, None)
    metrics.record(dataclasses.replace(down, started=START + 120))
    metrics.record(failed(target, started=START + 900))
    assert await spell() == (60, None)
    metrics.record(ok(target, started=START + 960))
    assert await spell() == (60, 960)


async def test_what_keeps_mail_from_a_domain_has_its_own_start():
    """A missing policy has failed the domain's dns probe before."""
    target = domain()
    bad = failed(target, facts=(fact(F.DNS_LOOKUP, 1, "mx"), fact(F.DNS_POLICY_VALID, 0, "spf")), started=START)
    worse = failed(target, facts=(fact(F.DNS_LOOKUP, 0, "a"),), started=START + 60)
    metrics = loaded([target], [bad])
    assert await samples(metrics, "dns_failure_start_timestamp_seconds") == {}
    metrics.record(worse)
    assert list((await samples(metrics, "dns_failure_start_timestamp_seconds")).values()) == [START + 60]
    assert await samples(metrics, "dns_failure_end_timestamp_seconds") == {}
    metrics.record(dataclasses.replace(bad, started=START + 120))
    assert list((await samples(metrics, "dns_failure_end_timestamp_seconds")).values()) == [START + 120]


async def test_an_outage_is_one_series_whose_labels_do_not_change_with_who_fails():
    metrics = loaded([mailbox()])
    lasting = Outage(Scope.HOST, "imap.a.example", "", "a.example", (("tenant", "x"),), targets=5, start=START)
    metrics.outages([lasting])
    text = await scrape(metrics)
    own = '{scope="host",server="imap.a.example",provider="",domain="a.example",tenant="x"}'
    assert f"mailprobe_outage_targets{own} 5\n" in text
    assert f"mailprobe_outage_start_timestamp_seconds{own} {START:.0f}\n" in text
    assert "\nmailprobe_outage_end" not in text
    metrics.outages([dataclasses.replace(lasting, targets=0, end=START + 60)])
    assert f"mailprobe_outage_end_timestamp_seconds{own} {START + 60:.0f}\n" in await scrape(metrics)
    metrics.outages([])
    assert "\nmailprobe_outage" not in await scrape(metrics)


async def test_a_configured_label_of_our_name_is_left_out():
    target = mailbox(labels=(("probe", "mine"), ("team", "export")))
    metrics = Metrics(SelfMetrics())
    metrics.load(EffectiveConfig([target], alert_labels=["probe", "team"]))
    assert await samples(metrics, "probes_total") == {("sales", "imap", "dovecot"): 0}


def test_metrics_are_documented():
    """docs/metrics.md is what `python -m exporter.outputs.metrics.families` prints."""
    assert (ROOT / "docs" / "metrics.md").read_text() == document()
