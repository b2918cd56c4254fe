"""A client for OAuth 2.0 token endpoints (RFC 6749): refresh token, client credentials, JWT bearer (RFC 7523).

In: a TokenSource and its secret. Out: Granted (access token, lifetime, perhaps a new refresh token). Each request is
one POST over HTTPS with limits on size and time. Redirects are not followed, and no error message shows what was sent.
"""

from __future__ import annotations

import errno
import json
import socket
import ssl
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from exporter import __version__
from exporter.model import AddressFamily, Flow, Secret, TokenSource
from exporter.model.errors import Garbage, ProbeError, TokenRefusal
from exporter.model.reasons import Reason
from exporter.model.text import clean
from exporter.model.trace import Trace
from exporter.net import urls
from exporter.net.dns.resolver import Resolver
from exporter.net.http import without_query
from exporter.net.mask import Mask
from exporter.net.text import decode
from exporter.net.tls import TlsContexts

PATIENCE = 15.0  # seconds for one response
MAX_ANSWER = 64 * 1024  # bytes
UNTOLD_LIFETIME = 600.0  # seconds, if the endpoint does not report a lifetime
LONGEST_LIFETIME = 30 * 86400.0
ASSERTION_LIFETIME = 3600  # seconds; the maximum that Google accepts
# Errors of this machine, which would prevent any connection.
_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EPERM})
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": f"mailprobe/{__version__}"}
# fields that hold no secret
_OPEN = frozenset({"grant_type", "client_id", "scope", "redirect_uri", "client_assertion_type"})


@dataclass(frozen=True, slots=True)
class Net:
    """What is needed to reach an endpoint: resolver and TLS settings."""

    resolver: Resolver
    contexts: TlsContexts
    ca_file: Path | None = None
    trace: Trace = field(default_factory=Trace, compare=False)  # learns that the request was sent


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer of a token endpoint."""

    access: Secret
    lifetime: float  # seconds
    refresh: Secret | None  # a new refresh token, which replaces the old one


async def grant(source: TokenSource, seed: Secret, client_secret: Secret | None, net: Net, now: float) -> Granted:
    """Request an access token. `seed` is the refresh token, client secret or key; `now` is Unix time.

    Raises TokenRefusal if the endpoint refuses, otherwise ProbeError, DnsFailure, ssl.SSLError, OSError, Garbage.
    """
    form = {"client_id": source.client_id, "scope": source.scope}
    match source.flow:
        case Flow.REFRESH_TOKEN:
            form |= {"grant_type": "refresh_token", "refresh_token": seed.reveal()}
            if client_secret is not None:
                form["client_secret"] = client_secret.reveal()
        case Flow.CLIENT_CREDENTIALS:
            form |= {"grant_type": "client_credentials", "client_secret": seed.reveal()}
        case Flow.JWT_BEARER:
            form = {
                "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": assertion(source, seed, now),
            }
    return granted(await post(source.token_url, form, net))


def granted(body: Mapping[str, Any]) -> Granted:
    """Parse a token response (RFC 6749 section 5.1). Raises Garbage without any part of the response."""
    access, kind, refresh = body.get("access_token"), body.get("token_type"), body.get("refresh_token")
    if not isinstance(access, str) or not access.isascii() or not access.isprintable() or not access:
        raise Garbage("the token endpoint's response has no access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise Garbage("the token endpoint's response has no token of type Bearer")
    usable = isinstance(refresh, str) and refresh.isascii() and refresh.isprintable() and refresh
    return Granted(Secret(access), _lifetime(body.get("expires_in")), Secret(str(refresh)) if usable else None)


def _lifetime(told: object) -> float:
    try:
        seconds = float(told) if isinstance(told, int | float | str) else UNTOLD_LIFETIME
    except ValueError:
        seconds = UNTOLD_LIFETIME
    return min(max(seconds, 1.0), LONGEST_LIFETIME) if seconds == seconds else UNTOLD_LIFETIME  # noqa: PLR0124 - NaN


# -- the assertion of a service account -------------------------------------------------------------------------------


def assertion(source: TokenSource, key: Secret, now: float) -> str:
    """Return a signed JWT that asks for access to the mailbox `subject`. `key`: Google's JSON file, or PEM.

    Raises ProbeError(local_error) without any part of the key.
    """
    pem, issuer, key_id = _key(key.reveal(), source.client_id)
    header = {"alg": "RS256", "typ": "JWT"} | ({"kid": key_id} if key_id else {})
    claims = {
        "iss": issuer,
        "sub": source.subject,
        "scope": source.scope,
        "aud": source.token_url,
        "iat": int(now),
        "exp": int(now) + ASSERTION_LIFETIME,
    }
    signed = f"{_packed(json.dumps(header).encode())}.{_packed(json.dumps(claims).encode())}"
    return f"{signed}.{_packed(_signature(signed, pem))}"


def _signature(signed: str, pem: str) -> bytes:
    """Raises ProbeError(local_error)."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ProbeError(
            Reason.LOCAL_ERROR, "key_file: does not contain an unencrypted private key in PEM format"
        ) from None
    if not isinstance(private, RSAPrivateKey):
        raise ProbeError(Reason.LOCAL_ERROR, "key_file: not an RSA key")
    return private.sign(signed.encode(), PKCS1v15(), SHA256())


