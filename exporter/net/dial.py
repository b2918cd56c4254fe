"""Opens the connection to a mail server: resolves the host, connects, starts TLS.

Step "probe" of the flow: a probe passes an Endpoint (host, port, security) and gets a connected Wire back. Each step is
a phase of its own in the Trace, and each address that fails is written to the transcript. The addresses are tried one
after the other, IPv6 first where there is a route.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
import ssl
import time

from exporter.model import AddressFamily, Endpoint, FactName, Phase, Security
from exporter.model.errors import DnsFailure, ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.chain_faults import exactly
from exporter.net.dns.resolver import Resolver, has_route
from exporter.net.text import plain_greeting
from exporter.net.tls import TlsContexts, note_session
from exporter.net.wire import Wire

IMPLICIT_TLS = (465, 993, 994, 995)  # RFC 8314 section 3; 994 is NetEase's second one for SMTP
PATIENCE = 5.0  # seconds for one address while there are others to try
SECOND = 1.0  # seconds for a greeting that has just been sent once
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")  # OpenSSL's words for plain text
# These errors only say that this machine has no route (no IPv6, for example). If another address failed differently,
# that error is the one to report.
_NO_ROUTE = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


async def dial(endpoint: Endpoint, resolver: Resolver, contexts: TlsContexts, trace: Trace) -> Wire:
    """Connect to an endpoint and start TLS where it is implicit. The caller closes the Wire (`async with`).

    Raises DnsFailure, OSError, ssl.SSLError, ProbeError, Garbage. STARTTLS is done by the session of the protocol (see
    `secure`).
    """
    addresses = _reachable(await _addresses(endpoint, resolver, trace), endpoint)
    with trace.phase(Phase.CONNECT):
        sock, peer = await _connect(endpoint, addresses, trace)
    wire = Wire(sock, peer, trace)
    trace.if_silent(_doubt(endpoint))
    if endpoint.security is Security.TLS:
        await _implicit(wire, endpoint, contexts, trace)
    return wire


async def connect_again(wire: Wire, endpoint: Endpoint, contexts: TlsContexts, trace: Trace) -> Wire:
    """Open another connection to the same address, with TLS from the start. The caller closes it."""
    again = Wire(await _connect_one(wire.peer, endpoint, trace), wire.peer, trace)
    await _implicit(again, endpoint, contexts, trace)
    return again


async def _implicit(wire: Wire, endpoint: Endpoint, contexts: TlsContexts, trace: Trace) -> None:
    """Do the handshake right after connecting. If it fails, the Wire is closed."""
    try:
        await secure(wire, endpoint, contexts.get(endpoint.ca_file), trace)
    except ssl.SSLError as exc:
        wire.abort()
        words = wire.first_words
        # OpenSSL has swallowed their beginning. Only its own exceptions have a reason.
        if not words and getattr(exc, "reason", None) in _NOT_TLS:
            words = await _first_words(wire.peer, endpoint, trace)
        plain = plain_greeting(words, endpoint.protocol.upper())
        if plain is not None:
            raise plain from exc
        raise
    except BaseException:
        wire.abort()
        raise


async def _first_words(address: str, endpoint: Endpoint, trace: Trace) -> bytes:
    """Return what a server says on a second connection to a client that is silent."""
    trace.said("#", "a second connection, without TLS, only to read the greeting")
    with contextlib.suppress(OSError):
        async with asyncio.timeout(SECOND):
            with contextlib.closing(await _connect_one(address, endpoint, Trace())) as sock:
                return await asyncio.get_running_loop().sock_recv(sock, 256)
    return b""


async def secure(wire: Wire, endpoint: Endpoint, context: ssl.SSLContext, trace: Trace) -> None:
    """Do the TLS handshake as phase `tls`: right after connecting, or after STARTTLS was accepted."""
    name = endpoint.server_name or endpoint.host
    with trace.phase(Phase.TLS):
        try:
            await wire.handshake(context, name)
        except ssl.SSLCertVerificationError as exc:
            told = exactly(exc, wire.tls, name) if wire.tls is not None else exc
            if told is exc:
                raise
            raise told from exc
    if wire.tls is not None:
        note_session(wire.tls, trace)


async def _addresses(endpoint: Endpoint, resolver: Resolver, trace: Trace) -> list[str]:
    if endpoint.host[-1:].isdigit() or ":" in endpoint.host:  # no top-level domain ends in a digit
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(endpoint.host))]
    cached = resolver.cached_addresses(endpoint.host, endpoint.family)
    if cached:
        return cached
    with trace.phase(Phase.RESOLVE):
        found = await resolver.addresses(endpoint.host, endpoint.family, arrived=trace.arrived)
        if not found:
            raise DnsFailure("no_data", f"{endpoint.host} has no {_kinds(endpoint.family)} record")
        return found


def _doubt(endpoint: Endpoint) -> str:
    """Return a hint for a silent server: plain text is configured, but the port usually speaks TLS from the start.

    A server that waits for a TLS handshake and a client that waits for a greeting would both wait until the deadline.
    """
    if endpoint.security is Security.TLS or endpoint.port not in IMPLICIT_TLS:
        return ""
    return f"no greeting; port {endpoint.port} usually speaks TLS at once: security: tls?"


def _kinds(family: AddressFamily) -> str:
    return {AddressFamily.ANY: "A or AAAA", AddressFamily.IPV4: "A", AddressFamily.IPV6: "AAAA"}[family]


def _reachable(addresses: list[str], endpoint: Endpoint) -> list[str]:
    """Keep the addresses of the same family as `source_address`, if one is configured."""
    source = endpoint.source_address
    if not source:
        return addresses
    found = [address for address in addresses if (":" in address) == (":" in source)]
    if not found:
        kinds = ("IPv6", "IPv4") if ":" in source else ("IPv4", "IPv6")
        text = f"source_address {source} is {kinds[0]}, and {endpoint.host} has only {kinds[1]} addresses"
        raise ProbeError(Reason.CONFIG, text)
    return found


async def _connect(endpoint: Endpoint, addresses: list[str], trace: Trace) -> tuple[socket.socket, str]:
    failures: list[OSError] = []
    for address in addresses:
        last = len(failures) == len(addresses) - 1
        where = f"{address} port {endpoint.port}"
        try:
            if last:
                sock = await _connect_one(address, endpoint, trace)
            else:
                async with asyncio.timeout(PATIENCE):
                    sock = await _connect_one(address, endpoint, trace)
        except TimeoutError as exc:
            why = exc.strerror or f"no answer in {PATIENCE:.0f} s"
            failures.append(TimeoutError(errno.ETIMEDOUT, f"{where}: {why}"))
        except OSError as exc:
            failures.append(OSError(exc.errno, f"{where}: {exc.strerror or exc}"))
        else:
            trace.fact(FactName.ADDRESS, address)
            trace.fact(FactName.FAMILY, AddressFamily.IPV6 if sock.family is socket.AF_INET6 else AddressFamily.IPV4)
            trace.fact(FactName.SOURCE_ADDRESS, str(sock.getsockname()[0]))
            trace.said("#", f"connected to {where}")
            return sock, address
        trace.said("#", str(failures[-1].strerror))
    told = min(failures, key=lambda failure: failure.errno in _NO_ROUTE)
    if told.errno == errno.ENETUNREACH and not any(has_route(address) for address in addresses):
        families = " or ".join(sorted({"IPv6" if ":" in address else "IPv4" for address in addresses}))
        raise ProbeError(Reason.LOCAL_ERROR, f"{told.strerror}: this machine has no {families} route there") from told
    raise told


async def _connect_one(address: str, endpoint: Endpoint, trace: Trace) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if endpoint.source_address:
            _bind(sock, endpoint.source_address)
        code = sock.connect_ex((address, endpoint.port))
        if code == errno.EINPROGRESS:
            await _writable(sock, trace)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        # On loopback, a connection to a free port can connect to itself (simultaneous open) and would read what it
        # wrote.
        if not code and sock.getsockname()[:2] == (address, endpoint.port):
            code = errno.ECONNREFUSED
        _check(code)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, source: str) -> None:
    try:
        sock.bind((source, 0))
    except OSError as exc:
        raise ProbeError(Reason.LOCAL_ERROR, f"source_address {source}: {exc.strerror or exc}") from exc


def _check(code: int) -> None:
    if code:
        raise OSError(code, os.strerror(code))


async def _writable(sock: socket.socket, trace: Trace) -> None:
    """Wait until the connect has ended, and take the time in the callback itself.

    `loop.sock_connect` is not used because it cannot take the time there.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        trace.arrived(time.perf_counter())
        loop.remove_writer(sock.fileno())
        if not waiter.done():
            waiter.set_result(None)

    loop.add_writer(sock.fileno(), wake)
    try:
        await waiter
    finally:
        loop.remove_writer(sock.fileno())
