"""Tests of Authentication-Results from the receiver, and of our own verification of DKIM signatures."""

import base64

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from exporter.model import bounds
from exporter.net.dns.resolver import Answer
from exporter.probes.roundtrip.authentication import _is_affordable, dkim_verified, results
from exporter.probes.roundtrip.message import build, new_token

KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
PRIVATE = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
RECORD = f"v=DKIM1; k=rsa; p={PUBLIC}"
MAIL = build("a@example.test", "b@example.test", new_token(b"k", "r"), 1_760_000_000.0)


def signed(mail: bytes = MAIL, selector: bytes = b"s1") -> bytes:
    made: bytes = dkim.sign(mail, selector, b"example.test", PRIVATE, include_headers=[b"from", b"subject"])
    return made + mail


def dns(kind: str = "ok", *records: str):
    """A resolver that gives one answer, and remembers what it was asked."""
    asked: list[tuple[str, str]] = []

    async def lookup(name: str, record_type: str) -> Answer:
        asked.append((name, record_type))
        return Answer(kind, records, 60, 0.0, "", authentic=False)

    return lookup, asked


# -- Authentication-Results -------------------------------------------------------------------------------------------


def test_the_topmost_field_counts_and_the_others_do_not():
    raw = (
        b"Authentication-Results: mx.example.test;\r\n"
        b"\tspf=pass (example.test: 192.0.2.1 is fine; really) smtp.mailfrom=a@example.test;\r\n"
        b'\tdkim=fail reason="bad; dkim=pass" header.d=example.test;\r\n'
        b"\tdmarc=pass (p=none) header.from=example.test\r\n"
        b"Authentication-Results: forged.test; dkim=pass\r\n\r\n"
    )
    assert results(raw) == {"spf": True, "dkim": False, "dmarc": True}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("mx.test; none", {}),
        ("mx.test 1; dkim = PASS header.d=a.test; dkim=fail header.d=b.test", {"dkim": True}),
        ("mx.test; dkim/1=pass", {"dkim": True}),
        ("mx.test; spf=softfail; auth=pass; dkim=none", {"spf": False, "dkim": False}),
        ("mx.test (spf=pass; (nested; dmarc=pass)); spf=temperror", {"spf": False}),
        ("spf=pass", {}),
        ("", {}),
    ],
)
def test_results_are_read_as_rfc_8601_says(value, found):
    assert results(f"Authentication-Results: {value}\r\n\r\n".encode()) == found


def test_a_mail_without_the_field_has_no_results():
    assert results(b"Subject: x\r\n\r\nAuthentication-Results: x; spf=pass\r\n") == {}


# -- DKIM -------------------------------------------------------------------------------------------------------------


async def test_a_signature_verifies_with_the_key_from_our_resolver():
    lookup, asked = dns("ok", RECORD)
    assert await dkim_verified(signed(), lookup) is True
    assert asked == [("s1._domainkey.example.test", "TXT")]


async def test_a_changed_mail_or_a_missing_key_does_not_verify():
    lookup, _ = dns("ok", RECORD)
    assert await dkim_verified(signed().replace(b"how long", b"how short"), lookup) is False
    for kind in ("nxdomain", "no_data"):
        lookup, _ = dns(kind)
        assert await dkim_verified(signed(), lookup) is False
    lookup, _ = dns("ok", "v=DKIM1; k=rsa; p=broken")
    assert await dkim_verified(signed(), lookup) is False


async def test_without_a_signature_or_an_answer_nothing_is_said():
    lookup, asked = dns("ok", RECORD)
    assert await dkim_verified(MAIL, lookup) is None
    assert asked == []
    for kind in ("timeout", "servfail", "bogus", "refused"):
        lookup, _ = dns(kind)
        assert await dkim_verified(signed(), lookup) is None


async def test_one_good_signature_among_bad_ones_is_enough():
    lookup, asked = dns("ok", RECORD)
    broken = signed(selector=b"s2").partition(b"\r\nFrom:")[0].replace(b"bh=", b"bh=AAAA")
    assert await dkim_verified(broken + b"\r\n" + signed(), lookup) is True
    assert len(asked) <= 2


async def test_a_malformed_signature_does_not_verify_and_does_not_raise():
    lookup, _ = dns("ok", RECORD)
    for field in (
        b"DKIM-Signature: nonsense",
        b"DKIM-Signature: v=1; a=x; b=?; bh=?; d=d; h=h; s=s",
        b"DKIM-Signature:",
    ):
        assert await dkim_verified(field + b"\r\n" + MAIL, lookup) is False


@pytest.mark.parametrize("extra", [b" " * bounds.BLANKS, b"\t" * bounds.BLANKS, b"x\r\n" * bounds.SIGNED])
async def test_a_mail_that_would_take_long_to_verify_is_not_verified(extra):
    lookup, asked = dns("ok", RECORD)
    assert await dkim_verified(signed() + extra, lookup) is None
    assert asked == []


async def test_a_key_that_would_take_long_is_not_used():
    """Dkimpy raises the signature to whatever exponent the record names."""
    numbers = rsa.RSAPublicNumbers(e=(1 << 60) | 1, n=KEY.public_key().public_numbers().n)
    der = numbers.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    large = f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}; n={'x' * bounds.DKIM_KEY_RECORD}"
    assert _is_affordable(large.encode())
    assert not _is_affordable(b"v=DKIM1; k=rsa; p=AAAA; n=" + b"x" * bounds.DKIM_KEY_RECORD)
    key = rsa.generate_private_key(public_exponent=65537, key_size=bounds.DKIM_KEY_BITS + 1024).public_key()
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    lookup, _ = dns("ok", f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}")
    assert await dkim_verified(signed(), lookup) is None
