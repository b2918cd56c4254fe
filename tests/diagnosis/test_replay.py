"""Replays every example that is a reply of its protocol through a real session, probe and runner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from exporter.diagnosis import signatures
from exporter.diagnosis.signatures import ANY, Signature
from exporter.model import Endpoint, Kind, Login, Outcome, ProbeName, Result, Secret, Security, Service, Target
from exporter.model.reasons import Layer, about
from exporter.probes import imap, pop3, smtp
from exporter.probes.context import Context
from exporter.probes.roundtrip import trip
from exporter.run.runner import Runner
from exporter.state.store import State
from tests.context import context_over
from tests.diagnosis.replay import LATER, LOGIN, Replayer, protocol, step
from tests.docs.generate_signatures import NOT_REPLAYED, PAGE, page
from tests.probes.mail_servers import PASSWORD, MailServers

ROWS = tuple(row for row in signatures.rows() if protocol(row))
AT_ONCE = 8


@dataclass(frozen=True)
class Given:
    word: str = PASSWORD

    async def read(self) -> Secret:
        return Secret(self.word)


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[Context]:
    state = await State.open(tmp_path)
    yield context_over(state)
    await state.close()


def target(number: int, row: Signature, ports: dict[Service, int], mailbox: int) -> Target:
    """Return the target for the row's server. Its family is known; for a generic row, its provider has no rows."""
    families = (row.provider,) if row.provider != ANY else ("nobody",)
    user = f"row{number}@example.test"
    login = Login(user, user, Given(), families=families)
    spoken = protocol(row)
    assert spoken
    end = Endpoint("127.0.0.1", ports[spoken], Security.PLAIN, spoken)
    settings: object
    kind, probe, route = Kind.MAILBOX, ProbeName(spoken.value), None
    if spoken is Service.SMTP and step(row) == LATER:
        kind, probe, route = Kind.ROUTE, ProbeName.ROUNDTRIP, (user, "to")
        back = Endpoint("127.0.0.1", mailbox, Security.PLAIN, Service.IMAP)
        receiver = Login(f"to{number}", "to@example.test", Given(), auth="plain")
        settings = trip.Settings(user, user, "to@example.test", end, login, back, receiver, 5, 900, 5)
    elif spoken is Service.SMTP:
        settings = smtp.Settings(end, login)
    elif spoken is Service.POP3:
        settings = pop3.Settings(end, login)
    else:
        settings = imap.Settings(end, login)
    return Target(user, kind, probe, settings, 300.0, 20.0, 60.0, families=families, route=route)


async def test_each_example_ends_in_its_reason(world: Context):
    runner, free = Runner(world), asyncio.Semaphore(AT_ONCE)
    async with Replayer(ROWS).running() as replayer, MailServers().running() as servers:

        async def replay(number: int, row: Signature) -> tuple[Signature, Result]:
            async with free:
                return row, await runner.run(target(number, row, replayer.ports, servers.imap_port))

        done = await asyncio.gather(*(replay(number, row) for number, row in enumerate(ROWS)))
    wrong = [
        f"{row.id} ({protocol(row)}, {step(row)}): {result.outcome} {result.failure}"
        for row, result in done
        if result.failure is None
        or result.outcome is not Outcome.FAILED
        or not (result.failure.reason is row.reason or (row.when == "later" and result.failure.reason in row.causes))
        or not (row.code or f"signature:{row.id}" in result.failure.rule.split(" | "))
    ]
    assert "\n".join(wrong) == ""
    refused = [result for row, result in done if step(row) == LOGIN and about(row.reason).layer is Layer.AUTH]
    assert len(refused) > 50
    assert all(result.login_attempted for result in refused)


def test_most_rows_are_replayed_and_the_rest_is_listed_with_its_why():
    listed = set(NOT_REPLAYED())
    assert listed == {row.id for row in signatures.rows()} - {row.id for row in ROWS}
    assert len(ROWS) > 3 * len(listed)


def test_the_documentation_lists_every_row():
    """On failure: python -m tests.docs.generate_signatures."""
    assert PAGE.read_text(encoding="utf-8") == page()
