"""Translates the texts of the dashboards to Chinese with zh.yaml; a missing text stops the generator.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from grafana.generator.spec import Both, Filled, Text

LANGUAGES = ("en", "zh")
FILE = Path(__file__).with_name("zh.yaml")
_PLACES = re.compile(r"\{\{\w+\}\}|\W|\d")  # what a legend contains besides words


class Catalogue:
    """Translates texts into one language and remembers which texts were asked for."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.used: set[str] = set()
        self._chinese: dict[str, str] = yaml.safe_load(FILE.read_text(encoding="utf-8"))

    def __call__(self, text: Text) -> str:
        if isinstance(text, Both):
            return text.zh if self.language == "zh" else text.en
        if isinstance(text, Filled):
            return self(text.text).format(*text.values)
        if not text or not _PLACES.sub("", text):
            return text
        self.used.add(text)
        if self.language == "en":
            return text
        if text not in self._chinese:
            raise KeyError(f"{FILE.name} has no translation of {text!r}")
        return self._chinese[text]

    def sentences(self, *texts: Text) -> str:
        """Join sentences. In Chinese there is no space between them."""
        return ("" if self.language == "zh" else " ").join(self(text) for text in texts if text)

    def names(self, names: tuple[str, ...]) -> str:
        return ("、" if self.language == "zh" else ", ").join(names)
