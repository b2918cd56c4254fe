"""The name that we give in EHLO: what `defaults.ehlo_name` may be, and the default of this machine.

A server may look the name up in DNS, so it is a fully qualified name or an address literal (RFC 5321 section 4.1.3).
Nothing here asks DNS, which could block.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable
from pathlib import Path

HOSTS = Path("/etc/hosts")

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"  # without the underscore, which RFC 5321 does not allow here
_QUALIFIED = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
# No public DNS has these (RFC 6761, 6762 and 8375, ICANN's .internal, and what routers and installers make up). Servers
# that look the name up would refuse it, and take an address literal.
_PRIVATE = re.compile(
    r"localhost\..*|.*\.(?:local|localdomain|localhost|internal|intranet|private|corp|home|lan|home\.arpa|test|invalid"
    r"|example)"
)


def checked(value: object) -> str:
    """Return a configured name in its usual form. Raises ValueError, which says what to write."""
    if isinstance(value, (list, tuple)) and len(value) == 1:
        raise ValueError(f'must be text: put an address literal into quotes, such as "{_literal_like(value[0])}"')
    if not isinstance(value, str) or not value:
        raise ValueError("must be text, such as mail.example.com")
    if value.startswith("["):
        return _literal(value)
    bare = _address(value)
    if bare is not None:
        raise ValueError(f'is an address without brackets: write "{_shown(bare)}", with the quotes')
    name = value.removesuffix(".").lower()
    if not name.isascii():
        raise ValueError("is not in ASCII: write an international name in its form with xn--")
    if "." not in name:
        raise ValueError("is not fully qualified: write the host name with its domain, such as mail.example.com")
    if not is_qualified(name):
        raise ValueError("is not a host name such as mail.example.com, with letters, digits, - and . only")
    return name


def is_qualified(name: str) -> bool:
    """Tell whether this is a host name with a domain. A last label of digits would be a part of an address."""
    return len(name) <= 253 and bool(_QUALIFIED.fullmatch(name)) and not name.rpartition(".")[2].isdecimal()


def of_this_machine() -> str | None:
    """Return the fully qualified name of this machine, None if it has none that DNS could know. Reads a file."""
    host = os.uname().nodename
    try:
        with HOSTS.open(encoding="utf-8", errors="replace") as lines:
            return default(host, lines)
    except OSError:
        return default(host, ())


def default(host: str, hosts: Iterable[str]) -> str | None:
    """Return `host` if it is fully qualified, else what the lines of /etc/hosts call it, as `hostname -f` does."""
    host = host.removesuffix(".").lower()
    if "." in host:
        return host if _is_public(host) else None
    for line in hosts:
        _, *names = line.partition("#")[0].lower().split() or [""]
        if host in names:
            found = next(filter(_is_public, names), None)
            if found:
                return found
    return None


def _is_public(name: str) -> bool:
    return is_qualified(name) and not _PRIVATE.fullmatch(name)


def _literal(value: str) -> str:
    inner = value[1:-1] if value.endswith("]") else ""
    tagged = inner[:5].lower() == "ipv6:"
    found = _address(inner[5:] if tagged else inner)
    if found is None or (tagged and found.version != 6):
        raise ValueError("is not an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]")
    if found.version == 6 and not tagged:
        raise ValueError(f"is an address literal without its tag: write {_shown(found)}")
    return _shown(found)


def _literal_like(value: object) -> str:
    """Return the literal that an item of a list was meant to be: YAML takes brackets without quotes for a list."""
    found = _address(str(value)) or _address(str(value)[5:])
    return _shown(found) if found is not None else "[192.0.2.1]"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text) if "%" not in text else None
    except ValueError:
        return None


def _shown(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
