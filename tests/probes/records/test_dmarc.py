"""Tests of DMARC policy records: RFC 9989, and the behaviour of receivers that follow RFC 7489."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.probes.records import dmarc
from exporter.probes.records.dmarc import Dmarc
from exporter.probes.records.errors import RecordError


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("v=DMARC1; p=none", Dmarc("none", (), testing=False)),
        ("v = DMARC1 ;p=Reject;sp=none;", Dmarc("reject", (), testing=False)),
        (
            "v=DMARC1; p=quarantine; rua=mailto:a@example.com, mailto:b@example.com!10m; pct=50; t=y",
            Dmarc("quarantine", ("mailto:a@example.com", "mailto:b@example.com!10m"), testing=True),
        ),
        ("v=DMARC1; rua=https://example.com/r; adkim=s; aspf=r; fo=1; p=none", None),
        ("v=DMARC1; p=reject; psd=n; np=reject; unknown=tag", None),
    ],
)
def test_valid_records_are_read(text: str, record: Dmarc | None):
    found = dmarc.parse(text)
    assert record is None or found == record


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p=none; v=DMARC1", "begin with v=DMARC1"),
        ("v=dmarc1; p=none", "begin with v=DMARC1"),
        ("v=DMARC1", "no tag p"),
        ("v=DMARC1; rua=mailto:a@example.com", "no tag p"),
        ("v=DMARC1; p=monitor", "none, quarantine, reject"),
        ("v=DMARC1; p=none; sp=junk", "sp='junk'"),
        ("v=DMARC1; p=none; adkim=x", "adkim='x'"),
        ("v=DMARC1; p=none; psd=yn", "psd='yn'"),
        ("v=DMARC1; p=none; p=reject", "twice"),
        ("v=DMARC1; p=none; oops", "not a tag"),
        ("v=DMARC1; p=none; rua=postmaster@example.com", "write mailto:postmaster@example.com"),
        ("v=DMARC1; p=none; ruf=mailto:nobody", "no mail address"),
        ("v=DMARC1; p=none; rua=http://[oops", "rua="),
    ],
)
def test_a_broken_record_says_what_is_wrong_and_where_it_is_written(text: str, words: str):
    with pytest.raises(RecordError, match=words.replace("[", r"\[")) as caught:
        dmarc.parse(text)
    assert caught.value.section.startswith("RFC ")


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("v=DMARC1", True),
        ("v=DMARC1;p=none", True),
        ("v=DMARC10; p=none", False),
        ("google-site-verification=x", False),
    ],
)
def test_other_peoples_texts_are_told_apart(text: str, claims: bool):
    assert dmarc.is_dmarc(text) is claims


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str):
    for each in (text, "v=DMARC1; p=none; " + text, "v=DMARC1; p=none; rua=" + text):
        with contextlib.suppress(RecordError):
            dmarc.parse(each)
