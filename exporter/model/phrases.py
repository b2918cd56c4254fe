"""The texts for people in every language, read from the files `data/words/LANGUAGE.yaml`.

A file starts with a description of its language (`Language`), followed by the texts by section and key. English is the
reference: a test compares the keys and placeholders of every other file with it, and checks that the program uses each
text. A file is read when its language is first needed; a missing text is shown in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from string import Formatter
from types import MappingProxyType

import yaml

FALLBACK = "en"
Texts = Mapping[str, Mapping[str, str]]  # section → key → text


@dataclass(frozen=True, slots=True)
class Language:
    """Description of a language."""

    code: str  # used in `--lang`, `?lang=` and `bridges[].lang`; the name of its file
    name: str  # name of the language in the language itself
    tag: str  # BCP 47 tag, for a page
    answers_to: tuple[str, ...]  # language tags that select it
    like: str  # en or zh: which one to use for texts that exist only in these two


class Phrases:
    """The texts of one language; English if there is no such language.

    A key without a dot belongs to `section`, any other is "section.key".
    """

    def __init__(self, language: str, section: str = "common") -> None:
        self.language = language if language in languages() else FALLBACK
        self._texts = texts(self.language)
        self._section = self._texts[section]

    def __call__(self, key: str, /, **places: object) -> str:
        """Return a text with its placeholders filled in. Raises KeyError for an unknown key."""
        section, dot, name = key.partition(".")
        return filled_in(self._texts[section][name] if dot else self._section[key], places)

    def find(self, key: str) -> str | None:
        """Return the text of "section.key" without filling it in, or None."""
        section, _, name = key.partition(".")
        return self._texts.get(section, {}).get(name)

    def labelled(self, key: str, value: str) -> str:
        """Return `Label: value`."""
        return f"{self(key)}{self('common.colon')}{value}"

    def reason_name(self, reason: str) -> str:
        """Return the short name of a reason; "" in English, where the code itself can be read."""
        return self.find(f"reason_names.{reason}") or ""

    def reason(self, reason: str) -> str:
        """Return the code of a reason as a text shows it: with its name before it, where the language has one."""
        name = self.reason_name(reason)
        return f"{name} {reason}" if name else str(reason)

    @property
    def like(self) -> str:
        """En or zh: the language to use for texts that exist only in these two."""
        return languages()[self.language].like

    @property
    def tag(self) -> str:
        """The BCP 47 tag of the language."""
        return languages()[self.language].tag


def filled_in(text: str, places: Mapping[str, object]) -> str:
    """Return a text with its placeholders filled in; `{count:target|targets}` is the first word if count is 1."""
    return _Numbers().vformat(text, (), places) if "|" in text else text.format(**places)


class _Numbers(Formatter):
    """Chooses between singular and plural. A language without plural has only the number."""

    def format_field(self, value: object, format_spec: str) -> str:
        one, either, several = format_spec.partition("|")
        if not either:
            return str(super().format_field(value, format_spec))
        return one if str(value) == "1" else several


@cache
def languages() -> Mapping[str, Language]:
    """Return all languages by code, English first."""
    files = {file.name.removesuffix(".yaml"): file for file in _folder().iterdir() if file.name.endswith(".yaml")}
    codes = sorted(files, key=lambda code: (code != FALLBACK, code))
    return MappingProxyType({code: _language(code, files[code]) for code in codes})


@cache
def texts(language: str) -> Texts:
    """Return the texts of a language by section. Missing texts are taken from English."""
    _, own = yaml.load_all(_folder().joinpath(f"{language}.yaml").read_bytes(), Loader=yaml.CBaseLoader)
    if language == FALLBACK:
        return MappingProxyType(own)
    english = texts(FALLBACK)
    return MappingProxyType({name: {**english.get(name, {}), **own.get(name, {})} for name in {**english, **own}})


def matching(tag: str) -> str | None:
    """Return the language for a tag such as zh-TW or a locale such as zh_TW.UTF-8; None if there is none.

    Lookup of RFC 4647 section 3.4: the tag is shortened from its end until a language matches.
    """
    wanted = tag.partition(".")[0].partition("@")[0].replace("_", "-").lower()
    while wanted:
        for language in languages().values():
            if wanted in language.answers_to:
                return language.code
        wanted = wanted.rpartition("-")[0]
    return None


def _language(code: str, file: Traversable) -> Language:
    head = next(yaml.load_all(file.read_bytes(), Loader=yaml.CBaseLoader))  # only its first document
    answers_to = tuple(tag.lower() for tag in (code, *head["answers_to"]))
    return Language(code, head["name"], head["tag"], answers_to, head["like"])


def _folder() -> Traversable:
    return resources.files("exporter").joinpath("data/words")
