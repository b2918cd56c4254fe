"""Tests of MX record sets: order, the null MX, and invalid targets."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.probes.records import mx
from exporter.probes.records.errors import RecordError
from exporter.probes.records.mx import Mx


def test_a_sender_tries_the_lowest_number_first():
    found = mx.parse(["20 b.example.com", "10 Z.example.com.", "10 a.example.com"])
    assert found == (Mx(10, "a.example.com"), Mx(10, "z.example.com"), Mx(20, "b.example.com"))


def test_the_null_mx_takes_no_mail():
    assert mx.parse(["0 ."]) == ()


@pytest.mark.parametrize(
    ("texts", "section"),
    [
        (["0 .", "10 mail.example.com"], "RFC 7505 section 3"),
        (["mail.example.com"], "RFC 1035 section 3.3.9"),
        (["65536 mail.example.com"], "RFC 1035 section 3.3.9"),
        (["-1 mail.example.com"], "RFC 1035 section 3.3.9"),
        (["² mail.example.com"], "RFC 1035 section 3.3.9"),
        (["10 192.0.2.1"], "RFC 5321 section 5.1"),
        (["10 2001:db8::1"], "RFC 5321 section 5.1"),
        (["10 mail example"], "RFC 5321 section 2.3.5"),
        (["10 http://mail"], "RFC 5321 section 2.3.5"),
        (["10 -a.example"], "RFC 5321 section 2.3.5"),
        (["10 "], "RFC 5321 section 2.3.5"),
    ],
)
def test_a_broken_set_is_refused_with_its_section(texts: list[str], section: str):
    with pytest.raises(RecordError) as caught:
        mx.parse(texts)
    assert caught.value.section == section


@given(st.lists(st.text(max_size=30) | st.from_regex(r"\A[0-9]{1,6} [a-z.-]{0,12}\Z"), max_size=4))
def test_any_texts_are_read_or_refused(texts: list[str]):
    with contextlib.suppress(RecordError):
        mx.parse(texts)
