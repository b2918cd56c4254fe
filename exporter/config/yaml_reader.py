"""Reads YAML text into plain values with line numbers, in one pass with limits on size and depth.

It uses libyaml's events instead of PyYAML's loaders: 5,000 mailboxes take a quarter of the time, deep nesting cannot
overflow the C stack, and aliases are counted before they are expanded. A scalar stays the text that was written and its
key decides the type, so that the user name 013800138000, the password 1e5 and the label `no` need no quotes. Error
messages never quote the file, because it may contain passwords.
"""

from __future__ import annotations

import os
import pathlib
import stat
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml.reader import ReaderError

from exporter.config.problems import KeyPath

MAX_NODES = 4_000_000  # including expanded aliases: a hundred thousand mailboxes
MAX_DEPTH = 32
MAX_BYTES = 32 * 1024 * 1024  # per file
NO_TAGS = "tags (!) are not used here; quote a text that begins with !"
NO_FILE = "is not a regular file"
NO_KEY = "a key must be a word; quote a text that begins with [ or {"
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class BadYamlError(Exception):
    """The text is not YAML that we can read. `line` counts from 1. The message quotes nothing: it may be a password."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


@dataclass(slots=True)
class Document:
    """The content of a file (text, None, dict or list) and the line of each value."""

    root: Any = field(default=None, repr=False)
    duplicates: list[tuple[KeyPath, int, int]] = field(default_factory=list)  # (key, its line, line of the first one)
    marks: dict[int, Any] = field(default_factory=dict, repr=False)  # id of a container → line of each key or item

    def line(self, path: KeyPath) -> int:
        """Return the line of a key or item, or of the closest enclosing value that is in the file."""
        value, line = self.root, 1
        for step in path:
            try:
                line = self.marks[id(value)][step]
                value = value[step]
            except (KeyError, IndexError, TypeError):
                break
        return line


def parse(data: bytes) -> Document:
    """Parse the bytes of a file. An empty file is a Document whose root is None. Raises BadYamlError."""
    document = Document()
    try:
        _Builder(document, data).run()
    except ReaderError as exc:
        position = exc.position if isinstance(exc.position, int) else 0
        raise BadYamlError(data.count(b"\n", 0, position) + 1, "a control character: quote and escape it") from exc
    except yaml.MarkedYAMLError as exc:
        known = _KNOWN.get(exc.problem or "", "")
        mark = exc.context_mark if "not closed" in known else exc.problem_mark
        line = mark.line + 1 if mark else 1
        raise BadYamlError(line, _explain(exc, data, line)) from exc
    return document


class _Frame:
    """A mapping or list that is being read."""

    __slots__ = ("anchor", "began", "key", "line", "mapping", "marks", "merged", "value", "waiting")

    def __init__(self, *, mapping: bool, anchor: str | None = None, line: int = 1, began: int = 0) -> None:
        self.mapping = mapping
        self.value: Any = {} if mapping else []
        self.marks: Any = {} if mapping else []  # line of each key (mapping) or item (list)
        self.anchor = anchor
        self.line = line
        self.began = began  # number of nodes before it
        self.key = ""
        self.waiting = False  # a key was read, its value comes next
        self.merged: list[Any] = []  # mappings that << names


class _Builder:
    def __init__(self, document: Document, data: bytes) -> None:
        self.parser = CParser(data)
        self.document = document
        self.anchors: dict[str, tuple[Any, int]] = {}  # name → (value, number of nodes in it)
        self.frame = _Frame(mapping=False)  # the innermost open container; the outermost is a list of documents
        self.stack: list[_Frame] = []
        self.nodes = 0

    def run(self) -> None:
        get_event = self.parser.get_event
        frame = self.frame
        nodes = documents = 0
        while True:
            event: Any = get_event()
            kind = type(event)
            nodes += 1
            if kind is ScalarEvent:  # four of five events, so this branch must be fast
                value = event.value
                if value in _NULLS and event.implicit[0]:
                    value = None
                if event.tag is not None:
                    raise BadYamlError(event.start_mark.line + 1, NO_TAGS)
                if event.anchor is not None:
                    self.anchors[event.anchor] = (value, 1)
                if frame.waiting and frame.key != "<<":
                    frame.waiting = False
                    frame.value[frame.key] = value
                elif frame.mapping and not frame.waiting and value is not None and value not in frame.marks:
                    frame.marks[value] = event.start_mark.line + 1
                    frame.key = value
                    frame.waiting = True
                else:
                    self.add(value, event.start_mark.line + 1)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                frame = self.open(event, nodes, mapping=kind is MappingStartEvent)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                frame = self.close(nodes)
            elif kind is AliasEvent:
                nodes += self.alias(event)
            elif kind is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise BadYamlError(
                        event.start_mark.line + 1, "a second document (---): a file must contain only one"
                    )
            elif kind is StreamEndEvent:
                break
            if nodes > MAX_NODES:
                raise BadYamlError(
                    event.start_mark.line + 1, f"more than {MAX_NODES:,} values, including expanded aliases"
                )
        self.document.root = frame.value[0] if frame.value else None

    def add(self, value: Any, line: int) -> None:
        """Add a finished value to the innermost open container."""
        frame = self.frame
        if frame.waiting:
            frame.waiting = False
            if frame.key == "<<":
                self.merge(frame, value, line)
            else:
                frame.value[frame.key] = value
        elif frame.mapping:
            if not isinstance(value, str):
                raise BadYamlError(line, NO_KEY)
            if value in frame.marks:
                self.document.duplicates.append(((*self.path(), value), line, frame.marks[value]))
            else:
                frame.marks[value] = line
            frame.key = value
            frame.waiting = True
        else:
            frame.value.append(value)
            frame.marks.append(line)

    def merge(self, frame: _Frame, value: Any, line: int) -> None:
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, dict):
                raise BadYamlError(line, "<<: needs a mapping with an anchor, or a list of such mappings")
            frame.merged.append(each)

    def open(self, event: Any, nodes: int, *, mapping: bool) -> _Frame:
        line = event.start_mark.line + 1
        if event.tag is not None:
            raise BadYamlError(line, NO_TAGS)
        if len(self.stack) >= MAX_DEPTH:
            raise BadYamlError(line, f"nested deeper than {MAX_DEPTH} levels")
        if self.frame.mapping and not self.frame.waiting:
            raise BadYamlError(line, NO_KEY)
        if event.anchor is not None:
            self.anchors.pop(event.anchor, None)  # known again when complete, so that no value contains itself
        self.stack.append(self.frame)
        self.frame = frame = _Frame(mapping=mapping, anchor=event.anchor, line=line, began=nodes)
        self.document.marks[id(frame.value)] = frame.marks
        return frame

    def close(self, nodes: int) -> _Frame:
        frame = self.frame
        self.frame = self.stack.pop()
        for mapping in frame.merged:
            marks = self.document.marks[id(mapping)]
            for key in [each for each in mapping if each not in frame.value]:
                frame.value[key] = mapping[key]
                frame.marks.setdefault(key, marks[key])
        if frame.anchor is not None:
            self.anchors[frame.anchor] = (frame.value, nodes - frame.began)
        self.add(frame.value, frame.line)
        return self.frame

    def alias(self, event: Any) -> int:
        line = event.start_mark.line + 1
        found = self.anchors.get(event.anchor)
        if found is None:
            raise BadYamlError(line, "an alias (*) without its anchor (&) before it; quote a text that begins with *")
        value, size = found
        self.add(value, line)
        return size

    def path(self) -> KeyPath:
        """Return the path of the innermost open container."""
        return tuple(each.key if each.mapping else len(each.value) for each in self.stack[1:])


_KNOWN = {
    "found character that cannot start any token": "a character that cannot begin a value: quote the text",
    "mapping values are not allowed in this context": "unexpected colon: wrong indentation, or quote the text",
    "could not find expected ':'": "a key without its colon, or wrong indentation",
    "did not find expected key": "wrong indentation, or an unquoted special character",
    "did not find expected '-' indicator": "wrong indentation: a list item (-) was expected",
    "did not find expected ',' or ']'": "a list [ … ] is not closed, or a comma is missing",
    "did not find expected ',' or '}'": "a mapping { … } is not closed, or a comma is missing",
    "did not find expected node content": "a value is missing, or a list [ … ] or mapping { … } is not closed",
    "found unexpected end of stream": "a quoted text is not closed",
    "found unknown escape character": "an unknown escape in double quotes: use single quotes for text with a backslash",
}


def _explain(exc: yaml.MarkedYAMLError, data: bytes, line: int) -> str:
    lines = data.split(b"\n", line)
    text = lines[line - 1] if line <= len(lines) else b""
    if b"\t" in text[: len(text) - len(text.lstrip())]:
        return "a tab in the indentation: YAML wants spaces"
    problem = exc.problem or "not YAML"
    return _KNOWN.get(problem, problem)


def mapping(document: Document, example: str) -> Document:
    if document.root is None:  # empty, or only comments
        document.root = {}
    if not isinstance(document.root, dict):
        raise BadYamlError(1, f"must be a mapping of keys such as {example}:")
    return document


class UnusableError(Exception):
    """The file must not be used. The text says why."""


def is_readable_at_once(path: pathlib.Path) -> bool:
    """False for a FIFO, socket or device, where reading may wait for ever. What does not exist is told by `open`."""
    return path.is_file() or path.is_dir() or not path.exists()


def read_bytes(path: pathlib.Path) -> bytes:
    """Read a file. Raises OSError, UnusableError."""
    if not is_readable_at_once(path):
        raise UnusableError(NO_FILE)
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & stat.S_IWOTH:
            shown = f"{stat.S_IMODE(mode):04o}"
            raise UnusableError(f"mode {shown}: everyone can change it and so run programs; use chmod o-w")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UnusableError(f"is longer than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise UnusableError(f"is not UTF-8: see line {line}") from None
    return data
