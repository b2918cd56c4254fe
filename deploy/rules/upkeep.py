"""Alerts about the operation of mailprobe: its configuration, state and notifications, and its replicas and shards.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

from deploy.rules.rule import Alert, Text

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

ALERTS: Final = (RELOAD, INCONSISTENT, STATE, *NOTIFICATIONS, MISMATCH, MISSING)
