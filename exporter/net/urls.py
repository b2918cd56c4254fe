"""Decides whether a secret may be sent to a URL: only by HTTPS, or to this machine itself. No I/O.

Used for OAuth endpoints, Alertmanager and chat robots, when the configuration is checked and again before sending.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

MAX_LENGTH = 2000
EXAMPLE = "https://login.example.com/token"


def fault(url: str, example: str = EXAMPLE) -> str:
    """Return what is wrong with a URL that receives a secret, or "" if it is usable."""
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
    return "must begin with https:// (http:// is allowed for this machine only)"


def host_of(url: str) -> str:
    """Return the host of a URL for which `fault` returned ""."""
    return urlsplit(url).hostname or ""


def is_loopback(host: str) -> bool:
    """Tell whether the host is this machine, so that nobody else can read the traffic."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
