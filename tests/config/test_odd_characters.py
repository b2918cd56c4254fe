"""Tests that characters which only look like those of YAML are named, in a file that has a mistake, and else never."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import ConfigError, load
from exporter.config.odd_characters import MOST, odd_characters

GOOD = "mailboxes:\n- address: a@example.com\n  imap: off\n  smtp: off\n"


def told(text: str) -> list[tuple[int, str]]:
    return [(line, why.partition(":")[0]) for line, why in odd_characters(text.encode())]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("mailboxes：\n- address: a@b.c\n", 1, "a full-width colon (：) after a key"),
        ("mailboxes:\n- address：a@b.c\n", 2, "a full-width colon (：) after a key"),
        ("defaults:\n\u3000\u3000timeout: 5s\n", 2, "a full-width or no-break blank at the start of the line"),
        ("defaults:\n\u00a0 timeout: 5s\n", 2, "a full-width or no-break blank at the start of the line"),
        ("mailboxes:\n－ address: a@b.c\n", 2, "a dash that is none of YAML's"),
        ("mailboxes:\n- address: “a@b.c”\n", 2, "a curly or full-width quote"),
        ("resolvers: [1.1.1.1，8.8.8.8]\n", 1, "a full-width comma (，)"),
        ("resolvers: ［1.1.1.1]\n", 1, "a full-width bracket"),
    ],
)
def test_what_only_looks_like_yaml_is_named_with_its_line(text, line, why):
    assert told(text) == [(line, why)]


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "# 邮箱：说明，“引号”\n",
        "labels: {team: 外贸：一部}\n",
        'name: "“quoted”，yes"\n',
        "name: 外贸，一部\n",
        "名称: 值\n",
    ],
)
def test_chinese_where_it_may_stand_is_not_named(text):
    assert told(text) == []


def test_only_so_many_lines_are_told():
    assert len(told("key：value\n" * 100)) == MOST


def test_it_stands_beside_the_mistake_that_it_caused(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text("mailboxes:\n- address：a@example.com\n  password_file: x\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert f"{file}:2: a full-width colon (：) after a key: write : and a blank" in str(caught.value).splitlines()


def test_a_good_file_is_never_complained_about(tmp_path: Path):
    file = tmp_path / "config.yaml"
    file.write_text(
        'mailboxes:\n- {address: a@example.com, name: "外贸：一部", smtp: off, password_env: X, imap: {host: h}}\n'
    )
    load(file)
