"""Asks the configured DNS servers for records and reports each kind of failure separately.

`addresses` is for connections: its answers are cached for their TTL. `lookup` is for the dns probe and is never cached.
Out: addresses or an Answer whose kind is ok, nxdomain, no_data, servfail, refused, timeout or bogus. Names are
complete; search lists are not used.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from exporter.model import AddressFamily, bounds
from exporter.model.bounds import Budget
from exporter.model.errors import DnsFailure
from exporter.net.dns import hosts, message, transport
from exporter.net.dns.hosts import Server, Watched
from exporter.net.dns.transport import Heard, NoReplyError

MAX_CACHED = 4096
MIN_TTL, MAX_TTL = 5, 3600  # seconds for which addresses are kept
MAX_ALIASES = 16
ASIDE = 30.0  # seconds for which a silent server is tried last
BOGUS_CODES = range(5, 13)  # extended errors of RFC 8914 that mean "DNSSEC validation failed"
TROUBLE = ("bogus", "servfail", "refused", "timeout")  # kinds without a definite answer, the most informative first


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one query for a name and a record type.

    `kind` is ok, nxdomain or no_data (definite), or servfail, refused, timeout or bogus (not definite).
    """

    kind: str
    records: tuple[str, ...] = ()  # texts joined and unquoted, "10 host"; names in lower case without the final dot
    ttl: int = 0
    seconds: float = 0.0
    text: str = ""  # what went wrong, as a sentence
    authentic: bool = False  # validated by the server with DNSSEC
    arrived: float = 0.0  # `time.perf_counter()` of the last reply's bytes

    @property
    def definite(self) -> bool:
        return self.kind not in TROUBLE


class _Flight:
    """One query in progress, shared by all callers that wait for it. It is cancelled when the last caller has left."""

    __slots__ = ("task", "waiting")

    def __init__(self, task: asyncio.Task[tuple[list[str], float] | DnsFailure]) -> None:
        self.task = task
        self.waiting = 0


