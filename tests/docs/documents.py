"""Parses pages of documentation (links, anchors, code, commands), and lists what they may name."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from exporter.cli import main
from exporter.daemon import options
from exporter.outputs.metrics.families import FAMILIES
from exporter.outputs.metrics.family import BASE_LABELS, MetricFamily, Subject

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_MARKDOWN = MarkdownIt("commonmark").enable("table")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def pages() -> tuple[Path, ...]:
    """Return every Markdown file of the repository."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        found += [Path(folder) / name for name in files if name.endswith(".md")]
    return tuple(sorted(found))


# -- code -----------------------------------------------------------------------------------------------------------


def fences(text: str, language: str) -> list[str]:
    return [body.strip() for name, body in FENCE.findall(text) if name == language]


def spans(text: str) -> Iterator[str]:
    """Return the code spans of the running text."""
    return (" ".join(found.split()) for found in re.findall(r"`([^`]+)`", FENCE.sub("", text)))


def entered(text: str) -> Iterator[str]:
    """Return the lines of all code blocks as a reader enters them, and mailprobe's commands in the running text."""
    for _, body in FENCE.findall(text):
        for line in body.replace("\\\n", " ").splitlines():
            yield line.strip().removeprefix("$ ")
    yield from (span for span in spans(text) if span.startswith("mailprobe "))


def calls(text: str) -> Iterator[list[str]]:
    """Return the arguments of each call of mailprobe."""
    for line in entered(text):
        if line.startswith("mailprobe "):
            words = shlex.split(line, comments=True)[1:]
            ends = [words.index(sign) for sign in ("|", ">", "||", "&&") if sign in words]
            yield words[: min(ends, default=None)]


def refused(arguments: Sequence[str]) -> str:
    """Return the error message of the command line for these arguments, or ""."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            main._parser().parse_args(options.with_verb(arguments, main.VERBS))
        except SystemExit as exc:
            return said.getvalue() if exc.code else ""
    return ""


# -- links ----------------------------------------------------------------------------------------------------------


def _tokens(text: str) -> Iterator[Token]:
    for token in _MARKDOWN.parse(text):
        yield token
        yield from token.children or ()


@cache
def links(page: Path) -> tuple[str, ...]:
    """Return the targets of all links and pictures inside of the repository."""
    found = []
    for token in _tokens(text_of(page)):
        address = token.attrGet({"link_open": "href", "image": "src"}.get(token.type, ""))
        if isinstance(address, str) and not urlsplit(address).scheme:
            found.append(unquote(address))
    return tuple(found)


def pictures(page: Path) -> Iterator[str]:
    return (str(token.attrGet("src")) for token in _tokens(text_of(page)) if token.type == "image")


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    found: set[str] = set()
    tokens = _MARKDOWN.parse(text_of(page))
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            words = "".join(each.content for each in inline.children or () if each.type in ("text", "code_inline"))
            name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            number = 0
            while (slug := f"{name}-{number}" if number else name) in found:
                number += 1
            found.add(slug)
    return frozenset(found)


# -- existing names -------------------------------------------------------------------------------------------------


def labels_of(family: MetricFamily) -> set[str]:
    return {*BASE_LABELS[family.subject], *family.labels, *(("from", "to") if family.subject is Subject.ROUTE else ())}


@cache
def metrics() -> dict[str, set[str]]:
    """Return each series with the labels that it may have."""
    known: dict[str, set[str]] = {}
    for family in FAMILIES:
        labels = labels_of(family)
        for suffix in ("", "_bucket", "_sum", "_count") if family.shape == "histogram" else ("",):
            known[f"mailprobe_{family.name}{suffix}"] = labels | ({"le"} if suffix == "_bucket" else set())
    return known


@cache
def recorded() -> frozenset[str]:
    """Return the series of the recording rules."""
    return frozenset(re.findall(r"record: (\S+)", text_of(ROOT / "deploy" / "prometheus" / "mailprobe.rules.yml")))
