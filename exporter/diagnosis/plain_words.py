"""Loads the words in `data/plain_words.yaml`, which say nothing about the cause of a refusal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml


@dataclass(frozen=True, slots=True)
class PlainWords:
    """Words without a meaning of their own, in small letters."""

    plain: frozenset[str]
    in_login: frozenset[str]  # the same, and those that are plain in the answer to a login
    chinese: re.Pattern[str]
    alternative: frozenset[str]  # "or"
    links: frozenset[str]  # words that may stand beside an "or"


@cache
def load() -> PlainWords:
    """Return the words; read at the first use."""
    text = resources.files("exporter").joinpath("data/plain_words.yaml").read_bytes()
    found: dict[str, list[str]] = yaml.load(text, Loader=yaml.CSafeLoader)
    plain = frozenset(found["plain"])
    return PlainWords(
        plain,
        plain | frozenset(found["login"]),
        re.compile("|".join(sorted(found["chinese"], key=len, reverse=True))),
        frozenset(found["or"]),
        frozenset(found["links"]),
    )
