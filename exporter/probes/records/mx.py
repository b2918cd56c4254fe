"""MX records (RFC 5321 section 5): which hosts receive a domain's mail.

    example.com.  MX  10 mx1.example.com.
    example.com.  MX  20 mx2.example.com.

A sender tries the hosts in order of preference, the lowest number first, and hosts with the same number in any order.
The target is a host name with its own addresses: never an address, never an alias. Without any MX record, senders use
the domain's own addresses. `MX 0 .` alone, the null MX (RFC 7505), means: this domain receives no mail.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from exporter.probes.records.errors import RecordError, shown

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")


@dataclass(frozen=True, slots=True, order=True)
class Mx:
    """One MX record. `host` is in lower case, without the final dot."""

    preference: int
    host: str


def parse(texts: Sequence[str]) -> tuple[Mx, ...]:
    """Parse records such as `10 host` into the order in which a sender tries them; () for a null MX.

    Raises RecordError.
    """
    found = sorted(_one(text) for text in texts)
    null = [mx for mx in found if mx.host == "."]
    if null and len(found) > 1:
        raise RecordError("RFC 7505 section 3", "a null MX (0 .) stands beside other MX records")
    return () if null else tuple(found)


def _one(text: str) -> Mx:
    preference, _, host = text.strip().partition(" ")
    host = host.strip().lower()
    if not (preference.isascii() and preference.isdigit()) or len(preference) > 5 or int(preference) > 65535:
        raise RecordError("RFC 1035 section 3.3.9", f"{shown(text)} does not begin with a preference")
    if host == ".":
        return Mx(int(preference), host)
    host = host.removesuffix(".")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        raise RecordError("RFC 5321 section 5.1", f"the target {shown(host)} is an address; it must be a host name")
    if not all(_LABEL.match(label) for label in host.split(".")):
        raise RecordError("RFC 5321 section 2.3.5", f"the target {shown(host)} is not a host name")
    return Mx(int(preference), host)
