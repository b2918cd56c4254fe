"""Tests of DKIM key records: each type of key, and each error in a record."""

from __future__ import annotations

import base64
import contextlib
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from exporter.probes.records import dkim
from exporter.probes.records.errors import RecordError


@cache
def rsa_key(bits: int = 1024, form: PublicFormat = PublicFormat.SubjectPublicKeyInfo) -> str:
    key = rsa.generate_private_key(65537, bits).public_key()
    return base64.b64encode(key.public_bytes(Encoding.DER, form)).decode()


def test_an_rsa_key_has_its_size():
    found = dkim.parse(f"v=DKIM1; k=rsa; t=y; p={rsa_key(2048)}")
    assert (found.algorithm, found.bits, found.testing) == ("rsa", 2048, True)
    assert not found.weak
    assert not found.revoked


def test_version_and_key_type_have_defaults():
    found = dkim.parse(f"p={rsa_key()}")
    assert (found.algorithm, found.bits, found.services) == ("rsa", 1024, ("*",))


def test_a_bare_rsa_public_key_is_read_too():
    """RFC 6376 specifies RSAPublicKey, but most domains publish SubjectPublicKeyInfo."""
    assert dkim.parse(f"v=DKIM1; p={rsa_key(1024, PublicFormat.PKCS1)}").bits == 1024


def test_blanks_inside_the_key_do_not_matter():
    key = rsa_key()
    assert dkim.parse(f"v=DKIM1; p={key[:80]} {key[80:]} ;").bits == 1024


def test_an_ed25519_key_is_32_bytes():
    raw = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert dkim.parse(f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}").bits == 256


def test_an_empty_key_is_a_revoked_one():
    assert dkim.parse("v=DKIM1; p=").revoked


def test_a_key_of_512_bits_is_weak():
    modulus = (1 << 511) | 12345
    der = _rsa_der(modulus)
    assert dkim.parse(f"p={base64.b64encode(der).decode()}").weak


def _rsa_der(modulus: int) -> bytes:
    """Encode an RSAPublicKey by hand, because no library creates such a short key any more."""
    number = modulus.to_bytes(modulus.bit_length() // 8 + 1, "big")
    body = b"\x02" + bytes([len(number)]) + number + b"\x02\x03\x01\x00\x01"
    return b"\x30" + bytes([len(body)]) + body


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("v=DKIM1; k=rsa", "p is missing"),
        ("v=DKIM2; p=", "must be DKIM1"),
        ("p=; v=DKIM1", "not the first"),
        ("v=DKIM1; k=dsa; p=", "key type"),
        ("v=DKIM1; p=####", "not base64"),
        ("v=DKIM1; p=aGVsbG8=", "no RSA public key"),
        ("v=DKIM1; k=ed25519; p=aGVsbG8=", "32 bytes, not 5"),
        ("v=DKIM1; s=tlsrpt; p=", "not for e-mail"),
        ("v=DKIM1; h=sha1; p=", "sha256"),
        ("v=DKIM1; p=; p=", "twice"),
        ("v=DKIM1; hello; p=", "not a tag"),
        ("v=DKIM1;; p=", "not a tag"),
        ("", "p is missing"),
        ("v=DKIM1; p=" + "A" * 9000, "longer than"),
    ],
)
def test_a_broken_record_says_what_is_wrong_and_where_it_is_written(text: str, words: str):
    with pytest.raises(RecordError, match=words) as caught:
        dkim.parse(text)
    assert caught.value.section.startswith("RFC ")


def test_a_key_of_another_type_than_announced_is_refused():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(RecordError, match="another type"):
        dkim.parse(f"k=rsa; p={base64.b64encode(der).decode()}")


@given(st.text(max_size=60), st.binary(max_size=80))
def test_any_text_and_any_key_is_read_or_refused(text: str, key: bytes):
    packed = base64.b64encode(key).decode()
    for each in (text, f"v=DKIM1; p={packed}", f"v=DKIM1; {text}; p={packed}", f"k=ed25519; p={text}"):
        with contextlib.suppress(RecordError):
            dkim.parse(each)


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_key_is_read_or_refused(position: int, value: int):
    der = bytearray(base64.b64decode(rsa_key()))
    der[position % len(der)] = value
    with contextlib.suppress(RecordError):
        dkim.parse(f"p={base64.b64encode(bytes(der)).decode()}")
