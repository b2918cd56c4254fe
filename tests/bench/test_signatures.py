"""Benchmark: how fast error texts are classified: texts per second, and the slowest text."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from exporter.diagnosis import signatures
from exporter.diagnosis.classify import classify
from exporter.model import Phase, Service
from tests.verdicts import tables
from tests.verdicts.grading import Figures, Grade

pytestmark = pytest.mark.bench

LIMIT = 0.1e-3  # seconds per text
ROUNDS = 15
TITLE = "Signatures"
HOW = f"""Every example of the table and every text of tests/diagnosis/unseen_replies.txt, with known and with unknown
provider, from the server's words to the reason; and malicious texts of 2 KiB. The best of {ROUNDS} rounds for each
text, because on a busy machine only the shortest time is that of the program alone. The first time that a text is
seen costs more and is measured separately."""
UNSEEN = Path(__file__).parents[1] / "diagnosis" / "unseen_replies.txt"
Text = tuple[Service | None, str, tuple[str, ...]]


def texts() -> list[Text]:
    found: list[Text] = []
    for row in signatures.rows():
        protocol = Service(row.protocol) if row.protocol in ("imap", "pop3", "smtp") else None
        found += [(protocol, row.example, (row.provider,)), (protocol, row.example, ())]
    for line in UNSEEN.read_text(encoding="utf-8").splitlines():
        protocol_name, text, _ = line.split("|")
        found += [(Service(protocol_name), text, ("nobody",)), (Service(protocol_name), text, ())]
    return found


def hostile() -> list[Text]:
    chance = random.Random(1)
    words = " ".join(row.example for row in signatures.rows()).split()
    letters = string.ascii_letters + string.digits + " []-."
    made = ["535 " + "".join(chance.choices(letters, k=2044)) for _ in range(20)]
    made += ["535 " + " ".join(chance.choices(words, k=400)) for _ in range(20)]
    made += ["535 " + seed * 1000 for seed in ("user is ", "5.7.8 ", "quota exceeded ", "eyJ", "授权码")]
    return [(Service.SMTP, text, ()) for text in made]


def measure(given: Sequence[Text], rounds: int) -> list[float]:
    """Return the best time of each text, in seconds."""
    best = [float("inf")] * len(given)
    for _ in range(rounds):
        for number, (protocol, text, families) in enumerate(given):
            began = time.perf_counter()
            classify(protocol, "", text, Phase.LOGIN, families=families)
            best[number] = min(best[number], time.perf_counter() - began)
    return best


def test_texts_a_second_and_the_worst_single_text(report: Any):
    section = report.section(TITLE, HOW)
    add: Callable[..., None] = section.add
    began = time.perf_counter()
    for protocol in (Service.IMAP, Service.POP3, Service.SMTP):
        signatures.warm(protocol, ())
        signatures.warm(protocol, tuple(sorted(signatures.scopes())))
    add("reading and compiling the table, once", f"{(time.perf_counter() - began) * 1e3:.0f} ms")
    given = texts()
    unseen = measure([text for text in given if text[2] == ("nobody",)], 1)
    best = measure(given, ROUNDS)
    mean, worst = sum(best) / len(best), max(best)
    add("texts classified a second", f"{1 / mean:,.0f}", f"{1 / LIMIT:,.0f}", mean < LIMIT)
    add("mean", f"{mean * 1e6:.0f} µs", f"{LIMIT * 1e6:.0f} µs", mean < LIMIT)
    add("worst single text", f"{worst * 1e6:.0f} µs", f"{LIMIT * 1e6:.0f} µs", worst < LIMIT)
    add("mean of unseen texts on first sight", f"{sum(unseen) / len(unseen) * 1e6:.0f} µs")
    bad = hostile()
    add("worst hostile text of 2 KiB", f"{max(measure(bad, ROUNDS)) * 1e6:.0f} µs")


def test_verdicts_on_replies_that_no_row_holds(report: Any):
    section = report.section("Verdicts", "`make verdicts`: see docs/signatures.md.")
    for name, judged in tables.measured().items():
        figures = Figures.of(judged)
        named = figures.percent(Grade.RIGHT, Grade.LISTED)
        section.add(
            name, f"{named:.1f} % right or listed, {figures.percent(Grade.WRONG):.1f} % wrong of {figures.total}"
        )
