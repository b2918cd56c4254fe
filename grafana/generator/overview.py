"""The dashboard Overview: shows within five seconds what is broken, since when and why.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from deploy import thresholds
from grafana.generator.failures import causes, failing_now, history
from grafana.generator.marks import (
    ANY_IS_BAD,
    ANY_IS_WARNING,
    BAD,
    CALM,
    CERTIFICATE_DAYS,
    DELAY,
    NETWORK,
    NEUTRAL,
    QUOTA,
    STATES,
    WARNING,
    percent,
)
from grafana.generator.promql import OWNER, days_left, failing, foreign, quantile, quota, series
from grafana.generator.spec import Bars, Filled, Goal, Lines, Page, Query, Row, Stat

_SERVERS = "job, protocol, server, port"
_PATIENCE = (
    f"({thresholds.STALLED_INTERVALS} * {series('probe_interval_seconds', probe='!roundtrip')}"
    f" + {thresholds.STALLED_GRACE_SECONDS})"
)
_RAN = series("probe_last_run_timestamp_seconds", probe="!roundtrip")
_LOADED = f"max by (job, instance) ({series('config_last_reload_success_timestamp_seconds')})"
# Seconds since the last run, or since the configuration was loaded if there was no run. Round trips have their own
# alert, because they have no last run while a mail is in flight.
STALLED = (
    f"(time() - {_RAN} > {_PATIENCE}"
    f" or (0 * {series('probe_interval_seconds', probe='!roundtrip')} + on (job, instance) group_left ()"
    f" (time() - {_LOADED})) > {_PATIENCE} unless {_RAN})"
)
STALLED_COUNT = f"count({STALLED}) or 0 * count({series('probe_interval_seconds')})"


def _count(title: str, shows: str, bad: str, alerts: tuple[str, ...], each: str) -> Stat:
    """Return how many of a kind fail, and of how many."""
    return Stat(
        title=title,
        shows=shows,
        bad=bad,
        alerts=alerts,
        queries=(
            Query(f"sum({each})", "failing", instant=True),
            Query(f"count({each})", "watched", instant=True, colour=NEUTRAL),
        ),
        width=4,
        height=4,
        steps=ANY_IS_BAD,
        names=True,
        none="none is watched",
    )


def _working() -> Row:
    servers = f"(avg by ({_SERVERS}) ({series('endpoint_up')}) < bool 0.5)"
    firing = 'ALERTS{alertname=~"Mail.*", alertstate="firing", job=~"$job", severity="%s"}'
    return Row(
        "Is mail working?",
        (
            _count(
                "Mailboxes",
                "Mailboxes whose login or mail access fails by most replicas, and how many are watched.",
                "Anything above 0: people cannot read or send mail there.",
                ("MailLoginFailing", "MailLoginRejected"),
                failing(OWNER, kind="mailbox"),
            ),
            _count(
                "Round trips",
                "Routes whose last settled probe mail was late, lost, altered or in junk, or could not be sent.",
                "Anything above 0: mail does not arrive as it should.",
                ("MailRoundTripOverdue", "MailRoundTripLost", "MailRoundTripStopped"),
                failing(OWNER, kind="route"),
            ),
            _count(
                "Servers",
                "Server ports that do not answer as they should, apart from any account.",
                "Anything above 0: every mailbox on that server is affected.",
                ("MailEndpointDown", "MailHostOutage"),
                servers,
            ),
            _count(
                "Domains",
                "Domains whose mail records are missing, wrong or cannot be looked up.",
                "Anything above 0: mail to or from the domain may be refused.",
                ("MailDNSFailing", "MailDNSRecordMissing", "MailDNSPolicyInvalid"),
                failing(OWNER, kind="domain"),
            ),
            Stat(
                title="Alerts firing",
                shows="Firing alerts about mail and about mailprobe, by severity.",
                bad="Any critical one: somebody has been called.",
                alerts=(),
                queries=tuple(
                    Query(f"count({firing % severity})", severity, instant=True, colour=colour)
                    for severity, colour in (("critical", BAD), ("warning", WARNING), ("info", CALM))
                ),
                width=4,
                height=4,
                names=True,
                none="none",
            ),
            Stat(
                title="Are we looking?",
                shows="Whether every mailprobe is scraped and its own network works: if not, the numbers beside "
                "mean little.",
                bad="OFFLINE: look at mailprobe and its network first.",
                alerts=("MailprobeDown", "MailprobeAllVantagesOffline", "MailprobeVantageOffline"),
                queries=(
                    Query(f"min({foreign('up')})", "mailprobe", instant=True),
                    Query(f"min({series('vantage_up')})", "our network", instant=True),
                ),
                width=4,
                height=4,
                words=NETWORK,
                steps=STATES,
                names=True,
                none="mailprobe is not there",
            ),
        ),
    )


def _speed() -> Row:
    return Row(
        "How slow is it?",
        (
            Lines(
                title="Last delivery by route",
                shows="How long the probe mail took that arrived last, from submission to being visible.",
                bad="A line that climbs towards its route's deadline, which the round trip dashboard draws.",
                alerts=("MailRoundTripSlow", "MailRoundTripOverdue"),
                queries=(Query(f"max by ({OWNER}) ({series('roundtrip_last_seconds')})", "{{target}}"),),
                unit="s",
                width=12,
                height=8,
                none="no round trip is configured, or none has arrived",
                goal=Goal.ROUNDTRIP,
            ),
            Lines(
                title="Slowest runs by provider (p95 of an hour)",
                shows="95 % of the successful runs of the last hour were faster. A dot is one run: a click opens its "
                "log in mailprobe.",
                bad="A provider that grows slower than it was yesterday.",
                alerts=(),
                queries=(
                    Query(
                        quantile("probe_latency_seconds", "job, provider, probe", 0.95, "1h"),
                        "{{provider}} {{probe}}",
                        exemplars=True,
                    ),
                ),
                unit="s",
                width=12,
                height=8,
            ),
        ),
    )


def _room() -> Row:
    return Row(
        "What will break next?",
        (
            Bars(
                title="Fullest mailboxes",
                shows="The ten mailboxes with the least room, as a share of their quota.",
                bad=Filled(
                    "From {} a warning, from {} critical: a full mailbox bounces mail.",
                    percent(thresholds.QUOTA_WARNING_RATIO),
                    percent(thresholds.QUOTA_CRITICAL_RATIO),
                ),
                alerts=("MailQuotaAlmostFull", "MailQuotaFillingUp"),
                queries=(Query(f"topk(10, {quota()})", "{{target}} {{quota_root}}", instant=True),),
                unit="percentunit",
                width=12,
                height=7,
                steps=QUOTA,
                ceiling=1,
                none="no server tells a quota",
                goal=Goal.MAILBOX,
            ),
            Bars(
                title="Certificates that end first",
                shows="Days until the certificates of the ten first servers end.",
                bad=Filled(
                    "Under {} days a warning, under {} critical; below 0 it has ended.",
                    thresholds.CERTIFICATE_WARNING_DAYS,
                    thresholds.CERTIFICATE_CRITICAL_DAYS,
                ),
                alerts=("MailCertificateExpiringSoon", "MailCertificateExpired"),
                queries=(
                    Query(
                        "bottomk(10, " + days_left("tls_certificate_not_after_timestamp_seconds", _SERVERS) + ")",
                        "{{server}}:{{port}}",
                        instant=True,
                    ),
                ),
                unit="d",
                width=12,
                height=7,
                steps=CERTIFICATE_DAYS,
                ceiling=90,
            ),
        ),
    )


def _ourselves() -> Row:
    def small(title: str, shows: str, bad: str, alert: str, expr: str) -> Stat:
        return Stat(
            title=title,
            shows=shows,
            bad=bad,
            alerts=(alert,),
            queries=(Query(expr, instant=True),),
            width=6,
            height=4,
            steps=ANY_IS_WARNING,
        )

    return Row(
        "Can we trust it?",
        (
            small(
                "Stalled probes",
                "Probes whose last run is older than three of their intervals and a minute.",
                "Anything above 0: their verdicts are old.",
                "MailprobeProbesStalled",
                STALLED_COUNT,
            ),
            small(
                "Inconclusive probes",
                "Probes whose last run could tell nothing: our own fault, or our network's.",
                "Anything above 0 for long: these targets are not watched.",
                "MailprobeInconclusive",
                f"sum(max by ({OWNER}, probe) ({series('probe_inconclusive')}))",
            ),
            small(
                "Logins suspended",
                "Logins that the guard holds back, so that no account is locked.",
                "Anything above 0: correct the password, then it is tried at once.",
                "MailprobeLoginSuspended",
                f"sum(max by ({OWNER}, probe) ({series('login_suspended')}))",
            ),
            Stat(
                title="Scheduler delay (p95)",
                shows="How much later than planned runs began in the last 10 minutes, in the worst mailprobe.",
                bad=Filled("Above {} s mailprobe has too much to do.", thresholds.SCHEDULER_DELAY_SECONDS),
                alerts=("MailprobeSchedulerOverloaded",),
                queries=(
                    Query(f"max({quantile('scheduler_delay_seconds', 'job, instance', 0.95, '10m')})", instant=True),
                ),
                unit="s",
                width=6,
                height=4,
                steps=DELAY,
            ),
        ),
    )


PAGE = Page(
    uid="mailprobe-overview",
    title="Mail / Overview",
    about="Is mail working, what is broken, since when and why, how slow it is, what will break next.",
    rows=(
        _working(),
        Row("What is broken, since when and why?", (causes(), failing_now(9), history(9))),
        _speed(),
        _room(),
        _ourselves(),
    ),
)
