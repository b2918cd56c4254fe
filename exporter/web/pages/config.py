"""Prepares the configuration in use for its page: a section for each key, and a block for each mailbox and the like.

In: the document of `AppView.config_document`, in which secrets are already replaced. The text for programs is
`AppView.config_text`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.config import as_yaml
from exporter.web.pages.rows import path_of

LISTS = ("mailboxes", "domains", "endpoints", "routes")
"""The keys of a file that hold targets."""

MOST = 200  # targets of one list that are shown; the text has all

_KEY = re.compile(r"^((?: |- )*)([A-Za-z_][\w.-]*)(:(?: .*)?)$")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of YAML: what is before the key, the key, what follows it. Without a key all of it is in `rest`."""

    before: str
    key: str
    rest: str


@dataclass(frozen=True, slots=True)
class Block:
    """One target of the configuration."""

    name: str
    path: str  # path of the target's page, if there is one of this name
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One key, either with its value or with a block for each target."""

    key: str
    lines: tuple[Line, ...] = ()
    count: int = 0  # number of targets
    blocks: tuple[Block, ...] = ()

    @property
    def more(self) -> int:
        """The number of targets that are not shown."""
        return self.count - len(self.blocks)


@dataclass(frozen=True, slots=True)
class File:
    """The sections of one file."""

    name: str
    sections: tuple[Section, ...]


def sections(document: Mapping[str, Any]) -> tuple[Section, ...]:
    """Return the settings of the whole daemon."""
    return tuple(_section(key, value) for key, value in document.items() if key != "files")


def files(document: Mapping[str, Any]) -> tuple[File, ...]:
    """Return each file with its targets. Keys without a value are left out."""
    found = []
    for part in document["files"]:
        own = [_section(key, value) for key, value in part.items() if key not in (*LISTS, "file") and value]
        targets = [_targets(key, part[key]) for key in LISTS if part[key]]
        found.append(File(str(part["file"]), (*own, *targets)))
    return tuple(found)


def marked(text: str) -> tuple[Line, ...]:
    """Return the lines of a YAML text with their keys apart."""
    found = []
    for line in text.splitlines():
        parts = _KEY.match(line)
        found.append(Line(*parts.groups()) if parts else Line("", "", line))
    return tuple(found)


def _section(key: str, value: object) -> Section:
    return Section(key, marked(as_yaml(value)))


def _targets(key: str, values: Sequence[Mapping[str, Any]]) -> Section:
    blocks = tuple(_block(key, each) for each in values[:MOST])
    return Section(key, count=len(values), blocks=blocks)


def _block(key: str, value: Mapping[str, Any]) -> Block:
    name = _name(key, value)
    return Block(name, path_of(name), marked(as_yaml(value)))


def _name(key: str, value: Mapping[str, Any]) -> str:
    """Return the name of a target: its own, else the one that it gets by default."""
    if value.get("name"):
        return str(value["name"])
    if key == "routes":
        return f"{value['from']}-to-{value['to']}"
    if key == "endpoints" and not value.get("url"):
        host = str(value.get("host"))
        return f"[{host}]:{value.get('port')}" if ":" in host else f"{host}:{value.get('port')}"
    return str(value.get("url") or value.get("address") or "")
