"""Tests of the messages about a bridge with a wrong robot: they name the file, the key, and the right value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from exporter.config import Config, load

GOOD = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=hidden-key"
EXAMPLE = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"
BRIDGE = "bridges:\n- name: ops\n  kind: wecom\n  url_file: url\n  token_file: token\n"


def loaded(folder: Path, url: str) -> Config:
    for name, content in (("url", url), ("token", "token")):
        (folder / name).write_text(content, "utf-8")
        (folder / name).chmod(0o600)
    (folder / "config.yaml").write_text(BRIDGE)
    return load(folder / "config.yaml")


@pytest.mark.parametrize("url", [GOOD, f"{GOOD}\n", "http://127.0.0.1:8080/send?key=x"])
def test_a_usable_url_is_no_problem(tmp_path: Path, url: str):
    config = loaded(tmp_path, url)
    assert config.warnings == config.problems() == ()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://x/hidden-key", "must begin with https:// (http:// is allowed for this machine only)"),
        (
            "http://robot.example/send?key=hidden-key",
            "must begin with https:// (http:// is allowed for this machine only)",
        ),
        ("hidden-key", f"is not a URL such as {EXAMPLE}"),
        ("\n", f"is not a URL such as {EXAMPLE}"),
        (f"{GOOD}\n{GOOD}", f"is not a URL such as {EXAMPLE}"),
        (
            "https://oapi.dingtalk.com/robot/send?access_token=hidden-key",
            f"is the address of a dingtalk robot, not of a wecom robot such as {EXAMPLE}",
        ),
    ],
)
def test_an_unusable_url_is_a_problem_and_a_warning(tmp_path: Path, url: str, why: str):
    config = loaded(tmp_path, url)
    (problem,) = config.problems()
    assert config.warnings == (problem,)
    file = tmp_path / "url"
    assert str(problem) == f"{tmp_path / 'config.yaml'}:4: bridges[0].url_file: what {file} holds {why}"
    assert "hidden-key" not in str(problem)


def test_a_file_that_cannot_be_read_is_told_once_and_none_is_waited_for(tmp_path: Path):
    (empty,) = loaded(tmp_path, "").problems()
    assert str(empty).endswith("bridges[0].url_file: cannot be read: it is empty")
    (tmp_path / "url").unlink()
    (gone,) = load(tmp_path / "config.yaml").problems()
    assert str(gone).endswith("bridges[0].url_file: cannot be read: No such file or directory")
    os.mkfifo(tmp_path / "url", 0o600)
    assert load(tmp_path / "config.yaml").problems() == ()
