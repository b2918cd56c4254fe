"""Tests that a credential is masked in each form in which a server may return it."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import pytest

from exporter.net import utf7
from exporter.net.mask import Mask

WORD = 'can"ary\\ pä$$'


@pytest.mark.parametrize(
    "form",
    [
        WORD,
        WORD.replace("\\", "\\\\").replace('"', '\\"'),
        quote(WORD),
        b64encode(WORD.encode()).decode(),
        b64encode(f"\0alice\0{WORD}".encode()).decode(),
        b64encode(f"alice\0alice\0{WORD}".encode()).decode(),
    ],
)
def test_every_form_is_hidden(form):
    mask = Mask()
    mask.learn("alice", WORD)
    assert mask.hide(f"NO bad login: {form}!") == "NO bad login: <secret>!"


def test_a_very_short_password_does_not_spoil_the_servers_words():
    mask = Mask()
    mask.learn("alice", "NO")
    assert mask.hide("NO login failed") == "NO login failed"


def test_two_credentials_are_both_hidden():
    mask = Mask()
    mask.learn("alice", "first-word")
    mask.learn("bob", "first-word-longer")
    assert mask.hide("first-word first-word-longer") == "<secret> <secret>"


@pytest.mark.parametrize("word", ["fish&chips", "pä$$-wörd", "口令口令"])
def test_a_folder_named_after_the_password_is_hidden_as_the_wire_writes_it(word):
    mask = Mask()
    mask.learn("alice", word)
    assert mask.hide(f'LIST () "/" "{utf7.encode(word)}"') == 'LIST () "/" "<secret>"'
