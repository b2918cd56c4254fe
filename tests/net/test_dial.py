"""Tests of dialling: addresses in turn, the error of each failure, and no open socket afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from exporter.diagnosis.diagnose import diagnose
from exporter.model import AddressFamily, Endpoint, FactName, Phase, Security, Service
from exporter.model.advice import Advice
from exporter.model.errors import DnsFailure, Garbage, ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net import dial as module
from exporter.net.dial import dial
from exporter.net.dns.resolver import Resolver
from exporter.net.tls import TlsContexts
from exporter.net.wire import Wire
from tests.net.dns.nameserver import answer, question, serve
from tests.net.peers import Talk, open_files, peer
from tests.servers.certs import Authority


@dataclass
class FakeResolver(Resolver):
    """A resolver with fixed answers."""

    found: list[str] = field(default_factory=list)
    cached: bool = False

    def __post_init__(self) -> None:
        Resolver.__init__(self, [])

    def cached_addresses(self, host: str, family: AddressFamily) -> list[str]:
        return self.found if self.cached else []

    async def addresses(self, host, family, *, arrived=None) -> list[str]:
        return self.found


class Watched(Trace):
    """Records the reported arrivals."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[float] = []

    def arrived(self, at: float) -> None:
        self.told.append(at)
        super().arrived(at)


async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def endpoint(port: int, host: str = "mail.example.test", **more) -> Endpoint:
    return Endpoint(host, port, more.pop("security", Security.PLAIN), Service.IMAP, **more)


def fact(trace: Trace, name: FactName) -> object:
    return next((each.value for each in trace.facts if each.name is name), None)


