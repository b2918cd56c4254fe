"""Protects actions against cross-site requests: only programs and this server's own pages may trigger them.

There are no tokens, so that pages need no session and work after a restart and behind a load balancer. Instead the
headers are checked that every current browser sends with a POST and no page can change: Sec-Fetch-Site (Fetch Metadata,
over HTTPS and on loopback) and Origin (RFC 6454). Programs send neither.

With DNS rebinding, an attacker's name points to this server, and the attacker's page would look like our own. So a page
is accepted only under an IP address, a name that cannot be registered on the public internet, or the name of
--web.external-url.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import cache
from urllib.parse import SplitResult, urlsplit

from aiohttp import web

from exporter.web.view import VIEW

PROGRAM = "X-Mailprobe"
"""A header that proves that a request does not come from another site's page.

Browsers send such a header across sites only if the server allows it (CORS), and this server never does.
"""

_PRIVATE = (".localhost", ".local", ".internal", ".home.arpa", ".test")  # RFC 6761, 6762, 8375; .internal by ICANN
_PORTS = {"http": 80, "https": 443}


def from_browser(request: web.Request) -> bool:
    return "Sec-Fetch-Site" in request.headers or "Origin" in request.headers


def own_page(request: web.Request) -> bool:
    """Return whether a browser sent the request from one of our pages."""
    site, origin = request.headers.get("Sec-Fetch-Site"), _split(request.headers.get("Origin", ""))
    if site not in (None, "same-origin"):
        return False
    external = _split(request.app[VIEW].external_url)
    if _place(origin) is not None and _place(origin) == _place(external):
        return True
    host = _split(f"//{request.host}")
    if not (_nobodys(host.hostname or "") or (host.hostname and host.hostname == external.hostname)):
        return False
    # A proxy may have replaced the browser's Host header. Then only Sec-Fetch-Site is reliable.
    return site == "same-origin" or (bool(origin.netloc) and origin.netloc.lower() == host.netloc.lower())


def may_act(request: web.Request) -> bool:
    """Return whether the request may cause a login: it is from one of our pages, or has the header PROGRAM."""
    return own_page(request) if from_browser(request) else request.headers.get(PROGRAM) == "1"


def _nobodys(name: str) -> bool:
    """Return whether this name cannot be in the DNS of a stranger (protects against DNS rebinding)."""
    if "." not in name or name.endswith(_PRIVATE) or name in _our_names():
        return bool(name)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


@cache
def _our_names() -> frozenset[str]:
    return frozenset({socket.gethostname().lower()})


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError if it is not a number
    except ValueError:
        return urlsplit("")
    return parts


def _place(url: SplitResult) -> tuple[str, str, int | None] | None:
    """Return the origin: scheme, host, port; None if the URL has none."""
    if not url.scheme or not url.hostname:
        return None
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)
