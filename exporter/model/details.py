"""Says in another language what mailprobe itself wrote in English as the text of a failure.

In: an English text, from a run, the state file or the JSON of a daemon. Out: the text in the reader's language, as far
as the section `details` of its words has the sentences; what a server said stays as it is. The English text is the key,
so that metrics, JSON and the state folder need only one text. A test compares the section with the program.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from string import Formatter
from typing import NamedTuple

from exporter.model.phrases import Phrases, texts

SECTIONS = ("details", "details_of_others")
DEPTH = 4  # sentences within sentences
MOST = 8  # sentences in a row
LONGEST = 1000  # characters of a line; a longer one is a server's
_PLACE = re.compile(r"\S*[.:/]\S*|\S*\.\S* [A-Z]{1,6}|[a-z]+(?:_[a-z]+)+ \S.*")
"""What stands before what is wrong with it: a host, an address, a path, a host and a record type, a key and its value.

A server's reply begins otherwise: `NO`, `450 4.4.1 the host says`.
"""

_LETTER = re.compile("[A-Za-z]")


class Row(NamedTuple):
    """One sentence."""

    longest: str  # the longest literal of its English: most texts do not have it, and looking for it is fast
    english: re.Pattern[str]
    told: str  # in the other language
    has_words: bool  # whether its English has words of its own, and not only punctuation


def detail(text: str, language: str) -> str:
    """Return the text in a language; a line that is none of our sentences is returned unchanged."""
    spoken = Phrases(language).language
    if not any(section in texts(spoken) for section in SECTIONS):
        return text
    return "\n".join(_line(line, spoken, DEPTH) for line in text.split("\n"))


def pattern(sentence: str) -> re.Pattern[str]:
    """Return the pattern of a sentence: `{n…}` is a number, `{text…}` anything, any other place one word."""
    parts = []
    for literal, place, _, _ in Formatter().parse(sentence):
        parts.append(re.escape(literal))
        if place is not None:
            parts.append(f"(?P<{place}>{_form(place)})")
    return re.compile("".join(parts))


def _form(place: str) -> str:
    kind = place.rstrip("0123456789")
    return {"n": r"-?\d+(?:\.\d+)?", "text": r".+?"}.get(kind, r"\S+?")


@cache
def _rows(language: str) -> tuple[Row, ...]:
    own = texts(language)
    pairs = [pair for section in SECTIONS for pair in own.get(section, {}).items()]
    return tuple(_row(english, told) for english, told in pairs)


def _row(english: str, told: str) -> Row:
    literals = [literal for literal, _, _, _ in Formatter().parse(english)]
    return Row(max(literals, key=len), pattern(english), told, any(map(_LETTER.search, literals)))


@lru_cache(maxsize=2048)
def _line(text: str, language: str, depth: int) -> str:
    if not depth or not text or len(text) > LONGEST:
        return text
    several = text.split("; ", MOST)
    if len(several) > 1:
        said = [_line(each, language, depth - 1) for each in several]
        if all(one != other for one, other in zip(several, said, strict=True)):
            return Phrases(language)("explain.semicolon").join(said)
    for row in _rows(language):
        found = row.english.fullmatch(text) if row.longest in text else None
        if found is None:
            continue
        places = {place: _line(value, language, depth - 1) for place, value in found.groupdict().items()}
        if row.has_words or (places != found.groupdict() and _PLACE.fullmatch(next(iter(places.values())))):
            return row.told.format(**places)
    head, mark, tail = text.partition(": ")
    first, second = _line(head, language, depth - 1), _line(tail, language, depth - 1)
    if mark and (first != head or (second != tail and _PLACE.fullmatch(head))):
        return f"{first}{Phrases(language)('colon')}{second}"
    return text
