"""Tests of when an incident opens and ends, also with restarts and kills, and of the name of its alert."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.incidents.alert_labels import labels_of
from exporter.incidents.alert_text import MAX_NAMES, MAX_WORDS, annotations_of, cleaned, clock, duration, tells
from exporter.incidents.incident import Changes, Incident, thaw
from exporter.incidents.lifecycle import KEPT, Incidents, identity
from exporter.incidents.rootcause.cause import Cause
from exporter.incidents.rootcause.holds import LINGER
from exporter.incidents.rootcause.tracker import CauseTracker
from exporter.model import Endpoint, FactName, Kind, Outcome, Phase, ProbeName, Result, Scope, Security, Service, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Layer, Reason, about
from exporter.model.settings import IncidentSettings
from tests.results import IMAP_SERVER, START, domain, fact, failed, mailbox, ok, route, server

BEAT = 60.0
SERVER = replace(server(), servers=(IMAP_SERVER.name,))


def unable(target: Target, reason: Reason = Reason.LOCAL_ERROR) -> Result:
    return replace(failed(target, reason, Phase.LOGIN, "password_file secret: empty"), outcome=Outcome.INCONCLUSIVE)


def dead(target: Target) -> Result:
    return failed(target, Reason.CONNECTION_REFUSED, Phase.CONNECT, "connection refused")


class Daemon:
    """Root causes and incidents as in the daemon, on a disk and a clock that the test controls."""

    def __init__(self, *targets: Target, **changes: int) -> None:
        self.targets = targets
        self.settings = IncidentSettings(**changes)
        self.now = START
        self.disk: dict[str, str] = {}
        self.boot()

    def boot(self, *targets: Target) -> None:
        """Start, or start again: only the content of the disk is known."""
        self.targets = targets or self.targets
        self.causes = CauseTracker(now=lambda: self.now)
        known = [each for key, record in self.disk.items() if (each := thaw(key, record)) is not None]
        self.incidents = Incidents(labels_of, known)
        self.load(*self.targets)

    def load(self, *targets: Target) -> None:
        self.targets = targets
        config = EffectiveConfig(targets, incidents=self.settings)
        self.causes.load(config)
        self.incidents.load(config)

    def see(self, *results: Result) -> None:
        for result in results:
            at = replace(result, started=self.now)
            self.causes.record(at)
            self.incidents.record(at)

    def tick(self, *results: Result, after: float = BEAT, written: bool = True) -> Changes:
        """Process results, advance the clock, tick. `written` False: the daemon is killed before the write."""
        self.see(*results)
        self.now += after
        changes = self.incidents.tick(self.causes.look().causes, self.now)
        if written:
            for each in (*changes.opened, *changes.changed, *changes.resolved):
                self.disk[each.key] = each.freeze()
            for key in changes.forgotten:
                del self.disk[key]
        return changes

    def open(self) -> list[Incident]:
        return [each for each in self.incidents.all() if each.open]


def fail(daemon: Daemon, *results: Result) -> Incident:
    """Let it fail three times; returns the incident."""
    opened = [each for _ in range(3) for each in daemon.tick(*results).opened]
    (incident,) = opened
    return incident


# -- opening --------------------------------------------------------------------------------------------------------


def test_an_incident_opens_at_the_third_failure_running_and_not_before():
    daemon = Daemon(mailbox())
    assert not daemon.tick(failed(mailbox()))
    assert not daemon.tick(failed(mailbox()))
    assert not daemon.tick(ok(mailbox()))
    assert not daemon.tick(failed(mailbox()))
    assert not daemon.tick(failed(mailbox()))
    (incident,) = daemon.tick(failed(mailbox())).opened
    assert dict(incident.labels) == {
        "alertname": "MailLoginRejected", "severity": "critical", "layer": "auth", "job": "mailprobe",
        "target": "sales", "mailbox": "sales", "kind": "mailbox", "provider": "dovecot", "domain": "example.com",
    }  # fmt: skip
    assert incident.since == START + 3 * BEAT
    assert not daemon.tick(failed(mailbox()))


def test_an_incident_knows_how_often_its_targets_are_really_looked_at():
    """Alertmanager resolves an alert that is not repeated in time, so the stretched interval counts."""
    daemon = Daemon(mailbox())
    daemon.incidents.load(EffectiveConfig([mailbox()], intervals={mailbox().key: 1234.0}))
    assert fail(daemon, failed(mailbox())).interval == 1234.0


def test_runs_without_a_verdict_are_no_looks():
    daemon = Daemon(mailbox())
    daemon.tick(failed(mailbox()))
    for _ in range(5):
        assert not daemon.tick(unable(mailbox(), Reason.VANTAGE_OFFLINE)).resolved
    assert [each.scope for each in daemon.open()] == [Scope.VANTAGE]
    daemon.tick(failed(mailbox()))
    (incident,) = daemon.tick(failed(mailbox())).opened
    assert incident.scope is Scope.TARGET


def test_time_alone_opens_nothing():
    daemon = Daemon(mailbox())
    daemon.tick(failed(mailbox()))
    assert not any(daemon.tick() for _ in range(20))


def forty() -> tuple[list[Target], list[Target]]:
    boxes = [mailbox(f"box{n:02}", domain=f"d{n % 7}.example") for n in range(40)]
    return boxes, [SERVER, *boxes]


def test_forty_mailboxes_on_one_dead_host_are_one_incident():
    boxes, targets = forty()
    daemon = Daemon(*targets)
    opened = [each for box in boxes for each in daemon.tick(dead(box), after=7.5).opened]
    for _ in range(2):
        opened += daemon.tick(dead(SERVER), after=20).opened
        for box in boxes:
            opened += daemon.tick(dead(box), after=7.5).opened
    (incident,) = opened
    assert (incident.scope, len(incident.targets)) == (Scope.HOST, 41)
    assert dict(incident.labels) == {
        "alertname": "MailHostOutage", "severity": "critical", "layer": "transport", "job": "mailprobe",
        "server": "imap.example.com", "provider": "dovecot",
    }  # fmt: skip


def test_the_first_mailbox_of_a_dead_host_waits_until_its_server_has_been_looked_at():
    """Rechecks make it fail three times before the next scheduled run of the server's own probe."""
    boxes, targets = forty()
    daemon = Daemon(*targets)
    opened = [each for _ in range(3) for each in daemon.tick(dead(boxes[0]), after=20).opened]
    opened += daemon.tick(dead(SERVER), after=1).opened
    opened += daemon.tick(dead(boxes[0]), after=1).opened
    assert [each.scope for each in opened] == [Scope.HOST]


