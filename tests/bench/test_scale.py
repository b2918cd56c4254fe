"""Benchmark: two thousand mailboxes on one core, and the effect of a scrape on the event loop and the latencies."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.bench.processes import Stub, Watched
from tests.bench.report import Report
from tests.bench.rivals import cpu_of
from tests.bench.scene import Scene

MAILBOXES = 2000
HOSTS = 50
SECONDS = 130  # of steady operation, after the first round
LOOK = 12.0  # seconds with and without scrapes
CONFIG = """\
resolvers: ["{resolver}"]
defaults: {{interval: {{login: 60s}}, timeout: 10s, ca_file: {ca_file}}}
limits: {{per_host: 100, logins_per_host_per_minute: 100000}}
domains: [{{name: example.test, interval: 1h}}]
mailboxes:
"""
MAILBOX = """\
- name: user{number}
  address: user{number}@example.test
  password: pass{number}word
  imap: {{host: 127.0.1.{host}, port: {imap}, security: tls}}
  smtp: {{host: 127.0.1.{host}, port: {smtp}, security: tls}}
"""
HOW = f"""{MAILBOXES} mailboxes, imap and smtp every 60 s over TLS: {MAILBOXES * 2 / 60:.0f} logins a second, by the
real daemon on a core of its own, with scripted servers on another core; {SECONDS} s after the first minute. The
counters are from its own /metrics."""
HOW_SCRAPED = f"""The same daemon and load. For {LOOK:g} s there is no scrape, then for {LOOK:g} s one scrape follows
another, with pauses of 0.2 s. A stall is the delay of a timer of 1 ms: in elapsed time, which also
depends on other programs on the machine, and in CPU time of the event loop itself, including TLS handshakes."""


@pytest.fixture(scope="module")
def daemon(scene: Scene) -> Iterator[Watched]:
    hosts = [f"127.0.1.{1 + number}" for number in range(HOSTS)]
    pem = scene.authority.good(*hosts)
    with Stub(("imap", "smtp"), pem=pem) as stub:
        text = CONFIG.format(resolver=scene.resolver.address, ca_file=scene.authority.ca_file) + "".join(
            MAILBOX.format(number=number, host=1 + number % HOSTS, **stub.ports) for number in range(MAILBOXES)
        )
        with Watched(text, {}, ["--log.level=warn"]) as made:
            yield made


def samples(text: str, name: str) -> list[tuple[str, float]]:
    """Return (labels, value) of each series with this name."""
    found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE)
    return [(labels, float(value)) for labels, value in found]


def total(text: str, name: str) -> float:
    return sum(value for _, value in samples(text, name))


def percentile_of(before: str, after: str, name: str, part: float) -> str:
    """Return the bucket of a histogram below which this share of the observations between two scrapes lies."""
    counts = [
        (re.search(r'le="([^"]*)"', labels), value - old)
        for (labels, value), (_, old) in zip(
            samples(after, f"{name}_bucket"), samples(before, f"{name}_bucket"), strict=True
        )
    ]
    wanted = counts[-1][1] * part
    return next(bound[1] for bound, count in counts if bound and count >= wanted)


@pytest.mark.bench
@pytest.mark.timeout(400)
def test_two_thousand_mailboxes_on_one_core(daemon: Watched, report: Report) -> None:
    section = report.section("2,000 mailboxes on one core", HOW)
    time.sleep(62)  # the first round is spread over a minute
    before, spent = daemon.text("/metrics"), cpu_of(daemon.pid)
    time.sleep(SECONDS)
    after, spent = daemon.text("/metrics"), cpu_of(daemon.pid) - spent
    runs = total(after, "mailprobe_probes_total") - total(before, "mailprobe_probes_total")
    failures = total(after, "mailprobe_probe_failures_total")
    bound = percentile_of(before, after, "mailprobe_scheduler_delay_seconds", 0.95)
    skipped = total(after, "mailprobe_probes_skipped_total")
    now, peak = daemon.rss()
    section.add("runs", f"{runs:.0f} in {SECONDS} s, {failures:.0f} failed since the start")
    section.add("scheduler delay, p95", f"≤ {float(bound) * 1000:g} ms", "< 500 ms", float(bound) < 0.5)
    section.add("runs skipped since the start", f"{skipped:.0f}", "0", skipped == 0)
    section.add("resident memory (highest)", f"{now:.0f} MB ({peak:.0f} MB)", "< 250 MB", peak < 250)
    section.add(
        "CPU of the core", f"{100 * spent / SECONDS:.0f} %, {1000 * spent / runs:.1f} ms a run, scrapes included"
    )


@pytest.mark.bench
@pytest.mark.timeout(200)
def test_a_scrape_of_all_their_series(daemon: Watched, report: Report) -> None:
    section = report.section("A scrape of 2,000 mailboxes", HOW_SCRAPED)
    series = sum(1 for line in daemon.text("/metrics").splitlines() if line and line[0] != "#")
    quiet = daemon.watch(LOOK)
    scraped = daemon.watch(LOOK, ["/metrics"])
    took = [seconds for seconds, _ in scraped["scrapes"]]
    section.add("series", f"{series:,}", "≥ 120,000", series >= 120_000)
    section.add(
        "a scrape, gzip",
        f"{statistics.median(took):.2f} s, {scraped['scrapes'][0][1] / 1e6:.1f} MB, {len(took)} of them",
    )
    for what, key in (("by the clock", "late"), ("by our own work", "worked")):
        for name, part in (("p99", 0.99), ("p99.9", 0.999)):
            both = f"{_ms(quiet[key], part)} / {_ms(scraped[key], part)} ms"
            section.add(f"stall {what}, {name}, without / with scrapes", both)
        both = f"{_ms(quiet[key], 1)} / {_ms(scraped[key], 1)} ms"
        if key == "late":
            section.add(f"longest stall {what}, without / with scrapes", both)
        else:
            section.add(f"longest stall {what}, without / with scrapes", both, "< 10 ms", scraped[key][-1] < 0.01)
    for phase in ("greeting", "login"):
        figures = [1000 * statistics.median(each["phases"][phase]) for each in (quiet, scraped)]
        moved = figures[1] - figures[0]
        section.add(
            f"latency of phase {phase}, median, without / with scrapes",
            f"{figures[0]:.2f} / {figures[1]:.2f} ms",
            "moved by < 1 ms",
            abs(moved) < 1,
        )


def _ms(late: Sequence[float], part: float) -> str:
    return f"{1000 * late[min(len(late) - 1, int(len(late) * part))]:.1f}"


@pytest.mark.bench
def test_a_daemon_without_a_target(report: Report) -> None:
    section = report.section("A daemon without a target", "Resident memory some seconds after the start.")
    with Watched("", {}) as idle:
        time.sleep(5)
        now, peak = idle.rss()
    section.add("resident memory (highest)", f"{now:.0f} MB ({peak:.0f} MB)", "< 70 MB", peak < 70)
