"""Fixtures: the real servers, started once per session and reset after each test. A failed test shows their logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from tests import groups
from tests.servers.certs import Authority
from tests.servers.chromium import Browser, Chromium
from tests.servers.dns import Authoritative, Resolver
from tests.servers.dovecot import Dovecot
from tests.servers.monitoring import Alertmanager, Blackbox, Prometheus, Webhook
from tests.servers.opendkim import Key, Milters, Signer, Verifier
from tests.servers.postfix import Postfix
from tests.servers.process import RUNNING, Server, sweep
from tests.servers.world import DOMAIN, MailWorld, gather, users, zones

REAL_SERVERS = frozenset(
    {"dovecot_server", "postfix_server", "opendkim_servers", "authoritative_server", "launch", "chromium"}
)
S = TypeVar("S", bound=Server)
sizes_before = pytest.StashKey[dict[str, int]]()

# A busy machine can delay a test for any time; pytest's own timeout ends a test that hangs.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without-servers", action="store_true", help="leave out the tests that use a real server")


def pytest_sessionstart(session: pytest.Session) -> None:
    if not _is_worker(session.config):
        sweep()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def wanted(item: pytest.Item) -> bool:
        for asked_for in ("bench", "install", "times"):
            if item.get_closest_marker(asked_for) and asked_for not in config.getoption("-m"):
                return False
        real = REAL_SERVERS.intersection(getattr(item, "fixturenames", ()))
        return not (real and config.getoption("--without-servers"))

    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = [item for item in items if wanted(item)]
    if _is_worker(config):
        groups.sort(items, REAL_SERVERS)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> groups.Groups:
    return groups.Groups(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[sizes_before] = {str(server.log): server.log.stat().st_size for server in RUNNING if server.log.exists()}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the servers logged during a test that failed."""
    report = yield
    if report.failed:
        before = item.stash.get(sizes_before, {})
        for server in RUNNING:
            said = server.tail(100, after=before.get(str(server.log), 0))
            if said:
                report.sections.append((f"log of {server.name}", said))
    return report


def _is_worker(config: pytest.Config) -> bool:
    """Return whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    """The certificates. Clients trust `authority.ca_file`."""
    made = Authority()
    yield made
    made.close()


@pytest.fixture(scope="session")
def dkim_key() -> Key:
    return Key()


@pytest.fixture(scope="session")
def dovecot_server(authority: Authority) -> Iterator[Dovecot]:
    with Dovecot(authority, users()) as server:
        yield server


@pytest.fixture(scope="session")
def authoritative_server(dkim_key: Key) -> Iterator[Authoritative]:
    with Authoritative(zones(dkim_key.record)) as server:
        yield server


@pytest.fixture(scope="session")
def resolver_server(authoritative_server: Authoritative) -> Iterator[Resolver]:
    with Resolver(authoritative_server) as server:
        yield server


@pytest.fixture(scope="session")
def opendkim_servers(dkim_key: Key, resolver_server: Resolver) -> Iterator[Milters]:
    with Signer(DOMAIN, dkim_key) as signer, Verifier(f"mx.{DOMAIN}", resolver_server.address) as verifier:
        yield Milters(signer, verifier)


@pytest.fixture(scope="session")
def postfix_server(dovecot_server: Dovecot, opendkim_servers: Milters) -> Iterator[Postfix]:
    with Postfix(dovecot_server, opendkim_servers) as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with Chromium() as server:
        yield server


@pytest.fixture
async def browser(chromium: Chromium) -> AsyncIterator[Browser]:
    """A real headless Chromium: `await browser.page()` opens a tab for this test only."""
    async with Browser(chromium.ensure_usable()) as connected:
        yield connected


@pytest.fixture
def dovecot(dovecot_server: Dovecot) -> Iterator[Dovecot]:
    """A real dovecot with the accounts of `tests.servers.world.users()`.

    Each test begins with these accounts and no mail.
    """
    dovecot_server.ensure_usable()
    yield dovecot_server
    dovecot_server.ensure_usable()
    dovecot_server.reset(users())


@pytest.fixture
def authoritative(authoritative_server: Authoritative, dkim_key: Key) -> Iterator[Authoritative]:
    """A real knot with the zones of `tests.servers.world.zones()`. Each test begins with these zones."""
    authoritative_server.ensure_usable()
    yield authoritative_server
    authoritative_server.ensure_usable()
    authoritative_server.reset(zones(dkim_key.record))


@pytest.fixture
def resolver(resolver_server: Resolver, authoritative: Authoritative) -> str:
    """The address of a real, validating unbound that asks `authoritative`.

    Its cache is empty at the start of a test.
    """
    resolver_server.ensure_usable()
    resolver_server.flush()
    return resolver_server.address


@pytest.fixture
def opendkim(opendkim_servers: Milters, resolver: str) -> Milters:
    for server in opendkim_servers:
        server.ensure_usable()
    return opendkim_servers


@pytest.fixture
def postfix(postfix_server: Postfix, dovecot: Dovecot, opendkim: Milters) -> Iterator[Postfix]:
    """A real postfix in front of `dovecot`.

    Each test begins with an empty queue. Its module explains the special addresses.
    """
    yield postfix_server.ensure_usable()
    if postfix_server.running:
        postfix_server.empty()


@pytest.fixture
def mail_world(dovecot: Dovecot, postfix: Postfix, resolver: str) -> MailWorld:
    """One domain on which every probe succeeds."""
    return gather(dovecot, postfix, resolver)


@pytest.fixture
def launch() -> Iterator[Callable[[S], S]]:
    """`launch(server)` starts a server for this test only and removes it after the test."""
    launched: list[Server] = []

    def start(server: S) -> S:
        launched.append(server)
        server.start()
        return server

    yield start
    for server in reversed(launched):
        server.close()


@pytest.fixture
def prometheus(launch: Callable[[Prometheus], Prometheus]) -> Callable[..., Prometheus]:
    """`prometheus(config, rules)` starts a real Prometheus."""
    return lambda config, rules=None: launch(Prometheus(config, rules))


@pytest.fixture
def alertmanager(launch: Callable[[Alertmanager], Alertmanager]) -> Callable[[str], Alertmanager]:
    """`alertmanager(config)` starts a real Alertmanager."""
    return lambda config: launch(Alertmanager(config))


@pytest.fixture
def blackbox(launch: Callable[[Blackbox], Blackbox]) -> Callable[[str], Blackbox]:
    """`blackbox(config)` starts a real blackbox_exporter."""
    return lambda config: launch(Blackbox(config))


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    """Collects the notifications that Alertmanager sends to `webhook.url`."""
    async with Webhook() as receiver:
        yield receiver
