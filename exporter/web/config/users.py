"""Checks user names and passwords with bcrypt: outside the event loop, one at a time.

Unknown users take as long as known ones, so that response times do not reveal user names.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt

from exporter.model import Secret

REMEMBERED = 100  # number of accepted logins in the cache
WAITING = 50  # limit of waiting comparisons
MAX_PASSWORD = 72  # bytes that bcrypt uses. Go ignores the rest; the Python library requires that we cut it off.


class Busy(Exception):
    """Too many logins at once."""


def credentials(header: str) -> tuple[str, bytes] | None:
    """Return user and password from an Authorization header (RFC 7617); None if it has none."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


class Users:
    """Compares passwords with bcrypt hashes, and caches the accepted logins.

    The cache has no passwords, only keyed digests. The key exists only in this process.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._accepted: OrderedDict[bytes, None] = OrderedDict()
        self._comparing: dict[bytes, asyncio.Future[bool]] = {}
        # Only one thread: bcrypt for many wrong passwords must not disturb the times that probes measure.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bcrypt")
        body = bcrypt.hashpw(secrets.token_bytes(32), bcrypt.gensalt(4)).decode().rpartition("$")[2]
        self._nobody = body

    async def allowed(self, users: Mapping[str, Secret], user: str, password: bytes) -> bool:
        """Return whether the password is right. Raises Busy if too many comparisons wait."""
        known = users.get(user)
        hashed = known.reveal() if known is not None else self.decoy(users, user)
        sign = self._sign(user.encode(), hashed.encode(), password)
        if sign in self._accepted:
            self._accepted.move_to_end(sign)
            return known is not None
        running = self._comparing.get(sign)
        if running is None:
            if len(self._comparing) >= WAITING:
                raise Busy
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._thread, _equal, password, hashed)
            self._comparing[sign] = running
            running.add_done_callback(lambda _: self._comparing.pop(sign, None))
        # A client that disconnects must not cancel the comparison for others that sent the same password.
        right = await asyncio.shield(running) and known is not None
        if right:
            self._accepted[sign] = None
            while len(self._accepted) > REMEMBERED:
                self._accepted.popitem(last=False)
        return right

    def decoy(self, users: Mapping[str, Secret], user: str) -> str:
        """Return a hash for an unknown user. It costs the same time, so that user names cannot be guessed by timing."""
        costs = sorted(hashed.reveal()[4:6] for hashed in users.values()) or ["10"]
        chosen = costs[int.from_bytes(self._sign(user.encode())[:8], "big") % len(costs)]
        return f"$2b${chosen}${self._nobody}"

    def _sign(self, *parts: bytes) -> bytes:
        text = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._key, text, "sha256")

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _equal(password: bytes, hashed: str) -> bool:
    try:
        return bcrypt.checkpw(password[:MAX_PASSWORD], hashed.encode())
    except ValueError:
        return False
