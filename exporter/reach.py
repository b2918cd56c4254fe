"""How the command line reaches a running daemon: its control socket, or its address with the login from ~/.netrc."""

from __future__ import annotations

import base64
import netrc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from exporter.config import ConfigError
from exporter.options import Options
from exporter.webconfig import load

SOCKET = "unix:"


@dataclass(frozen=True, slots=True)
class Reached:
    """A session, and what stands before each path."""

    session: aiohttp.ClientSession
    base: str


def usual(options: Options) -> str:
    """Where this machine's daemon is asked when no --url says it: the control socket, else the listen address."""
    # Not Path.exists, which raises where the folder is another account's.
    if os.path.exists(options.control_socket):  # noqa: PTH110
        return f"{SOCKET}{options.control_socket}"
    return address(options)


def address(options: Options) -> str:
    """The URL of the first listen address, as it is reached from this machine."""
    host, port = options.listen[0]
    if host in (None, "0.0.0.0", "::"):
        host = "127.0.0.1"
    shown = f"[{host}]" if host and ":" in host else host
    return f"{_scheme(options)}://{shown}:{port}"


def _scheme(options: Options) -> str:
    if options.web_config_file is None:
        return "http"
    try:
        return "https" if load(options.web_config_file).tls is not None else "http"
    except ConfigError:
        return "http"  # what is wrong with it, or that only the daemon may read its key, is not for here


@asynccontextmanager
async def reach(url: str, timeout: aiohttp.ClientTimeout) -> AsyncIterator[Reached]:
    """Certificates are verified against the system's authorities (SSL_CERT_FILE names others)."""
    if url.startswith(SOCKET):
        connector = aiohttp.UnixConnector(url.removeprefix(SOCKET))
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield Reached(session, "http://localhost")
        return
    async with aiohttp.ClientSession(headers=login(url), timeout=timeout) as session:
        yield Reached(session, url)


def login(url: str) -> dict[str, str]:
    """The header with this host's login in $NETRC or ~/.netrc; none where it would cross a network in the clear."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return {}
    if parts.hostname is None or (parts.scheme != "https" and not _is_this_machine(parts.hostname)):
        return {}
    file = os.environ.get("NETRC")
    try:
        found = netrc.netrc(file or Path.home() / ".netrc").authenticators(parts.hostname)
    except (OSError, netrc.NetrcParseError, RuntimeError, UnicodeDecodeError):
        return {}
    if found is None:
        return {}
    user, _, password = found
    return {"Authorization": "Basic " + base64.b64encode(f"{user or ''}:{password or ''}".encode()).decode("ascii")}


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refusal(status: int, url: str) -> str:
    """What an answer that is none of the daemon's pages tells the user; nothing where it tells nothing."""
    host = urlsplit(url).hostname or ""
    return {
        400: f"{url} refuses plain HTTP, it seems: try --url https://… and the name in its certificate",
        401: f"{url} wants user and password: put them into ~/.netrc (machine {host} login USER password PASSWORD), "
        "or run this as the daemon's own account, with its --storage.path",
        403: f"{url} does not let this client in",
        429: f"{url} has a rate limit (rate_limit in its web configuration): try again later",
    }.get(status, "")


def untrusted(url: str, exc: aiohttp.ClientSSLError) -> str:
    """What a failed handshake tells the user."""
    return f"{url}: no TLS that can be trusted ({exc.os_error}); SSL_CERT_FILE names other authorities"
