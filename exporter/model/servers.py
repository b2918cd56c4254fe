"""The names of servers: host:port taken apart, and what the hosts of one operator have in common."""

from __future__ import annotations

import ipaddress


def host_and_port(server: str) -> tuple[str, int]:
    """Host and port of host:port or [address]:port; port 0 where it names none."""
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0


def is_address(host: str) -> bool:
    """Whether the host is an IP address. No name ends in a digit, so that most hosts are told without parsing."""
    if not (host[-1:].isdecimal() or ":" in host):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def site(host: str) -> str:
    """What imap.example.com and smtp.example.com have in common; of an IP address, all of it."""
    if is_address(host):
        return str(ipaddress.ip_address(host))
    above = host.partition(".")[2]
    return above if "." in above else host
