"""The part of the house style in CONTRIBUTING.md that a program can check: introductions, file size, vocabulary."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "exporter"
FILES = sorted(ROOT.rglob("*.py"))
MAX_SENTENCE = 140
MAX_LINES = 400

# Words that this project once used for things that have a standard name.
REPLACED = {
    "beat": "interval, schedule or scheduled run",
    "beats": "intervals or scheduled runs",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def prose(path: Path) -> str:
    """Docstrings and comments of a module."""
    source = path.read_text("utf-8")
    nodes = (
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    )
    comments = (
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    )
    return "\n".join([*(ast.get_docstring(node) or "" for node in nodes), *comments])


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_begins_with_a_short_first_sentence(path):
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert docstring, "write what comes in, what goes out, and what must never happen"
    first = re.split(r"(?<=\.)\s+", docstring.split("\n\n", maxsplit=1)[0], maxsplit=1)[0]
    assert len(first) <= MAX_SENTENCE
    assert first[0].isupper()
    assert first.endswith((".", ":"))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_module_is_short_enough_to_read(path):
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_comments_use_the_standard_terms(path):
    found = {word for word in re.findall(r"[a-z]+", prose(path).lower()) if word in REPLACED}
    assert not found, {word: f"write {REPLACED[word]}" for word in found}
