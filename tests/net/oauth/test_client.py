"""Tests of the client of token endpoints: forms, limits, errors with their reasons, and no secret in any text."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from exporter.diagnosis.diagnose import diagnose, outcome_of
from exporter.model import Flow, Outcome, Phase, Secret, TokenSource
from exporter.model.errors import DnsFailure, Garbage, ProbeError, TokenRefusal
from exporter.model.reasons import Reason
from exporter.net.dns.resolver import Resolver
from exporter.net.oauth import client
from exporter.net.oauth.client import Net, assertion, grant, granted
from exporter.net.tls import TlsContexts
from tests.probes.login_scene import Given
from tests.servers.certs import Authority
from tests.servers.process import free_port
from tests.servers.tokens import CLIENT, CLIENT_SECRET, TokenServer

SEED = Secret("seed-canary-12345")
SOURCE = TokenSource("test", Flow.REFRESH_TOKEN, "", CLIENT, "mail", Given("unused"))
BEARER = {"access_token": "abc", "token_type": "Bearer", "expires_in": 3600}


@pytest.fixture
def net() -> Net:
    return Net(Resolver(), TlsContexts())


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    async with TokenServer() as made:
        yield made


def at(server: TokenServer, flow: Flow = Flow.REFRESH_TOKEN, **more: Any) -> TokenSource:
    return replace(SOURCE, flow=flow, token_url=server.url(), **more)


async def test_a_refresh_token_is_sent_with_the_clients_secret_where_there_is_one(server, net):
    seed = Secret(server.refresh_token("alice"))
    got = await grant(at(server), seed, Secret("client-canary"), net, 0)
    assert got.access.reveal() in server.issued
    assert (got.lifetime, got.refresh) == (3600.0, None)
    form = {"grant_type": "refresh_token", "client_id": CLIENT, "scope": "mail", "client_secret": "client-canary"}
    assert server.requests == [form | {"refresh_token": seed.reveal()}]


async def test_a_client_asks_in_its_own_name(server, net):
    got = await grant(at(server, Flow.CLIENT_CREDENTIALS), Secret(CLIENT_SECRET), None, net, 0)
    assert server.issued[got.access.reveal()].user == "application"
    with pytest.raises(TokenRefusal) as caught:
        await grant(at(server, Flow.CLIENT_CREDENTIALS), Secret("wrong"), None, net, 0)
    assert (caught.value.status, caught.value.code) == (401, "invalid_client")


async def test_a_new_refresh_token_is_handed_on(server, net):
    server.rotates = True
    got = await grant(at(server), Secret(server.refresh_token("alice")), None, net, 0)
    assert got.refresh is not None
    assert got.refresh.reveal() in server.refresh_tokens


REVOKED = "AADSTS700082: The refresh token has expired due to inactivity."
UNTIMELY = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((400, "invalid_grant", REVOKED), "oauth_token_rejected"),
        ((400, "invalid_grant", "AADSTS50057: The user account is disabled."), "account_disabled"),
        ((400, "invalid_grant", "AADSTS50053: The account is locked"), "account_locked"),
        ((400, "invalid_grant", "AADSTS50034: The user account does not exist"), "account_missing"),
        ((400, "invalid_grant", "Token has been expired or revoked."), "oauth_token_rejected"),
        ((400, "invalid_grant", UNTIMELY), "clock_wrong"),
        ((401, "invalid_client", "AADSTS7000222: The client secret keys are expired."), "oauth_token_rejected"),
        ((400, "unauthorized_client", ""), "oauth_token_rejected"),
        ((400, "invalid_scope", ""), "oauth_token_rejected"),
        ((400, "interaction_required", ""), "oauth_token_rejected"),
        ((400, "temporarily_unavailable", ""), "auth_unavailable"),
        ((503, "temporarily_unavailable", ""), "auth_unavailable"),
        ((500, "server_error", ""), "auth_unavailable"),
        ((429, "too_many_requests", ""), "rate_limited"),
        ((400, "slow_down", ""), "rate_limited"),
    ],
)
async def test_an_error_of_the_endpoint_becomes_a_reason(server, net, answer, reason):
    status, error, told = answer
    server.refuse(error, told, status)
    with pytest.raises(TokenRefusal) as caught:
        await grant(at(server), SEED, None, net, 0)
    failure = diagnose(caught.value, Phase.TOKEN)
    assert failure.reason == reason
    assert failure.text == (f"{error}: {told}" if told else error)
    assert failure.rule.startswith("oauth:")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (503, "<html>maintenance</html>", "auth_unavailable"),
        (429, "slow", "rate_limited"),
        (404, "nothing here", "http_status"),
        (200, "<html>a login page</html>", "protocol_error"),
        (200, "[]", "protocol_error"),
        (200, "{}", "protocol_error"),
        (200, "[" * 50_000, "protocol_error"),
        (200, '{"access_token": "a b\\n", "token_type": "Bearer"}', "protocol_error"),
        (200, '{"access_token": "abc", "token_type": "mac"}', "protocol_error"),
        (200, '{"error": "invalid_grant"}', "oauth_token_rejected"),
        (200, "x" * 70_000, "protocol_error"),
        (302, "", "http_status"),
    ],
)
async def test_what_is_no_answer_is_told_apart(server, net, status, body, reason):
    headers = {"Location": "https://elsewhere.example/?token=canary"}
    server.answer = web.Response(text=body, status=status, headers=headers)
    with pytest.raises((TokenRefusal, ProbeError, Garbage)) as caught:
        await grant(at(server), SEED, None, net, 0)
    failure = diagnose(caught.value, Phase.TOKEN)
    assert failure.reason == reason
    assert "canary" not in failure.text
    assert len(server.requests) == 1  # a redirect is not followed


async def test_an_endpoint_that_repeats_what_it_was_sent_does_not_make_us_tell_it(server, net):
    server.refuse("invalid_grant", f"the token {SEED.reveal()} is no good")
    with pytest.raises(TokenRefusal) as caught:
        await grant(at(server), SEED, None, net, 0)
    assert caught.value.text == "invalid_grant: the token <secret> is no good"


async def away(source: TokenSource, net: Net) -> str:
    """The reason if the endpoint does not answer: the credential may be valid, and the mail server is not the cause."""
    with pytest.raises(ProbeError) as caught:
        await grant(source, SEED, None, net, 0)
    assert caught.value.reason is Reason.AUTH_UNAVAILABLE
    return caught.value.text


async def test_a_silent_endpoint(server, net, monkeypatch):
    monkeypatch.setattr(client, "PATIENCE", 0.05)
    server.gate.clear()
    assert await away(at(server), net) == "token endpoint 127.0.0.1: no answer within 0.05 s"


async def test_an_endpoint_that_is_not_there(net):
    source = replace(SOURCE, token_url=f"http://127.0.0.1:{free_port()}/token")
    assert (await away(source, net)).startswith("token endpoint 127.0.0.1: ")


async def test_a_name_that_does_not_exist(net, monkeypatch):
    async def addresses(*_: object, **__: object) -> list[str]:
        raise DnsFailure("nxdomain", "no such name")

    monkeypatch.setattr(Resolver, "addresses", addresses)
    with pytest.raises(Exception, match="no such name") as caught:
        await grant(replace(SOURCE, token_url="https://login.example.test/token"), SEED, None, net, 0)
    assert diagnose(caught.value, Phase.TOKEN).reason is Reason.HOST_NOT_FOUND


async def test_an_endpoint_that_hangs_up(net):
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/token"
        assert "127.0.0.1" in await away(replace(SOURCE, token_url=url), net)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("good", None), ("expired", Reason.CERTIFICATE_EXPIRED), ("untrusted", Reason.CERTIFICATE_UNTRUSTED)],
)
async def test_the_certificate_is_verified(authority: Authority, net, kind, reason):
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(BEARER)

    app = web.Application()
    app.router.add_post("/token", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    pem = authority.expired("localhost") if kind == "expired" else authority.good("localhost")
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=pem.context()).start()
    source = replace(SOURCE, token_url=f"https://localhost:{runner.addresses[0][1]}/token")
    net = net if kind == "untrusted" else replace(net, ca_file=authority.ca_file)
    try:
        if reason is None:
            assert (await grant(source, SEED, None, net, 0)).access.reveal() == "abc"
        else:
            with pytest.raises(Exception, match=r"certificate|issuer") as caught:
                await grant(source, SEED, None, net, 0)
            assert diagnose(caught.value, Phase.TOKEN).reason is reason
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "url",
    ["http://login.example.test/token", "http://192.0.2.1/token", "ftp://localhost/", "https://me:canary@host/token"],
)
async def test_a_secret_does_not_leave_the_machine_in_the_clear(net, url):
    with pytest.raises(ProbeError) as caught:
        await grant(replace(SOURCE, token_url=url), SEED, None, net, 0)
    assert caught.value.reason is Reason.CONFIG
    assert outcome_of(diagnose(caught.value, Phase.TOKEN)) is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("told", "lifetime"),
    [(3599, 3599.0), ("3599", 3599.0), (None, 600.0), ("soon", 600.0), (-5, 1.0), (10**12, 30 * 86400.0), (True, 1.0),
     ("nan", 600.0), ([], 600.0)],
)  # fmt: skip
def test_a_lifetime_is_within_reason_whatever_is_told(told, lifetime):
    assert granted(BEARER | {"expires_in": told}).lifetime == lifetime


# -- service accounts -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def unpacked(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verified(token: str, key: rsa.RSAPrivateKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a JWT with a valid signature. Raises InvalidSignature."""
    signed, _, signature = token.rpartition(".")
    key.public_key().verify(unpacked(signature), signed.encode(), PKCS1v15(), SHA256())
    header, claims = signed.split(".")
    return json.loads(unpacked(header)), json.loads(unpacked(claims))


