"""mailprobe itself: is it there, does it run its probes, can it write and tell, do its replicas and shards agree.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from deploy import thresholds
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

RELOAD: Final = Alert(
    "MailprobeConfigReloadFailed",
    "warning",
    "exporter",
    "max_over_time(mailprobe_config_last_reload_successful[5m]) == 0",
    Text(
        "The configuration could not be loaded",
        "{{ $labels.instance }} still runs with the old configuration. "
        "`mailprobe --config.check` names the file, the line and the mistake.",
    ),
    Text(
        "配置加载失败",
        "{{ $labels.instance }} 仍在使用旧配置。`mailprobe --config.check` 会指出文件、行号和错误。",
    ),
    page="exporter",
    wait="10m",
)

INCONSISTENT: Final = Alert(
    "MailprobeConfigInconsistent",
    "warning",
    "exporter",
    """\
max without ($replica) (last_over_time(mailprobe_config_hash[5m]))
!= min without ($replica) (last_over_time(mailprobe_config_hash[5m]))""",
    Text(
        "Replicas run with different configurations",
        "The mailprobes of job {{ $labels.job }} do not have one configuration, so they watch different things. "
        "Give all of them the same files and reload them.",
    ),
    Text(
        "各副本配置不一致",
        "任务 {{ $labels.job }} 的各个 mailprobe 配置不一致，监测对象不同。请使用相同的配置文件并重新加载。",
    ),
    page="exporter",
    wait="20m",
)

STATE: Final = Alert(
    "MailprobeStateNotWritable",
    "warning",
    "exporter",
    "increase(mailprobe_state_write_failures_total[15m]) > 0",
    Text(
        "mailprobe cannot write its state",
        "{{ $labels.instance }} could not write to its storage folder: after a restart it may not know which logins to "
        "leave alone and which mails are on their way. Look at disk space and permissions.",
    ),
    Text(
        "mailprobe 无法写入状态",
        "{{ $labels.instance }} 无法写入存储目录：重启后可能不记得哪些登录应暂停、哪些邮件在途。请检查磁盘空间和权限。",
    ),
    page="exporter",
    wait="5m",
)

_VAIN: Final = "rate(mailprobe_notifications_failed_total[10m]) / rate(mailprobe_notifications_total[10m])"
_ROBOT: Final = "rate(mailprobe_bridge_messages_failed_total[10m]) / rate(mailprobe_bridge_messages_total[10m])"
NOTIFICATIONS: Final = (
    Alert(
        "MailprobeNotificationsFailing",
        "critical",
        "exporter",
        f"min without (alertmanager) (\n  {_VAIN}\n) > 0.5",
        Text(
            "Alerts do not reach any Alertmanager",
            "{{ $labels.instance }} cannot push its alerts to any of its Alertmanagers: nobody is told what fails. "
            "Look at `alertmanager` in config.yaml and at the log.",
        ),
        Text(
            "告警无法送达任何 Alertmanager",
            "{{ $labels.instance }} 无法向任何 Alertmanager 推送告警：故障无人知晓。"
            "请检查 config.yaml 的 `alertmanager` 和日志。",
        ),
        page="exporter",
        wait="5m",
    ),
    Alert(
        "MailprobeNotificationsFailing",
        "warning",
        "exporter",
        f"(\n  {_VAIN}\n) > 0.5\nunless on (job, $replica) min without (alertmanager) (\n  {_VAIN}\n) > 0.5",
        Text(
            "Alerts do not reach one Alertmanager",
            "{{ $labels.instance }} cannot push its alerts to {{ $labels.alertmanager }}; others take them. "
            "Look at that Alertmanager, and at the log.",
        ),
        Text(
            "告警无法送达某个 Alertmanager",
            "{{ $labels.instance }} 无法向 {{ $labels.alertmanager }} 推送告警，其余正常。"
            "请检查该 Alertmanager 和日志。",
        ),
        page="exporter",
        wait="5m",
    ),
    Alert(
        "MailprobeNotificationsFailing",
        "warning",
        "exporter",
        f"(\n  {_ROBOT}\n) > 0.5",
        Text(
            "Alerts do not reach a group robot",
            "The robot of bridge {{ $labels.bridge }} does not take the messages of {{ $labels.instance }}: its group "
            "is told nothing. The log has the robot's words.",
        ),
        Text(
            "告警无法送达群机器人",
            "转发 {{ $labels.bridge }} 的群机器人不接收 {{ $labels.instance }} 的消息，"
            "群里收不到告警。日志中有机器人的原话。",
        ),
        page="exporter",
        wait="5m",
        labels={"bridge": "{{ $labels.bridge }}"},
        comment="What Alertmanager sends through `bridges`.",
    ),
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

_TOTAL: Final = "last_over_time(mailprobe_total_shards[5m])"
MISMATCH: Final = Alert(
    "MailprobeShardingMismatch",
    "critical",
    "exporter",
    f"max without ($replica) ({_TOTAL})\n!= min without ($replica) ({_TOTAL})",
    Text(
        "Shards disagree about how many they are",
        "The mailprobes of job {{ $labels.job }} run with different --total-shards: some mailboxes are watched twice, "
        "others by nobody. Start all with the same number.",
    ),
    Text(
        "分片数量不一致",
        "任务 {{ $labels.job }} 的各个 mailprobe 的 --total-shards 不同：有的邮箱被重复监测，有的无人监测。"
        "请以相同的数值启动。",
    ),
    page="exporter",
    wait="15m",
)
MISSING: Final = Alert(
    "MailprobeShardsMissing",
    "critical",
    "exporter",
    f"""\
count without (shard_ordinal) (max without ($replica) (last_over_time(mailprobe_shard_ordinal[5m])))
< max without ($replica) ({_TOTAL})""",
    Text(
        "A shard is missing",
        "Only {{ $value }} shards of job {{ $labels.job }} are there: nobody watches the mailboxes of the others. "
        "Start the missing one; the status page shows which ordinals run.",
    ),
    Text(
        "缺少分片",
        "任务 {{ $labels.job }} 只有 {{ $value }} 个分片在运行，其余分片的邮箱无人监测。请启动缺少的分片。",
    ),
    page="exporter",
    wait="15m",
)

GROUP: Final = Group(
    "mailprobe-exporter",
    (
        WATCHDOG,
        *DOWN,
        ABSENT,
        RELOAD,
        INCONSISTENT,
        STATE,
        *NOTIFICATIONS,
        *STALLED,
        OVERLOADED,
        *INCONCLUSIVE,
        MISMATCH,
        MISSING,
    ),
)