def test_a_reason_that_flips_is_the_same_incident_with_the_same_labels():
    daemon = Daemon(mailbox())
    incident = fail(daemon, failed(mailbox()))
    labels = incident.labels
    changes = daemon.tick(failed(mailbox(), Reason.ACCOUNT_LOCKED, text="locked"))
    assert (changes.opened, changes.resolved, changes.changed) == ((), (), (incident,))
    assert (incident.reason, incident.labels) == (Reason.ACCOUNT_LOCKED, labels)
    assert "reason" not in dict(labels)
    assert "locked" in annotations_of(incident)["description"]


def test_what_we_cannot_tell_is_an_incident_of_its_own():
    daemon = Daemon(mailbox())
    incident = fail(daemon, unable(mailbox()))
    assert dict(incident.labels)["alertname"] == "MailprobeInconclusive"
    daemon.tick(failed(mailbox()))
    (over,) = daemon.tick(failed(mailbox())).resolved
    assert over is incident


# -- ending ---------------------------------------------------------------------------------------------------------


def test_an_incident_ends_at_the_second_good_look_running():
    daemon = Daemon(mailbox())
    incident = fail(daemon, failed(mailbox()))
    for _ in range(3):
        assert not daemon.tick(ok(mailbox())).resolved
        assert not daemon.tick(failed(mailbox())).resolved
    daemon.tick(ok(mailbox()))
    assert not daemon.tick(unable(mailbox())).resolved
    assert daemon.tick(ok(mailbox())).resolved == (incident,)
    assert not incident.open
    daemon.now += KEPT
    assert daemon.tick().forgotten == (incident.key,)
    assert daemon.disk == {}


