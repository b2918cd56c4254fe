"""Each file in tests/config/bad_config has one kind of error; the .txt file next to it is the expected message."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import ConfigError, load
from exporter.targets.build import build

FOLDER = Path(__file__).parent / "bad_config"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yaml")))
def test_the_mistake_is_told(name, monkeypatch):
    monkeypatch.chdir(FOLDER)
    with pytest.raises(ConfigError) as caught:
        build(load(Path(f"{name}.yaml")))
    assert str(caught.value) == Path(f"{name}.txt").read_text("utf-8").rstrip("\n")
    assert "very-secret" not in repr(caught.value)


def test_every_mistake_has_its_message():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {path.stem for path in FOLDER.glob("*.txt")}
