"""Tests of the demo's submission server: it accepts mail only from its users, and delivers or refuses it correctly."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from exporter.demo.certificates import Authority
from exporter.demo.mailstore import MailStore
from exporter.demo.smtp_server import SmtpServer
from tests.demo.client import ANNA, HOST, LETTER, PASSWORD, blocking


@pytest.fixture
async def smtp(store: MailStore, authority: Authority) -> AsyncIterator[SmtpServer]:
    async with SmtpServer(store, authority.good(HOST), "smtp.acme.example", starttls=True) as server:
        yield server


async def submit(smtp: SmtpServer, trusting: ssl.SSLContext, sender: str, recipient: str, *, login: bool = True) -> Any:
    """Return the exception of smtplib, or None."""

    def talk() -> smtplib.SMTPException | None:
        with smtplib.SMTP(HOST, smtp.port, timeout=30) as client:
            client.starttls(context=trusting)
            if login:
                client.login(ANNA, PASSWORD)
            try:
                client.sendmail(sender, recipient, LETTER)
            except smtplib.SMTPException as exc:
                return exc
            return None

    return await blocking(talk)


async def test_a_mail_arrives_with_the_headers_of_its_way(smtp, store, trusting):
    inbox = store.mailboxes[ANNA].folders[0]
    arrived = asyncio.Event()
    inbox.watchers.add(arrived)
    assert await submit(smtp, trusting, ANNA, ANNA) is None
    async with asyncio.timeout(30):
        await arrived.wait()
    raw = inbox.messages[0].raw
    assert raw.endswith(LETTER)
    hops = inbox.messages[0].header(["Received"])
    assert hops.index(b"by mx.acme.example with LMTP") < hops.index(b"by smtp.acme.example with ESMTPSA")


async def test_mail_for_a_full_mailbox_is_refused(smtp, trusting):
    exc = await submit(smtp, trusting, ANNA, "full@acme.example")
    assert exc.recipients["full@acme.example"][0] == 552
    assert exc.recipients["full@acme.example"][1].startswith(b"5.2.2")


async def test_mail_for_nobody_is_refused(smtp, trusting):
    exc = await submit(smtp, trusting, ANNA, "nobody@acme.example")
    assert exc.recipients["nobody@acme.example"][1].startswith(b"5.1.1")


async def test_nobody_sends_without_login_or_as_another_one(smtp, trusting):
    stranger = await submit(smtp, trusting, ANNA, ANNA, login=False)
    impostor = await submit(smtp, trusting, "full@acme.example", ANNA)
    assert (stranger.smtp_code, impostor.smtp_code) == (530, 553)


async def test_a_wrong_password_is_535(store, authority, trusting):
    async with SmtpServer(store, authority.good(HOST), "smtp.acme.example") as server:

        def talk():
            with smtplib.SMTP_SSL(HOST, server.port, context=trusting, timeout=30) as client:
                with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                    client.login(ANNA, "wrong")
                return refused.value.smtp_code, refused.value.smtp_error

        code, text = await blocking(talk)
        assert code == 535
        assert text.startswith(b"5.7.8")
