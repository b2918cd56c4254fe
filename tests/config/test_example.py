"""Tests that the commented config.yaml at the top is valid, with and without its comments."""

from __future__ import annotations

import re
from pathlib import Path

from exporter.config import load
from exporter.model import Kind, ProbeName
from exporter.targets.build import build

EXAMPLE = Path(__file__).parents[2] / "config.yaml"
COMMENTED = re.compile(r"(?m)^( *)# ( *(?:- |[a-z_][a-z0-9_]*:(?: |$)).*)$")


def test_it_is_valid_and_watches_nothing():
    config = load(EXAMPLE)
    assert build(config).targets == ()
    assert config.warnings == ()
    assert config.problems() == ()


def test_it_is_valid_without_its_comment_signs(tmp_path):
    (tmp_path / "config.yaml").write_text(COMMENTED.sub(r"\1\2", EXAMPLE.read_text("utf-8")), "utf-8")
    config = load(tmp_path / "config.yaml")
    targets = {target.key: target for target in build(config).targets}
    sales = targets["sales", ProbeName.IMAP]
    assert (sales.provider, sales.domain, sales.labels) == (
        "netease_163",
        "163.com",
        (("team", "export"), ("tenant", "acme")),
    )
    assert {target.kind for target in targets.values()} == set(Kind)
    assert ("sales-to-info", ProbeName.ROUNDTRIP) in targets