def _key(text: str, client_id: str) -> tuple[str, str, str]:
    """Return PEM, issuer and key id. The issuer in the configuration has priority over the one in the file."""
    if not text.lstrip().startswith("{"):
        if not client_id:
            raise ProbeError(Reason.CONFIG, "oauth2.client_id is missing: a PEM file does not name the service account")
        return text, client_id, ""
    try:
        fields = json.loads(text)
        return str(fields["private_key"]), client_id or str(fields["client_email"]), str(fields["private_key_id"])
    except (ValueError, KeyError, TypeError):
        text = "key_file: a JSON file without private_key, private_key_id and client_email"
        raise ProbeError(Reason.LOCAL_ERROR, text) from None


def _packed(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


# -- HTTP -------------------------------------------------------------------------------------------------------------


async def post(url: str, form: Mapping[str, str], net: Net) -> Mapping[str, Any]:
    """Send a form and return the JSON of a successful response. Raises the same exceptions as `grant`."""
    if why := urls.fault(url):
        raise ProbeError(Reason.CONFIG, f"{clean(url, 200)} {why}")
    sent = {name: value for name, value in form.items() if value}
    host = urls.host_of(url)
    status, location, raw = await _exchange(url, sent, net, host)
    mask = Mask()
    for name, value in sent.items():
        if name not in _OPEN:
            mask.learn("", value)
    if 300 <= status < 400:
        raise ProbeError(
            Reason.HTTP_STATUS, f"{status}: {host} redirects to {without_query(location)}, which is not followed"
        )
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if status == 200 and isinstance(body, dict) and "error" not in body:
        return body
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        error = clean(body["error"], 60)
        told = " ".join(str(body.get("error_description") or "").split())
        raise TokenRefusal(status, error, clean(mask.hide(f"{error}: {told}" if told else error)))
    text = clean(mask.hide(" ".join(decode(raw[:2000]).split())), 200)
    if status in (401, 403, 429) or status >= 500:
        raise TokenRefusal(status, "", f"{host} answers {status}: {text}")
    if status == 200:
        # the response may contain a token, so it is not shown
        raise Garbage(f"{host} does not respond like a token endpoint")
    raise ProbeError(Reason.HTTP_STATUS, f"{host} answers {status}: {text}")


async def _exchange(url: str, form: Mapping[str, str], net: Net, host: str) -> tuple[int, str, bytes]:
    """Send the request and return status, Location and body."""
    secure = url.startswith("https:")
    connector = aiohttp.TCPConnector(
        resolver=_Names(net.resolver), ssl=net.contexts.get(net.ca_file) if secure else False, force_close=True
    )
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                auto_decompress=False,
                trace_configs=[_tracing(net.trace)],
            ) as session,
            session.post(url, data=form, allow_redirects=False) as answer,
        ):
            raw = bytearray()
            async for chunk in answer.content.iter_chunked(8192):
                raw += chunk
                if len(raw) > MAX_ANSWER:
                    raise Garbage(f"{host} answers with more than {MAX_ANSWER} bytes")
            return answer.status, answer.headers.get("Location", ""), bytes(raw)
    except aiohttp.ClientConnectorCertificateError as exc:
        raise exc.certificate_error from None
    except aiohttp.ClientConnectorError as exc:
        raise _unreached(host, exc.os_error) from None
    except TimeoutError:
        raise _away(host, f"no answer within {PATIENCE:g} s") from None
    except aiohttp.ServerDisconnectedError:
        raise _away(host, "closes the connection without an answer") from None
    except aiohttp.ClientOSError as exc:
        raise _unreached(host, exc) from None
    except aiohttp.ClientError as exc:
        raise Garbage(f"{host} sent an invalid HTTP response: {type(exc).__name__}") from None


def _tracing(trace: Trace) -> aiohttp.TraceConfig:
    """Return hooks that note in `trace` that the form, which holds the credential, was sent."""

    async def sent(*_: object) -> None:
        trace.credential_sent = True

    hooks = aiohttp.TraceConfig()
    hooks.on_request_chunk_sent.append(sent)
    return hooks


def _unreached(host: str, exc: OSError) -> Exception:
    if isinstance(exc, ssl.SSLError) or exc.errno in _OURS:
        return OSError(exc.errno, exc.strerror) if isinstance(exc, aiohttp.ClientError) else exc
    return _away(host, exc.strerror or "no connection")


def _away(host: str, why: str) -> ProbeError:
    """Return the error for an endpoint that cannot be reached. The mail server itself may be fine."""
    return ProbeError(Reason.AUTH_UNAVAILABLE, f"token endpoint {host}: {clean(why, 200)}")


class _Names(AbstractResolver):
    """Makes aiohttp use the configured DNS servers."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        wanted = {socket.AF_INET: AddressFamily.IPV4, socket.AF_INET6: AddressFamily.IPV6}.get(
            family, AddressFamily.ANY
        )
        found = self._resolver.cached_addresses(host, wanted) or await self._resolver.addresses(host, wanted)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Nothing to close."""
