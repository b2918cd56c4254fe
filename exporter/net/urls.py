"""Where a secret may be sent by HTTP: inside TLS, or to this machine itself. No I/O."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

MAX_LENGTH = 2000
EXAMPLE = "https://login.example.com/token"


def fault(url: str, example: str = EXAMPLE) -> str:
    """What is wrong with a URL that a secret goes to, as an OAuth endpoint's; "" where nothing is."""
    if len(url) > MAX_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        return f"is not a URL such as {example}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"is not a URL such as {example}"
    if not parts.hostname or port == 0:
        return f"is not a URL such as {example}"
    if "@" in parts.netloc or parts.fragment:
        return "must not hold a user name, a password or a fragment"
    if parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname)):
        return ""
    return "must begin with https:// (http:// is for this machine alone)"


def host_of(url: str) -> str:
    """The host of a URL without fault."""
    return urlsplit(url).hostname or ""


def is_loopback(host: str) -> bool:
    """Whether nobody else can listen in on the way there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
