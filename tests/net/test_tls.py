"""Tests of trust settings, of the verification of every invalid certificate, and of the facts of a valid one."""

from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path

import pytest

from exporter.model import FactName
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net import certificate, tls
from exporter.net.tls import TlsContexts, note_certificates, note_session
from tests.net.peers import connect, peer
from tests.servers.certs import Authority, Pem

HOST = "mail.example.test"
DAY = 86400.0


async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def facts_of(pem: Pem, context: ssl.SSLContext) -> dict[FactName, float | str]:
    trace = Trace()
    async with peer(quiet, pem.context()) as port, await connect(port) as wire:
        await wire.handshake(context, HOST)
        assert wire.tls is not None
        note_session(wire.tls, trace)
        note_certificates(wire.tls, trace)
    return {fact.name: fact.value for fact in trace.facts}


def test_one_context_serves_all_who_trust_the_same(authority: Authority):
    contexts = TlsContexts()
    assert contexts.get(authority.ca_file) is contexts.get(authority.ca_file)
    assert contexts.get() is contexts.get(None)
    assert contexts.get(authority.ca_file) is not contexts.get(authority.ca_file, verify=False)


def test_a_changed_ca_file_is_read_again_and_the_old_context_goes(authority: Authority, tmp_path: Path):
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.ca_file.read_bytes())
    contexts = TlsContexts()
    first = contexts.get(ca_file)
    other = Authority(tmp_path / "other")
    ca_file.write_bytes(other.ca_file.read_bytes())
    assert contexts.get(ca_file) is not first
    assert len(contexts._made) == 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None):
    ca_file = tmp_path / "ca.pem"
    if content:
        ca_file.write_text(content)
    with pytest.raises(ProbeError, match=r"ca\.pem: ") as caught:
        TlsContexts().get(ca_file)
    assert caught.value.reason is Reason.LOCAL_ERROR


def test_python_versions_verify_alike(authority: Authority):
    context = TlsContexts().get(authority.ca_file)
    assert context.verify_flags == ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


# Codes of X509_verify_cert(3): expired, not yet valid, host name mismatch, no issuer, self-signed.
@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("expired", {10}),
        ("not_yet_valid", {9}),
        ("wrong_name", {62}),
        ("untrusted", {20, 19, 18}),
        ("self_signed", {18}),
        ("chainless", {20}),
    ],
)
async def test_a_bad_certificate_fails_with_its_own_code_and_can_still_be_looked_at(
    authority: Authority, kind: str, codes: set[int]
):
    make = getattr(authority, kind)
    pem = make() if kind == "wrong_name" else make(HOST)
    contexts = TlsContexts()
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        await facts_of(pem, contexts.get(authority.ca_file))
    assert caught.value.verify_code in codes
    facts = await facts_of(pem, contexts.unverified().get(authority.ca_file))
    not_before, not_after = float(facts[FactName.CERT_NOT_BEFORE]), float(facts[FactName.CERT_NOT_AFTER])
    assert not_before < not_after
    assert (not_after < time.time()) == (kind == "expired")
    assert (not_before > time.time()) == (kind == "not_yet_valid")


async def test_the_facts_of_a_good_certificate(authority: Authority):
    facts = await facts_of(authority.good(HOST, "imap.example.test", days=20), TlsContexts().get(authority.ca_file))
    assert facts[FactName.CERT_NAMES] == f"{HOST} imap.example.test"
    assert 19 * DAY < float(facts[FactName.CERT_NOT_AFTER]) - time.time() < 21 * DAY
    assert facts[FactName.CHAIN_NOT_AFTER] == facts[FactName.CERT_NOT_AFTER]
    assert len(str(facts[FactName.CERT_FINGERPRINT])) == 64
    assert "trustme" in str(facts[FactName.CERT_ISSUER])
    assert facts[FactName.TLS_VERSION] == "TLSv1.3"


async def test_the_chain_is_told_by_its_earliest_end(authority: Authority):
    context = TlsContexts().get(authority.ca_file)
    trace = Trace()
    async with peer(quiet, authority.chained(HOST).context()) as port, await connect(port) as wire:
        await wire.handshake(context, HOST)
        assert wire.tls is not None
        found = [certificate.parse(der) for der in tls.chain(wire.tls)]
        note_certificates(wire.tls, trace)
    assert len(found) == 3
    assert found[0].issuer == found[1].subject
    ends = [fact.value for fact in trace.facts if fact.name is FactName.CHAIN_NOT_AFTER]
    assert ends == [min(each.not_after for each in found)]


def test_what_is_no_certificate_is_refused():
    with pytest.raises(ValueError, match=r"."):
        certificate.parse(b"no certificate")


async def test_an_unreadable_certificate_leaves_a_remark_and_no_fact(authority: Authority, monkeypatch):
    monkeypatch.setattr(tls, "chain", lambda _: [b"junk"])
    trace = Trace()
    async with peer(quiet, authority.good(HOST).context()) as port, await connect(port) as wire:
        await wire.handshake(TlsContexts().get(authority.ca_file), HOST)
        assert wire.tls is not None
        note_certificates(wire.tls, trace)
    assert not trace.facts
    assert "cannot be read" in trace.lines[0].text
