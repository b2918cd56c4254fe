"""Tests of the decisions of the login guard, without a clock or a disk."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.credentials.answers import Answer
from exporter.credentials.breaker import DAY, LIMITED_PAUSE, Breaker, Verdict
from exporter.model.settings import GuardSettings

DEFAULT = GuardSettings()


def refuse(breaker: Breaker, now: float, rules: GuardSettings = DEFAULT) -> None:
    breaker.begin()
    breaker.end(Answer.REFUSED, now, rules, "wrong_password", "NO go away")


def test_two_refusals_pause_and_the_pause_doubles_up_to_the_longest():
    rules = GuardSettings(failures=2, refusals_per_day=100, first_pause=1800, longest_pause=7200)
    breaker = Breaker()
    refuse(breaker, 0, rules)
    assert breaker.ask(0, rules) is Verdict.GO
    pauses = []
    now = 0.0
    for _ in range(4):
        refuse(breaker, now, rules)
        pauses.append(breaker.resumes_at(now, rules) - now)
        assert breaker.ask(now, rules) is Verdict.PAUSED
        now = breaker.resumes_at(now, rules)
        assert breaker.ask(now, rules) is Verdict.GO
    assert pauses == [1800, 3600, 7200, 7200]


def test_an_acceptance_ends_the_pause_and_the_row_but_not_the_days_count():
    breaker = Breaker()
    for number in range(DEFAULT.refusals_per_day):
        refuse(breaker, float(number))
        breaker.begin()
        breaker.end(Answer.ACCEPTED, float(number), DEFAULT)
        assert breaker.consecutive == 0
    assert breaker.ask(100.0, DEFAULT) is Verdict.PAUSED
    assert breaker.resumes_at(100.0, DEFAULT) == DAY
    assert breaker.ask(DAY, DEFAULT) is Verdict.GO


def test_an_unproven_credential_has_one_login_under_way():
    breaker = Breaker()
    breaker.begin()
    assert breaker.ask(0, DEFAULT) is Verdict.WAIT
    breaker.end(Answer.ACCEPTED, 0, DEFAULT)
    breaker.begin()
    assert breaker.ask(0, DEFAULT) is Verdict.GO


def test_a_trusted_credential_lets_out_no_more_logins_than_may_be_refused():
    breaker = Breaker()
    breaker.trusted = True
    for _ in range(DEFAULT.failures):
        assert breaker.ask(0, DEFAULT) is Verdict.GO
        breaker.begin()
    assert breaker.ask(0, DEFAULT) is Verdict.WAIT


def test_slow_down_pauses_without_counting_and_looks_again_within_the_first_pause():
    breaker = Breaker()
    now, pauses = 0.0, []
    for _ in range(5):
        breaker.begin()
        breaker.end(Answer.UNSETTLED, now, DEFAULT, "rate_limited", "NO [LIMIT]", slow=True)
        pauses.append(breaker.resumes_at(now, DEFAULT) - now)
        now = breaker.resumes_at(now, DEFAULT)
    assert pauses == [LIMITED_PAUSE, 600, 1200, 1800, 1800]
    assert breaker.consecutive == 0
    assert breaker.refused == ()


def test_no_answer_after_a_pause_starts_that_pause_again():
    """A server that delays the answer to a refused password is not asked again at each interval."""
    breaker = Breaker()
    refuse(breaker, 0)
    refuse(breaker, 0)
    later = breaker.resumes_at(0, DEFAULT)
    breaker.begin()
    breaker.end(Answer.MISSING, later, DEFAULT)
    assert breaker.resumes_at(later, DEFAULT) == later + DEFAULT.first_pause
    assert breaker.consecutive == 2


def test_no_answer_says_nothing_about_a_credential_that_was_not_refused():
    breaker = Breaker()
    breaker.trusted = True
    breaker.begin()
    breaker.end(Answer.MISSING, 0, DEFAULT)
    assert breaker.trusted
    assert breaker.ask(0, DEFAULT) is Verdict.GO


def test_an_unsettled_answer_takes_the_trust_and_nothing_else():
    breaker = Breaker()
    breaker.trusted = True
    breaker.begin()
    breaker.end(Answer.UNSETTLED, 0, DEFAULT, "auth_unavailable", "NO [UNAVAILABLE]")
    assert not breaker.trusted
    assert breaker.ask(0, DEFAULT) is Verdict.GO


def test_force_passes_a_pause_and_counts():
    breaker = Breaker()
    refuse(breaker, 0)
    refuse(breaker, 0)
    assert breaker.ask(1, DEFAULT, forced=True) is Verdict.GO
    refuse(breaker, 1)
    assert breaker.consecutive == 3
    assert breaker.resumes_at(1, DEFAULT) == 1 + 2 * DEFAULT.first_pause


def test_a_pause_survives_being_frozen_and_what_was_under_way_counts_as_refused():
    breaker = Breaker()
    refuse(breaker, 100)
    breaker.begin()
    thawed = Breaker.thaw(breaker.freeze(200), 1000, 50, DEFAULT)
    assert thawed.refused == (850, 1000)
    assert thawed.consecutive == 2
    assert thawed.under_way == 0
    assert thawed.ask(1000, DEFAULT) is Verdict.PAUSED
    assert (thawed.reason, thawed.text) == ("wrong_password", "NO go away")


def test_jitter_makes_a_pause_longer_never_shorter_and_keeps_the_longest():
    for jitter in (0.0, 0.5, 1.0):
        breaker = Breaker(jitter)
        refuse(breaker, 0)
        refuse(breaker, 0)
        assert 1800 <= breaker.resumes_at(0, DEFAULT) <= 1800 * 1.1
        breaker.consecutive = 50
        refuse(breaker, 0)
        assert breaker.resumes_at(0, DEFAULT) == DEFAULT.longest_pause


def test_a_record_of_rubbish_thaws_to_something_careful():
    rubbish: dict[str, object] = {"refused": "x", "consecutive": "y", "pause_left": None, "under_way": 2}
    assert Breaker.thaw(rubbish, 10, 0, DEFAULT).ask(10, DEFAULT) is Verdict.PAUSED


@dataclass
class Life:
    """A credential with a server that refuses it and a daemon that is killed. Its clock does not jump."""

    rules: GuardSettings
    now: float = 1_000_000.0
    breaker: Breaker = field(default_factory=Breaker)
    disk: dict[str, object] | None = None
    disk_at: float = 0.0
    refused_at: list[float] = field(default_factory=list)  # by the server
    unsettled_at: list[float] = field(default_factory=list)
    excused_at: list[float] = field(default_factory=list)  # refusals after a kill while the credential was confirmed

    def save(self) -> None:
        self.disk, self.disk_at = self.breaker.freeze(self.now), self.now

    def step(self, event: str, amount: float) -> None:
        breaker = self.breaker
        if event == "wait":
            self.now += amount
        elif event == "begin":
            while breaker.ask(self.now, self.rules) is Verdict.GO and breaker.under_way < 10:
                breaker.begin()
                if not breaker.confirmed:
                    self.save()
        elif event != "kill":
            answer = Answer[event.removeprefix("slow ").upper()]
            for _ in range(breaker.under_way):
                if answer is Answer.REFUSED:
                    self.refused_at.append(self.now)
                elif answer in (Answer.UNSETTLED, Answer.MISSING):
                    self.unsettled_at.append(self.now)
                breaker.end(answer, self.now, self.rules, slow=event.startswith("slow "))
                self.save()
        else:  # killed; the worst case: all logins in progress were already refused
            known = self.disk["under_way"] if self.disk else 0
            self.refused_at += [self.now] * breaker.under_way
            self.excused_at += [self.now] * max(0, breaker.under_way - int(str(known)))
            self.now += amount
            self.breaker = Breaker()
            if self.disk is not None:
                self.breaker = Breaker.thaw(self.disk, self.now, self.now - self.disk_at, self.rules)
                self.save()


EVENTS = st.tuples(
    st.sampled_from(
        ["wait"]
        + ["begin"] * 2
        + ["accepted"]
        + ["refused"] * 2
        + ["slow refused", "unsettled", "slow unsettled", "missing", "unsent", "kill"]
    ),
    # Eighths of a second have exact sums. With rounding, a refusal could be on either side of the limit of 24 hours.
    st.integers(0, 8 * int(DAY)).map(lambda eighths: eighths / 8),
)


@given(
    st.lists(EVENTS, max_size=120),
    st.builds(
        GuardSettings,
        failures=st.integers(1, 4),
        refusals_per_day=st.integers(1, 8),
        first_pause=st.sampled_from([1.0, 60.0, 1800.0]),
        longest_pause=st.sampled_from([1800.0, DAY]),
        unsettled_per_day=st.integers(1, 8),
    ),
)
@settings(max_examples=300)
def test_answers_in_any_day_stay_within_the_bounds(events, rules):
    """Refusals in any 24 h ≤ refusals_per_day + those in progress at a kill while the credential was confirmed.

    Unsettled answers and missing ones in any 24 h ≤ unsettled_per_day.
    """
    life = Life(rules)
    for event, amount in events:
        life.step(event, amount)
        recent, excused = ([at for at in each if at > life.now - DAY] for each in (life.refused_at, life.excused_at))
        assert len(recent) <= rules.refusals_per_day + len(excused)
        assert sum(at > life.now - DAY for at in life.unsettled_at) <= rules.unsettled_per_day