def test_a_failure_below_says_nothing_and_one_above_that_it_works():
    """It is over when the other failure is an incident, not before: otherwise its alert would be resolved too early."""
    daemon = Daemon(mailbox())
    incident = fail(daemon, failed(mailbox()))
    for _ in range(3):
        assert not daemon.tick(failed(mailbox(), Reason.DNS_TIMEOUT, Phase.RESOLVE)).resolved
    for _ in range(2):
        assert not daemon.tick(failed(mailbox(), Reason.FOLDER_MISSING, Phase.SELECT)).resolved
    changes = daemon.tick(failed(mailbox(), Reason.FOLDER_MISSING, Phase.SELECT))
    assert [each.layer for each in changes.opened] == [Layer.MAILBOX]
    assert incident in changes.resolved


def test_every_target_is_looked_at_again_before_a_wide_incident_ends():
    boxes, targets = forty()
    daemon = Daemon(*targets)
    incident = fail(daemon, *map(dead, targets))
    for each in (SERVER, *boxes[:-1], SERVER):
        changes = daemon.tick(ok(each), after=5)
        assert (changes.opened, changes.resolved) == ((), ())
    daemon.tick(ok(boxes[-1]), after=5)
    daemon.tick(ok(SERVER), after=5)
    assert not incident.open


def test_what_is_left_of_a_wide_incident_becomes_one_of_its_own_when_it_still_fails_long_after():
    boxes, targets = forty()
    daemon = Daemon(*targets)
    wide = fail(daemon, *map(dead, targets))
    changes = daemon.tick(ok(SERVER), *map(ok, boxes[:-1]), ok(SERVER))
    assert (changes.opened, changes.resolved) == ((), ())
    for _ in range(int(LINGER / BEAT)):
        changes = daemon.tick(dead(boxes[-1]), ok(SERVER), ok(boxes[0]))
        assert (changes.opened, changes.resolved) == ((), ())
    changes = daemon.tick(dead(boxes[-1]), ok(SERVER), ok(boxes[0]))
    later = daemon.tick(dead(boxes[-1]))
    assert wide in (*changes.resolved, *later.resolved)
    (left,) = daemon.open()
    assert (left.scope, left.targets) == (Scope.TARGET, (boxes[-1].name,))


def test_an_incident_whose_targets_leave_the_config_ends():
    daemon = Daemon(mailbox(), mailbox("other"))
    incident = fail(daemon, failed(mailbox()))
    daemon.load(mailbox("other"))
    assert daemon.tick().resolved == (incident,)


# -- restarts -------------------------------------------------------------------------------------------------------


def test_after_a_restart_nothing_changes_until_the_targets_have_run():
    boxes, targets = forty()
    daemon = Daemon(*targets)
    wide = fail(daemon, *map(dead, targets))
    daemon.boot()
    assert [daemon.tick() for _ in range(5)] == [Changes()] * 5
    (again,) = daemon.open()
    assert (again.key, again.labels, again.targets) == (wide.key, wide.labels, wide.targets)
    assert not again.confirmed
    for each in (*boxes[:3] * 5, SERVER, *boxes):  # the first few alone would be causes of their own
        changes = daemon.tick(dead(each), after=5)
        assert (changes.opened, changes.resolved) == ((), ())
    assert again.confirmed
    assert set(again.targets) == set(wide.targets)


def test_a_server_that_came_back_while_we_were_away_ends_the_incident_only_after_good_looks():
    boxes, targets = forty()
    daemon = Daemon(*targets)
    fail(daemon, *map(dead, targets))
    daemon.boot()
    for each in (SERVER, SERVER, *boxes[:-1]):
        assert not daemon.tick(ok(each))
    (incident,) = daemon.tick(ok(boxes[-1])).resolved
    assert not incident.confirmed


def test_an_incident_tells_when_it_began_and_ended_by_its_runs_and_not_by_its_messages():
    daemon = Daemon(mailbox())
    daemon.tick(ok(mailbox()))
    incident = fail(daemon, failed(mailbox()))
    told = annotations_of(incident)
    assert told["since"] == clock(START + BEAT)
    assert not {"until", "lasted"} & told.keys()
    assert told["description"].endswith(".")
    daemon.tick(ok(mailbox()))
    (over,) = daemon.tick(ok(mailbox())).resolved
    assert (over.ended, over.resolved) == (START + 4 * BEAT, START + 6 * BEAT)
    told = annotations_of(over)
    assert (told["since"], told["until"]) == (clock(START + BEAT), clock(START + 4 * BEAT))
    assert told["lasted"] == duration(3 * BEAT)
    assert told["description"] == f"Works again since {clock(START + 4 * BEAT)}."
    assert told["description_zh"] == f"{clock(START + 4 * BEAT)} 起已恢复。"
    known = thaw(over.key, over.freeze())
    assert known is not None
    assert known.ended == over.ended


