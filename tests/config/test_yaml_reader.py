from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.yaml_reader import BadYamlError, parse


def test_a_scalar_stays_the_text_that_was_written():
    text = b"{user: 013800138000, pin: 1e5, country: no, port: 993, quoted: '', plain: , tilde: ~, date: 2026-01-01}"
    assert parse(text).root == {
        "user": "013800138000",
        "pin": "1e5",
        "country": "no",
        "port": "993",
        "quoted": "",
        "plain": None,
        "tilde": None,
        "date": "2026-01-01",
    }


@pytest.mark.parametrize("text", [b"", b"# nothing\n", b"---\n", b"\xef\xbb\xbf# BOM\n"])
def test_an_empty_file_is_none(text):
    assert parse(text).root is None


def test_every_key_and_item_has_its_line():
    document = parse(b"a:\n  b: 1\n  c:\n    - x\n    -\n      d: {e: 2,\n        f: 3}\n")
    lines = {
        path: document.line(path)
        for path in [("a",), ("a", "b"), ("a", "c", 0), ("a", "c", 1, "d"), ("a", "c", 1, "d", "f")]
    }
    assert list(lines.values()) == [1, 2, 4, 6, 7]


def test_what_is_not_there_has_the_line_of_what_is_around_it():
    document = parse(b"a: 1\nb:\n  c: 2\n")
    assert document.line(("b", "missing")) == 2
    assert document.line(("b", 0)) == 2
    assert document.line(("b", "c", "deeper")) == 3
    assert document.line(()) == 1


def test_aliases_and_merges_are_followed():
    document = parse(b"a: &s {host: h, port: 1}\nb: *s\nc:\n  <<: *s\n  port: 2\nd: {<<: [{x: 1}, {x: 2, y: 3}]}\n")
    assert document.root["b"] is document.root["a"]
    assert document.root["c"] == {"host": "h", "port": "2"}
    assert document.root["d"] == {"x": "1", "y": "3"}
    assert document.line(("c", "host")) == 1


def test_every_duplicate_is_found_with_both_lines():
    document = parse(b"a: 1\nb: {c: 1, c: 2}\na: 2\nl: [{x: 1}, {x: 1,\n x: 2}]\n")
    assert document.duplicates == [(("b", "c"), 2, 2), (("a",), 3, 1), (("l", 1, "x"), 5, 4)]


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,  # overflows the C stack of PyYAML's own loaders
        b"{a: " * 100_000,
        b"a: &a [*a]",
        b"a: \x01",
        b"%YAML 3.0\n---\na: 1\n",
        b"a: !!python/object/apply:os.system [id]",
    ],
)
def test_hostile_text_is_refused(text):
    with pytest.raises(BadYamlError):
        parse(text)


def test_an_alias_bomb_is_counted_not_followed():
    levels = "\n".join(f"- &n{i} [{', '.join([f'*n{i - 1}'] * 10)}]" for i in range(1, 30))
    with pytest.raises(BadYamlError, match="including expanded aliases"):
        parse(f"- &n0 [x]\n{levels}\n".encode())


def test_a_message_quotes_nothing_from_the_file():
    for text in (
        b"password: *hunter2",
        b"password: !hunter2",
        b"password: !hunter2!x y",
        b"password: &hunter2 &hunter2 x",
        b"password: 'hunter2\n",
        b"password: %hunter2",
        b'password: "hunter2\\q"',
    ):
        with pytest.raises(BadYamlError) as caught:
            parse(text)
        assert "hunter2" not in str(caught.value), text


_WORDS = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=5).map(
    lambda word: f"k{word}"
)
_TREES = st.recursive(
    _WORDS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS, inner, max_size=4), max_leaves=20
)


@given(_TREES)
def test_it_agrees_with_pyyaml_on_plain_words(tree):
    for flow in (True, False):
        assert parse(yaml.safe_dump(tree, default_flow_style=flow).encode()).root == tree
