"""Server names: splits host:port, and finds the common part of the hosts of one operator."""

from __future__ import annotations

import ipaddress


def host_and_port(server: str) -> tuple[str, int]:
    """Return host and port of host:port or [address]:port; port 0 if there is none."""
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0


def is_address(host: str) -> bool:
    """Tell whether the host is an IP address. No host name ends in a digit, so most are decided without parsing."""
    if not (host[-1:].isdecimal() or ":" in host):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def site(host: str) -> str:
    """Return the common part of imap.example.com and smtp.example.com; an IP address is returned whole."""
    if is_address(host):
        return str(ipaddress.ip_address(host))
    above = host.partition(".")[2]
    return above if "." in above else host