async def test_a_service_account_signs_for_the_mailbox(server, net, key):
    file = {"private_key": pem(key), "private_key_id": "k1", "client_email": "probe@project.example"}
    source = at(server, Flow.JWT_BEARER, client_id="", subject="alice@example.test", scope="https://mail.example/")
    await grant(source, Secret(json.dumps(file)), None, net, 1_700_000_000.5)
    form = server.requests[0]
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    header, claims = verified(form["assertion"], key)
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert claims == {
        "iss": "probe@project.example",
        "sub": "alice@example.test",
        "scope": "https://mail.example/",
        "aud": server.url(),
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    }
    with pytest.raises(InvalidSignature):
        verified(form["assertion"], rsa.generate_private_key(65537, 2048))


def test_a_pem_file_needs_the_name_of_its_account(key):
    source = replace(SOURCE, flow=Flow.JWT_BEARER, subject="alice")
    header, claims = verified(assertion(source, Secret(pem(key)), 0), key)
    assert (header, claims["iss"]) == ({"alg": "RS256", "typ": "JWT"}, CLIENT)
    with pytest.raises(ProbeError) as caught:
        assertion(replace(source, client_id=""), Secret(pem(key)), 0)
    assert caught.value.reason is Reason.CONFIG


@pytest.mark.parametrize(
    "text",
    ["canary", "{canary", '{"private_key": "canary"}', pem(ec.generate_private_key(ec.SECP256R1()))],
    ids=["text", "json", "incomplete", "ec"],
)
def test_a_bad_key_file_is_our_own_fault_and_is_not_shown(text):
    with pytest.raises(ProbeError) as caught:
        assertion(SOURCE, Secret(text), 0)
    assert caught.value.reason is Reason.LOCAL_ERROR
    assert "canary" not in str(caught.value)
    assert text not in str(caught.value)
