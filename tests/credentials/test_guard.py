"""Tests of the login guard with its disk: pauses, restarts, kills, clocks that jump, secrets that change."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.credentials import records
from exporter.credentials.breaker import DAY
from exporter.credentials.guard import LoginGuard
from exporter.diagnosis.diagnose import diagnose, outcome_of
from exporter.model import FactName, Login, Outcome, Phase, Service
from exporter.model.errors import Inconclusive, Refusal, ServerClosed, Suspended
from exporter.model.reasons import Reason
from exporter.model.settings import GuardSettings
from exporter.model.trace import Trace
from exporter.state.store import State
from tests.credentials.machine import Disk, Source, Time

WRONG = Refusal(Service.IMAP, "NO", "NO [AUTHENTICATIONFAILED] Authentication failed.")
UNAVAILABLE = Refusal(Service.IMAP, "NO", "NO [UNAVAILABLE] Temporary authentication failure.")
LIMITED = Refusal(Service.SMTP, "421", "421 4.7.0 Too many login attempts, try again later: rate limit exceeded")
OPEN = [UNAVAILABLE, ConnectionResetError(), TimeoutError(), ServerClosed(), Refusal(Service.IMAP, "BYE", "BYE Sorry")]
RULES = GuardSettings()


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def login(source):
    return Login("sales@example.com", "sales@example.com", source, families=("dovecot",))


async def attempt(
    logins: LoginGuard,
    login: Login,
    answer: BaseException | None = None,
    *,
    force: bool = False,
    sent: bool = True,
    greeting: str = "",
) -> Trace:
    """Log in once. `answer` is what the server says to it, None if it accepts; `sent`: the password went out."""
    trace = Trace()
    if greeting:
        trace.fact(FactName.GREETING, greeting)

    def reply() -> None:
        if answer is not None:
            raise answer

    try:
        async with logins.attempt(login, trace, force=force):
            trace.credential_sent = sent
            reply()
    except Exception as exc:
        if exc is not answer:
            raise
    return trace


async def suspended(logins: LoginGuard, login: Login) -> Suspended:
    with pytest.raises(Suspended) as caught:
        await attempt(logins, login)
    return caught.value


async def test_an_accepted_login_hands_out_the_secret_and_is_noted(logins, login):
    trace = Trace()
    async with logins.attempt(login, trace) as secret:
        assert secret.reveal() == "correct horse"
    assert trace.login.attempted
    assert not trace.login.refused


async def test_two_refusals_suspend_with_the_servers_words_and_the_next_attempt(logins, login, time):
    for _ in range(2):
        trace = await attempt(logins, login, WRONG)
        assert trace.login.attempted
        assert trace.login.refused
    stopped = await suspended(logins, login)
    assert stopped.reason is Reason.WRONG_PASSWORD
    assert "Authentication failed" in stopped.text
    assert time.wall + 1800 <= stopped.next_attempt <= time.wall + 1800 * 1.1
    again = await suspended(logins, login)
    assert (again.reason, again.text, again.next_attempt) == (stopped.reason, stopped.text, stopped.next_attempt)


async def test_a_suspended_login_is_not_an_attempt(logins, login):
    await attempt(logins, login, WRONG)
    await attempt(logins, login, WRONG)
    trace = Trace()
    with pytest.raises(Suspended):
        async with logins.attempt(login, trace):
            pytest.fail("the secret was handed out")
    assert not trace.login.attempted


async def test_the_protocols_of_an_account_count_together_and_other_accounts_do_not(logins, login, source):
    await attempt(logins, login, WRONG)
    await attempt(logins, login, Refusal(Service.SMTP, "535", "535 5.7.8 Error: authentication failed"))
    await suspended(logins, login)
    await attempt(logins, Login("other", "other", source))


async def test_a_pause_tells_which_servers_words_stand(logins, login, disk, time):
    for _ in range(2):
        await attempt(logins, login, Refusal(Service.SMTP, "535", "535 5.7.8 Error: authentication failed"))
    assert (await suspended(logins, login)).answer_to is Service.SMTP
    again = LoginGuard(disk.session(), RULES, clock=time.clock())
    assert (await suspended(again, login)).answer_to is Service.SMTP


async def test_a_changed_secret_resumes_at_once_and_the_old_one_stays_paused(logins, login, source):
    await attempt(logins, login, WRONG)
    await attempt(logins, login, WRONG)
    source.content = "new password"
    await attempt(logins, login)
    await attempt(logins, login)
    source.content = "correct horse"
    await suspended(logins, login)


async def test_a_source_that_makes_up_secrets_gets_no_more_refusals_than_a_day_may_have(logins, login, source, time):
    for number in range(RULES.refusals_per_day):
        source.content = f"made up {number}"
        await attempt(logins, login, WRONG)
        time.wait(60)
    source.content = "one more"
    stopped = await suspended(logins, login)
    assert "--force" in stopped.text
    assert stopped.next_attempt == time.wall + DAY - 60 * RULES.refusals_per_day
    logins.allow_once(login.account)
    await attempt(logins, login)
    time.wait(DAY)
    await attempt(logins, login)


async def test_a_good_secret_is_used_on_after_a_restart_whatever_others_were_refused(disk, login, source, time):
    logins = LoginGuard(disk.session(), RULES, clock=time.clock())
    for number in range(RULES.refusals_per_day - 1):
        source.content = f"made up {number}"
        await attempt(logins, login, WRONG)
    source.content = "the good one"
    await attempt(logins, login)
    source.content = "made up again"
    await attempt(logins, login, WRONG)
    source.content = "the good one"
    await attempt(LoginGuard(disk.session(), RULES, clock=time.clock()), login)


async def test_answers_without_a_word_on_the_password_are_no_refusals(logins, login):
    for answer in OPEN * 3:
        trace = await attempt(logins, login, answer)
        assert not trace.login.refused
    await attempt(logins, login)


async def test_words_that_no_table_knows_count_as_a_refusal(logins, login):
    for _ in range(2):
        trace = await attempt(logins, login, Refusal(Service.IMAP, "NO", "NO computer says no"))
        assert trace.login.refused
    await suspended(logins, login)


async def test_slow_down_pauses_without_a_refusal(logins, login, time):
    trace = await attempt(logins, login, LIMITED)
    assert trace.login.attempted
    assert not trace.login.refused
    stopped = await suspended(logins, login)
    assert stopped.reason is Reason.RATE_LIMITED
    assert stopped.next_attempt < time.wall + 1800


async def test_force_passes_once_and_counts(logins, login, time):
    await attempt(logins, login, WRONG)
    await attempt(logins, login, WRONG)
    trace = await attempt(logins, login, WRONG, force=True)
    assert trace.login.refused
    logins.allow_once(login.account)
    await attempt(logins, login, WRONG)
    stopped = await suspended(logins, login)
    assert stopped.next_attempt >= time.wall + 4 * 1800


async def test_permission_for_one_login_is_not_kept_for_a_later_pause(logins, login):
    logins.allow_once(login.account)
    await attempt(logins, login, WRONG)
    await attempt(logins, login, WRONG)
    await suspended(logins, login)


async def test_healthy_accounts_cost_one_sync_at_the_start_and_none_later(logins, login, disk):
    await attempt(logins, login)
    assert (disk.synced, disk.rows) == (1, {})
    written = disk.written
    for _ in range(10):
        await attempt(logins, login)
    assert disk.written == written


async def test_a_password_without_an_acceptance_is_sent_after_the_attempt_is_on_disk(logins, login, disk):
    async with logins.attempt(login, Trace()):
        assert disk.synced == 1
        assert '"under_way": 1' in next(iter(disk.rows.values()))
    assert disk.rows == {}


async def test_no_password_is_sent_while_the_attempt_cannot_be_stored(logins, login, disk):
    disk.full = True
    trace = Trace()
    for force in (False, True, False):
        with pytest.raises(Inconclusive) as caught:
            async with logins.attempt(login, trace, force=force):
                pytest.fail("the secret was handed out")
        assert caught.value.reason is Reason.LOCAL_ERROR
        assert "cannot write its state file: database or disk is full" in caught.value.text
    assert not trace.login.attempted
    assert outcome_of(diagnose(caught.value, Phase.LOGIN)) is Outcome.INCONCLUSIVE
    disk.full = False
    await attempt(logins, login)  # there was nothing to pause for


async def test_attempts_that_were_not_stored_prolong_no_pause(logins, login, disk, time):
    await attempt(logins, login, WRONG)
    await attempt(logins, login, WRONG)
    time.wait((await suspended(logins, login)).next_attempt - time.wall)
    disk.full = True
    with pytest.raises(Inconclusive):
        await attempt(logins, login)
    disk.full = False
    await attempt(logins, login)


async def test_a_credential_that_was_accepted_is_used_on_while_the_disk_is_full(logins, login, disk):
    await attempt(logins, login)
    disk.full = True
    await attempt(logins, login)
    await attempt(logins, login, WRONG)
    with pytest.raises(Inconclusive):  # accepted no more
        await attempt(logins, login)


@pytest.mark.parametrize("answer", OPEN, ids=repr)
async def test_on_a_full_disk_one_answer_at_most_can_be_forgotten(logins, login, disk, answer):
    await attempt(logins, login)
    disk.full = True
    await attempt(logins, login, answer)
    with pytest.raises(Inconclusive):
        await attempt(logins, login)


async def test_a_disk_that_does_not_answer_is_told_as_such(login, monkeypatch):
    monkeypatch.setattr(records, "STORE_WITHIN", 0.01)
    session = Disk().session()
    monkeypatch.setattr(session, "save_breaker", lambda *_, **__: asyncio.get_running_loop().create_future())
    with pytest.raises(Inconclusive, match="no answer from the disk"):
        await attempt(LoginGuard(session, RULES), login)


async def test_a_crash_loop_on_a_full_disk_sends_no_password(disk, login, time):
    disk.full = True
    for _ in range(20):
        with pytest.raises(Inconclusive):
            await attempt(LoginGuard(disk.session(), RULES, clock=time.clock()), login, WRONG)
        time.wait(2)


async def test_neither_the_secret_nor_a_servers_echo_of_it_is_on_disk(logins, login, disk):
    await attempt(logins, login, Refusal(Service.IMAP, "NO", "NO wrong password: correct horse"))
    kept = repr(disk.rows)
    assert "wrong password" in kept
    assert "correct" not in kept


async def test_an_unproven_credential_has_one_login_under_way(logins, login):
    order: list[str] = []
    first_entered, let_first_end = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with logins.attempt(login, Trace()):
            first_entered.set()
            await let_first_end.wait()
            order.append("first answered")

    async def second() -> None:
        async with logins.attempt(login, Trace()):
            order.append("second sent")

    async with asyncio.TaskGroup() as group:
        group.create_task(first())
        await first_entered.wait()
        group.create_task(second())
        await asyncio.sleep(0)
        let_first_end.set()
    assert order == ["first answered", "second sent"]


async def test_a_login_that_waits_can_be_cancelled_and_leaves_no_trace(logins, login):
    async with logins.attempt(login, Trace()):
        waiting = asyncio.create_task(attempt(logins, login))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
    await attempt(logins, login)


async def test_a_login_cancelled_in_the_middle_gives_its_turn_away(logins, login):
    entered = asyncio.Event()

    async def hang() -> None:
        async with logins.attempt(login, Trace()):
            entered.set()
            await asyncio.Event().wait()

    hanging = asyncio.create_task(hang())
    await entered.wait()
    hanging.cancel()
    await asyncio.wait([hanging])
    await attempt(logins, login)


async def test_a_pause_survives_a_restart(logins, login, disk, time):
    await attempt(logins, login, WRONG)
    await attempt(logins, login, WRONG)
    before = await suspended(logins, login)
    time.wait(600)
    after = await suspended(LoginGuard(disk.session(), RULES, clock=time.clock()), login)
    assert after.next_attempt == pytest.approx(before.next_attempt)
    assert after.text == before.text


async def test_a_crash_loop_cannot_become_a_login_loop(disk, login, time):
    """Each daemon is killed before the server answers."""
    sent = 0
    for _ in range(20):
        session = disk.session()
        logins = LoginGuard(session, RULES, clock=time.clock())
        try:
            await logins.attempt(login, Trace()).__aenter__()
        except Suspended:
            break
        sent += 1
        session.alive = False
    assert (await suspended(logins, login)).reason is Reason.AMBIGUOUS_LOGIN_REFUSED
    assert sent == RULES.failures


@pytest.mark.parametrize("jump", [-1e9, -3600.0, 3600.0, 1e9])
async def test_a_wall_clock_that_jumps_within_a_boot_changes_no_pause(logins, login, disk, time, jump):
    await attempt(logins, login, WRONG)
    await attempt(logins, login, WRONG)
    time.wall += jump
    left = (await suspended(logins, login)).next_attempt - time.wall
    assert 1800 <= left <= 1800 * 1.1
    again = LoginGuard(disk.session(), RULES, clock=time.clock())
    assert (await suspended(again, login)).next_attempt - time.wall == pytest.approx(left)


async def test_after_a_reboot_the_wall_clock_counts_and_one_set_back_ends_no_pause(logins, login, disk, time):
    await attempt(logins, login, WRONG)
    await attempt(logins, login, WRONG)
    later = Time(elapsed=5.0, wall=time.wall + 600, boot="second")
    stopped = await suspended(LoginGuard(disk.session(), RULES, clock=later.clock()), login)
    assert 1200 <= stopped.next_attempt - later.wall <= 1380
    back = Time(elapsed=5.0, wall=time.wall - 1e8, boot="second")
    stopped = await suspended(LoginGuard(disk.session(), RULES, clock=back.clock()), login)
    assert 1800 <= stopped.next_attempt - back.wall <= 1980


async def test_a_record_nobody_used_for_a_month_is_forgotten(logins, login, disk, time):
    await attempt(logins, login, WRONG)
    time.wait(31 * DAY)
    await attempt(LoginGuard(disk.session(), RULES, clock=time.clock()), Login("other", "o", Source()))
    assert disk.rows == {}


@pytest.mark.parametrize(
    "record", ["\x00", "[]", '{"refused": ["z"]}', '{"refused": [null]}', '{"refused": [1' + "0" * 400 + "]}"]
)
async def test_an_unreadable_record_is_taken_for_a_login_whose_answer_is_unknown(logins, login, disk, time, record):
    await attempt(logins, login, WRONG)
    (key,) = disk.rows
    disk.rows[key] = record
    again = LoginGuard(disk.session(), RULES, clock=time.clock())
    await attempt(again, login, WRONG)
    await suspended(again, login)


async def test_the_guard_remembers_in_the_real_state_file(tmp_path, login):
    state = await State.open(tmp_path)
    logins = LoginGuard(state, RULES)
    await attempt(logins, login, WRONG)
    await attempt(logins, login, WRONG)
    await state.close()
    assert b"correct horse" not in state.path.read_bytes()
    state = await State.open(tmp_path)
    await suspended(LoginGuard(state, RULES), login)
    await state.close()


# Eighths of a second have exact sums. With rounding, a refusal could be on either side of the limit of 24 hours.
SECONDS = st.integers(0, 8 * int(DAY)).map(lambda eighths: eighths / 8)
EVENTS = st.tuples(
    st.sampled_from(
        ["refused"] * 5
        + ["jump"] * 3
        + ["wait"] * 2
        + ["accepted", "ambiguous", "broken", "restart", "kill", "full", "room"]
    ),
    st.sampled_from([30.0, 3600.0, DAY / 2, DAY]) | SECONDS,
    st.booleans(),
)


CLOCK_JUMPS = [("refused", 0.0, True)] * 2 + [("jump", DAY, False), ("refused", 0.0, True)] * 2
CLOCK_JUMPS_AT_REBOOTS = [("refused", 0.0, True)] * 2 + [("jump", DAY, True), ("refused", 0.0, True)] * 2


@example(events=CLOCK_JUMPS, reboots=False)
@example(events=CLOCK_JUMPS_AT_REBOOTS, reboots=True)
@given(events=st.lists(EVENTS, max_size=60), reboots=st.booleans())
@settings(max_examples=150)
def test_refusals_in_any_day_stay_within_the_bound(events, reboots):
    """With restarts, kills before the answer and clocks that jump: refusals in any 24 h ≤ refusals_per_day.

    In addition, at most one login that a kill interrupts while the credential is trusted, and one whose answer could
    not be stored on a full disk. During a boot the wall clock may jump; between boots there is no other clock, so there
    it is only set back.
    """
    rules = GuardSettings(failures=2, refusals_per_day=3, first_pause=60.0, longest_pause=3600.0)
    asyncio.run(_live(events, rules, reboots=reboots))


async def _live(events: list[tuple[str, float, bool]], rules: GuardSettings, *, reboots: bool) -> None:
    time, disk, login = Time(), Disk(), Login("a", "a", Source())
    session = disk.session()
    logins = LoginGuard(session, rules, clock=time.clock())
    true_time = 0.0
    refused_at: list[float] = []
    excused_at: list[float] = []
    for event, amount, flag in events:
        try:
            match event:
                case "wait":
                    true_time += amount
                    time.wait(amount)
                case "jump":
                    time.wall += -amount if reboots or flag else amount
                case "accepted":
                    await attempt(logins, login)
                case "refused" | "ambiguous":
                    words = WRONG if event == "refused" else Refusal(Service.IMAP, "NO", "NO login failed")
                    await attempt(logins, login, words)
                    refused_at.append(true_time)
                    if disk.full:
                        excused_at.append(true_time)
                case "broken":
                    await attempt(logins, login, ConnectionResetError())
                case "kill":
                    synced = disk.synced
                    await logins.attempt(login, Trace()).__aenter__()
                    refused_at.append(true_time)  # the server refused it, but we did not receive the answer
                    if disk.synced == synced:
                        excused_at.append(true_time)
                case "full" | "room":
                    disk.full = event == "full"
        except (Suspended, Inconclusive):
            pass
        if event in {"kill", "restart", "jump"}:
            session.alive = False
            if reboots and flag:
                time.elapsed, time.boot = 0.0, f"{time.boot}+"
            session = disk.session()
            logins = LoginGuard(session, rules, clock=time.clock())
        recent, excused = ([at for at in each if at > true_time - DAY] for each in (refused_at, excused_at))
        assert len(recent) <= rules.refusals_per_day + len(excused)


@pytest.mark.parametrize(
    ("families", "text", "reason"),
    [
        (("qq",), "Account is abnormal, service is not open, password is incorrect", Reason.AMBIGUOUS_LOGIN_REFUSED),
        ((), "[AUTHENTICATIONFAILED] Authentication failed", Reason.AMBIGUOUS_LOGIN_REFUSED),
        (("netease",), "LOGIN Login error or password error", Reason.AUTH_CODE_REQUIRED),
    ],
)
async def test_what_a_family_means_by_its_words_counts_and_stands(logins, source, families, text, reason):
    login = Login("sales@example.com", "sales@example.com", source, families=families)
    for _ in range(2):
        trace = await attempt(logins, login, Refusal(Service.IMAP, "NO", f"NO {text}"))
        assert trace.login.refused
    assert (await suspended(logins, login)).reason is reason


async def test_a_familys_words_for_slow_down_pause_at_once_and_a_permanent_code_counts(logins, source, time):
    login = Login("sales@example.com", "sales@example.com", source, families=("qq",))
    trace = await attempt(logins, login, Refusal(Service.SMTP, "535", "535 Login frequency limited"))
    assert trace.login.refused
    stopped = await suspended(logins, login)
    assert stopped.reason is Reason.RATE_LIMITED
    assert stopped.next_attempt < time.wall + RULES.first_pause


async def test_the_greeting_tells_whose_words_they_are(logins, source):
    login = Login("sales@example.com", "sales@example.com", source)
    for _ in range(2):
        await attempt(logins, login, WRONG, greeting="* OK [CAPABILITY IMAP4rev1] Dovecot ready.")
    assert (await suspended(logins, login)).reason is Reason.WRONG_PASSWORD
