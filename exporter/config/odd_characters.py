"""Finds characters that look like those of YAML and are others: as Chinese input methods and word processors make them.

Only asked of a file that has a mistake. Comments and what stands between quotes may have any character. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MOST = 10  # lines that are told

# Each pattern is anchored at a line's start, and no part of one can match what the part before it matches.
_KEY = r"[ \t]*(?:-[ \t]+)?[\w.-]{1,60}"
_KINDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"{_KEY}[ \t]*：", re.ASCII), "a full-width colon (：) after a key: write : and a blank"),
    (re.compile(r"[ \t]*[\u3000\u00a0]"), "a full-width or no-break blank at the start of the line: write blanks"),
    (re.compile(r"[ \t]*[－—–][ \t\u3000]"), "a dash that is none of YAML's: write - and a blank"),
    (re.compile(rf"{_KEY}:[ \t]+[“”‘’＂＇]", re.ASCII), "a curly or full-width quote: write \" or '"),
    (re.compile(rf"{_KEY}:[ \t]+[\[{{][^#\"']{{0,500}}，", re.ASCII), "a full-width comma (，): write , and a blank"),
    (re.compile(rf"{_KEY}:[ \t]+[【「｛［]", re.ASCII), "a full-width bracket: write [ or {"),
)


def odd_characters(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield the line, from 1, and what is wrong in it, for at most MOST lines."""
    text = data.decode("utf-8", "replace")
    if text.isascii():
        return
    told = 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.isascii() or line.lstrip().startswith("#"):
            continue
        for pattern, message in _KINDS:
            if pattern.match(line):
                yield number, message
                told += 1
                break
        if told == MOST:
            return