@contextlib.contextmanager
def full_backlog() -> Iterator[int]:
    """A port of 127.0.0.3 whose queue is full: the kernel drops every further SYN, as a firewall would."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.3", 0))
        listening.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


async def test_phases_and_facts_of_a_plain_connection():
    trace = Trace()
    async with (
        peer(quiet) as port,
        await dial(endpoint(port), FakeResolver(["127.0.0.1"]), TlsContexts(), trace) as wire,
    ):
        assert wire.peer == "127.0.0.1"
        assert wire.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert [name for name, _ in trace.phases] == [Phase.RESOLVE, Phase.CONNECT]
    names = (FactName.ADDRESS, FactName.FAMILY, FactName.SOURCE_ADDRESS)
    assert [fact(trace, name) for name in names] == ["127.0.0.1", "ipv4", "127.0.0.1"]


@pytest.mark.parametrize(("host", "cached"), [("127.0.0.1", False), ("mail.example.test", True)])
async def test_an_address_or_a_cached_name_has_no_resolve_phase(host: str, cached: bool):
    trace = Trace()
    async with peer(quiet) as port:
        resolver = FakeResolver(["127.0.0.1"], cached=cached)
        async with await dial(endpoint(port, host), resolver, TlsContexts(), trace):
            pass
    assert [name for name, _ in trace.phases] == [Phase.CONNECT]


async def test_implicit_tls_is_a_phase_with_version_and_cipher(authority: Authority):
    context = authority.good("mail.example.test").context()
    trace = Trace()
    async with peer(quiet, context) as port:
        target = endpoint(port, security=Security.TLS, ca_file=authority.ca_file)
        async with await dial(target, FakeResolver(["127.0.0.1"]), TlsContexts(), trace) as wire:
            assert wire.tls is not None
    assert [name for name, _ in trace.phases] == [Phase.RESOLVE, Phase.CONNECT, Phase.TLS]
    assert fact(trace, FactName.TLS_VERSION) == "TLSv1.3"
    assert fact(trace, FactName.TLS_CIPHER)


async def test_a_handshake_that_fails_closes_the_socket_and_names_the_phase(authority: Authority):
    context = authority.wrong_name().context()
    async with peer(quiet, context) as port:
        before = open_files()
        trace = Trace()
        target = endpoint(port, security=Security.TLS, ca_file=authority.ca_file)
        with pytest.raises(ssl.SSLCertVerificationError):
            await dial(target, FakeResolver(["127.0.0.1"]), TlsContexts(), trace)
        assert trace.failed_phase is Phase.TLS
        await asyncio.sleep(0.05)
        assert len(open_files()) <= len(before)


def speaking(words: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        await reader.read()

    return talk


@pytest.mark.parametrize("swallowed", [False, True], ids=["seen", "swallowed"])
async def test_a_plain_greeting_in_place_of_a_handshake_is_told_as_such(monkeypatch, swallowed: bool):
    """Where OpenSSL has read the start of the greeting before us, a second connection reads it again."""
    if swallowed:
        monkeypatch.setattr(Wire, "_peek", lambda _: b"")
    async with peer(speaking(b"* OK IMAP4rev1 ready\r\n")) as port:
        before = open_files()
        with pytest.raises(Garbage, match="expected TLS, got IMAP in plain text") as caught:
            await dial(endpoint(port, "127.0.0.1", security=Security.TLS), FakeResolver(), TlsContexts(), Trace())
        await asyncio.sleep(0.05)
        assert len(open_files()) <= len(before)
    failure = diagnose(caught.value, Phase.TLS)
    assert (failure.reason, failure.advice) == (Reason.WRONG_PROTOCOL, Advice.PLAIN_AT_FIRST)


@pytest.mark.parametrize(
    "words", [b"220 mail.example.test ESMTP\r\n", b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-x\r\n"]
)
async def test_what_is_no_greeting_of_this_protocol_is_no_matter_of_security(words: bytes):
    async with peer(speaking(words)) as port:
        with pytest.raises(ssl.SSLError) as caught:
            await dial(endpoint(port, "127.0.0.1", security=Security.TLS), FakeResolver(), TlsContexts(), Trace())
    failure = diagnose(caught.value, Phase.TLS)
    assert (failure.reason, failure.advice) == (Reason.WRONG_PROTOCOL, None)


async def test_the_next_address_is_tried_and_the_failed_one_is_in_the_transcript():
    trace = Trace()
    async with (
        peer(quiet) as port,
        await dial(endpoint(port), FakeResolver(["127.0.0.2", "127.0.0.1"]), TlsContexts(), trace) as wire,
    ):
        assert wire.peer == "127.0.0.1"
    said = [line.text for line in trace.lines]
    assert said == [f"127.0.0.2 port {port}: Connection refused", f"connected to 127.0.0.1 port {port}"]


async def test_a_silent_address_does_not_keep_us_from_the_next(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    trace = Trace()
    with full_backlog() as port, socket.socket() as listening:
        listening.bind(("127.0.0.1", port))
        listening.listen()
        addresses = FakeResolver(["127.0.0.3", "127.0.0.1"])
        async with await dial(endpoint(port), addresses, TlsContexts(), trace) as wire:
            assert wire.peer == "127.0.0.1"
    assert "127.0.0.3" in trace.lines[0].text
    assert "no answer" in trace.lines[0].text


async def test_of_several_failures_the_first_is_told_unless_it_is_only_a_missing_route(monkeypatch):
    codes = {"192.0.2.1": errno.ENETUNREACH, "192.0.2.2": errno.ECONNREFUSED, "192.0.2.3": errno.EHOSTUNREACH}

    async def connect_one(address, endpoint, trace):
        raise OSError(codes[address], "no")

    monkeypatch.setattr(module, "_connect_one", connect_one)
    with pytest.raises(ConnectionRefusedError, match=r"192\.0\.2\.2 port 143"):
        await dial(endpoint(143), FakeResolver(list(codes)), TlsContexts(), Trace())


@pytest.mark.parametrize(("routed", "expected"), [(False, ProbeError), (True, OSError)])
async def test_a_missing_route_of_this_machine_is_not_the_servers_fault(monkeypatch, routed, expected):
    """A distant router sends the same error: then this machine does have a route."""

    async def connect_one(address, endpoint, trace):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(module, "_connect_one", connect_one)
    monkeypatch.setattr(module, "has_route", lambda address: routed)
    trace = Trace()
    with pytest.raises(expected) as caught:
        await dial(endpoint(143), FakeResolver(["2001:db8::1"]), TlsContexts(), trace)
    failure = diagnose(caught.value, trace.failed_phase)
    assert "2001:db8::1 port 143" in failure.text
    if not routed:
        assert failure.reason is Reason.LOCAL_ERROR
        assert "this machine has no IPv6 route there" in failure.text


async def test_a_refused_connection_leaves_no_socket():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        before = open_files()
        trace = Trace()
        with pytest.raises(ConnectionRefusedError):
            await dial(endpoint(held.getsockname()[1], "127.0.0.1"), FakeResolver(), TlsContexts(), trace)
        assert open_files() == before
        assert trace.failed_phase is Phase.CONNECT


async def test_cancelling_a_connect_leaves_no_socket():
    with full_backlog() as port:
        before = open_files()
        trace = Trace()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await dial(endpoint(port, "127.0.0.3"), FakeResolver(), TlsContexts(), trace)
        assert open_files() == before
        assert trace.failed_phase is Phase.CONNECT


async def test_the_source_address_is_used_and_chooses_the_family():
    trace = Trace()
    async with peer(quiet) as port:
        target = endpoint(port, source_address="127.0.0.5")
        async with await dial(target, FakeResolver(["::1", "127.0.0.1"]), TlsContexts(), trace) as wire:
            assert wire.get_extra_info("socket").getsockname()[0] == "127.0.0.5"
    assert fact(trace, FactName.SOURCE_ADDRESS) == "127.0.0.5"


async def test_a_source_address_of_the_wrong_family_is_a_config_error():
    with pytest.raises(ProbeError, match="only IPv4 addresses") as caught:
        await dial(endpoint(1, source_address="::1"), FakeResolver(["127.0.0.1"]), TlsContexts(), Trace())
    assert caught.value.reason is Reason.CONFIG


async def test_a_source_address_that_is_not_ours_is_a_local_error():
    with pytest.raises(ProbeError, match=r"source_address 192\.0\.2\.1") as caught:
        await dial(endpoint(1, source_address="192.0.2.1"), FakeResolver(["127.0.0.1"]), TlsContexts(), Trace())
    assert caught.value.reason is Reason.LOCAL_ERROR


async def test_a_connection_that_meets_itself_is_refused(monkeypatch):
    """Simultaneous open: a socket that connects to its own port receives its own bytes."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    monkeypatch.setattr(module, "_bind", lambda sock, source: sock.bind((source, port)))
    with pytest.raises(ConnectionRefusedError):
        await dial(endpoint(port, "127.0.0.1", source_address="127.0.0.1"), FakeResolver(), TlsContexts(), Trace())


async def test_a_name_without_addresses_fails_in_resolve():
    trace = Trace()
    with pytest.raises(DnsFailure) as caught:
        await dial(endpoint(1), FakeResolver([]), TlsContexts(), trace)
    assert (caught.value.kind, trace.failed_phase) == ("no_data", Phase.RESOLVE)


async def test_the_resolve_phase_ends_when_the_answer_arrived():
    def script(query, tcp):
        return [answer(query, f"{question(query)[0]}. 60 IN A 127.0.0.1").to_wire()]

    trace = Watched()
    async with serve(script) as server, peer(quiet) as port:
        target = endpoint(port, family=AddressFamily.IPV4)
        async with await dial(target, Resolver([server.address]), TlsContexts(), trace):
            pass
    assert len(trace.told) >= 2
    assert trace.told == sorted(trace.told)