class Resolver:
    """Resolves names. `system` means /etc/resolv.conf, /etc/hosts and localhost; others are ADDRESS or ADDRESS:PORT.

    Raises ValueError for a server that is neither.
    """

    def __init__(self, servers: Sequence[str] = ("system",), *, timeout: float = 5.0) -> None:
        self._configured = tuple(None if each == "system" else hosts.server(each) for each in servers)
        self._system = None in self._configured
        self._timeout = timeout
        self._resolv_conf = Watched(hosts.RESOLV_CONF, hosts.parse_resolv_conf)
        self._hosts = Watched(hosts.HOSTS, hosts.parse_hosts)
        self._cache: dict[tuple[str, AddressFamily], tuple[float, list[str]]] = {}
        self._flights: dict[tuple[str, AddressFamily], _Flight] = {}
        self._aside: dict[Server, float] = {}

    # -- addresses ----------------------------------------------------------------------------------------------

    def cached_addresses(self, host: str, family: AddressFamily) -> list[str]:
        """Return the cached result of `addresses` while its TTL lasts, else []."""
        until, found = self._cache.get(_key(host, family), (0.0, []))
        return list(found) if until > time.monotonic() else []

    async def addresses(
        self, host: str, family: AddressFamily, *, arrived: Callable[[float], None] | None = None
    ) -> list[str]:
        """Return the addresses of a host in the order to try them. Raises DnsFailure.

        `arrived` is called with the time when the last reply arrived (see `Trace.arrived`).
        """
        known = self._without_asking(host, family) or self.cached_addresses(host, family)
        if known:
            return known
        key = _key(host, family)
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.create_task(self._find(key), name=f"resolve {host}"))
        flight.waiting += 1
        try:
            found = await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                flight.task.cancel()
                if self._flights.get(key) is flight:
                    del self._flights[key]
        if isinstance(found, DnsFailure):
            raise DnsFailure(found.kind, found.text)
        addresses, at = found
        if arrived is not None:
            arrived(at)
        return list(addresses)

    def _without_asking(self, host: str, family: AddressFamily) -> list[str]:
        with contextlib.suppress(ValueError):
            return [str(ipaddress.ip_address(host))]
        if not self._system:
            return []
        name = host.lower().removesuffix(".")
        return _in_order(self._hosts.get().get(name) or hosts.localhost(name), family)

    async def _find(self, key: tuple[str, AddressFamily]) -> tuple[list[str], float] | DnsFailure:
        host, family = key
        types = {AddressFamily.ANY: ("A", "AAAA"), AddressFamily.IPV4: ("A",), AddressFamily.IPV6: ("AAAA",)}[family]
        answers = await asyncio.gather(*(self.lookup(host, each) for each in types))
        good = [answer for answer in answers if answer.kind == "ok"]
        found = _in_order((record for answer in good for record in answer.records), family)
        if not found:
            kinds = (*TROUBLE, "nxdomain", "no_data")
            worst = min(answers, key=lambda answer: kinds.index(answer.kind) if answer.kind in kinds else len(kinds))
            text = worst.text if worst.kind != "no_data" else f"no {' or '.join(types)} record"
            return DnsFailure(worst.kind, f"{host}: {text}")
        ttl = min(max(min(answer.ttl for answer in good), MIN_TTL), MAX_TTL)
        while len(self._cache) >= MAX_CACHED:
            del self._cache[next(iter(self._cache))]
        # A partial answer (AAAA timed out, for example) is used, but asked for again soon.
        whole = all(answer.definite for answer in answers)
        self._cache.pop(key, None)
        self._cache[key] = (time.monotonic() + (ttl if whole else MIN_TTL), found)
        return found, max(answer.arrived for answer in answers)

    # -- lookups ------------------------------------------------------------------------------------------------

    async def lookup(self, name: str, record_type: str) -> Answer:
        """Send a query, without any cache. Failures are reported in the Answer, not raised.

        Raises ValueError only for a `record_type` that does not exist.
        """
        number = message.type_number(record_type)
        began = time.perf_counter()
        try:
            wire = message.encode_name(name)
        except message.BadNameError as exc:
            return Answer("nxdomain", text=str(exc))
        until = asyncio.get_running_loop().time() + self._timeout
        answer = await self._ask(wire, number, until)
        return replace(answer, seconds=(answer.arrived or time.perf_counter()) - began)

    async def _ask(self, name: bytes, record_type: int, until: float) -> Answer:
        """Follow aliases (RFC 1034 section 3.6.2) if the server has not followed them."""
        ttl = MAX_TTL * 24
        for _ in range(MAX_ALIASES):
            heard = await self._any_server(name, record_type, until)
            if isinstance(heard, Answer):
                return heard
            server, reply, at = heard[0], heard[1].reply, heard[1].at
            if reply.rcode == message.NXDOMAIN:
                return Answer("nxdomain", text=f"NXDOMAIN from {server}", authentic=reply.authentic, arrived=at)
            target, records, least = _follow(name, record_type, reply)
            ttl = min(ttl, least)
            if records:
                return Answer("ok", records, ttl, authentic=reply.authentic, arrived=at)
            if not target or reply.recursive:
                return Answer("no_data", text=f"no such record, says {server}", authentic=reply.authentic, arrived=at)
            try:
                name = message.encode_name(target)
            except message.BadNameError as exc:
                return Answer("servfail", text=f"an alias (CNAME) has an invalid target: {exc}", arrived=at)
        return Answer("servfail", text=f"more than {MAX_ALIASES} aliases (CNAME) in a row")

    async def _any_server(self, name: bytes, record_type: int, until: float) -> tuple[Server, Heard] | Answer:
        """Return the first definite reply. Each server gets an equal share of the remaining time."""
        loop = asyncio.get_running_loop()
        servers = self._servers()
        failures: list[Answer] = []
        for index, server in enumerate(servers):
            share = loop.time() + (until - loop.time()) / (len(servers) - index)
            try:
                heard = await transport.ask(server, name, record_type, share)
                self._aside.pop(server, None)
                if heard.reply.rcode in (message.NOERROR, message.NXDOMAIN):
                    return server, heard
                failure = await self._judge(server, heard, name, record_type, share)
            except NoReplyError as exc:
                self._aside[server] = loop.time() + ASIDE
                failure = Answer(exc.kind, text=exc.text)
            if not isinstance(failure, Answer):
                return server, failure
            failures.append(failure)
            if failure.kind == "bogus":
                break
        told = min(failures, key=lambda answer: TROUBLE.index(answer.kind))
        return replace(told, text="; ".join(answer.text for answer in failures))

    async def _judge(self, server: Server, heard: Heard, name: bytes, record_type: int, until: float) -> Heard | Answer:
        """Classify a reply other than NOERROR and NXDOMAIN, or return the good reply if a repeated query gives one."""
        reply = heard.reply
        code = message.RCODES.get(reply.rcode, f"RCODE {reply.rcode}")
        words = "".join(f", {text or f'extended error {number}'}" for number, text in reply.errors[:3])
        text = f"{code} from {server}{words}"
        if reply.rcode == message.REFUSED:
            return Answer("refused", text=text, arrived=heard.at)
        if reply.rcode == message.SERVFAIL:
            if any(number in BOGUS_CODES for number, _ in reply.errors):
                return Answer("bogus", text=f"DNSSEC validation failed: {text}", arrived=heard.at)
            # The server answers with validation off (RFC 4035 section 3.2.2) but fails again with validation on: this
            # is not a temporary failure.
            with contextlib.suppress(NoReplyError):
                unchecked = await transport.ask(server, name, record_type, until, checking_disabled=True)
                if unchecked.reply.rcode in (message.NOERROR, message.NXDOMAIN):
                    again = await transport.ask(server, name, record_type, until)
                    if again.reply.rcode in (message.NOERROR, message.NXDOMAIN):
                        return again
                    text += "; it answers when DNSSEC validation is switched off"
                    return Answer("bogus", text=f"DNSSEC validation failed: {text}", arrived=again.at)
        return Answer("servfail", text=text, arrived=heard.at)

    def _servers(self) -> list[Server]:
        servers: list[Server] = []
        for each in self._configured:
            servers += self._resolv_conf.get() if each is None else (each,)
        if len(servers) > 1 and self._aside:
            now = asyncio.get_running_loop().time()
            servers.sort(key=lambda server: self._aside.get(server, 0.0) > now)
        return servers


