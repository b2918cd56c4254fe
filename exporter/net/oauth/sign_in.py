"""Interactive sign-in for a refresh token: device code (RFC 8628) and authorization code with PKCE (RFC 7636, 8252).

Used by `mailprobe oauth`. In: a TokenSource. Out: Granted with the refresh token. The daemon never signs in.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from exporter.model import Secret, TokenSource
from exporter.model.errors import Garbage, TokenRefusal
from exporter.model.text import clean
from exporter.net import urls
from exporter.net.oauth.client import Granted, Net, granted, post

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
USUAL_INTERVAL = 5.0  # seconds (RFC 8628 section 3.2)
SLOWER = 5.0  # seconds added at each slow_down (section 3.5)
LONGEST_WAIT = 1800.0


@dataclass(frozen=True, slots=True)
class Device:
    """A device code: what the user must type, and where. Times in seconds."""

    code: Secret
    user_code: str
    url: str
    interval: float
    lifetime: float


async def device(url: str, source: TokenSource, net: Net) -> Device:
    """Request a device code. Raises the same exceptions as `post`."""
    body = await post(url, {"client_id": source.client_id, "scope": source.scope}, net)
    code, shown = body.get("device_code"), body.get("user_code")
    page = body.get("verification_uri") or body.get("verification_url")  # the older name, used by Google
    if not (
        isinstance(code, str) and isinstance(shown, str) and isinstance(page, str) and code and not urls.fault(page)
    ):
        raise Garbage("the device authorization endpoint did not return a code and a page to enter it")
    interval = _seconds(body.get("interval"), USUAL_INTERVAL)
    return Device(Secret(code), clean(shown, 100), page, interval, _seconds(body.get("expires_in"), LONGEST_WAIT))


def _seconds(told: object, usual: float) -> float:
    return min(float(told), LONGEST_WAIT) if isinstance(told, int | float) and told > 0 else usual


async def poll(source: TokenSource, begun: Device, client_secret: Secret | None, net: Net) -> Granted | float:
    """Ask whether the user has finished. Returns the tokens, or the seconds to wait before the next poll.

    Raises the same exceptions as `post`; TokenRefusal with access_denied or expired_token means: stop polling.
    """
    form = {"grant_type": DEVICE_GRANT, "device_code": begun.code.reveal(), "client_id": source.client_id}
    try:
        return granted(await post(source.token_url, form | _secret(client_secret), net))
    except TokenRefusal as exc:
        if exc.code == "authorization_pending":
            return 0.0
        if exc.code == "slow_down":
            return SLOWER
        raise


@dataclass(frozen=True, slots=True)
class Request:
    """One authorization request: the page to open, and the values that prove that the answer belongs to it."""

    page: str
    redirect: str
    state: str
    verifier: Secret


def request(authorize_url: str, source: TokenSource, redirect: str, user: str) -> Request:
    """Build an authorization request.

    `redirect` is where the browser is sent with the code. `user` is the mailbox, a hint for the sign-in page.
    """
    verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
    challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": source.client_id,
        "redirect_uri": redirect,
        "scope": source.scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": user,
        # Google returns a refresh token only with these two, and only after a new consent.
        "access_type": "offline",
        "prompt": "consent",
    }
    joint = "&" if urlsplit(authorize_url).query else "?"
    return Request(f"{authorize_url}{joint}{urlencode(query)}", redirect, state, Secret(verifier))


class BadAnswerError(Exception):
    """The text is not the answer to our request. The message says why."""


class DeniedError(BadAnswerError):
    """The answer to our request is a refusal."""


def code_in(text: str, asked: Request) -> Secret:
    """Return the code from the address that the browser ended at, or from a code alone.

    Raises BadAnswerError, DeniedError.
    """
    text = text.strip()
    if "?" not in text and "&" not in text and "://" not in text:
        if not text:
            raise BadAnswerError("nothing")
        return Secret(text)
    try:
        query = parse_qs(text.partition("?")[2].partition("#")[0], max_num_fields=50)
    except ValueError:
        raise BadAnswerError("not an address with a code in it") from None
    state, error, code = (query.get(name, [""])[0] for name in ("state", "error", "code"))
    if not hmac.compare_digest(state.encode(), asked.state.encode()):
        raise BadAnswerError("this answer belongs to another request: its state does not match")
    if error:
        told = query.get("error_description", [""])[0]
        raise DeniedError(clean(f"{error}: {told}" if told else error))
    if not code:
        raise BadAnswerError("not an address with a code in it")
    return Secret(code)


async def exchange(
    source: TokenSource, asked: Request, code: Secret, client_secret: Secret | None, net: Net
) -> Granted:
    """Exchange the code for tokens. Raises the same exceptions as `post`."""
    form = {
        "grant_type": "authorization_code",
        "client_id": source.client_id,
        "code": code.reveal(),
        "redirect_uri": asked.redirect,
        "code_verifier": asked.verifier.reveal(),
    }
    return granted(await post(source.token_url, form | _secret(client_secret), net))


def _secret(client_secret: Secret | None) -> dict[str, str]:
    return {} if client_secret is None else {"client_secret": client_secret.reveal()}
