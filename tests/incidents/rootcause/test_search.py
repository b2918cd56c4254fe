"""Tests of root causes: many failures become few causes, as wide as the evidence shows and not wider."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from exporter.incidents.json_objects import cause_object, from_object, whole_object
from exporter.incidents.rootcause.cause import Cause, fold, sentence
from exporter.incidents.rootcause.failures import Failures
from exporter.incidents.rootcause.holds import Holds
from exporter.incidents.rootcause.search import Memory, causes
from exporter.incidents.rootcause.search import find as find_causes
from exporter.incidents.rootcause.topology import Topology, failing
from exporter.incidents.rootcause.tracker import CauseTracker
from exporter.model import Fact, FactName, Failure, Kind, Outcome, Phase, ProbeName, Result, Scope, Target
from exporter.model.effective import EffectiveConfig
from exporter.model.reasons import Layer, Reason

START = 1_700_000_000.0
IMAP, SMTP, TLS, DNS, TRIP = ProbeName.IMAP, ProbeName.SMTP, ProbeName.TLS, ProbeName.DNS, ProbeName.ROUNDTRIP


def target(
    name: str, probe: ProbeName, kind: Kind = Kind.MAILBOX, servers: tuple[str, ...] = (), **more: str
) -> Target:
    ends = (more.pop("sender"), more.pop("receiver")) if kind is Kind.ROUTE else None
    return Target(name, kind, probe, None, 300.0, 20.0, 20.0, servers=servers, route=ends, **more)  # type: ignore[arg-type]


def mailbox(name: str, domain: str = "a.example", host: str = "", provider: str = "") -> list[Target]:
    """Return the targets of a mailbox that reads at imap.HOST and sends at smtp.HOST."""
    where = host or domain
    return [
        target(name, IMAP, servers=(f"imap.{where}:993",), domain=domain, provider=provider),
        target(name, SMTP, servers=(f"smtp.{where}:465",), domain=domain, provider=provider),
    ]


def endpoint(server: str, provider: str = "", domain: str = "") -> Target:
    return target(server, TLS, Kind.ENDPOINT, (server,), provider=provider, domain=domain)


def zone(name: str) -> Target:
    return target(name, DNS, Kind.DOMAIN, domain=name)


def route(name: str, sender: str, receiver: str, servers: tuple[str, ...], domain: str = "a.example") -> Target:
    return target(name, TRIP, Kind.ROUTE, servers, domain=domain, sender=sender, receiver=receiver)


def failed(
    of: Target,
    reason: Reason,
    phase: Phase = Phase.CONNECT,
    *facts: Fact,
    at: float = START,
    outcome: Outcome = Outcome.FAILED,
) -> Result:
    return Result(of, "0123456789ab", at, 0.1, outcome, facts=facts, failure=Failure(phase, reason, f"said {reason}"))


def ok(of: Target, at: float = START) -> Result:
    return Result(of, "0123456789ab", at, 0.1, Outcome.OK)


def find(targets: Iterable[Target], *results: Result) -> tuple[Cause, ...]:
    return causes({result.target.key: result for result in results}, list(targets))


def flat(found: Iterable[Iterable[Target]]) -> list[Target]:
    return [each for group in found for each in group]


# -- hosts ----------------------------------------------------------------------------------------------------------


def test_forty_mailboxes_on_one_dead_host_have_one_cause_whatever_their_domains():
    """37 time out or are refused there, two worked before that, one has never run: the server is the cause."""
    everyone = flat(mailbox(f"m{n}", f"d{n % 5}.example", "exmail.example", "exmail") for n in range(40))
    server = endpoint("imap.exmail.example:993", "exmail")
    reading = [each for each in everyone if each.probe is IMAP][:37]
    reasons = [Reason.TIMEOUT if n % 4 else Reason.CONNECTION_REFUSED for n in range(37)]
    (cause,) = find(
        [*everyone, server],
        *(failed(each, reason) for each, reason in zip(reading, reasons, strict=True)),
        failed(server, Reason.TIMEOUT),
        *(ok(each, START - 1) for each in everyone if each.name in ("m37", "m38")),
    )
    assert (cause.scope, cause.layer, cause.reason) == (Scope.HOST, Layer.TRANSPORT, Reason.TIMEOUT)
    assert (cause.mailboxes, cause.of, cause.unseen, cause.server) == (37, 37, 3, "imap.exmail.example")
    assert len(cause.targets) == 38
    assert sentence(cause, "en") == (
        "37 of 37 mailboxes at imap.exmail.example fail (timeout): it is the server, not you. "
        "Not looked at since then: 3."
    )
    assert "37 个邮箱中有 37 个失败" in sentence(cause, "zh")
    assert "3 个" in sentence(cause, "zh")


def test_a_mailbox_that_works_since_the_fault_began_is_counted_and_one_that_worked_before_is_not():
    everyone, server = flat(mailbox(f"m{n}") for n in range(5)), endpoint("imap.a.example:993")
    reading = [each for each in everyone if each.probe is IMAP]
    watch = Standing([*everyone, server])
    watch.record(*(ok(each, START - 60) for each in everyone), failed(server, Reason.CONNECTION_REFUSED))
    watch.record(*(ok(each, START + 1) for each in everyone if each.probe is SMTP))  # another server: says nothing
    assert watch.counts() == (0, 0, 5)
    watch.record(*(failed(each, Reason.CONNECTION_REFUSED, at=START + 1) for each in reading[:2]))
    assert watch.counts() == (2, 2, 3)
    watch.record(ok(reading[2], START + 2))
    assert watch.counts() == (2, 3, 2)
    watch.record(void(reading[3], Reason.MESSAGE_LATE))  # no verdict: not a look
    assert watch.counts() == (2, 3, 2)


def test_one_mailbox_that_times_out_while_its_server_answers_others_is_alone():
    everyone = flat(mailbox(f"m{n}") for n in range(3))
    (cause,) = find(everyone, failed(everyone[0], Reason.TIMEOUT))
    assert (cause.scope, cause.targets) == (Scope.TARGET, ("m0",))


def test_the_servers_own_probe_has_the_word():
    """One mailbox is enough if the probe of the server itself fails too."""
    everyone, server = flat(mailbox(f"m{n}") for n in range(10)), endpoint("imap.a.example:993")
    (cause,) = find([*everyone, server], failed(everyone[0], Reason.TIMEOUT), failed(server, Reason.TIMEOUT))
    assert (cause.scope, cause.targets) == (Scope.HOST, ("m0", "imap.a.example:993"))


def test_a_server_is_a_host_from_the_first_failure_if_mailboxes_are_there():
    """They will fail at their next login; the alert and its receivers do not change then."""
    server = endpoint("imap.a.example:993")
    (cause,) = find([server, *mailbox("m")], failed(server, Reason.CERTIFICATE_EXPIRED))
    assert (cause.scope, cause.server, cause.mailboxes) == (Scope.HOST, "imap.a.example", 0)
    assert sentence(cause, "en") == (
        "The server imap.a.example fails (certificate_expired). Not looked at since then: 1."
    )
    (alone,) = find([server], failed(server, Reason.CERTIFICATE_EXPIRED))
    assert (alone.scope, alone.targets) == (Scope.TARGET, ("imap.a.example:993",))


def test_two_dead_hosts_are_two_causes():
    everyone = flat(mailbox(f"m{n}", f"d{n}.example", f"host{n % 2}.example") for n in range(4))
    found = find(everyone, *(failed(each, Reason.TIMEOUT) for each in everyone if each.probe is IMAP))
    assert sorted(cause.server for cause in found) == ["imap.host0.example", "imap.host1.example"]


def test_an_earlier_layer_explains_a_later_one_only_if_it_broke_later():
    """A mailbox with a wrong password got past the certificate of its server, so the certificate is not the cause."""
    (reading, _), server = mailbox("m"), endpoint("imap.a.example:993")
    refused = failed(reading, Reason.WRONG_PASSWORD, Phase.LOGIN, at=START)
    before = find([reading, server], refused, failed(server, Reason.CERTIFICATE_UNTRUSTED, Phase.TLS, at=START - 60))
    assert {(cause.scope, cause.targets) for cause in before} == {
        (Scope.HOST, ("imap.a.example:993",)),
        (Scope.TARGET, ("m",)),
    }
    (after,) = find([reading, server], refused, failed(server, Reason.CONNECTION_REFUSED, at=START + 30))
    assert (after.scope, after.targets, after.reason) == (
        Scope.HOST, ("m", "imap.a.example:993"), Reason.CONNECTION_REFUSED,
    )  # fmt: skip


# -- accounts -------------------------------------------------------------------------------------------------------


def test_one_wrong_password_among_forty_is_that_mailboxs_own():
    everyone = flat(mailbox(f"m{n}", f"d{n % 5}.example", "exmail.example", "exmail") for n in range(40))
    (cause,) = find(everyone, failed(everyone[0], Reason.WRONG_PASSWORD, Phase.LOGIN))
    assert (cause.scope, cause.targets, cause.layer) == (Scope.TARGET, ("m0",), Layer.AUTH)


@pytest.mark.parametrize("reason", [Reason.WRONG_PASSWORD, Reason.AUTH_CODE_REQUIRED, Reason.PASSWORD_EXPIRED])
def test_reasons_that_name_the_account_never_make_an_outage(reason: Reason):
    everyone = flat(mailbox(f"m{n}", f"d{n}.example", "exmail.example", "exmail") for n in range(5))
    found = find(everyone, *(failed(each, reason, Phase.LOGIN) for each in everyone if each.probe is IMAP))
    assert [cause.scope for cause in found] == [Scope.TARGET] * 5
    (told,) = fold(found)
    assert told.targets == ("m0", "m1", "m2", "m3", "m4")
    assert sentence(told, "en") == f"5 targets fail ({reason}): m0, m1, m2, m3, m4."


def test_one_cause_per_target_and_its_symptoms_are_named():
    """IMAP, SMTP and the round trip fail because of one password: one cause, "also: smtp, roundtrip"."""
    box, trip = mailbox("sales"), route("trip", "sales", "sales", ("smtp.a.example:465", "imap.a.example:993"))
    (cause,) = find(
        [*box, trip],
        *(failed(each, Reason.WRONG_PASSWORD, Phase.LOGIN) for each in (*box, trip)),
    )
    assert (cause.targets, cause.also) == (("sales", "trip"), (SMTP, TRIP))
    assert sentence(cause, "en") == "sales fails (wrong_password). Also failing: smtp, roundtrip."
    assert sentence(cause, "zh") == "sales 失败（密码错误 wrong_password）。同时失败：smtp、roundtrip。"


def test_many_causes_in_one_line_name_as_many_targets_as_they_count():
    """Two passwords, one of which also breaks a route: three targets fail, and three are named."""
    boxes = [*mailbox("sales"), *mailbox("info")]
    trip = route("trip", "sales", "sales", ("smtp.a.example:465", "imap.a.example:993"))
    logins = [each for each in boxes if each.probe is IMAP]
    found = find([*boxes, trip], *(failed(each, Reason.WRONG_PASSWORD, Phase.LOGIN) for each in (*logins, trip)))
    (told,) = fold(found)
    assert sentence(told, "en").startswith("3 targets fail (wrong_password): ")
    assert sorted(told.subject.split(", ")) == ["info", "sales", "trip"] == sorted(told.targets)
    many = [each for number in range(12) for each in mailbox(f"m{number:02}")]
    (told,) = fold(find(many, *(failed(each, Reason.WRONG_PASSWORD, Phase.LOGIN) for each in many)))
    assert sentence(told, "en").startswith("12 targets fail (wrong_password): m00, ")
    assert "m09 … (+2)." in sentence(told, "en")


# -- providers and domains ------------------------------------------------------------------------------------------


def test_a_free_mail_provider_is_out_when_half_of_its_mailboxes_fail_in_whichever_way():
    """QQ: some time out, some are refused, at two hosts, all in one domain of free mail."""
    everyone = flat(mailbox(f"m{n}", "qq.com", provider="qq") for n in range(4))
    reasons = [Reason.TIMEOUT, Reason.CONNECTION_REFUSED, Reason.CONNECTION_RESET]
    found = find(everyone, *(failed(each, reasons[n % 3]) for n, each in enumerate(everyone[:6])))
    assert [(cause.scope, cause.provider, cause.mailboxes, cause.of, cause.unseen) for cause in found] == [
        (Scope.PROVIDER, "qq", 3, 3, 1)
    ]
    assert "it is the provider, not you" in sentence(found[0], "en")


@pytest.mark.parametrize("reason", [Reason.AUTH_UNAVAILABLE, Reason.TEMPORARILY_UNAVAILABLE, Reason.RATE_LIMITED])
def test_reasons_that_speak_of_the_server_make_a_providers_outage(reason: Reason):
    everyone = flat(mailbox(f"m{n}", f"d{n}.example", f"cluster{n}.example", "netease_qiye") for n in range(4))
    found = find(everyone, *(failed(each, reason, Phase.LOGIN) for each in everyone[:4]))
    assert {each.scope for each in found} == {Scope.TARGET}  # two of four
    (cause,) = find(everyone, *(failed(each, reason, Phase.LOGIN) for each in everyone[:6]))
    assert (cause.scope, cause.provider, cause.reason) == (Scope.PROVIDER, "netease_qiye", reason)


def test_mailboxes_of_one_company_at_a_provider_are_that_domains_outage():
    everyone = flat(mailbox(f"m{n}", "a.example", provider="exmail") for n in range(4))
    everyone += flat(mailbox(f"x{n}", "b.example", provider="exmail") for n in range(9))
    refused = [failed(each, Reason.AUTH_UNAVAILABLE, Phase.LOGIN) for each in everyone[:6]]
    (cause,) = find(everyone, *refused, ok(everyone[6]))
    assert (cause.scope, cause.domain, cause.mailboxes, cause.of) == (Scope.DOMAIN, "a.example", 3, 4)


def test_both_hosts_of_a_domain_down_is_the_domain_and_one_host_down_is_the_host():
    everyone = flat(mailbox(f"m{n}") for n in range(3))
    (both,) = find(everyone, *(failed(each, Reason.TIMEOUT) for each in everyone))
    assert (both.scope, both.domain) == (Scope.DOMAIN, "a.example")
    (one,) = find(everyone, *(failed(each, Reason.TIMEOUT) for each in everyone if each.probe is IMAP))
    assert (one.scope, one.server) == (Scope.HOST, "imap.a.example")


def test_a_second_servers_single_fault_does_not_make_a_host_outage_a_providers():
    everyone = flat(mailbox(f"m{n}", f"d{n}.example", "exmail.example", "exmail") for n in range(6))
    typo = mailbox("typo", "d9.example", "exmial.example", "exmail")
    found = find(
        [*everyone, *typo],
        *(failed(each, Reason.TIMEOUT) for each in (*everyone, *typo) if each.probe is IMAP),
    )
    assert sorted((cause.scope, cause.mailboxes) for cause in found) == [(Scope.HOST, 6), (Scope.TARGET, 1)]


# -- DNS ------------------------------------------------------------------------------------------------------------


def test_the_dead_dns_of_a_domain_is_one_cause_with_everything_that_is_looked_up_there():
    everyone, servers = flat(mailbox(f"m{n}") for n in range(2)), [endpoint("imap.a.example:993")]
    (cause,) = find(
        [*everyone, *servers, zone("a.example")],
        failed(zone("a.example"), Reason.DNS_SERVER_FAILURE, Phase.RESOLVE),
        *(failed(each, Reason.DNS_SERVER_FAILURE, Phase.RESOLVE) for each in (*everyone, *servers)),
    )
    assert (cause.scope, cause.layer, cause.domain) == (Scope.DOMAIN, Layer.DNS, "a.example")
    assert set(cause.targets) == {"a.example", "m0", "m1", "imap.a.example:993"}
    assert "The DNS of a.example fails (dns_server_failure); 4 targets" in sentence(cause, "en")


def test_a_missing_mx_does_not_explain_a_login_elsewhere():
    """The mailbox reads at a literal address: its refused connection is its own cause."""
    reading = target("m", IMAP, servers=("192.0.2.1:993",), domain="a.example")
    found = find(
        [reading, zone("a.example")],
        failed(zone("a.example"), Reason.DNS_TIMEOUT, Phase.RESOLVE),
        failed(reading, Reason.CONNECTION_REFUSED),
    )
    assert {(cause.scope, cause.layer) for cause in found} == {
        (Scope.TARGET, Layer.DNS),
        (Scope.TARGET, Layer.TRANSPORT),
    }


# -- routes ---------------------------------------------------------------------------------------------------------


def test_a_route_with_a_dead_receiver_is_a_symptom_of_the_receivers_server():
    sender, receiver = mailbox("alice"), mailbox("bob", "b.example")
    trip = route("trip", "alice", "bob", ("smtp.a.example:465", "imap.b.example:993"))
    server = endpoint("imap.b.example:993")
    (cause,) = find(
        [*sender, *receiver, trip, server],
        *(failed(each, Reason.CONNECTION_REFUSED) for each in (receiver[0], trip, server)),
    )
    assert (cause.scope, cause.server, set(cause.targets)) == (
        Scope.HOST, "imap.b.example", {"bob", "trip", "imap.b.example:993"},
    )  # fmt: skip
    assert cause.also == (TRIP,)


def test_a_route_that_fails_while_its_mailboxes_work_is_its_own_cause():
    trip = route("trip", "alice", "bob", ("smtp.a.example:465", "imap.b.example:993"))
    everyone = [*mailbox("alice"), *mailbox("bob", "b.example")]
    (cause,) = find([*everyone, trip], failed(trip, Reason.MESSAGE_LATE, Phase.ARRIVE))
    assert (cause.scope, cause.targets, cause.layer) == (Scope.TARGET, ("trip",), Layer.DELIVERY)


def test_a_dead_imap_of_the_sender_has_nothing_to_do_with_a_route():
    trip = route("trip", "alice", "bob", ("smtp.a.example:465", "imap.b.example:993"))
    sender = mailbox("alice")
    found = find(
        [*sender, *mailbox("bob", "b.example"), trip],
        failed(sender[0], Reason.CONNECTION_REFUSED),
        failed(trip, Reason.MESSAGE_LATE, Phase.ARRIVE),
    )
    assert {cause.targets for cause in found} == {("alice",), ("trip",)}


def test_mail_that_does_not_arrive_is_explained_by_the_receivers_missing_mx():
    trip = route("trip", "alice", "bob", ("smtp.a.example:465", "imap.b.example:993"))
    (cause,) = find(
        [*mailbox("alice"), *mailbox("bob", "b.example"), trip, zone("b.example")],
        failed(trip, Reason.MESSAGE_LOST, Phase.ARRIVE),
        failed(zone("b.example"), Reason.RECORD_MISSING, Phase.RESOLVE, Fact(FactName.DNS_POLICY_VALID, 0, ("mx",))),
    )
    assert (cause.layer, cause.reason, cause.targets) == (Layer.DNS, Reason.RECORD_MISSING, ("b.example", "trip"))


def test_mail_that_is_distrusted_is_explained_by_the_senders_records():
    trip = route("trip", "alice", "bob", ("smtp.a.example:465", "imap.b.example:993"))
    (cause,) = find(
        [*mailbox("alice"), *mailbox("bob", "b.example"), trip, zone("a.example")],
        failed(trip, Reason.MESSAGE_IN_JUNK, Phase.ARRIVE),
        failed(zone("a.example"), Reason.TOO_MANY_LOOKUPS, Phase.RESOLVE),
    )
    assert cause.targets == ("a.example", "trip")


# -- our own network ---------------------------------------------------------------------------------------------------


def void(of: Target, reason: Reason) -> Result:
    return failed(of, reason, outcome=Outcome.INCONCLUSIVE)


def test_our_own_network_is_one_cause_for_everything():
    everyone = [*mailbox("alice"), *mailbox("bob", "b.example"), endpoint("mx.c.example:25"), zone("c.example")]
    (cause,) = find(everyone, *(void(each, Reason.VANTAGE_OFFLINE) for each in everyone))
    assert (cause.scope, cause.layer, len(cause.targets)) == (Scope.VANTAGE, Layer.VANTAGE, 4)
    assert sentence(cause, "en") == "Our own network is down: nothing can be said about 4 targets."


def test_a_blocked_port_is_named():
    servers = [endpoint("smtp.a.example:25"), endpoint("smtp.b.example:25")]
    (cause,) = find(servers, *(void(each, Reason.PORT_BLOCKED) for each in servers))
    assert (cause.scope, cause.key) == (Scope.VANTAGE, "vantage:port_blocked:25")
    assert sentence(cause, "en").startswith("Port 25 is blocked on our side")


def test_a_route_over_a_blocked_port_belongs_to_it():
    """Of the two servers of a route, the one with the blocked port counts, in any order."""
    trip = route("trip", "alice", "bob", ("imap.b.example:993", "smtp.a.example:465"))
    sender = mailbox("alice")
    (cause,) = find(
        [*sender, *mailbox("bob", "b.example"), trip],
        *(void(each, Reason.PORT_BLOCKED) for each in (sender[1], trip)),
    )
    assert (cause.key, cause.targets) == ("vantage:port_blocked:465", ("alice", "trip"))


def test_our_own_machines_trouble_is_one_cause():
    everyone = mailbox("alice")
    (cause,) = find(everyone, *(void(each, Reason.LOCAL_ERROR) for each in everyone))
    assert (cause.scope, cause.layer) == (Scope.VANTAGE, Layer.EXPORTER)
    assert "This machine itself is in trouble (local_error)" in sentence(cause, "en")


# -- updates by results ---------------------------------------------------------------------------------------------


class Standing:
    """`CauseTracker` with a clock that the test controls."""

    def __init__(self, targets: list[Target]) -> None:
        self.now = START
        self.known = CauseTracker(lambda: self.now)
        self.config = EffectiveConfig(targets)
        self.known.load(self.config)

    def record(self, *results: Result) -> list[tuple[Scope, Reason]]:
        for result in results:
            self.known.record(result)
        return [(cause.scope, cause.reason) for cause in self.known.look().causes]

    def counts(self) -> tuple[int, int, int]:
        """Return how many mailboxes of the only cause fail, were looked at, and were not looked at since."""
        (cause,) = self.known.look().causes
        return cause.mailboxes, cause.of, cause.unseen

    def keys(self, *results: Result) -> dict[str, float]:
        """Record the results; returns each cause with its beginning, in seconds after START."""
        self.now = max([self.now, *(result.started for result in results)])
        self.record(*results)
        return {cause.key: cause.since - START for cause in self.known.look().causes}


def test_a_cause_comes_and_goes_with_its_failure():
    (reading, _) = mailbox("m")
    watch = Standing([reading])
    assert watch.record(failed(reading, Reason.TIMEOUT)) == [(Scope.TARGET, Reason.TIMEOUT)]
    assert watch.known.look().labels == {"m": (Layer.TRANSPORT, Reason.TIMEOUT, Scope.TARGET, "")}
    assert watch.record(ok(reading)) == []
    assert watch.known.look().labels == {}


def test_an_inconclusive_run_leaves_the_verdict_and_one_that_names_our_side_covers_it():
    (reading, _) = mailbox("m")
    watch = Standing([reading])
    watch.record(failed(reading, Reason.WRONG_PASSWORD, Phase.LOGIN))
    assert watch.record(void(reading, Reason.MESSAGE_LATE)) == [(Scope.TARGET, Reason.WRONG_PASSWORD)]
    assert watch.record(void(reading, Reason.VANTAGE_OFFLINE)) == [(Scope.VANTAGE, Reason.VANTAGE_OFFLINE)]
    watch.known.vantage_back()
    assert watch.record() == [(Scope.TARGET, Reason.WRONG_PASSWORD)]


def test_a_cause_keeps_its_beginning_while_the_reason_changes():
    (reading, _) = mailbox("m")
    watch = Standing([reading])
    watch.record(failed(reading, Reason.TIMEOUT, at=START), failed(reading, Reason.CONNECTION_REFUSED, at=START + 60))
    assert [cause.since for cause in watch.known.look().causes] == [START]


def test_a_failure_that_nobody_looked_at_for_long_is_no_cause_any_more():
    (reading, _) = mailbox("m")
    watch = Standing([reading])
    watch.record(failed(reading, Reason.TIMEOUT))
    watch.now = START + 5 * reading.interval + 1
    assert watch.known.look().causes == ()


def test_a_reload_keeps_what_is_known_of_the_targets_that_stay():
    first, second = mailbox("m")[0], mailbox("n")[0]
    watch = Standing([first, second])
    watch.record(failed(first, Reason.WRONG_PASSWORD, Phase.LOGIN), failed(second, Reason.NO_PERMISSION))
    watch.known.load(EffectiveConfig([second]))
    assert watch.record() == [(Scope.TARGET, Reason.NO_PERMISSION)]


def test_ambiguous_refusals_are_the_providers_only_if_logins_worked_and_failed_together():
    """An ambiguous text, from three mailboxes at the same time after years; not from three that never worked."""
    everyone = [mailbox(f"m{n}", f"d{n}.example", f"h{n}.example", "netease_qiye")[0] for n in range(4)]
    refused = [failed(each, Reason.AMBIGUOUS_LOGIN_REFUSED, Phase.LOGIN) for each in everyone[:3]]
    never = Standing(everyone)
    assert {scope for scope, _ in never.record(*refused)} == {Scope.TARGET}
    before = Standing(everyone)
    before.record(*(ok(each, START - 300) for each in everyone))
    assert before.record(*refused) == [(Scope.PROVIDER, Reason.AMBIGUOUS_LOGIN_REFUSED)]
    apart = Standing(everyone)
    apart.record(*(ok(each, START - 300) for each in everyone))
    assert {
        scope
        for scope, _ in apart.record(
            *(failed(each, Reason.AMBIGUOUS_LOGIN_REFUSED, Phase.LOGIN, at=START + 3600 * n)
              for n, each in enumerate(everyone[:3]))
        )
    } == {Scope.TARGET}  # fmt: skip


def test_what_is_kept_result_by_result_is_what_a_search_from_nothing_finds():
    """After any order of failures and recoveries, `CauseTracker` agrees with a complete search.

    The search is given what was held, since a search from nothing knows nothing of causes that were there before.
    """
    everyone = flat(mailbox(f"m{n}", f"d{n % 3}.example", f"h{n % 2}.example", "exmail") for n in range(8))
    everyone += [endpoint(f"imap.h{n}.example:993") for n in range(2)] + [zone("h0.example")]
    watch, last, topology, holds = Standing(everyone), {}, Topology(everyone), Holds()
    reasons = [Reason.TIMEOUT, Reason.WRONG_PASSWORD, Reason.AUTH_UNAVAILABLE, Reason.DNS_TIMEOUT, None]
    for step in range(300):
        each = everyone[(step * 7) % len(everyone)]
        reason = reasons[(step * step) % 5]
        last[each.key] = result = ok(each) if reason is None else failed(each, reason)
        watch.known.record(result)
        kept = {(cause.key, cause.reason, frozenset(cause.targets)) for cause in watch.known.look().causes}
        evidence = Failures(topology)
        for found in filter(None, map(failing, last.values())):
            evidence.put(found)
        anew = find_causes(evidence, Memory(holds), watch.now).causes
        assert kept == {(cause.key, cause.reason, frozenset(cause.targets)) for cause in anew}


def test_a_cause_survives_its_way_through_json():
    (reading, _) = mailbox("m")
    (cause,) = find([reading], failed(reading, Reason.TIMEOUT))
    assert from_object(whole_object(cause)) == cause
    assert cause_object(cause).keys() == {"targets", "reason", "layer", "scope", "remedy"}
