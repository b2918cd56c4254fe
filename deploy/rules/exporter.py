"""Alerts about mailprobe itself: it is down, runs no probes, or its probes are inconclusive. See also `upkeep`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from deploy import thresholds
from deploy.rules import upkeep
from deploy.rules.promql import without
from deploy.rules.rule import MAILBOX, NO_MAILBOX, Alert, Group, Text

WATCHDOG: Final = Alert(
    "Watchdog",
    "none",
    "exporter",
    "vector(1)",
    Text(
        "The way of the alerts works",
        "This alert always fires. Send it to a dead man's switch, which tells you when it stops: then Prometheus, "
        "Alertmanager or the way between them is broken.",
    ),
    Text(
        "告警链路正常",
        "此告警始终触发。请将其发送到心跳监控服务，一旦中断即说明 Prometheus、Alertmanager 或其间链路出现故障。",
    ),
    page="overview",
    job=False,
)


def _down(severity: str, expr: str, en: str, zh: str, comment: str) -> Alert:
    return Alert(
        "MailprobeDown",
        severity,
        "exporter",
        expr,
        Text("mailprobe cannot be scraped", f"{{{{ $labels.instance }}}} does not answer Prometheus. {en}"),
        Text("无法抓取 mailprobe", f"{{{{ $labels.instance }}}} 没有应答 Prometheus。{zh}"),
        page="exporter",
        wait="5m",
        comment=comment,
    )


_OTHERS: Final = "on (job) ($up == 1 unless on (job, $replica) last_over_time(mailprobe_total_shards[3m]) > 1)"
DOWN: Final = (
    _down(
        "critical",
        f"$up == 0\nunless {_OTHERS}",
        "Nobody watches its mailboxes. See whether it runs: `systemctl status mailprobe`.",
        "其负责的邮箱无人监测。请检查它是否在运行：`systemctl status mailprobe`。",
        "While a replica of it works all is still watched: that is a warning. Another shard watches other mailboxes.",
    ),
    _down(
        "warning",
        f"$up == 0\nand {_OTHERS}",
        "A replica still watches the mailboxes. See whether it runs: `systemctl status mailprobe`.",
        "另一副本仍在监测。请检查它是否在运行：`systemctl status mailprobe`。",
        "",
    ),
)

ABSENT: Final = Alert(
    "MailprobeAbsent",
    "critical",
    "exporter",
    "absent($up)\nunless on () mailprobe_build_info",
    Text(
        "Prometheus knows no mailprobe",
        "No mailprobe is scraped: nobody watches the mail services. Look at the scrape configuration of Prometheus "
        "and at its targets page.",
    ),
    Text(
        "Prometheus 中没有 mailprobe",
        "没有任何 mailprobe 被抓取：无人监测邮件服务。请检查 Prometheus 的抓取配置及 targets 页面。",
    ),
    page="overview",
    wait="10m",
    job=False,
    comment="A mailprobe that is scraped under another job name is there: `--selector` makes rules for it.",
)

_RUNS: Final = 'last_over_time(mailprobe_probe_last_run_timestamp_seconds{probe!="roundtrip"}[3m])'
_INTERVALS: Final = 'last_over_time(mailprobe_probe_interval_seconds{probe!="roundtrip"}[3m])'
_ALLOWED: Final = f"{thresholds.STALLED_INTERVALS} * {_INTERVALS} + {thresholds.STALLED_GRACE_SECONDS}"
_STALLED: Final = f"""\
time() - {_RUNS}
  > {_ALLOWED}
  or
  (
    {_ALLOWED}
    + on (job, $replica) group_left ()
    max by (job, $replica) (last_over_time(mailprobe_config_last_reload_success_timestamp_seconds[3m]))
    < time()
    unless {_RUNS}
  )"""
STALLED: Final = (
    Alert(
        "MailprobeProbesStalled",
        "warning",
        "exporter",
        f"count by (job, $replica, probe) (\n  {_STALLED}\n) > 0",
        Text(
            "Probes do not run",
            "{{ $value }} {{ $labels.probe }} probes of {{ $labels.instance }} have not run for three intervals: what "
            "is shown of them is old. Look at the log and at mailprobe_probes_skipped_total.",
        ),
        Text(
            "检查没有运行",
            "{{ $labels.instance }} 有 {{ $value }} 个 {{ $labels.probe }} 检查已超过三个周期未运行，显示的状态已过时。"
            "请查看日志和 mailprobe_probes_skipped_total。",
        ),
        page="exporter",
        wait="5m",
        comment="Whose last run is too old, or who has not had one since the load of the config. Routes: see "
        "MailRoundTripStopped.",
    ),
    Alert(
        "MailprobeProbesStalled",
        "critical",
        "exporter",
        f"count by (job, $replica) (\n  {_STALLED}\n)\n/ count by (job, $replica) ({_INTERVALS}) > 0.5",
        Text(
            "Most probes do not run",
            "{{ $value | humanizePercentage }} of the probes of {{ $labels.instance }} have not run for three "
            "intervals: it is as good as down. Restart it, and keep its log for a bug report.",
        ),
        Text(
            "大部分检查没有运行",
            "{{ $labels.instance }} 有 {{ $value | humanizePercentage }} 的检查已超过三个周期未运行，相当于停机。"
            "请重启，并保留日志以便报告问题。",
        ),
        page="exporter",
        wait="5m",
    ),
)

OVERLOADED: Final = Alert(
    "MailprobeSchedulerOverloaded",
    "warning",
    "exporter",
    "histogram_quantile(0.95, rate(mailprobe_scheduler_delay_seconds_bucket[10m]))"
    f" > {thresholds.SCHEDULER_DELAY_SECONDS}",
    Text(
        "mailprobe is behind its schedule",
        "Probes of {{ $labels.instance }} start {{ $value | humanizeDuration }} late. "
        "Raise `limits.in_flight` or the intervals, give it a faster machine, or split it into shards.",
    ),
    Text(
        "mailprobe 调度滞后",
        "{{ $labels.instance }} 的检查延迟 {{ $value | humanizeDuration }} 才开始。"
        "请调大 `limits.in_flight` 或检查间隔、换更快的机器，或拆分为多个分片。",
    ),
    page="exporter",
    wait="15m",
)


def _inconclusive(kind: str, page: str, labels: Mapping[str, str], comment: str = "") -> Alert:
    return Alert(
        "MailprobeInconclusive",
        "warning",
        "exporter",
        without(
            f"(min without ($replica) (min_over_time(mailprobe_probe_inconclusive{{{kind}}}[3m])) == 1)",
            'on (job, target) max_over_time(mailprobe_root_cause_info{layer="vantage"}[3m])',
        ),
        Text(
            "Some checks cannot tell anything",
            "{{ $labels.probe }} of {{ $labels.target }} has told nothing for half an hour"
            r"{{ range printf "
            r'"topk(1, count by (reason) (mailprobe_root_cause_info{job=%q,target=%q}))" '
            "$labels.job $labels.target | query }} ({{ .Labels.reason }}){{ end }}: "
            "an unreadable password file, for one. Its page shows what keeps it.",
        ),
        Text(
            "部分检查无法得出结论",
            "{{ $labels.target }} 的 {{ $labels.probe }} 已半小时没有结论"
            r"{{ range printf "
            r'"topk(1, count by (reason) (mailprobe_root_cause_info{job=%q,target=%q}))" '
            "$labels.job $labels.target | query }}（{{ .Labels.reason }}）{{ end }}，例如密码文件不可读。"
            "其页面会显示原因。",
        ),
        page=page,
        wait="30m",
        labels=labels,
        comment=comment,
    )


INCONCLUSIVE: Final = (
    _inconclusive(
        'kind="mailbox"', "mailbox", MAILBOX, "While our own network is the cause, Mailprobe*Offline says so."
    ),
    _inconclusive('kind!="mailbox"', "page", NO_MAILBOX),
)

GROUP: Final = Group(
    "mailprobe-exporter", (WATCHDOG, *DOWN, ABSENT, *STALLED, OVERLOADED, *INCONCLUSIVE, *upkeep.ALERTS)
)
