"""What mailprobe says to people, in every language there is: the files `data/words/LANGUAGE.yaml`.

A file begins with what the language is (`Language`), then has the texts by section and key. English is the measure: a
test compares keys and places of every other file with it, and looks whether the program asks for each text. A file is
read when its language is first asked for; a text that it lacks is said in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType

import yaml

FALLBACK = "en"
Texts = Mapping[str, Mapping[str, str]]  # section → key → text


@dataclass(frozen=True, slots=True)
class Language:
    """One of the languages."""

    code: str  # in `--lang`, `?lang=` and `bridges[].lang`: the name of its file
    name: str  # as its readers call it
    tag: str  # BCP 47, for a page
    answers_to: tuple[str, ...]  # language tags that mean it
    like: str  # en or zh: what its readers get where a text exists in these two alone


class Phrases:
    """The texts of one language, in English where there is no such language.

    A key without a dot is one of `section`, any other is "section.key".
    """

    def __init__(self, language: str, section: str = "common") -> None:
        self.language = language if language in languages() else FALLBACK
        self._texts = texts(self.language)
        self._section = self._texts[section]

    def __call__(self, key: str, /, **places: object) -> str:
        """The text with its places filled in. Raises KeyError where there is none."""
        section, dot, name = key.partition(".")
        return (self._texts[section][name] if dot else self._section[key]).format(**places)

    def find(self, key: str) -> str | None:
        """The text of "section.key" as it stands; None where there is none."""
        section, _, name = key.partition(".")
        return self._texts.get(section, {}).get(name)

    def labelled(self, key: str, value: str) -> str:
        """`Label: value`."""
        return f"{self(key)}{self('common.colon')}{value}"

    @property
    def like(self) -> str:
        """En or zh: the language of what exists in these two alone."""
        return languages()[self.language].like

    @property
    def tag(self) -> str:
        """The language as BCP 47 names it."""
        return languages()[self.language].tag


@cache
def languages() -> Mapping[str, Language]:
    """All of them by code, English first."""
    files = {file.name.removesuffix(".yaml"): file for file in _folder().iterdir() if file.name.endswith(".yaml")}
    codes = sorted(files, key=lambda code: (code != FALLBACK, code))
    return MappingProxyType({code: _language(code, files[code]) for code in codes})


@cache
def texts(language: str) -> Texts:
    """The texts of a language by section, whole: what is missing is English."""
    _, own = yaml.load_all(_folder().joinpath(f"{language}.yaml").read_bytes(), Loader=yaml.CBaseLoader)
    if language == FALLBACK:
        return MappingProxyType(own)
    english = texts(FALLBACK)
    return MappingProxyType({name: {**english.get(name, {}), **own.get(name, {})} for name in {**english, **own}})


def matching(tag: str) -> str | None:
    """The language that a tag such as zh-TW, or a locale such as zh_TW.UTF-8, means; None where we have none.

    By lookup (RFC 4647, section 3.4): the tag is cut from its end until a language answers to it.
    """
    wanted = tag.partition(".")[0].partition("@")[0].replace("_", "-").lower()
    while wanted:
        for language in languages().values():
            if wanted in language.answers_to:
                return language.code
        wanted = wanted.rpartition("-")[0]
    return None


def _language(code: str, file: Traversable) -> Language:
    head = next(yaml.load_all(file.read_bytes(), Loader=yaml.CBaseLoader))  # its first document alone
    answers_to = tuple(tag.lower() for tag in (code, *head["answers_to"]))
    return Language(code, head["name"], head["tag"], answers_to, head["like"])


def _folder() -> Traversable:
    return resources.files("exporter").joinpath("data/words")
