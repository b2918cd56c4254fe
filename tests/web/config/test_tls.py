"""Tests of the TLS settings of the file, certificates that change on disk, and client certificates."""

from __future__ import annotations

import asyncio
import logging
import shutil
import ssl
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from tests.web.config.material import MUTUAL, TLS, Material

CHACHA = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"


async def test_tls_is_served_and_plain_http_is_told(serve):
    served = await serve(TLS)
    assert served.url.startswith("https:")
    assert await served.status() == 200
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{served.port}/") as answer:
        assert answer.status == 400
        assert answer.headers["Server"] == "mailprobe"
        assert "https://" in await answer.text()


async def test_keys_may_stand_in_the_file_itself(serve, material):
    def block(name: str, text: str) -> str:
        return f"  {name}: |\n" + "".join(f"    {line}\n" for line in text.splitlines())

    pem = material.server
    text = "tls_server_config:\n" + block("cert", pem.chain.read_text()) + block("key", pem.key.read_text())
    served = await serve(text)
    assert await served.status() == 200


async def test_a_certificate_that_is_replaced_on_disk_is_shown_at_once(serve, folder, material, caplog):
    served = await serve(TLS)
    before = await served.serial()
    Material.place(material.other, folder)
    after = await served.serial()
    assert after != before
    assert await served.serial() == after
    assert served.told == []


async def test_a_connection_from_before_is_let_go_when_the_certificate_changes(serve, folder, material):
    served = await serve(TLS)
    request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
    idle, asking = [await asyncio.open_connection("127.0.0.1", served.port, ssl=served.context()) for _ in range(2)]
    for reader, writer in (idle, asking):
        writer.write(request)
        await reader.readuntil(b"healthy.\n")
    Material.place(material.other, folder)
    asking[1].write(request)
    assert b"200 OK" in await asking[0].read()
    assert await idle[0].read() == b""
    for _, writer in (idle, asking):
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def test_half_a_rotation_keeps_the_old_pair_and_says_so(serve, folder, material, caplog):
    served = await serve(TLS)
    before = await served.serial()
    shutil.copy(material.other.chain, folder / "server.pem")
    assert await served.serial() == before
    assert "is not the key of the certificate in cert_file" in served.told[-1]
    assert "the previous one stays in use" in caplog.text
    shutil.copy(material.other.key, folder / "server.key")
    assert await served.serial() != before
    assert served.told[-1] is None


@pytest.mark.parametrize(
    ("extra", "version", "cipher"),
    [
        ("", "TLSv1.3", ""),
        ("  max_version: TLS12\n", "TLSv1.2", ""),
        (
            "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n",
            "TLSv1.2",
            "ECDHE-ECDSA-AES128-GCM-SHA256",
        ),
        (
            f"  max_version: TLS12\n  cipher_suites: [{CHACHA}, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n",
            "TLSv1.2",
            "ECDHE-ECDSA-CHACHA20-POLY1305",
        ),
        ("  curve_preferences: [CurveP384]\n", "TLSv1.3", ""),
    ],
)
async def test_versions_and_ciphers_are_those_of_the_file(serve, extra, version, cipher):
    served = await serve(TLS + extra)
    _, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=served.context())
    tls = writer.get_extra_info("ssl_object")
    assert tls.version() == version
    assert not cipher or tls.cipher()[0] == cipher
    writer.close()
    with suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


@pytest.mark.parametrize("extra", ["  min_version: TLS13\n", "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n"])
async def test_a_client_that_is_too_old_gets_nothing(serve, extra):
    served = await serve(TLS + extra)
    context = served.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", served.port, ssl=context)


async def test_a_curve_that_is_not_offered_is_not_spoken(serve):
    served = await serve(TLS + "  curve_preferences: [CurveP384]\n")
    context = served.context()
    context.set_ecdh_curve("prime256v1")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", served.port, ssl=context)
    context.set_ecdh_curve("secp384r1")
    _, writer = await asyncio.open_connection("127.0.0.1", served.port, ssl=context)
    writer.close()
    with suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("  min_version: TLS10\n", "min_version: TLS 1.2 is the oldest"),
        ("  curve_preferences: [X25519, CurveP256]\n", "only X25519 is offered"),
        ("  client_auth_type: RequireAndVerifyClientCert\n", "every authority that this system trusts"),
        ("http_server_config: {http2: true}\n", "http2: HTTP/2 is not supported"),
    ],
)
async def test_what_python_does_otherwise_is_said_by_name(serve, caplog, extra, said):
    caplog.set_level(logging.INFO)
    await serve(TLS + extra)
    assert said in caplog.text


async def test_a_certificate_that_has_ended_is_served_and_told(serve, folder, authority, caplog):
    Material.place(authority.expired("127.0.0.1"), folder)
    await serve(TLS)
    assert "cert_file: the certificate expired on" in caplog.text


def client(authority, folder: Path, *names: str, trusted: bool = True) -> Path:
    Material.place(authority.good(*names) if trusted else authority.untrusted(*names), folder, "client")
    return folder / "client.pem"


async def test_a_client_certificate_is_required(serve, authority, folder):
    served = await serve(MUTUAL)
    assert await served.status(certificate=client(authority, folder, "prometheus.example.com")) == 200
    for bad in (None, client(authority, folder, "prometheus.example.com", trusted=False)):
        with pytest.raises(aiohttp.ClientError):
            await served.status(certificate=bad)


async def test_a_client_certificate_is_verified_if_given(serve, authority, folder):
    served = await serve(MUTUAL.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven"))
    assert await served.status() == 200
    assert await served.status(certificate=client(authority, folder, "prometheus.example.com")) == 200
    with pytest.raises(aiohttp.ClientError):
        await served.status(certificate=client(authority, folder, "prometheus.example.com", trusted=False))


@pytest.mark.parametrize("name", ["prometheus.example.com", "192.0.2.7", "ops@example.com"])
async def test_of_client_certificates_those_with_an_allowed_name_are_let_in(serve, authority, folder, name):
    served = await serve(f"{MUTUAL}  client_allowed_sans: [{name}]\n")
    assert await served.status(certificate=client(authority, folder, "other.example.com", name)) == 200
    assert await served.status(certificate=client(authority, folder, "other.example.com")) == 403
    assert await served.status(certificate=client(authority, folder, f"x{name}", "192.0.2.70")) == 403


async def test_an_authority_that_is_no_longer_trusted_lets_nobody_in(serve, authority, folder, material):
    served = await serve(MUTUAL)
    certificate = client(authority, folder, "prometheus.example.com")
    assert await served.status(certificate=certificate) == 200
    (folder / "clients.pem").write_bytes(authority.self_signed("another.example.com").chain.read_bytes())
    (folder / "web.yml").write_text(MUTUAL.replace("client_ca_file: ca.pem", "client_ca_file: clients.pem"))
    with pytest.raises(aiohttp.ClientError):
        await served.status(certificate=certificate)
