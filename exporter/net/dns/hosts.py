"""Reads /etc/resolv.conf and /etc/hosts, and parses the addresses of DNS servers in the configuration.

Also answers for `localhost` (RFC 6761). Both files are read again when they change.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

RESOLV_CONF = Path("/etc/resolv.conf")
HOSTS = Path("/etc/hosts")
MAX_FILE = 16 * 1024 * 1024
MAX_SERVERS = 3  # the same as glibc, resolv.conf(5)

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Server:
    """The address of a recursive DNS server."""

    address: str
    port: int = 53

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.address else socket.AF_INET

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def server(text: str) -> Server:
    """Parse `9.9.9.9`, `127.0.0.1:5353`, `::1` or `[::1]:53`. Raises ValueError that names the text."""
    address, port = text, "53"
    if text.startswith("["):
        address, closed, rest = text[1:].partition("]")
        port = rest.removeprefix(":") if rest.startswith(":") else "53" if closed and not rest else ""
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    try:
        ipaddress.ip_address(address)
        number = int(port)
    except ValueError:
        number = 0
    if not 0 < number < 65536:
        raise ValueError(f"resolver {text!r}: give an IP address, or ADDRESS:PORT, or [ADDRESS]:PORT, or system")
    return Server(address, number)


def parse_resolv_conf(text: str) -> tuple[Server, ...]:
    """Return the name servers of resolv.conf(5), or this machine if there are none.

    Search lists are ignored: probes use complete names.
    """
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                ipaddress.ip_address(words[1])
            except ValueError:
                continue
            found.append(Server(words[1]))
    return tuple(found[:MAX_SERVERS]) or (Server("127.0.0.1"),)


def parse_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """Parse hosts(5) into a mapping from name to addresses."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        try:
            address = str(ipaddress.ip_address(words[0]))
        except ValueError:
            continue
        for name in words[1:]:
            addresses = found.setdefault(name.lower().removesuffix("."), [])
            if address not in addresses:
                addresses.append(address)
    return {name: tuple(addresses) for name, addresses in found.items()}


def localhost(name: str) -> tuple[str, ...]:
    """Return the loopback addresses for the names of RFC 6761 section 6.3, else an empty tuple."""
    return ("127.0.0.1", "::1") if name == "localhost" or name.endswith(".localhost") else ()


class Watched(Generic[Parsed]):
    """A file that is read again after it has changed. A file that cannot be read counts as empty."""

    __slots__ = ("_parse", "_path", "_stamp", "_value")

    def __init__(self, path: Path, parse: Callable[[str], Parsed]) -> None:
        self._path = path
        self._parse = parse
        self._stamp: tuple[int, int, int] | None = None
        self._value = parse("")

    def get(self) -> Parsed:
        try:
            about = self._path.stat()
            stamp = (about.st_mtime_ns, about.st_size, about.st_ino)
            if stamp != self._stamp:
                with self._path.open("rb") as file:
                    self._value = self._parse(file.read(MAX_FILE).decode("utf-8", "replace"))
                self._stamp = stamp
        except OSError:
            self._stamp = None
            self._value = self._parse("")
        return self._value
