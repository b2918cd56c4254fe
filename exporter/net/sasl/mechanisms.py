"""SASL mechanisms (RFC 4422) as state machines, and their base64 exchange for IMAP, SMTP and POP3. No I/O.

PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 without channel binding (RFC 5802, 7677); with an access token XOAUTH2 (Google
and Microsoft) and OAUTHBEARER (RFC 7628). The sessions send what an Exchange returns. Secrets must not reach the
transcript.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet

from exporter.model.errors import Garbage, ProbeError
from exporter.model.reasons import Reason
from exporter.model.text import clean
from exporter.net.mask import SHOWN
from exporter.net.sasl.saslprep import prepare
from exporter.net.text import decode

TOKEN_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
_NAMED: Mapping[str, tuple[str, ...]] = {
    "oauth": TOKEN_MECHANISMS,  # `auto` for a mailbox with `oauth2`
    "xoauth2": ("XOAUTH2",),
    "oauthbearer": ("OAUTHBEARER",),
    "scram-sha-256": ("SCRAM-SHA-256",),
}
MAX_LINE = 65536
MIN_ITERATIONS = 4096  # RFC 7677 section 4
MAX_ITERATIONS = 200_000  # a server must not make us compute for seconds
_SERVER_FIRST = re.compile(r"r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=(\d{1,7})(?:,.*)?\Z", re.DOTALL)

_BREAKS = re.compile(r"[\x00\x01\r\n]")  # NUL separates the fields of PLAIN, %x01 those of a token message


def named(auth: str, offered: AbstractSet[str], *, tls_first: bool = False) -> str | None:
    """Return the mechanism if `auth` names one or asks for a token, else None: the protocol chooses.

    Raises ProbeError if the server does not offer it. `tls_first`: it may offer it after STARTTLS.
    """
    wanted = _NAMED.get(auth)
    if wanted is None:
        return None
    for mechanism in wanted:
        if mechanism in offered:
            return mechanism
    told = f"only {' '.join(sorted(offered))}" if offered else "no such login"
    reason = Reason.TLS_REQUIRED if tls_first else Reason.AUTH_MISSING
    raise ProbeError(reason, f"{' or '.join(wanted)} is wanted, the server offers {told}")


class Mechanism:
    """The client side of a mechanism. `error` is the server's explanation of a refusal, unchanged."""

    error = ""

    @property
    def slow(self) -> bool:
        """Whether the next `answer` computes for so long that it belongs into a thread."""
        return False

    def initial(self) -> bytes | None:
        """Return the initial response, or None if the server starts."""
        return None

    def answer(self, challenge: bytes) -> bytes | None:
        """Return the response to a challenge, or None if nothing is left to send. Raises Garbage."""
        raise NotImplementedError

    def verify(self) -> None:
        """Called after the server's OK.

        Raises Garbage if the server did not prove its identity as the mechanism requires.
        """

    @property
    def credentials(self) -> tuple[bytes, ...]:
        """Return the messages that must be masked, in addition to the secret itself."""
        initial = self.initial()
        return () if initial is None else (initial,)


class Plain(Mechanism):
    """PLAIN (RFC 4616): user name and password in one message."""

    def __init__(self, username: str, secret: str) -> None:
        self._message = b"\0".join((b"", username.encode(), secret.encode()))

    def initial(self) -> bytes:
        return self._message

    def answer(self, challenge: bytes) -> None:  # noqa: ARG002 - it has none
        return None


class LoginWords(Mechanism):
    """LOGIN: user name and password one after the other, whatever the server's prompts say."""

    def __init__(self, username: str, secret: str) -> None:
        self._left = [username.encode(), secret.encode()]

    def answer(self, challenge: bytes) -> bytes | None:  # noqa: ARG002 - servers word it as they like
        return self._left.pop(0) if self._left else None


class Bearer(Mechanism):
    """A mechanism with an access token.

    After the server's JSON error it sends what the server expects before it refuses.
    """

    def __init__(self, message: str, dummy: bytes) -> None:
        self._message = message.encode()
        self._dummy: bytes | None = dummy

    def initial(self) -> bytes:
        return self._message

    def answer(self, challenge: bytes) -> bytes | None:
        self.error = " ".join(decode(challenge).split())
        dummy, self._dummy = self._dummy, None
        return dummy


def xoauth2(username: str, token: str) -> Bearer:
    """XOAUTH2. After an error the server expects an empty line."""
    return Bearer(f"user={username}\x01auth=Bearer {token}\x01\x01", b"")


def oauthbearer(username: str, token: str) -> Bearer:
    """OAUTHBEARER (RFC 7628). After an error the server expects a single %x01 (section 3.2.3)."""
    name = username.replace("=", "=3D").replace(",", "=2C")
    return Bearer(f"n,a={name},\x01auth=Bearer {token}\x01\x01", b"\x01")


