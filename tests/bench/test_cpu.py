"""Benchmark: CPU of our probes and of blackbox_exporter for the same dialogues on the same servers, in turn."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.bench.report import Report, Section
from tests.bench.rivals import Rival, Worker, imap_steps, smtp_steps
from tests.bench.scene import Scene

RATE = 50.0  # runs per second
SECONDS = 2.5  # seconds of one program's turn
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Match:
    """Our probes and their modules for the same work; the cost is that of one run of each."""

    name: str
    title: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    limit: float | None = None


MATCHES = (
    Match("imap", "imap, the whole dialogue", ("imap",), ("imap_login",), 0.9),
    Match("short", "imap, only greeting, login, logout", ("imap_short",), ("imap_short",)),
    Match("tls", "tls of IMAPS (ours reads the greeting and logs out)", ("tls",), ("tls",)),
    Match("starttls", "smtp without login: greeting, EHLO, STARTTLS, QUIT", ("tls_starttls",), ("smtp_starttls",)),
    Match("smtp", "smtp with login", ("smtp",), ("smtp_login",)),
    Match("dns", "dns (ours asks MX, A, AAAA, SPF, DKIM, DMARC) against MX", ("dns",), ("dns_mx",)),
    Match("dns2", "dns against MX and TXT", ("dns",), ("dns_mx", "dns_txt")),
    Match(
        "mailbox",
        "one mailbox: dns, tls, imap, smtp against dns MX, dns TXT, tls, imap login, smtp starttls",
        ("dns", "tls", "imap", "smtp"),
        ("dns_mx", "dns_txt", "tls", "imap_login", "smtp_starttls"),
        0.5,
    ),
)
TITLE = "CPU of a run, against blackbox_exporter"
HOW = f"""Milliseconds of CPU, {RATE:g} runs a second, {ROUNDS} rounds of {SECONDS:g} s each in turn, medians. Ours is
everything that the daemon does for a run: scheduler, guard, state, probe, metrics, history. Theirs is one request to
/probe per run; the dialogues of imap and smtp are scripted from our own transcripts."""


@pytest.fixture(scope="module")
def worker(scene: Scene) -> Iterator[Worker]:
    with Worker(scene.config()) as made:
        yield made


@pytest.fixture(scope="module")
def rival(scene: Scene, worker: Worker) -> Iterator[Rival]:
    def said(probe: str) -> Sequence[str]:
        words: Sequence[str] = worker.run([probe], RATE, 0.5)["said"]
        return words

    scripts = {
        "imap_login": imap_steps(said("imap")),
        "imap_short": imap_steps(said("imap_short")),
        "smtp_login": smtp_steps(said("smtp")),
        "smtp_starttls": smtp_steps(said("tls_starttls")),
    }
    with Rival(scene, scripts) as made:
        yield made


@pytest.fixture(scope="module")
def section(report: Report) -> Section:
    return report.section(TITLE, HOW)


@pytest.mark.bench
@pytest.mark.timeout(300)
@pytest.mark.parametrize("match", MATCHES, ids=lambda match: match.name)
def test_cpu_against_blackbox(match: Match, worker: Worker, rival: Rival, section: Section) -> None:
    ours, theirs = asyncio.run(_rounds(worker, rival, match))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    figure = f"{statistics.median(ours):.2f} ms / {statistics.median(theirs):.2f} ms = {ratio:.2f}"
    limit = "" if match.limit is None else f"≤ {match.limit}"
    section.add(match.title, figure, limit, None if match.limit is None else ratio <= match.limit)


async def _rounds(worker: Worker, rival: Rival, match: Match) -> tuple[Sequence[float], Sequence[float]]:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        cost = await asyncio.to_thread(worker.run, match.ours, RATE, SECONDS)
        ours.append(cost["cpu"] / cost["runs"] * len(match.ours) * 1000)
        theirs.append(await rival.run(match.theirs, RATE, SECONDS) * len(match.theirs) * 1000)
    return ours, theirs
