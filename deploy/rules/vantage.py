"""Alerts about our own network: not working on all replicas, or on one.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

from deploy.rules import times
from deploy.rules.promql import any_of, block, ended
from deploy.rules.rule import Alert, Group, Text

_UP: Final = "max without ($replica) (last_over_time(mailprobe_vantage_up[3m]))"
_TIMES: Final = times.of_outage("vantage", "job=%[1]q", "$labels.job")

ALL_OFFLINE: Final = Alert(
    "MailprobeAllVantagesOffline",
    "critical",
    "vantage",
    any_of(
        (
            block(f"{_UP} == 0"),
            block(
                f"{_UP} == 1\nand on (job)\n"
                + ended(
                    "MailprobeAllVantagesOffline",
                    "job",
                    'last_over_time(mailprobe_outage_end_timestamp_seconds{scope="vantage"}[3m])',
                    times.OUTAGE_HELD,
                )
            ),
        )
    ),
    Text(
        "The monitoring host's own network is down",
        "The references of every mailprobe are silent: nobody watches the mail services until the network is back. "
        "Look at the machine's own network first.",
    ),
    Text(
        "监测主机自身的网络中断",
        "所有 mailprobe 的参照点均无应答，网络恢复之前没有人监测邮件服务。请先检查本机网络。",
    ),
    page="overview",
    wait="1m",
    keep="3m",
    times=_TIMES,
)

OFFLINE: Final = Alert(
    "MailprobeVantageOffline",
    "warning",
    "vantage",
    """\
(
  last_over_time(mailprobe_vantage_up[3m]) == 0
  and on (job) max without ($replica) (last_over_time(mailprobe_vantage_up[3m])) == 1
)
or on (job, $replica)
count by (job, $replica) (
  max_over_time(mailprobe_root_cause_info{scope="vantage",layer="vantage",reason!="vantage_offline"}[3m])
) > 0""",
    Text(
        "The monitoring host is in trouble itself",
        "mailprobe at {{ $labels.instance }} cannot tell how mail services are: its references are silent, a port is "
        "blocked on its side, or its clock is wrong"
        r'{{ range printf "count by (reason) (mailprobe_root_cause_info{job=%q,instance=%q,scope=\"vantage\"})" '
        '$labels.job $labels.instance | query | sortByLabel "reason" }} ({{ .Labels.reason }}){{ end }}. '
        "Look there; other places, or most checks, still work.",
    ),
    Text(
        "监测主机自身有问题",
        "{{ $labels.instance }} 上的 mailprobe 无法判断邮件服务的状态：参照点无应答、本机某个端口被拦截或时钟不准"
        r'{{ range printf "count by (reason) (mailprobe_root_cause_info{job=%q,instance=%q,scope=\"vantage\"})" '
        '$labels.job $labels.instance | query | sortByLabel "reason" }}（{{ .Labels.reason }}）{{ end }}。'
        "请检查该主机；其他监测点或大部分检查仍在工作。",
    ),
    page="exporter",
    wait="5m",
    keep="5m",
    comment="One of several without a network, or a part of its sight: a blocked port, a wrong clock. Mutes nothing.",
)

GROUP: Final = Group("mailprobe-vantage", (ALL_OFFLINE, OFFLINE))
