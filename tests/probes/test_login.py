"""Tests of the only place that sends a password:

never without encryption, unless the endpoint is configured as plain.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from exporter.model import Endpoint, Login, LoginRecord, Phase, Secret, Security, Service, TokenSource
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.wire import Wire
from exporter.probes.context import Context
from exporter.probes.login import log_in
from tests.probes.login_scene import Given, small_world


class Unasked:
    """A secret that nobody may read."""

    async def read(self) -> Secret:
        raise AssertionError("the secret is read")


class Session:
    """A session that notes what it is asked for."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.encrypted: bool | None = None

    def choose_mechanism(self, _: str, *, encrypted: bool) -> str:
        self.encrypted = encrypted
        return "PLAIN"

    async def login(self, username: str, secret: Secret, mechanism: str) -> None:
        self.sent.append(f"{mechanism} {username} {secret.reveal()}")


def wire(tls: object) -> Wire:
    return cast("Wire", SimpleNamespace(tls=tls))


@pytest.mark.parametrize("protocol", [Service.IMAP, Service.POP3, Service.SMTP])
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
@pytest.mark.parametrize("oauth", [None, cast("TokenSource", object())])
async def test_without_encryption_neither_password_nor_token_is_sent(tmp_path, protocol, security, oauth):
    session, trace = Session(), Trace()
    endpoint = Endpoint("mail.example.com", 1, security, protocol)
    login = Login("alice", "alice", Unasked(), oauth=oauth)
    async with small_world(tmp_path) as world:
        with pytest.raises(ProbeError) as caught:
            await log_in(cast("Any", session), endpoint, login, world, trace, wire=wire(None))
    assert caught.value.reason is Reason.TLS_REQUIRED
    assert trace.failed_phase is Phase.LOGIN
    assert trace.login == LoginRecord()
    assert (session.encrypted, session.sent) == (None, [])


@pytest.mark.parametrize(
    ("security", "tls"), [(Security.PLAIN, None), (Security.TLS, object()), (Security.STARTTLS, object())]
)
async def test_with_encryption_or_where_plain_is_configured_one_login_is_made(tmp_path, security, tls):
    session, trace = Session(), Trace()
    endpoint = Endpoint("mail.example.com", 1, security, Service.IMAP)

    async def walk(world: Context) -> None:
        login = Login("alice", "alice", Given("pw"))
        await log_in(cast("Any", session), endpoint, login, world, trace, wire=wire(tls))

    async with small_world(tmp_path) as world:
        await walk(world)
    assert session.sent == ["PLAIN alice pw"]
    assert session.encrypted == (tls is not None)
    assert trace.login == LoginRecord(attempted=True)
