"""Tests that docs/architecture.md agrees with the code: the folders, the flow and the imports across the walls."""

from __future__ import annotations

import re

import pytest

from tests.docs import generate_architecture as generator
from tests.docs.documents import spans
from tests.test_floors import ROOT


def test_the_page_is_up_to_date():
    """Run `python -m tests.docs.generate_architecture` to update it."""
    text = generator.PAGE.read_text(encoding="utf-8")
    assert generator.with_parts(text) == text


def test_every_package_is_listed_and_drawn():
    listed, drawn = generator.listing(), generator.walls()
    for name in generator.packages():
        assert f"\n  {name}/ " in listed
        assert f"\n{name} " in drawn


def test_a_step_of_the_flow_that_the_code_does_not_take_is_not_drawn(monkeypatch):
    monkeypatch.setattr(generator, "STEPS", (("config", "Result", "targets"),))
    with pytest.raises(LookupError, match="config does not know Result"):
        generator.flow()


def test_a_page_without_the_marks_is_refused():
    with pytest.raises(LookupError, match="comments of the part folders"):
        generator.with_parts("# Architecture\n")


def test_modules_in_the_text_exist():
    """The page writes `run/vantage` for exporter/run/vantage.py."""
    text = generator.PAGE.read_text(encoding="utf-8")
    named = [span for span in spans(text) if re.match(rf"({'|'.join(generator.packages())})/[\w/]+$", span)]
    assert len(named) > 20
    assert [span for span in named if not (ROOT / f"{span}.py").exists() and not (ROOT / span).is_dir()] == []