def _key(host: str, family: AddressFamily) -> tuple[str, AddressFamily]:
    return host.lower().removesuffix("."), family


def _follow(name: bytes, record_type: int, reply: message.Reply) -> tuple[str, tuple[str, ...], int]:
    """Follow the aliases within one reply. Returns the unresolved alias (or ""), the records and the lowest TTL."""
    first = owner = message.decode_name(name, 0, Budget(bounds.DNS_STEPS))[0]
    ttl = MAX_TTL * 24
    for _ in range(MAX_ALIASES):
        found = [record for record in reply.answer if record.type == record_type and record.name == owner]
        if found:
            return "", tuple(record.text for record in found), min(ttl, *(record.ttl for record in found))
        alias = next((each for each in reply.answer if each.type == message.CNAME and each.name == owner), None)
        if alias is None:
            break
        ttl = min(ttl, alias.ttl)
        owner = alias.text
    return ("" if owner == first else owner), (), ttl


def _in_order(addresses: Iterable[str], family: AddressFamily) -> list[str]:
    """Return the addresses of the family: IPv6 first if there is a route, else last (a short form of RFC 6724)."""
    unique = list(dict.fromkeys(addresses))
    v4 = [each for each in unique if ":" not in each]
    v6 = [each for each in unique if ":" in each]
    if family is AddressFamily.IPV4:
        return v4
    if family is AddressFamily.IPV6:
        return v6
    return v6 + v4 if v6 and v4 and has_route(v6[0]) else v4 + v6


def has_route(address: str) -> bool:
    """Tell whether this machine has a route. Connecting a datagram socket sends nothing."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 53))
    except OSError:
        return False
    return True
