"""Fixtures of the probes' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from exporter.probes.roundtrip import inbox
from exporter.state.store import State
from tests.probes.mail_servers import MailServers
from tests.probes.roundtrip.route import Bench


@pytest.fixture
async def bench(tmp_path, monkeypatch) -> AsyncIterator[Bench]:
    """A route that looks for its mail more often than on real servers."""
    monkeypatch.setattr(inbox, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(inbox, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(inbox, "IDLE_FROM", 0.02)
    monkeypatch.setattr(inbox, "JUNK_EVERY", 0.05)
    async with MailServers().running() as servers:
        made = Bench(servers, tmp_path)
        made.state = await State.open(tmp_path)
        yield made
        await made.state.close()
