"""Tests of access tokens: cached, requested once at a time, and refresh tokens that are replaced survive restarts."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from exporter.credentials.access_tokens import AccessTokens
from exporter.credentials.clock import Clock
from exporter.credentials.files import write_secret
from exporter.credentials.guard import LoginGuard
from exporter.credentials.token_store import TokenStore
from exporter.model import AccessToken, FactName, Flow, Login, LoginRecord, Phase, Secret, Service, TokenSource
from exporter.model.advice import Advice
from exporter.model.errors import ProbeError, Refusal, Suspended, TokenRefusal
from exporter.model.reasons import Reason
from exporter.model.settings import GuardSettings
from exporter.model.trace import Trace
from exporter.net.dns.resolver import Resolver
from exporter.net.tls import TlsContexts
from tests.credentials.machine import Disk, Time
from tests.servers.process import free_port
from tests.servers.tokens import CLIENT, CLIENT_SECRET, TokenServer

USER = "alice@example.test"


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    async with TokenServer() as made:
        yield made


class Source:
    """A file with a secret that the test can change."""

    def __init__(self, content: str) -> None:
        self.content = content

    async def read(self) -> Secret:
        return Secret(self.content)


class Daemon:
    """A daemon with one mailbox, from start to stop."""

    def __init__(self, server: TokenServer, directory: Path | None, seed: Source, time: Time) -> None:
        self.store = TokenStore(directory)
        self.logins = LoginGuard(Disk().session(), GuardSettings(), clock=time.clock())
        self.source = TokenSource("alice's", Flow.REFRESH_TOKEN, server.url(), CLIENT, "mail", seed)
        self.trace = Trace()
        self.load()

    def load(self) -> None:
        """Load the mailbox, or load it again as a reload with other resolvers does."""
        self.tokens = AccessTokens(Resolver(), TlsContexts(), self.logins, self.store)

    def login(self, source: TokenSource | None = None) -> Login:
        source = source or self.source
        return Login(f"{USER}@@example", USER, source.seed, "oauth", source)

    async def token(self, source: TokenSource | None = None) -> AccessToken:
        self.trace = Trace()
        token = await self.tokens.token(self.login(source), self.trace)
        assert token is not None
        return token

    async def log_in(self, answer: Exception | None = None) -> AccessToken:
        """Return a token, and report the answer of a mail server to it."""
        token = await self.token()
        try:
            async with self.logins.attempt(self.login(), self.trace, token) as secret:
                assert secret == token.secret
                self.trace.credential_sent = True
                if answer is not None:
                    raise answer
        except Refusal:
            assert answer is not None
        return token


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def seed(server: TokenServer) -> Source:
    return Source(server.refresh_token(USER))


@pytest.fixture
def daemon(server: TokenServer, tmp_path: Path, seed: Source, time: Time) -> Daemon:
    return Daemon(server, tmp_path / "tokens", seed, time)


async def test_a_token_is_kept_until_shortly_before_its_end(daemon, server, time):
    first = await daemon.token()
    time.wait(3600 - 301)
    assert await daemon.token() is first
    time.wait(2)
    assert await daemon.token() is not first
    assert len(server.requests) == 2


async def test_a_token_that_lives_for_a_minute_is_used_for_half_of_it(daemon, server, time):
    server.lifetime = 60
    first = await daemon.token()
    time.wait(29)
    assert await daemon.token() is first
    time.wait(2)
    assert await daemon.token() is not first


async def test_the_wall_clock_may_jump(daemon, time):
    first = await daemon.token()
    time.wall += 10 * 365 * 86400
    assert await daemon.token() is first


async def test_its_end_is_a_fact_also_where_no_new_one_comes(daemon, server, time):
    token = await daemon.token()
    assert [(fact.name, fact.value) for fact in daemon.trace.facts][-1] == (FactName.OAUTH_EXPIRY, token.expires)
    assert token.expires == time.wall + 3600
    time.wait(4000)
    server.refuse("invalid_grant")
    with pytest.raises(TokenRefusal):
        await daemon.token()
    assert [fact.value for fact in daemon.trace.facts] == [token.expires]
    assert daemon.trace.failed_phase is Phase.TOKEN


async def test_many_that_need_a_token_at_once_make_one_request(daemon, server):
    server.gate.clear()
    asked = [asyncio.create_task(daemon.token()) for _ in range(20)]
    await server.arrived.wait()
    server.gate.set()
    assert len({id(token) for token in await asyncio.gather(*asked)}) == 1
    assert len(server.requests) == 1


async def test_a_request_is_not_given_up_with_its_run(daemon, server, seed):
    """The answer contains the next refresh token, and the old one is already invalid."""
    server.rotates = True
    server.gate.clear()
    run = asyncio.create_task(daemon.token())
    await server.arrived.wait()
    run.cancel()
    await asyncio.wait([run])
    server.gate.set()
    await daemon.token()
    assert len(server.requests) == 1


async def test_stopping_waits_for_the_answer_under_way(daemon, server, tmp_path):
    server.rotates = True
    server.gate.clear()
    run = asyncio.create_task(daemon.token())
    await server.arrived.wait()
    run.cancel()
    await asyncio.wait([run])
    stopping = asyncio.create_task(daemon.store.aclose())
    server.gate.set()
    await stopping
    assert len(list((tmp_path / "tokens").iterdir())) == 1


async def test_a_replaced_refresh_token_survives_a_restart_and_is_for_our_eyes_only(
    daemon, server, seed, tmp_path, time
):
    server.rotates = True
    await daemon.token()
    (file,) = (tmp_path / "tokens").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert json.loads(file.read_text())["refresh_token"] in server.refresh_tokens
    assert seed.content not in server.refresh_tokens  # used up
    assert seed.content not in file.read_text()
    await Daemon(server, tmp_path / "tokens", seed, time).token()
    assert server.requests[1]["refresh_token"] != seed.content


async def test_a_changed_seed_begins_a_new_chain_at_once(daemon, server, seed):
    server.rotates = True
    first = await daemon.token()
    seed.content = server.refresh_token(USER)
    assert await daemon.token() is not first
    assert server.requests[1]["refresh_token"] == seed.content
    await daemon.token()
    assert len(server.requests) == 2


async def test_a_changed_seed_is_not_paused_for_what_the_old_one_did(daemon, server, seed):
    server.refuse("invalid_grant")
    for _ in range(2):
        with pytest.raises(TokenRefusal) as refused:
            await daemon.token()
        assert daemon.trace.login == LoginRecord(attempted=True, refused=True)
        assert refused.value.failure is not None
        assert refused.value.failure.phase is Phase.TOKEN
    with pytest.raises(Suspended) as caught:
        await daemon.token()
    assert caught.value.reason is Reason.OAUTH_TOKEN_REJECTED
    assert len(server.requests) == 2
    server.allow()
    seed.content = server.refresh_token(USER)
    await daemon.token()


async def test_check_force_passes_the_pause_of_the_token_too(daemon, server):
    server.refuse("invalid_grant")
    for _ in range(2):
        with pytest.raises(TokenRefusal):
            await daemon.token()
    server.allow()
    daemon.logins.allow_once(daemon.login().account)
    await daemon.token()


@pytest.mark.parametrize(("error", "status"), [("temporarily_unavailable", 400), ("", 503), ("no JSON", 400)])
async def test_an_endpoint_that_decides_nothing_has_a_bound(daemon, server, error, status):
    server.refuse(error, status=status)
    if error == "no JSON":
        server.answer = web.Response(text="proxy error", status=status)
    for _ in range(GuardSettings().unsettled_per_day // 2):
        with pytest.raises((TokenRefusal, ProbeError)):
            await daemon.token()
    with pytest.raises(Suspended) as caught:
        await daemon.token()
    assert caught.value.advice is Advice.LOGINS_UNSETTLED


async def test_an_endpoint_that_cannot_be_reached_got_no_credential(daemon, server):
    source = replace(daemon.source, token_url=f"http://127.0.0.1:{free_port()}/token")
    for _ in range(GuardSettings().unsettled_per_day + 1):
        with pytest.raises(ProbeError):
            await daemon.token(source)
    await daemon.token()


async def test_an_endpoint_that_is_busy_for_a_moment_does_no_harm(daemon, server):
    for _ in range(5):
        server.refuse("temporarily_unavailable", status=503)
        with pytest.raises(TokenRefusal):
            await daemon.token()
        assert daemon.trace.login == LoginRecord(attempted=True)
    server.allow()
    await daemon.token()


async def test_a_refused_token_is_replaced_in_the_next_run_and_counts_for_the_credential(daemon, server):
    refusal = Refusal(Service.IMAP, "NO", 'NO [AUTHENTICATIONFAILED] no\n{"status":"401"}')
    first = await daemon.log_in(refusal)
    assert len(server.requests) == 1
    assert refusal.failure is not None
    assert refusal.failure.reason is Reason.OAUTH_TOKEN_REJECTED
    second = await daemon.log_in(Refusal(Service.IMAP, "NO", refusal.text))
    assert second is not first
    assert len(server.requests) == 2
    with pytest.raises(Suspended):
        await daemon.log_in()


async def test_an_accepted_token_clears_the_slate(daemon, server, time):
    await daemon.log_in()
    time.wait(600)
    refusal = Refusal(Service.IMAP, "NO", 'NO no\n{"status":"invalid_token"}')
    await daemon.log_in(refusal)
    assert refusal.failure is not None
    assert refusal.failure.reason is Reason.OAUTH_TOKEN_EXPIRED
    for _ in range(5):
        await daemon.log_in()
    assert len(server.requests) == 2


async def test_one_token_serves_all_mailboxes_of_an_application(daemon, server):
    shared = TokenSource("app", Flow.CLIENT_CREDENTIALS, server.url(), CLIENT, "all", Source(CLIENT_SECRET))
    assert await daemon.token(shared) is await daemon.token(shared)
    assert len(server.requests) == 1


async def test_a_disk_that_cannot_be_written_costs_only_the_restart(daemon, server, tmp_path, caplog):
    (tmp_path / "tokens").write_text("not a folder")
    server.rotates = True
    with caplog.at_level(logging.ERROR):
        await daemon.token()
    assert "mailprobe oauth" in caplog.text
    assert "canary" not in caplog.text
    daemon.store._held.clear()
    await daemon.token()
    assert len(server.requests) == 2


@pytest.mark.parametrize("when", ["the next login", "the end"])
async def test_a_refresh_token_that_the_disk_refused_is_written_later(daemon, server, tmp_path, seed, when):
    (tmp_path / "tokens").write_text("not a folder")
    server.rotates = True
    await daemon.token()
    (tmp_path / "tokens").unlink()
    if when == "the end":
        await daemon.store.aclose()
    else:
        await daemon.token()
    assert len(server.requests) == 1
    await Daemon(server, tmp_path / "tokens", seed, Time()).token()
    assert server.requests[-1]["refresh_token"] != seed.content


async def test_a_damaged_file_is_as_good_as_none(daemon, server, tmp_path, time, seed):
    server.rotates = True
    for content in ("", "{}", "[]", "\0", '{"seed": 1}'):
        await daemon.token()
        (file,) = (tmp_path / "tokens").iterdir()
        file.write_text(content)
        server.refresh_tokens[seed.content] = USER
        daemon = Daemon(server, tmp_path / "tokens", seed, time)
        await daemon.token()
        assert server.requests[-1]["refresh_token"] == seed.content


def test_a_secret_file_is_replaced_whole_and_keeps_its_owner(tmp_path):
    file = tmp_path / "secrets" / "token"
    write_secret(file, "one")
    file.chmod(0o644)
    write_secret(file, "two")
    assert file.read_text() == "two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


async def test_nothing_is_told_of_a_token(daemon, server):
    server.rotates = True
    token = await daemon.token()
    shown = [repr(token), repr(daemon.source), *(line.text for line in daemon.trace.lines), repr(daemon.trace.facts)]
    assert "canary" not in "\n".join(shown)


async def test_a_login_by_password_needs_none(daemon, server):
    login = replace(daemon.login(), oauth=None)
    assert await daemon.tokens.token(login, daemon.trace) is None
    assert server.requests == []
    assert daemon.trace.phases == ()


async def test_a_reload_keeps_the_tokens_and_the_request_under_way(daemon, server):
    server.gate.clear()
    before = asyncio.create_task(daemon.token())
    await server.arrived.wait()
    daemon.load()
    after = asyncio.create_task(daemon.token())
    await asyncio.sleep(0)
    server.gate.set()
    assert await before is await after
    daemon.load()
    assert await daemon.token() is await before
    assert len(server.requests) == 1


async def test_real_clocks_do(server, seed):
    clock = LoginGuard(Disk().session(), GuardSettings()).clock
    assert isinstance(clock, Clock)
    assert clock.now() > 0
