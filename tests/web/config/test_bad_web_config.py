"""Each file in bad_web_config has one error; the .txt file next to it is the complete expected message."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exporter.config import ConfigError
from exporter.web.config.load import load
from tests.web.config.material import TLS

FOLDER = Path(__file__).parent / "bad_web_config"


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.yml")))
def test_the_mistake_is_told(name, folder, monkeypatch):
    shutil.copy(FOLDER / f"{name}.yml", folder)
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError) as caught:
        load(Path(f"{name}.yml"))
    assert str(caught.value) == (FOLDER / f"{name}.txt").read_text("utf-8").rstrip("\n")
    assert "very-secret" not in repr(caught.value)


def test_every_mistake_has_its_message():
    assert {path.stem for path in FOLDER.glob("*.yml")} == {path.stem for path in FOLDER.glob("*.txt")}


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yml: No such file or directory"):
        load(tmp_path / "none.yml")


def test_a_file_that_everybody_may_change_is_refused(write):
    path = write(TLS)
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="everyone can change it"):
        load(path)