def test_an_incident_that_flaps_ended_with_its_last_recovery():
    daemon = Daemon(mailbox())
    fail(daemon, failed(mailbox()))
    daemon.tick(ok(mailbox()))
    daemon.tick(failed(mailbox()))
    daemon.tick(ok(mailbox()))
    (over,) = daemon.tick(ok(mailbox())).resolved
    assert over.ended == START + 5 * BEAT


def test_an_incident_whose_targets_were_removed_has_no_end_that_anybody_saw():
    daemon = Daemon(mailbox(), mailbox("info"))
    fail(daemon, failed(mailbox()))
    daemon.load(mailbox("info"))
    (over,) = daemon.tick().resolved
    assert over.ended == 0.0
    assert "until" not in annotations_of(over)
    assert annotations_of(over)["description"] == "It is over. Since when is not known."


@pytest.mark.parametrize(("seconds", "told"), [(0, "0s"), (59.9, "59s"), (468, "7m 48s"), (90061, "1d 1h 1m 1s")])
def test_a_duration_is_told_as_prometheus_tells_it(seconds, told):
    assert duration(seconds) == told


def test_a_label_that_differs_among_the_mailboxes_of_a_server_is_no_label_of_its_incident():
    """Although those that fail first have it in common."""
    boxes = [mailbox(f"box{n}", labels=(("team", "a" if n < 3 else "b"), ("site", "hk"))) for n in range(6)]
    daemon = Daemon(SERVER, *boxes)
    daemon.incidents = Incidents(partial(labels_of, alert_labels=("team", "site")))
    daemon.load(SERVER, *boxes)
    incident = fail(daemon, dead(SERVER), *map(dead, boxes[:3]))
    assert dict(incident.labels)["alertname"] == "MailHostOutage"
    assert "team" not in dict(incident.labels)
    assert dict(incident.labels)["site"] == "hk"


@pytest.mark.parametrize("elsewhere", [False, True])
def test_an_incident_of_a_server_names_a_domain_only_if_the_domain_has_mailboxes_nowhere_else(elsewhere):
    boxes = [mailbox(f"box{n}") for n in range(3)]
    far = [mailbox("far", servers=("imap.far.example:993",))] if elsewhere else []
    incident = fail(Daemon(SERVER, *boxes, *far), dead(SERVER), *map(dead, boxes))
    assert dict(incident.labels).get("domain", "") == ("" if elsewhere else "example.com")


def test_a_resolved_incident_is_still_known_after_a_restart():
    daemon = Daemon(mailbox())
    fail(daemon, failed(mailbox()))
    daemon.tick(ok(mailbox()))
    (over,) = daemon.tick(ok(mailbox())).resolved
    daemon.boot()
    (known,) = daemon.incidents.all()
    assert (known.key, known.resolved) == (over.key, over.resolved)


def test_a_record_of_another_version_is_left_out():
    daemon = Daemon(mailbox())
    incident = fail(daemon, failed(mailbox()))
    record = json.loads(incident.freeze())
    assert thaw(incident.key, json.dumps({**record, "reason": "unheard_of"})) is None
    assert thaw(incident.key, json.dumps({k: v for k, v in record.items() if k != "members"})) is None
    assert thaw(incident.key, "[]") is None
    assert thaw(incident.key, "{") is None


BOXES = tuple(mailbox(f"box{n}", domain=f"d{n}.example") for n in range(3))
ALL = (SERVER, *BOXES, mailbox("apart", ProbeName.SMTP, servers=("smtp.elsewhere.example:587",), provider=""))
KINDS: Mapping[str, Callable[[Target], Result]] = {
    "ok": ok,
    "dead": dead,
    "late": lambda target: failed(target, Reason.TIMEOUT, Phase.TLS, "no answer"),
    "refused": failed,
    "unknown": lambda target: failed(target, Reason.UNKNOWN, text="?"),
    "unable": unable,
    "offline": lambda target: unable(target, Reason.VANTAGE_OFFLINE),
}
LOOK = st.tuples(st.sampled_from(ALL), st.sampled_from(sorted(KINDS)))
ROUND = st.sampled_from(sorted(KINDS)).map(lambda kind: [(target, kind) for target in ALL])
STEP = st.one_of(
    st.lists(LOOK, max_size=4), ROUND, ROUND, st.sampled_from(["restart", "killed before it was written", "pause"])
)


