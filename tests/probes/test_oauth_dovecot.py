"""Tests of logins with access tokens and SCRAM, with a real dovecot that queries a token server."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from exporter.cli.check import Wanted, check
from exporter.credentials.token_store import TokenStore
from exporter.daemon.options import options
from exporter.model import (
    Endpoint,
    FactName,
    Flow,
    Kind,
    Login,
    Outcome,
    Phase,
    ProbeName,
    Result,
    Security,
    Service,
    Target,
    TokenSource,
    Wait,
)
from exporter.model.reasons import Reason
from exporter.probes import imap, pop3, smtp
from exporter.probes.context import Context
from exporter.run.runner import Runner
from exporter.state.store import State
from tests.context import context_over
from tests.probes.login_scene import Given
from tests.servers.certs import Authority
from tests.servers.dovecot import GOOD, Dovecot
from tests.servers.postfix import Postfix
from tests.servers.process import free_port
from tests.servers.tokens import CLIENT, TokenServer
from tests.servers.world import ALICE, users


@pytest.fixture(scope="module")
def token_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def dovecot_server(authority: Authority, token_port: int) -> Iterator[Dovecot]:
    """In the place of the session's: one that takes tokens."""
    url = f"http://127.0.0.1:{token_port}/tokeninfo?access_token="
    with Dovecot(authority, users(), tokeninfo=url) as server:
        yield server


@pytest.fixture(scope="module")
def submission(dovecot_server: Dovecot) -> Iterator[Postfix]:
    """A postfix that lets that dovecot judge its logins."""
    with Postfix(dovecot_server) as server:
        yield server


@pytest.fixture
async def tokens(token_port: int) -> AsyncIterator[TokenServer]:
    async with TokenServer(token_port) as server:
        yield server


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[Context]:
    state = await State.open(tmp_path)
    store = TokenStore(tmp_path / "tokens")
    yield context_over(state, store=store)
    await store.aclose()
    await state.close()


class Box:
    """One mailbox with `oauth2`, and its probes."""

    def __init__(self, dovecot: Dovecot, submission: Postfix, tokens: TokenServer, world: Context) -> None:
        self.dovecot = dovecot
        self.submission = submission
        seed = Given(tokens.refresh_token(ALICE))
        source = TokenSource("alice's", Flow.REFRESH_TOKEN, tokens.url(), CLIENT, "mail", seed)
        self.login = Login(ALICE, ALICE, seed, "oauth", source)
        self.runner = Runner(world)

    async def run(self, probe: ProbeName = ProbeName.IMAP, **changes: object) -> Result:
        login = replace(self.login, **changes)  # type: ignore[arg-type]  # the test's business
        settings: imap.Settings | pop3.Settings | smtp.Settings
        if probe is ProbeName.IMAP:
            settings = imap.Settings(self._end(Service.IMAP, self.dovecot.imaps), login)
        elif probe is ProbeName.POP3:
            settings = pop3.Settings(self._end(Service.POP3, self.dovecot.pop3s), login)
        else:
            settings = smtp.Settings(self._end(Service.SMTP, self.submission.submissions), login)
        return await self.runner.run(Target("box", Kind.MAILBOX, probe, settings, 60, 10, 10))

    def _end(self, service: Service, port: int) -> Endpoint:
        return Endpoint(GOOD, port, Security.TLS, service, ca_file=self.dovecot.authority.ca_file)


@pytest.fixture
def box(dovecot: Dovecot, submission: Postfix, tokens: TokenServer, world: Context) -> Box:
    return Box(dovecot, submission, tokens, world)


ALL = (ProbeName.IMAP, ProbeName.POP3, ProbeName.SMTP)


def told(result: Result) -> str:
    return "\n".join([*(line.text for line in result.transcript), str(result.failure), str(result.facts)])


@pytest.mark.parametrize("probe", ALL)
@pytest.mark.parametrize("auth", ["oauth", "xoauth2", "oauthbearer"])
async def test_an_access_token_opens_the_mailbox(box: Box, tokens: TokenServer, probe, auth):
    result = await box.run(probe, auth=auth)
    assert result.outcome is Outcome.OK, told(result)
    assert result.fact(FactName.MECHANISM) == {"oauthbearer": "OAUTHBEARER"}.get(auth, "XOAUTH2")
    names = [phase for phase, _ in result.phases]
    assert names.index(Phase.GREETING) < names.index(Phase.TOKEN) < names.index(Phase.LOGIN)
    assert result.fact(FactName.OAUTH_EXPIRY) == pytest.approx(tokens.issued.popitem()[1].expires, abs=60)
    assert "canary" not in told(result)


