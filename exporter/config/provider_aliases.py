"""Names by which people know a provider, and the preset that each of them means.

A name that fits several presets is refused with all of them: the wrong one would be tried with the user's password.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

import yaml

from exporter.config.presets import Preset, presets, provider_name
from exporter.config.problems import nearest
from exporter.model.servers import is_address


@cache
def table() -> Mapping[str, tuple[str, ...]]:
    """Return the names of exporter/data/provider_aliases.yaml, each with the ids that it can mean."""
    text = resources.files("exporter").joinpath("data/provider_aliases.yaml").read_bytes()
    return {str(name): tuple(ids) for name, ids in yaml.load(text, Loader=yaml.CSafeLoader).items()}


def resolve(name: str) -> str:
    """Return the id of the preset that a name means. Raises ValueError, with what could be meant."""
    if name in presets():
        return name
    found = meant_by(name)
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"is the name of several providers: write {_or(found)}")
    raise ValueError(f"no such provider{_hint(name)}")


def meant_by(name: str) -> tuple[str, ...]:
    """Return the ids of the presets that a name can mean."""
    return _by_name().get(_key(name), ())


def search(words: str) -> list[Preset]:
    """Return the presets that an alias means, else those whose id, names, domains or servers contain each word.

    Words of one or two letters find nothing; two Chinese characters are a word.
    """
    known = meant_by(words)
    if known:
        return [presets()[each] for each in known]
    wanted = [_key(word) for word in words.split()]
    if not wanted or any(len(word) < (3 if word.isascii() else 2) for word in wanted):
        return []
    return [each for each in presets().values() if all(any(word in text for text in _texts(each)) for word in wanted)]


def _hint(name: str) -> str:
    """Suggest a near id. A number that differs in one digit is another provider, not a slip of the hand."""
    return "; see mailprobe providers" if _key(name).isdigit() or is_address(name) else nearest(name, presets())


def _or(ids: tuple[str, ...]) -> str:
    told = [f"{each} ({provider_name(each, 'zh')}, {provider_name(each, 'en')})" for each in ids]
    return f"{', '.join(told[:-1])} or {told[-1]}"


@cache
def _by_name() -> Mapping[str, tuple[str, ...]]:
    """Return the ids by name. What is in the table goes before the names and domains of the presets."""
    found: dict[str, dict[str, None]] = {}
    for preset in presets().values():
        for text in (preset.id, preset.name, preset.name_zh, *preset.domains):
            found.setdefault(_key(text), {})[preset.id] = None
    names = {name: tuple(ids) for name, ids in found.items()}
    return names | {_key(name): ids for name, ids in table().items() if name not in presets()}


@cache
def _texts(preset: Preset) -> tuple[str, ...]:
    return tuple(_key(text) for text in _of(preset))


def _of(preset: Preset) -> Iterator[str]:
    yield from (preset.id, preset.name, preset.name_zh, *preset.domains, *preset.old_hosts)
    yield from (row.host for row in (*preset.imap, *preset.pop3, *preset.smtp))


def _key(name: str) -> str:
    """Return the name without what people write in different ways: case, width, blanks, dashes."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(char for char in plain if char not in " -_\t")