@settings(max_examples=300)
@given(st.lists(STEP, max_size=40), st.integers(1, 3), st.integers(1, 3))
def test_never_resolved_without_good_looks_and_never_announced_twice(steps, open_after, resolve_after):
    """With any events, including restarts and kills.

    Announced means stored on disk; the end needs good runs since the start.
    """
    daemon = Daemon(*ALL, open_after=open_after, resolve_after=resolve_after)
    announced: set[str] = set()
    good: dict[str, int] = {}  # incident → good runs of its targets since its cause was last seen
    bad: dict[str, int] = {}  # target → failures since the start
    for step in steps:
        if step == "restart":
            daemon.boot()
            good.clear()
            bad.clear()
            continue
        looks = step if isinstance(step, list) else []
        for target, kind in looks:
            bad[target.name] = bad.get(target.name, 0) + 1 if kind != "ok" else 0
        members = {each.key: {name for name, _ in each.members} for each in daemon.open()}
        for key, names in members.items():
            good[key] = good.get(key, 0) + sum(
                target.name in names and (kind not in ("unable", "offline")) for target, kind in looks
            )
        written = step != "killed before it was written"
        changes = daemon.tick(*(KINDS[kind](target) for target, kind in looks), written=written)
        there = {identity(cause) for cause in daemon.causes.look().causes}
        for incident in changes.opened:
            assert incident.key not in announced
            assert max(bad.get(name, 0) for name in incident.targets) >= open_after
        for incident in changes.resolved:
            assert good[incident.key] >= resolve_after
            assert incident.key not in there
        for key in there:
            good[key] = 0
        if written:
            announced |= {each.key for each in changes.opened}
            announced -= {each.key for each in changes.resolved}
            assert announced == {each.key for each in daemon.open()}
        else:
            daemon.boot()
            good.clear()
            bad.clear()
        assert {key for key, record in daemon.disk.items() if not json.loads(record)["resolved"]} == announced


# -- names and words ------------------------------------------------------------------------------------------------

# These names are part of the interface; the shipped routes and inhibitions depend on them.
CRITICAL_OR_NOT = {
    "MailHostOutage": "transport dns auth capacity delivery mailbox", "MailProviderOutage": "transport",
    "MailLoginFailing": "auth", "MailLoginRejected": "auth", "MailEndpointDown": "transport",
    "MailCertificateInvalid": "transport", "MailCertificateExpired": "transport", "MailDNSFailing": "dns",
    "MailDNSRecordMissing": "dns", "MailDNSPolicyInvalid": "dns", "MailQuotaAlmostFull": "capacity",
    "MailSubmissionThrottled": "delivery", "MailRoundTripOverdue": "delivery", "MailRoundTripLost": "delivery",
    "MailRoundTripStopped": "delivery", "MailRoundTripMisfiled": "delivery", "MailRoundTripAltered": "delivery",
    "MailRoundTripDuplicated": "delivery", "MailprobeInconclusive": "exporter",
    "MailprobeAllVantagesOffline": "vantage", "MailprobeVantageOffline": "vantage",
}  # fmt: skip


def cause_of(target: Target, reason: Reason, **changes: object) -> Cause:
    values = {
        "key": f"target:{target.name}", "scope": Scope.TARGET, "layer": about(reason).layer, "reason": reason,
        "targets": (target.name,), "provider": target.provider, "domain": target.domain, "subject": target.name,
    }  # fmt: skip
    return Cause(**{**values, **changes})  # type: ignore[arg-type]  # a test sets only the fields it is about


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("target", [mailbox(), server(), domain(), route()], ids=lambda target: target.kind)
def test_every_failure_has_an_alert_with_the_labels_that_inhibition_compares(target, reason):
    cause = cause_of(target, reason, inconclusive=reason in (Reason.CONFIG, Reason.LOCAL_ERROR))
    labels = dict(labels_of(cause, [target], [failed(target, reason)]))
    assert labels["layer"] in CRITICAL_OR_NOT[labels["alertname"]].split()
    assert labels["severity"] in ("critical", "warning")
    assert labels["job"] == "mailprobe"
    assert str(reason) not in labels.values()
    assert all(labels.values())
    assert tells(labels["alertname"])
    if labels["layer"] in ("auth", "capacity", "delivery"):
        assert {"mailbox", "domain", "provider"} <= labels.keys()
    if labels["layer"] == "dns":
        assert labels["domain"]


