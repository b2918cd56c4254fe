"""Tests that the search for leaked secrets finds them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, strategies

from tests.canary import leaks

SECRET = 'c4nary "of" gold'


@given(before=strategies.binary(max_size=40), after=strategies.binary(max_size=40))
def test_base64_is_found_whatever_surrounds_the_secret(before: bytes, after: bytes):
    assert leaks(SECRET, [base64.b64encode(before + SECRET.encode() + after).decode()])


@pytest.mark.parametrize(
    "text",
    [
        f'a1 LOGIN alice "{SECRET}"',
        'a1 LOGIN alice "c4nary \\"of\\" gold"',
        "password=c4nary%20%22of%22%20gold",
        repr({"password": SECRET + "'"}),
    ],
)
def test_each_form_is_found(text: str):
    assert leaks(SECRET, ["nothing here", text]) == [text]


def test_a_canary_that_would_be_found_by_chance_is_refused():
    with pytest.raises(ValueError, match="eight"):
        leaks("abc", [])
