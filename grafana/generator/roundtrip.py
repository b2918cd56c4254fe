"""The dashboard Round trips: whether mail arrives, in time, unaltered and in the inbox, and where it is delayed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from deploy import thresholds
from grafana.generator.failures import failing_now, history
from grafana.generator.marks import ANY_IS_BAD, ANY_IS_WARNING, BAD, CALM, GOOD, NEUTRAL, PASSED, STATE, STATES, WARNING
from grafana.generator.promql import OWNER, counted, quantile, series, verdict
from grafana.generator.spec import Goal, Lines, Page, Query, Row, Stat, Step, Timeline

_DEADLINE = f"min({series('roundtrip_deadline_seconds')})"
_TRIP = {"kind": "route"}
# The event, its text in a legend, its colour.
_EVENTS = (
    ("sent", "sent", NEUTRAL),
    ("received", "received", GOOD),
    ("late", "late", WARNING),
    ("lost", "lost", BAD),
    ("misfiled", "in junk", "#CC79A7"),
    ("altered", "altered", "#0072B2"),
    ("duplicated", "duplicated", CALM),
    ("bounced", "bounced", "#F0E442"),
)


def _sum(event: str, window: str) -> str:
    return f"sum({counted(f'roundtrip_messages_{event}_total', OWNER, window)})"


def _arrives() -> Row:
    def tally(title: str, shows: str, event: str, alert: str, steps: tuple[Step, ...]) -> Stat:
        return Stat(
            title=title,
            shows=shows,
            bad="Anything above 0. Counted within the time range; part of an event is Prometheus' extrapolation.",
            alerts=(alert,),
            queries=(Query(f"round({_sum(event, '$__range')})", instant=True),),
            width=3,
            height=4,
            steps=steps,
        )

    return Row(
        "Does mail arrive?",
        (
            Stat(
                title="State of the routes",
                shows="The verdict about the last settled probe mail of each route.",
                bad="FAILING: it was late, lost, altered or in junk, or could not be sent.",
                alerts=("MailRoundTripOverdue", "MailRoundTripLost", "MailRoundTripStopped"),
                queries=(Query(verdict(OWNER, **_TRIP), "{{target}}", instant=True),),
                width=9,
                height=4,
                words=STATE,
                steps=STATES,
                names=True,
            ),
            tally("Lost", "Probe mails that never came.", "lost", "MailRoundTripLost", ANY_IS_BAD),
            tally("Late", "Probe mails that came after their deadline.", "late", "MailRoundTripOverdue", ANY_IS_BAD),
            tally(
                "In junk", "Probe mails that were filed as junk.", "misfiled", "MailRoundTripMisfiled", ANY_IS_WARNING
            ),
            tally("Altered", "Probe mails whose body was changed.", "altered", "MailRoundTripAltered", ANY_IS_WARNING),
            tally("Duplicated", "Copies beyond the first.", "duplicated", "MailRoundTripDuplicated", ANY_IS_WARNING),
        ),
    )


def _speed() -> Row:
    ends = "job, target, from, to"
    steps = series("probe_phase_duration_seconds", probe="roundtrip")
    return Row(
        "How long does it take?",
        (
            Lines(
                title="Last delivery and deadline",
                shows="How long the mail took that arrived last, and after how long one counts as late.",
                bad="A line near its dashed deadline.",
                alerts=("MailRoundTripSlow", "MailRoundTripOverdue"),
                queries=(
                    Query(f"max by ({ends}) ({series('roundtrip_last_seconds')})", "{{target}}"),
                    Query(_DEADLINE, "shortest deadline", colour=BAD),
                ),
                unit="s",
                width=12,
                height=8,
                dashed="shortest deadline",
            ),
            Lines(
                title="Delivery time of an hour (p50, p95)",
                shows="Half, and 95 %, of the mails of the last hour were faster. A dot is one mail: a click opens "
                "its log in mailprobe.",
                bad="A p95 above the dashed line, or far from the p50: some mails wait, for a filter or in a queue.",
                alerts=("MailRoundTripSlow",),
                queries=(
                    Query(quantile("roundtrip_seconds", OWNER, 0.5, "1h"), "{{target}} p50"),
                    Query(quantile("roundtrip_seconds", OWNER, 0.95, "1h"), "{{target}} p95", exemplars=True),
                    Query(f"{thresholds.ROUNDTRIP_SLOW_RATIO} * {_DEADLINE}", "slow", colour=WARNING),
                ),
                dashed="slow",
                unit="s",
                width=12,
                height=8,
            ),
            Lines(
                title="Where the mail waits",
                shows="The time between the Received lines of the mail that arrived last: at the sender's, between, at "
                "the receiver's; the mean of the chosen routes, by the servers' own clocks.",
                bad="One hop that holds most of the time: its operator is the one to ask.",
                alerts=(),
                queries=(Query(f"avg by (job, hop) ({series('roundtrip_hop_delay_seconds')})", "{{hop}}"),),
                unit="s",
                width=12,
                height=8,
                stacked=True,
            ),
            Lines(
                title="Steps of a round trip",
                shows="What the last run spent on sending, waiting, reading and tidying up, as the mean of the chosen "
                "routes.",
                bad="A long “arrive” is delivery; a long login or submit is the sending server.",
                alerts=(),
                queries=(Query(f"avg by (job, phase) ({steps})", "{{phase}}"),),
                unit="s",
                width=12,
                height=8,
                stacked=True,
            ),
        ),
    )


def _flight() -> Row:
    oldest = f"time() - min by ({OWNER}) ({series('roundtrip_oldest_in_flight_timestamp_seconds')} > 0)"
    return Row(
        "What is on its way, and what has come?",
        (
            Lines(
                title="What became of the mails",
                shows="Probe mails by what became of them, within each hour.",
                bad="Anything but sent and received; and received far below sent.",
                alerts=("MailRoundTripLost", "MailRoundTripStopped", "MailRoundTripMisfiled"),
                queries=tuple(Query(_sum(event, "1h"), word, colour=colour) for event, word, colour in _EVENTS),
                width=12,
                height=8,
            ),
            Lines(
                title="Mails on their way",
                shows="Probe mails that were sent and have not come yet.",
                bad="More than one or two of a route: deliveries pile up.",
                alerts=("MailRoundTripOverdue",),
                queries=(Query(f"max by ({OWNER}) ({series('roundtrip_messages_in_flight')})", "{{target}}"),),
                width=6,
                height=8,
            ),
            Lines(
                title="Age of the oldest mail on its way",
                shows="How long the oldest mail that has not come has been under way.",
                bad="Above the dashed line: it is overdue, and later it is lost.",
                alerts=("MailRoundTripOverdue",),
                queries=(
                    Query(oldest, "{{target}}"),
                    Query(f"clamp_min({_DEADLINE}, {thresholds.ROUNDTRIP_OVERDUE_SECONDS})", "overdue", colour=BAD),
                ),
                unit="s",
                width=6,
                height=8,
                dashed="overdue",
            ),
        ),
    )


def _authentic() -> Row:
    passed = f"min by ({OWNER}, method) ({series('roundtrip_authentication_pass')})"
    return Row(
        "Is our mail taken for authentic?",
        (
            Timeline(
                title="SPF, DKIM and DMARC by the receiver",
                shows="What the receiving server said of the probe mail that arrived last; dkim_verified is our own "
                "check of the signature.",
                bad="FAIL: mail from this domain will be filed as junk or refused elsewhere.",
                alerts=("MailDNSPolicyInvalid", "MailRoundTripMisfiled"),
                queries=(Query(passed, "{{target}} {{method}}"),),
                width=24,
                height=7,
                words=PASSED,
                steps=STATES,
                none="the receiving servers write no Authentication-Results",
                goal=Goal.MAILBOX,
            ),
        ),
    )


PAGE = Page(
    uid="mailprobe-roundtrip",
    title="Mail / Round trip",
    about="Mail that we send to ourselves: does it arrive, in time, unaltered, in the inbox, and where it waits.",
    rows=(
        _arrives(),
        Row("Which route, since when and why?", (failing_now(7, "route"), history(7, "route"))),
        _speed(),
        _flight(),
        _authentic(),
    ),
)
