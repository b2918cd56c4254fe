"""Tests of a shard that takes over accounts without their login history: it limits its logins for some time."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.credentials.breaker import DAY
from exporter.credentials.guard import LoginGuard
from exporter.model import Login
from exporter.model.effective import EffectiveConfig
from exporter.model.errors import Suspended
from exporter.model.settings import GuardSettings, LoginShares
from exporter.model.sharding import WHOLE, Sharding
from exporter.state.store import State
from exporter.targets.resharding import NOTE, Move, remember
from tests.credentials.machine import Disk, Source, Time
from tests.credentials.test_guard import WRONG, attempt

NOW = 1.8e9


@pytest.fixture
async def notes(tmp_path):
    state = await State.open(tmp_path / "data")
    yield state.notes
    await state.close()


async def test_one_daemon_alone_has_nothing_to_be_careful_about(notes):
    assert await remember(notes, WHOLE, NOW) is None
    assert await remember(notes, WHOLE, NOW + 60) is None


async def test_a_move_matters_for_a_day_also_after_restarts(notes):
    first, second = Sharding(1, 3), Sharding(1, 4)
    assert await remember(notes, first, NOW) == Move(None, NOW + DAY)
    assert await remember(notes, first, NOW + 100) == Move(None, NOW + DAY)
    assert await remember(notes, second, NOW + 200) == Move(first, NOW + 200 + DAY)
    assert await remember(notes, second, NOW + 300) == Move(first, NOW + 200 + DAY)
    assert await remember(notes, second, NOW + 200 + DAY) is None
    assert await remember(notes, WHOLE, NOW + 3 * DAY) == Move(second, NOW + 4 * DAY)


async def test_who_was_alone_knows_all_accounts_and_takes_over_none(notes):
    await remember(notes, WHOLE, NOW)
    assert await remember(notes, Sharding(0, 3), NOW + 60) == Move(WHOLE, NOW + 60 + DAY)


async def test_it_is_remembered_on_disk_and_what_cannot_be_read_is_no_memory(tmp_path):
    state = await State.open(tmp_path / "data")
    await remember(state.notes, Sharding(1, 3), NOW)
    await state.close()
    state = await State.open(tmp_path / "data")
    assert await remember(state.notes, Sharding(1, 3), NOW + DAY) is None
    await state.notes.put(*NOTE, '{"shard": "x"}')
    assert await remember(state.notes, Sharding(1, 3), NOW + DAY) == Move(None, NOW + 2 * DAY)
    await state.close()


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def logins(time):
    return LoginGuard(Disk().session(), GuardSettings(), clock=time.clock())


def login(account: str = "sales", source: Source | None = None) -> Login:
    return Login(account, account, source or Source(), families=("dovecot",))


def share(logins: LoginGuard, **shares: Any) -> None:
    """Load a configuration that shares accounts like this."""
    logins.load(EffectiveConfig(login_shares=LoginShares(**shares)))


async def refused(logins: LoginGuard, login: Login) -> float:
    """Log in until that is suspended: seconds until the next attempt. Fails where it takes more than one refusal."""
    await attempt(logins, login, WRONG)
    with pytest.raises(Suspended) as caught:
        await attempt(logins, login)
    return caught.value.next_attempt - logins.clock.wall()


async def test_a_newcomer_costs_one_refusal_and_then_none_for_the_longest_pause(logins, time):
    share(logins, newcomers=frozenset({"sales"}), careful_until=time.wall + DAY)
    assert await refused(logins, login()) == pytest.approx(DAY)
    await attempt(logins, login("other"), WRONG)
    await attempt(logins, login("other"))


async def test_a_newcomers_new_password_is_tried_at_once(logins, time):
    source = Source()
    share(logins, newcomers=frozenset({"sales"}), careful_until=time.wall + DAY)
    await refused(logins, login(source=source))
    source.content = "the new one"
    assert (await attempt(logins, login(source=source))).login.attempted


async def test_a_newcomer_that_let_us_in_is_like_any_other_also_after_a_reload(logins, time):
    share(logins, newcomers=frozenset({"sales"}), careful_until=time.wall + DAY)
    await attempt(logins, login())
    share(logins, newcomers=frozenset({"sales"}), careful_until=time.wall + DAY)
    await attempt(logins, login(), WRONG)
    await attempt(logins, login(), WRONG)
    with pytest.raises(Suspended):
        await attempt(logins, login())


async def test_after_a_day_a_newcomer_is_like_any_other(logins, time):
    share(logins, newcomers=frozenset({"sales"}), careful_until=time.wall + DAY)
    time.wait(DAY + 1)
    await attempt(logins, login(), WRONG)
    await attempt(logins, login())


async def test_the_part_of_an_account_that_others_log_in_to_as_well_is_all_it_gets(logins, time):
    share(logins, allotted={"hub": GuardSettings(failures=1, refusals_per_day=2)})
    assert await refused(logins, login("hub")) == pytest.approx(1800, rel=0.11)
    time.wait(2100)
    assert await refused(logins, login("hub")) == pytest.approx(DAY - 2100)
    changed = Source("another")
    with pytest.raises(Suspended, match="as many logins as a day may have were refused"):
        await attempt(logins, login("hub", changed))
    share(logins)
    assert (await attempt(logins, login("hub", changed))).login.attempted