class Scram(Mechanism):
    """SCRAM-SHA-256: the password is not sent, and the server proves that it knows it."""

    def __init__(self, username: str, secret: str, nonce: str | None = None) -> None:
        name = prepare(username).replace("=", "=3D").replace(",", "=2C")
        self._password = prepare(secret).encode()
        self._nonce = nonce or b64encode(secrets.token_bytes(18)).decode()
        self._bare = f"n={name},r={self._nonce}"
        self._signature: bytes | None = None
        self._proven = False

    def initial(self) -> bytes:
        return f"n,,{self._bare}".encode()

    @property
    def slow(self) -> bool:
        return self._signature is None  # PBKDF2 comes next

    def answer(self, challenge: bytes) -> bytes | None:
        text = decode(challenge)
        if self._signature is None:
            return self._final(text)
        if text.startswith("e="):
            self.error = text
            return b""
        if self._proven:
            return None
        expected = f"v={b64encode(self._signature).decode()}"
        if not hmac.compare_digest(text.partition(",")[0].encode(), expected.encode()):
            raise Garbage("SCRAM: the server does not know the password: its signature is wrong")
        self._proven = True
        return b""

    def verify(self) -> None:
        if not self._proven:
            raise Garbage("SCRAM: the server answered OK without proving that it knows the password")

    @property
    def credentials(self) -> tuple[bytes, ...]:
        return ()  # only a nonce and a proof are sent

    def _final(self, server_first: str) -> bytes:
        found = _SERVER_FIRST.match(server_first)
        if found is None or not found[1].startswith(self._nonce) or found[1] == self._nonce:
            raise Garbage(f"SCRAM: not the answer to our nonce: {clean(server_first, 80)}")
        rounds = int(found[3])
        if not MIN_ITERATIONS <= rounds <= MAX_ITERATIONS:
            raise Garbage(f"SCRAM: {rounds} iterations; {MIN_ITERATIONS} to {MAX_ITERATIONS} are accepted")
        try:
            salt = b64decode(found[2], validate=True)
        except ValueError:
            raise Garbage(f"SCRAM: the salt is not base64: {clean(found[2], 80)}") from None
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, rounds)
        without_proof = f"c={b64encode(b'n,,').decode()},r={found[1]}"
        said = f"{self._bare},{server_first},{without_proof}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), said, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), said, "sha256")
        return f"{without_proof},p={b64encode(proof).decode()}".encode()


_MECHANISMS: Mapping[str, Callable[[str, str], Mechanism]] = {
    "PLAIN": Plain,
    "LOGIN": LoginWords,
    "SCRAM-SHA-256": Scram,
    "XOAUTH2": xoauth2,
    "OAUTHBEARER": oauthbearer,
}


class Exchange:
    """Runs a mechanism over lines of base64. `shown` is what a transcript may show of the last response."""

    def __init__(self, mechanism: str, username: str, secret: str) -> None:
        """Raises ProbeError(config) for values that the mechanism cannot carry, without the values themselves."""
        text = "the user name or the password contains a line break or is not valid Unicode"
        if _BREAKS.search(username + secret):
            raise ProbeError(Reason.CONFIG, text)
        try:
            self._mechanism = _MECHANISMS[mechanism](username, secret)
        except ValueError:
            raise ProbeError(Reason.CONFIG, text) from None
        self.name = mechanism
        self.shown = SHOWN
        self._said = 0  # number of responses sent
        self._by_itself = False  # the initial response was sent with the command

    @property
    def credentials(self) -> tuple[bytes, ...]:
        return self._mechanism.credentials

    @property
    def error(self) -> str:
        return self._mechanism.error

    def first(self, limit: int = MAX_LINE) -> str | None:
        """Return the initial response to send with the command (RFC 4954, 4959), or None.

        A response longer than `limit` is sent only when the server asks for it.
        """
        initial = self._mechanism.initial()
        line = None if initial is None else _encode(initial) or "="
        if line is None or len(line) > limit:
            return None
        self._said, self._by_itself = 1, True
        return line

    def reply(self, challenge: str) -> str | None:
        """Return the line that answers a challenge, or None to cancel the exchange. Raises Garbage."""
        asked = _decode(challenge)
        initial = self._mechanism.initial()
        # a server that does not support initial responses asks again
        again = self._said == 1 and self._by_itself and not asked
        if initial is not None and (self._said == 0 or again):
            response: bytes | None = initial
            self._by_itself = False
        else:
            response = self._mechanism.answer(asked)
        self._said += 1
        self.shown = "<user name>" if self.name == "LOGIN" and self._said == 1 else SHOWN if response else ""
        return None if response is None else _encode(response)

    @property
    def slow(self) -> bool:
        """Whether the next `reply` computes for so long that it belongs into a thread."""
        return self._said > 0 and self._mechanism.slow

    async def reply_in_turn(self, challenge: str) -> str | None:
        """`reply`, in a thread where it would hold the event loop."""
        return await asyncio.to_thread(self.reply, challenge) if self.slow else self.reply(challenge)

    def verify(self) -> None:
        self._mechanism.verify()


def _encode(raw: bytes) -> str:
    return b64encode(raw).decode()


def _decode(text: str) -> bytes:
    """Decode a challenge. Some servers send plain words instead of base64; these are returned unchanged."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return text.encode()
