"""Connects the command line to a running daemon: by its control socket, or by HTTP with the login from ~/.netrc."""

from __future__ import annotations

import base64
import netrc
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from exporter.daemon.address import address
from exporter.daemon.options import Options

SOCKET = "unix:"


class ReachError(Exception):
    """A server answers at the URL, but it is no daemon or refuses us. The text says what the user can do."""


class NobodyThere(Exception):
    """Nobody listens at the URL."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A session, and the URL that each path is added to."""

    session: aiohttp.ClientSession
    base: str


def usual(options: Options) -> str:
    """Return the URL to ask if there is no --url: the control socket if it exists, else the listen address."""
    # Path.exists would raise if the folder belongs to another account.
    if os.path.exists(options.control_socket):  # noqa: PTH110
        return f"{SOCKET}{options.control_socket}"
    return address(options)


@asynccontextmanager
async def reach(url: str, timeout: aiohttp.ClientTimeout) -> AsyncIterator[Reached]:
    """Open a session to the daemon.

    Certificates are verified with the authorities of the system; SSL_CERT_FILE selects others.
    """
    if url.startswith(SOCKET):
        connector = aiohttp.UnixConnector(url.removeprefix(SOCKET))
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield Reached(session, "http://localhost")
        return
    async with aiohttp.ClientSession(headers=login(url), timeout=timeout) as session:
        yield Reached(session, url)


def login(url: str) -> dict[str, str]:
    """Return the header with the login for this host from $NETRC or ~/.netrc.

    It is empty if there is no login, or if the password would be sent over a network without TLS.
    """
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


@contextmanager
def asking(url: str, alone: str) -> Iterator[None]:
    """Translate the errors of a request and of its answer. Raises NobodyThere or ReachError.

    `alone`: what the command does without a daemon, for the text.
    """
    try:
        yield
    except aiohttp.ClientSSLError as exc:
        told = f"{url}: no TLS that can be trusted ({exc.os_error}); SSL_CERT_FILE names other authorities"
        raise ReachError(told) from exc
    except aiohttp.ClientConnectorError as exc:
        raise NobodyThere(url) from exc
    except aiohttp.InvalidURL as exc:
        raise ReachError(f"--url {url}: not a URL") from exc
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as exc:
        told = f"{url} answers, but not like mailprobe ({type(exc).__name__}); --url '' {alone} without a daemon"
        raise ReachError(told) from exc


def admitted(status: int, url: str) -> None:
    """Raise ReachError if the status comes from the access control of the daemon and not from the page."""
    host = urlsplit(url).hostname or ""
    why = {
        400: f"{url} seems to refuse plain HTTP: try --url https://… with the name in its certificate",
        401: f"{url} asks for a user name and a password: put them into ~/.netrc "
        f"(machine {host} login USER password PASSWORD), "
        "or run this as the daemon's own account, with its --storage.path",
        403: f"{url} does not let this client in",
        429: f"{url} has a rate limit (rate_limit in its web configuration): try again later",
    }.get(status)
    if why:
        raise ReachError(why)


async def runs_with(reached: Reached, config_hash: str) -> bool:
    """Return whether the daemon runs with the configuration that has this hash. An older one does not tell: False."""
    async with reached.session.get(f"{reached.base}/api/v1/targets") as answer:
        body = await answer.json()
    return bool(body.get("config_hash") == config_hash)
