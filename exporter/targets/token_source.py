"""Completes a mailbox's `oauth2` from its provider's preset: where tokens come from, and where to sign in.

Out: SignIn (for `mailprobe oauth`) with the TokenSource that logins use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.config.presets import OAuthPreset
from exporter.config.schema.targets import OAuth2
from exporter.credentials.sources import FileSecret, KeySecret
from exporter.model import Flow, SecretSource, Service, TokenSource
from exporter.net import urls

NOTHING = OAuthPreset(token_url="")


class NoTokenSourceError(Exception):
    """A value is missing that no preset provides. The text says which."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """What `mailprobe oauth` needs."""

    source: TokenSource
    device_url: str
    authorize_url: str
    redirect_url: str
    refresh_token_file: Path | None


@dataclass(frozen=True, slots=True)
class Whose:
    """The mailbox that the tokens are for."""

    username: str
    domain: str
    services: Sequence[Service]
    ca_file: Path | None  # for endpoints that the user names


def sign_in(written: OAuth2, preset: OAuthPreset | None, whose: Whose) -> SignIn:
    """Complete `oauth2`. Raises NoTokenSourceError."""
    known = preset or NOTHING
    usual = known.token_url.replace("<domain>", whose.domain)
    token_url = written.token_url or usual
    if not token_url:
        raise NoTokenSourceError("token_url is missing: the endpoints of this provider are not known")

    def beside(own: str | None, other: str) -> str:
        return own or _beside(token_url, usual, other.replace("<domain>", whose.domain))

    source = TokenSource(
        name=name_of(written, whose.username),
        flow=written.flow,
        token_url=token_url,
        client_id=written.client_id or "",
        scope=written.scope or _scope(written, known, whose.services),
        seed=_seed(written),
        client_secret=(
            FileSecret(written.client_secret_file, "client_secret_file")
            if written.client_secret_file is not None and written.flow is Flow.REFRESH_TOKEN
            else None
        ),
        subject=whose.username if written.flow is Flow.JWT_BEARER else "",
        ca_file=None if token_url == usual else whose.ca_file,
    )
    return SignIn(
        source,
        beside(written.device_url, known.device_url),
        beside(written.authorize_url, known.authorize_url),
        written.redirect_url or known.redirect_url,
        written.refresh_token_file,
    )


def name_of(written: OAuth2, username: str) -> str:
    """Return a name for the credential that stays the same after a restart.

    Two mailboxes with the same refresh token share its replacement.
    """
    match written.flow:
        case Flow.REFRESH_TOKEN:
            return f"oauth2 {written.client_id} {_absolute(written.refresh_token_file)}"
        case Flow.CLIENT_CREDENTIALS:
            return f"oauth2 {written.client_id} {_absolute(written.client_secret_file)}"
        case Flow.JWT_BEARER:
            return f"oauth2 {_absolute(written.key_file)} for {username}"


def _absolute(file: Path | None) -> str:
    return str(file.absolute()) if file is not None else ""


def _seed(written: OAuth2) -> SecretSource:
    match written.flow, written.refresh_token_file, written.client_secret_file, written.key_file:
        case Flow.REFRESH_TOKEN, Path() as file, _, _:
            return FileSecret(file, "refresh_token_file")
        case Flow.CLIENT_CREDENTIALS, _, Path() as file, _:
            return FileSecret(file, "client_secret_file")
        case Flow.JWT_BEARER, _, _, Path() as file:
            return KeySecret(file)
    raise NoTokenSourceError(f"the flow {written.flow} is not complete")  # the loader has rejected this case


def _scope(written: OAuth2, known: OAuthPreset, services: Sequence[Service]) -> str:
    return known.application_scope if written.flow is Flow.CLIENT_CREDENTIALS else known.scopes(services)


def _beside(own: str, usual: str, other: str) -> str:
    """Return the preset's other endpoint, moved to the tenant of the user's token endpoint (Microsoft)."""
    if own == usual or not other:
        return other
    if urls.host_of(own) != urls.host_of(usual):
        return ""
    folder = f"{usual.rpartition('/')[0]}/"
    return f"{own.rpartition('/')[0]}/{other.removeprefix(folder)}" if other.startswith(folder) else other
