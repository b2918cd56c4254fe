"""Fixtures for the demo's servers: certificates that a client trusts, and some mailboxes."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from exporter.demo.certificates import Authority
from exporter.demo.mailstore import Folder, Mailbox, MailStore
from tests.demo.client import ANNA, PASSWORD


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def trusting(authority: Authority, tmp_path: Path) -> ssl.SSLContext:
    """The SSL context of a client."""
    authority.write(tmp_path / "ca.pem")
    return ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))


@pytest.fixture
async def store() -> AsyncIterator[MailStore]:
    made = MailStore(
        [
            Mailbox(ANNA, PASSWORD, (Folder("INBOX"), Folder("Junk", "\\Junk"), Folder("客户"))),
            Mailbox("full@acme.example", "pw", (Folder("INBOX"), Folder("Junk")), quota=0),
        ]
    )
    yield made
    await made.close()
