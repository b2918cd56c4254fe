"""Tests of the pop3 probe with a real dovecot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from exporter.model import Endpoint, FactName, Kind, Login, Outcome, Phase, ProbeName, Result, Security, Service, Target
from exporter.model.reasons import Reason
from exporter.probes import imap, pop3, tls
from exporter.run.runner import Runner
from exporter.state.store import State
from tests.context import context_over
from tests.probes.login_scene import Given
from tests.servers.dovecot import EXPIRED, GOOD, SECURE_ONLY, Dovecot
from tests.servers.world import ALICE, BOB, CAROL


@pytest.fixture
async def runner(tmp_path) -> AsyncIterator[Runner]:
    state = await State.open(tmp_path)
    yield Runner(context_over(state))
    await state.close()


def settings(dovecot: Dovecot, user: str, security: Security = Security.TLS, host: str = GOOD) -> pop3.Settings:
    port = dovecot.pop3s if security is Security.TLS else dovecot.pop3
    endpoint = Endpoint(host, port, security, Service.POP3, ca_file=dovecot.authority.ca_file)
    return pop3.Settings(endpoint, Login(user, user, Given(dovecot.users[user].password)))


def target(given: object, probe: ProbeName = ProbeName.POP3) -> Target:
    return Target("box", Kind.MAILBOX, probe, given, 60, 10, 10)


def verdict(result: Result) -> tuple[Phase | None, Reason | None]:
    return (result.failure.phase, result.failure.reason) if result.failure else (None, None)


@pytest.mark.parametrize(("security", "host"), [(Security.TLS, GOOD), (Security.STARTTLS, SECURE_ONLY)])
@pytest.mark.parametrize("user", [ALICE, BOB, CAROL])
async def test_a_login_tells_the_maildrops_size_and_leaves_it_as_it_was(
    dovecot: Dovecot, runner: Runner, user: str, security: Security, host: str
):
    dovecot.deliver(user, b"Subject: one\r\n\r\n")
    dovecot.deliver(user, b"Subject: two\r\n\r\nbody\r\n")
    result = await runner.run(target(settings(dovecot, user, security, host)))
    assert result.outcome is Outcome.OK, result.failure
    assert result.fact(FactName.MAILDROP_MESSAGES) == 2
    size = result.fact(FactName.MAILDROP_BYTES)
    assert isinstance(size, int)
    assert size > 20
    assert result.fact(FactName.MECHANISM) == "PLAIN"
    assert result.fact(FactName.TLS_VERSION) == "TLSv1.3"
    assert dovecot.count(user) == 2
    assert all(dovecot.users[user].password not in line.text for line in result.transcript)


@pytest.mark.parametrize("auth", ["plain", "login"])
@pytest.mark.parametrize("word", ["密码“词”x", 'qu"o\\te it', "blanks  in it"])
async def test_both_mechanisms_with_passwords_that_find_sloppy_quoting(
    dovecot: Dovecot, runner: Runner, auth: str, word: str
):
    dovecot.set_password(ALICE, word)
    given = settings(dovecot, ALICE)
    result = await runner.run(target(replace(given, login=replace(given.login, auth=auth))))
    assert result.outcome is Outcome.OK, result.failure


async def test_a_wrong_password_is_told_and_counts_for_imap_too(dovecot: Dovecot, runner: Runner):
    """One account, one guard: after two refusals by POP3, IMAP does not send the password either."""
    wrong = Login("account", ALICE, Given("not-the-password"))
    given = replace(settings(dovecot, ALICE), login=wrong)
    for _ in range(2):
        result = await runner.run(target(given))
        assert verdict(result) == (Phase.LOGIN, Reason.WRONG_PASSWORD)
        assert result.login_refused
        assert result.failure is not None
        assert result.failure.text == "-ERR [AUTH] Authentication failed."
    other = imap.Settings(replace(given.endpoint, port=dovecot.imaps, protocol=Service.IMAP), wrong)
    result = await runner.run(target(other, ProbeName.IMAP))
    assert (result.login_attempted, result.login_suspended) == (False, True)


async def test_the_reason_of_a_locked_account_survives(dovecot: Dovecot, runner: Runner):
    dovecot.refuse(BOB, "Account is locked by the administrator")
    result = await runner.run(target(settings(dovecot, BOB)))
    assert result.failure is not None
    assert "Account is locked by the administrator" in result.failure.text
    assert result.failure.phase is Phase.LOGIN


async def test_without_tls_where_dovecot_wants_it(dovecot: Dovecot, runner: Runner):
    result = await runner.run(target(settings(dovecot, ALICE, Security.PLAIN, SECURE_ONLY)))
    assert verdict(result) == (Phase.LOGIN, Reason.TLS_REQUIRED)
    assert not result.login_attempted


async def test_an_expired_certificate_gets_no_password(dovecot: Dovecot, runner: Runner):
    result = await runner.run(target(settings(dovecot, ALICE, Security.STARTTLS, EXPIRED)))
    assert verdict(result) == (Phase.TLS, Reason.CERTIFICATE_EXPIRED)
    assert not result.login_attempted


async def test_a_pop3_server_is_an_endpoint_like_any_other(dovecot: Dovecot, runner: Runner):
    endpoint = settings(dovecot, ALICE).endpoint
    result = await runner.run(target(tls.Settings(endpoint), ProbeName.TLS))
    assert result.outcome is Outcome.OK
    assert result.fact(FactName.CERT_VALID) == 1
