"""The dashboard of mailprobe itself: its replicas, delays, configuration, state and notifications.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from grafana.generator.marks import ANY_IS_BAD, ANY_IS_WARNING, NETWORK, PROBES, RELOADED, STATES, UP
from grafana.generator.overview import STALLED, STALLED_COUNT
from grafana.generator.promql import OWNER, counted, foreign, series
from grafana.generator.spec import Column, Goal, Page, Query, Row, Stat, Table, Timeline
from grafana.generator.upkeep import means, pace

_SELF = "job, instance"


def _healthy() -> Row:
    def small(title: str, shows: str, bad: str, alerts: tuple[str, ...], expr: str, *, grave: bool = False) -> Stat:
        return Stat(
            title=title,
            shows=shows,
            bad=bad,
            alerts=alerts,
            queries=(Query(expr, instant=True),),
            width=4,
            height=4,
            steps=ANY_IS_BAD if grave else ANY_IS_WARNING,
        )

    shards = f"max({series('total_shards')}) - count(count by (shard_ordinal) ({series('shard_ordinal')}))"
    writes = counted("state_write_failures_total", _SELF, "1h")
    push = counted("notifications_failed_total", _SELF, "1h")
    return Row(
        "Is mailprobe healthy?",
        (
            small(
                "Missing instances",
                "Instances that Prometheus cannot scrape.",
                "Anything above 0: what they watch is not watched.",
                ("MailprobeDown", "MailprobeAbsent"),
                f"sum(1 - {foreign('up')})",
                grave=True,
            ),
            small(
                "Missing shards",
                "Shards that nobody runs, of as many as the instances are told.",
                "Anything above 0: the targets of these shards are not watched.",
                ("MailprobeShardsMissing", "MailprobeShardingMismatch"),
                shards,
                grave=True,
            ),
            small(
                "Different configs",
                "How many configurations beyond one are in use among replicas of the same shard.",
                "Anything above 0 for long: a replica was not reloaded.",
                ("MailprobeConfigInconsistent",),
                f'max(count by (job) (count_values by (job) ("hash", {series("config_hash")}))) - 1',
            ),
            small(
                "Stalled probes",
                "Probes whose last run is older than three of their intervals and a minute.",
                "Anything above 0: their verdicts are old.",
                ("MailprobeProbesStalled",),
                STALLED_COUNT,
            ),
            small(
                "Failed writes",
                "Writes to the state file that failed within the last hour.",
                "Anything above 0: after a restart the login guard has forgotten something.",
                ("MailprobeStateNotWritable",),
                f"round(sum({writes}))",
                grave=True,
            ),
            small(
                "Notifications in vain",
                "Alerts that mailprobe itself could not hand to Alertmanager within the last hour.",
                "Anything above 0: nobody was called.",
                ("MailprobeNotificationsFailing",),
                f"round(sum({push})) or 0 * count({series('build_info')})",
                grave=True,
            ),
        ),
    )


def _instances() -> Row:
    targets = f"count by ({_SELF}) ({series('target_info')})"
    reloaded = f"max by ({_SELF}) ({series('config_last_reload_success_timestamp_seconds')}) * 1000"
    return Row(
        "Which instance?",
        (
            Table(
                title="Instances",
                shows="Every mailprobe: its version, how many targets it has, when it took its config, and whether the "
                "last one was taken.",
                bad="REFUSED: it runs with an old config. OFFLINE: its own network is down.",
                alerts=("MailprobeConfigReloadFailed", "MailprobeVantageOffline"),
                queries=(
                    Query(f"max by ({_SELF}, version, pythonversion) ({series('build_info')})"),
                    Query(targets),
                    Query(reloaded),
                    Query(f"max by ({_SELF}) ({series('config_last_reload_successful')})"),
                    Query(f"max by ({_SELF}) ({series('vantage_up')})"),
                ),
                width=14,
                height=7,
                sort="Instance",
                descending=False,
                columns=(
                    Column(title="Instance", label="instance"),
                    Column(title="Version", label="version", width=100),
                    Column(title="Python", label="pythonversion", width=90),
                    Column(title="Targets", query="B", unit="short", width=80),
                    Column(title="Config taken", query="C", unit="dateTimeFromNow", width=140),
                    Column(title="Config", query="D", words=RELOADED, width=100),
                    Column(title="Network", query="E", words=NETWORK, width=100),
                ),
            ),
            Timeline(
                title="Scraped",
                shows="Whether Prometheus reaches each mailprobe.",
                bad="DOWN: nothing that it watches is watched.",
                alerts=("MailprobeDown",),
                queries=(Query(f"max by ({_SELF}) ({foreign('up')})", "{{instance}}"),),
                width=10,
                height=7,
                words=UP,
                steps=STATES,
                goal=Goal.EXPORTER,
            ),
            Table(
                title="Which probes stall",
                shows="Probes whose last run is too old, and its age; where there was none, the age of the config.",
                bad="Any line: its verdict is old.",
                alerts=("MailprobeProbesStalled",),
                queries=(Query(f"max by ({_SELF}, target, probe) ({STALLED})"),),
                width=12,
                height=7,
                none="every probe runs in time",
                sort="Last run",
                columns=(
                    Column(title="Instance", label="instance"),
                    Column(title="Target", label="target", goals=(Goal.MAILBOX,), page="targets"),
                    Column(title="Probe", label="probe", names=PROBES, width=100),
                    Column(title="Last run", query="A", unit="s", width=110),
                ),
            ),
            Table(
                title="Which probes tell nothing",
                shows="Probes whose last run could tell nothing, and in how many replicas.",
                bad="A line that stays: this target is not watched.",
                alerts=("MailprobeInconclusive",),
                queries=(Query(f"sum by ({OWNER}, probe) ({series('probe_inconclusive')}) > 0"),),
                width=12,
                height=7,
                none="every probe tells something",
                sort="Replicas",
                columns=(
                    Column(title="Target", label="target", goals=(Goal.MAILBOX,), page="targets"),
                    Column(title="Probe", label="probe", names=PROBES, width=100),
                    Column(title="Replicas", query="A", unit="short", width=90),
                ),
            ),
        ),
    )


PAGE = Page(
    uid="mailprobe-exporter",
    title="Mail / mailprobe itself",
    about="Whether mailprobe itself is there, up to date and in time: if not, the other dashboards mean little.",
    rows=(_healthy(), _instances(), pace(), means()),
)
