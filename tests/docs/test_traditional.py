"""Tests that the files in Traditional Chinese are what the generator makes from those in Simplified Chinese."""

from __future__ import annotations

import re

import pytest

from exporter.model.phrases import texts
from tests.docs.generate_traditional import (
    ROOT,
    RUNBOOKS,
    WORDS,
    converted,
    corrections,
    files,
    traditional,
)

FILES = files()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_what_the_generator_makes(path):
    """On failure: make docs."""
    assert path.read_text(encoding="utf-8") == FILES[path]


def test_no_file_is_left_over():
    assert {*(RUNBOOKS / "zh-TW").iterdir(), WORDS} == set(FILES)


def test_every_correction_changes_something():
    text = converted()
    for wrong, right in corrections().items():
        assert wrong in text, wrong
        text = text.replace(wrong, right)


def test_it_is_the_chinese_of_taiwan():
    said = "\n".join(text for section in texts("zh-TW").values() for text in section.values())
    for word in ("伺服器", "信箱", "網域", "密碼", "帳號", "憑證", "權杖", "寄件人", "收件匣", "應用程式密碼"):
        assert word in said, word
    for word in ("服务器", "郵箱", "域名", "賬號", "證書", "令牌", "發件人", "物件", "鬚", "默認", "“"):
        assert word not in said, word


@pytest.mark.parametrize(
    "path", [path for path in FILES if path != WORDS], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_commands_queries_and_links_of_a_runbook_are_untouched(path):
    """Text for machines is unchanged. Chinese in it is an example of what a server or a person writes."""
    code = re.compile(r"^ *```.*?^ *```|`[^`\n]+`|\]\([^)]+\)", re.DOTALL | re.MULTILINE)
    simplified = (RUNBOOKS / "zh" / path.name).read_text(encoding="utf-8")
    made, given = (
        [re.sub(r"[\u4e00-\u9fff]", "", each) for each in code.findall(text)] for text in (FILES[path], simplified)
    )
    assert made == given


def test_an_example():
    assert traditional("服务器的证书已过期，请登录邮箱。") == "伺服器的憑證已過期，請登入信箱。"