def test_alert_labels_are_those_on_which_all_targets_agree():
    boxes = [mailbox("a"), mailbox("b", labels=(("team", "export"), ("tenant", "other")))]
    cause = cause_of(boxes[0], Reason.TIMEOUT, scope=Scope.HOST, targets=("a", "b"), server="imap.example.com")
    labels = dict(labels_of(cause, boxes, [], ("team", "tenant", "unheard")))
    assert (labels["team"], "tenant" in labels, "unheard" in labels) == ("export", False, False)


@pytest.mark.parametrize(
    ("facts", "alert"),
    [
        ((fact(FactName.DNS_LOOKUP, 0, "mx"),), "MailDNSFailing"),
        ((fact(FactName.DNS_LOOKUP, 1, "mx"), fact(FactName.DNS_POLICY_VALID, 0, "mx")), "MailDNSRecordMissing"),
        ((fact(FactName.DNS_LOOKUP, 1, "mx"), fact(FactName.DNS_POLICY_VALID, 0, "spf")), "MailDNSPolicyInvalid"),
        ((), "MailDNSFailing"),
    ],
)
def test_a_domain_without_answer_without_mx_and_with_a_bad_policy_are_different_alerts(facts, alert):
    target = domain()
    result = failed(target, Reason.RECORD_MISSING, facts=facts)
    assert dict(labels_of(cause_of(target, Reason.RECORD_MISSING), [target], [result]))["alertname"] == alert


def test_an_endpoint_has_the_labels_of_its_series():
    endpoint = Endpoint("2001:db8::1", 465, Security.TLS, Service.SMTP)
    target = server("mx", endpoint)
    labels = dict(labels_of(cause_of(target, Reason.TIMEOUT), [target], []))
    assert {name: labels[name] for name in ("protocol", "server", "port", "target")} == {
        "protocol": "smtp", "server": "2001:db8::1", "port": "465", "target": "mx",
    }  # fmt: skip


def test_the_words_say_what_since_when_who_and_what_to_do_in_both_languages():
    boxes, targets = forty()
    daemon = Daemon(*targets)
    incident = fail(daemon, *map(dead, targets))
    said = annotations_of(incident, "https://mon.example/mp/")
    known = about(Reason.CONNECTION_REFUSED)
    assert "40 of 40 mailboxes at imap.example.com fail" in said["description"]
    assert f"41 affected: {', '.join(box.name for box in boxes[:10])} and 31 more." in (said["description"])
    assert "“connection refused”" in said["description"]
    assert known.remedy("en") in said["description"]
    assert known.remedy("zh") in said["description_zh"]
    assert "另有 31 个" in said["description_zh"]
    assert "2023-11-1" in said["description"]
    assert said["runbook_url"] == "https://mon.example/mp/runbooks/MailHostOutage"
    assert said["dashboard_url"] == "https://mon.example/mp/"
    assert boxes[MAX_NAMES].name not in said["description"]


def test_the_servers_words_are_one_short_line_without_control_characters():
    text = "NO [ALERT]\r\n\x1b[31mpay\x00 now\u202e" + "x" * 5000
    daemon = Daemon(mailbox())
    incident = fail(daemon, failed(mailbox(), text=text))
    said = annotations_of(incident, "https://mon.example")
    assert "“NO [ALERT] [31mpay now xxx" in said["description"]
    assert all(value.isprintable() for value in said.values())
    assert len(cleaned(text)) == MAX_WORDS
    assert said["dashboard_url"] == "https://mon.example/targets/sales"
    assert "_url" not in "".join(annotations_of(incident))
    assert Layer(dict(incident.labels)["layer"]) is Layer.AUTH
    assert Kind(dict(incident.labels)["kind"]) is Kind.MAILBOX
