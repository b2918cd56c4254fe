"""Writes texts and runbooks in Traditional Chinese from the simplified: `python -m tests.docs.generate_traditional`.

OpenCC converts characters and the terms of Taiwan; `traditional.yaml` corrects its errors. Chinese texts of the data
files (provider names, where a code is made, how to tell causes apart) become separate sections.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import opencc
import yaml

ROOT = Path(__file__).parents[2]
DATA = ROOT / "exporter" / "data"
SOURCE = DATA / "words" / "zh.yaml"
WORDS = DATA / "words" / "zh-TW.yaml"
RUNBOOKS = ROOT / "docs" / "runbooks"
CORRECTIONS = Path(__file__).with_name("traditional.yaml")

_HEAD = """\
# What mailprobe says to people, in Traditional Chinese with the terms of Taiwan.
# Made from zh.yaml by OpenCC and the corrections in tests/docs/traditional.yaml: `make docs`. Do not edit.
name: 繁體中文
tag: zh-Hant-TW
answers_to: [zh-Hant, zh-HK, zh-MO]
like: zh
---
"""


@cache
def corrections() -> dict[str, str]:
    """Return the corrections, in their order."""
    found: dict[str, str] = yaml.safe_load(CORRECTIONS.read_text(encoding="utf-8"))["corrections"]
    return found


@cache
def _converter() -> Any:
    return opencc.OpenCC("s2twp")


def traditional(text: str) -> str:
    """Convert Simplified Chinese to Traditional Chinese."""
    text = _converter().convert(text)
    for wrong, right in corrections().items():
        text = text.replace(wrong, right)
    return text


def simplified() -> str:
    """Return everything to convert, as YAML: the texts, then the Chinese texts of the data files."""
    _, _, words = SOURCE.read_text(encoding="utf-8").partition("\n---\n")
    return words + yaml.safe_dump(_of_data(), allow_unicode=True, sort_keys=False, width=100_000)


def converted() -> str:
    """Return the output of OpenCC for all of it, before the corrections."""
    runbooks = (file.read_text(encoding="utf-8") for file in sorted((RUNBOOKS / "zh").glob("*.md")))
    return str(_converter().convert("\n".join((simplified(), *runbooks))))


def files() -> dict[Path, str]:
    """Return the expected content of every file in Traditional Chinese."""
    runbooks = {
        RUNBOOKS / "zh-TW" / file.name: traditional(file.read_text(encoding="utf-8"))
        for file in sorted((RUNBOOKS / "zh").glob("*.md"))
    }
    return {WORDS: _HEAD + traditional(simplified()), **runbooks}


def _of_data() -> dict[str, dict[str, str]]:
    providers = yaml.load((DATA / "providers.yaml").read_bytes(), Loader=yaml.CSafeLoader)
    signatures = [
        row
        for name in ("signatures.yaml", "wordings.yaml")
        for row in yaml.load((DATA / name).read_bytes(), Loader=yaml.CSafeLoader)
    ]
    return {
        "provider_names": {str(row["id"]): row["name_zh"] for row in providers if "name_zh" in row},
        "code_made_at": {str(row["id"]): row["code_at"]["zh"] for row in providers if "code_at" in row},
        "apart": {row["id"]: row["apart"]["zh"] for row in signatures if "apart" in row},
    }


if __name__ == "__main__":
    (RUNBOOKS / "zh-TW").mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
