"""SASL mechanisms as pure state machines (RFC 4422), and the exchange in base64 that IMAP, SMTP and POP3 wrap.

PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 without channel binding (RFC 5802, 7677), and with an access token XOAUTH2
(Google's and Microsoft's) and OAUTHBEARER (RFC 7628).
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
    "oauth": TOKEN_MECHANISMS,  # `auto` where the mailbox has `oauth2`
    "xoauth2": ("XOAUTH2",),
    "oauthbearer": ("OAUTHBEARER",),
    "scram-sha-256": ("SCRAM-SHA-256",),
}
MAX_LINE = 65536
MIN_ITERATIONS = 4096  # RFC 7677 section 4
MAX_ITERATIONS = 200_000  # a server must not make us compute for seconds
_SERVER_FIRST = re.compile(r"r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=(\d{1,7})(?:,.*)?\Z", re.DOTALL)

_BREAKS = re.compile(r"[\x00\x01\r\n]")  # NUL parts PLAIN's words, %x01 those of a token's message


def named(auth: str, offered: AbstractSet[str], *, tls_first: bool = False) -> str | None:
    """The mechanism for a value of `auth` that names one, or asks for a token; None where it leaves the choice.

    Raises ProbeError where the server does not offer it. `tls_first`: it may do so after STARTTLS.
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
    """One side of a dialogue. `error` is what the server told in it about its refusal, as it came."""

    error = ""

    @property
    def slow(self) -> bool:
        """Whether the next `answer` computes for so long that it belongs into a thread."""
        return False

    def initial(self) -> bytes | None:
        """What is said unasked; None where the server speaks first."""
        return None

    def answer(self, challenge: bytes) -> bytes | None:
        """The response to a challenge; None: nothing is left to say. Raises Garbage."""
        raise NotImplementedError

    def verify(self) -> None:
        """After the server's OK: raises Garbage where it has not proven what the mechanism asks of it."""

    @property
    def credentials(self) -> tuple[bytes, ...]:
        """What it says that must not be written down, beside the secret itself."""
        initial = self.initial()
        return () if initial is None else (initial,)


class Plain(Mechanism):
    """RFC 4616."""

    def __init__(self, username: str, secret: str) -> None:
        self._message = b"\0".join((b"", username.encode(), secret.encode()))

    def initial(self) -> bytes:
        return self._message

    def answer(self, challenge: bytes) -> None:  # noqa: ARG002 - it has none
        return None


class LoginWords(Mechanism):
    """LOGIN: user name and password, one after the other, whatever the server calls them."""

    def __init__(self, username: str, secret: str) -> None:
        self._left = [username.encode(), secret.encode()]

    def answer(self, challenge: bytes) -> bytes | None:  # noqa: ARG002 - servers word it as they like
        return self._left.pop(0) if self._left else None


class Bearer(Mechanism):
    """A token, and the error in JSON that is answered by what the server waits for before it says no."""

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
    """After its error the server waits for an empty line."""
    return Bearer(f"user={username}\x01auth=Bearer {token}\x01\x01", b"")


def oauthbearer(username: str, token: str) -> Bearer:
    """RFC 7628; section 3.2.3: a lone %x01 after the error."""
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
            raise Garbage("SCRAM: the server does not know the password itself: its signature is wrong")
        self._proven = True
        return b""

    def verify(self) -> None:
        if not self._proven:
            raise Garbage("SCRAM: the server says OK and has not proven that it knows the password")

    @property
    def credentials(self) -> tuple[bytes, ...]:
        return ()  # a nonce and a proof for it

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
    """A mechanism at work over lines of base64. `shown` is what a transcript may say of the last response."""

    def __init__(self, mechanism: str, username: str, secret: str) -> None:
        """Raises ProbeError(config) for what the mechanism cannot carry; its text has no piece of it."""
        text = "the user name or the password holds a line break, or what is not Unicode text"
        if _BREAKS.search(username + secret):
            raise ProbeError(Reason.CONFIG, text)
        try:
            self._mechanism = _MECHANISMS[mechanism](username, secret)
        except ValueError:
            raise ProbeError(Reason.CONFIG, text) from None
        self.name = mechanism
        self.shown = SHOWN
        self._said = 0  # responses
        self._by_itself = False  # the initial response went with the command

    @property
    def credentials(self) -> tuple[bytes, ...]:
        return self._mechanism.credentials

    @property
    def error(self) -> str:
        return self._mechanism.error

    def first(self, limit: int = MAX_LINE) -> str | None:
        """The initial response, to go with the command (RFC 4954, 4959); None where there is none.

        One that is longer than `limit` waits until it is asked for.
        """
        initial = self._mechanism.initial()
        line = None if initial is None else _encode(initial) or "="
        if line is None or len(line) > limit:
            return None
        self._said, self._by_itself = 1, True
        return line

    def reply(self, challenge: str) -> str | None:
        """The line that answers a challenge; None: cancel the exchange. Raises Garbage."""
        asked = _decode(challenge)
        initial = self._mechanism.initial()
        again = self._said == 1 and self._by_itself and not asked  # a server that knows no initial responses
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
    """A challenge as it was meant: some servers write words where base64 belongs."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return text.encode()
