"""Tests that docs/alerts.md agrees with the rules and their tests."""

from __future__ import annotations

from pathlib import Path

from tests.rules.document import LIVE, page
from tests.rules.shipped import names

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_is_made():
    made = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    assert made == page(), "run `python -m tests.rules.document > docs/alerts.md`"


def test_the_live_tests_that_it_names_ask_for_these_alerts():
    for file, alerts in LIVE.items():
        text = (ROOT / file).read_text(encoding="utf-8")
        for alert in alerts:
            assert alert in names()
            assert f'"{alert}"' in text, f"{file} does not ask for {alert}"


def test_every_alert_is_on_it():
    assert all(f"| [{name}](" in page() for name in names())