async def test_probes_of_a_mailbox_share_one_token(box: Box, tokens: TokenServer):
    for probe in ALL:
        assert (await box.run(probe)).outcome is Outcome.OK
    assert len(tokens.requests) == 1


@pytest.mark.parametrize("probe", ALL)
@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer"])
async def test_a_token_that_ran_out_is_replaced_in_the_next_run_not_in_this_one(box, tokens, monkeypatch, probe, auth):
    monkeypatch.setattr("exporter.credentials.guard.NEW_FOR", 0.0)
    assert (await box.run(probe, auth=auth)).outcome is Outcome.OK
    tokens.expire_all()
    result = await box.run(probe, auth=auth)
    assert result.failure is not None
    assert (result.failure.phase, result.failure.reason) == (Phase.LOGIN, Reason.OAUTH_TOKEN_EXPIRED), told(result)
    assert '"status":"401"' in result.failure.text.replace(" ", "") or "invalid_token" in result.failure.text
    assert len(tokens.requests) == 1
    assert "canary" not in told(result)
    assert (await box.run(probe, auth=auth)).outcome is Outcome.OK
    assert len(tokens.requests) == 2


async def test_ever_new_tokens_are_no_way_around_the_guard(box: Box, tokens: TokenServer):
    """Each run requests a new token, and each is refused: after two refusals no login is attempted."""
    tokens.lifetime = 0
    for _ in range(2):
        result = await box.run()
        assert result.login_refused
        assert result.failure is not None
        assert result.failure.reason is Reason.OAUTH_TOKEN_REJECTED, told(result)
    result = await box.run()
    assert result.login_suspended
    assert not result.login_attempted


async def test_a_revoked_refresh_token_is_told_and_not_asked_about_again_and_again(box: Box, tokens: TokenServer):
    tokens.refresh_tokens.clear()
    for _ in range(2):
        result = await box.run()
        assert result.failure is not None
        assert (result.failure.phase, result.failure.reason) == (Phase.TOKEN, Reason.OAUTH_TOKEN_REJECTED)
        assert result.login_refused
        assert "canary" not in told(result)
    result = await box.run()
    assert result.login_suspended
    assert result.fact(FactName.TLS_VERSION) == "TLSv1.3"  # the server itself is still looked at
    assert len(tokens.requests) == 2


async def test_check_logs_in_with_tokens_and_keeps_the_replaced_one(dovecot, tokens, tmp_path, capsys):
    """All parts together: config → check → dovecot, twice, with a provider that replaces refresh tokens."""
    tokens.rotates = True
    seed = tmp_path / "seed"
    seed.write_text(tokens.refresh_token(ALICE))
    (tmp_path / "config.yaml").write_text(
        "mailboxes:\n"
        f"  - name: box\n    address: {ALICE}\n    smtp: off\n"
        f"    oauth2: {{client_id: {CLIENT}, refresh_token_file: seed, token_url: {tokens.url()}}}\n"
        f"    imap: {{host: {GOOD}, port: {dovecot.imaps}, security: tls, ca_file: {dovecot.authority.ca_file}}}\n"
    )
    given = Namespace(config_file=str(tmp_path / "config.yaml"), storage_path=str(tmp_path / "state"))
    wanted = Wanted(("box",), ("imap",), "", force=False, wait=Wait.NOT, as_json=False, language="en")
    for _ in range(2):
        assert await check(options(given, {}), wanted) == 0, capsys.readouterr()
    assert seed.read_text() not in tokens.refresh_tokens
    assert len(tokens.refresh_tokens) == 1
    assert len(list((tmp_path / "state" / "tokens").iterdir())) == 1
    said = capsys.readouterr()
    assert "canary" not in said.out + said.err


@pytest.mark.parametrize("probe", ALL)
async def test_scram_proves_both_sides(box: Box, probe: ProbeName):
    password = box.dovecot.users[ALICE].password
    result = await box.run(probe, auth="scram-sha-256", oauth=None, source=Given(password))
    assert result.outcome is Outcome.OK, told(result)
    assert result.fact(FactName.MECHANISM) == "SCRAM-SHA-256"
    assert password not in told(result)


@pytest.mark.parametrize("probe", ALL)
async def test_scram_with_a_wrong_password_is_a_refused_login(box: Box, probe: ProbeName):
    result = await box.run(probe, auth="scram-sha-256", oauth=None, source=Given("not this one"))
    assert result.failure is not None
    assert result.failure.reason is Reason.WRONG_PASSWORD
    assert result.login_refused
