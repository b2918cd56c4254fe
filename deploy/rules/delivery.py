"""Alerts about round trips: mail is overdue, lost, slow, not sent, in junk, altered or duplicated, or throttled.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent
from typing import Final

from deploy import thresholds
from deploy.rules import words
from deploy.rules.promql import THROTTLED, block, delivery, failing, failing_for, wider, without
from deploy.rules.rule import MAILBOX, NO_MAILBOX, SENDER, Alert, Group, Text

_ROUTE: Final = "{{ $labels.target }}, {{ $labels.from }} to {{ $labels.to }}"
_ROUTE_ZH: Final = "{{ $labels.target }}（{{ $labels.from }} 到 {{ $labels.to }}）"
_COUNT: Final = '{{ $value | printf "%.0f" }}'
_TRIP: Final = r",probe=\"roundtrip\""
_TRIP_FAILING: Final = indent(failing('probe="roundtrip"'), "    ").lstrip()
_GONE: Final = (
    "increase(mailprobe_roundtrip_messages_lost_total[1h]) + increase(mailprobe_roundtrip_messages_bounced_total[1h])"
)
_LATER: Final = 660  # seconds after which a mail is overdue even without a new run
_OLDEST: Final = "last_over_time(mailprobe_roundtrip_oldest_in_flight_timestamp_seconds[3m])"
_DEADLINE: Final = "last_over_time(mailprobe_roundtrip_deadline_seconds[3m])"
_LAST_RUN: Final = 'last_over_time(mailprobe_probe_last_run_timestamp_seconds{probe="roundtrip"}[3m])'


def _throttled(kind: str, page: str, labels: Mapping[str, str]) -> Alert:
    return Alert(
        "MailSubmissionThrottled",
        "warning",
        "delivery",
        without(block(failing_for(f'reason=~"{THROTTLED}"', kind)), wider()),
        Text(
            "A server slows us down",
            f"{{{{ $labels.probe }}}} of {{{{ $labels.target }}}} is held back by the server{words.probe_why()}."
            f"{words.probe_since()} Wait; then use fewer programs on the account, or raise `interval`.",
        ),
        Text(
            "服务器正在限制发信或登录频率",
            f"{{{{ $labels.target }}}} 的 {{{{ $labels.probe }}}} 被服务器限流{words.probe_why(zh=True)}。"
            f"{words.probe_since(zh=True)}请等待；之后减少使用该账号的程序，或调大 `interval`。",
        ),
        page=page,
        wait="15m",
        keep="5m",
        labels=labels,
    )


SLOWED: Final = (
    _throttled('kind="mailbox"', "mailbox", MAILBOX),
    _throttled('kind!="mailbox"', "route", NO_MAILBOX),
)

OVERDUE: Final = Alert(
    "MailRoundTripOverdue",
    "critical",
    "delivery",
    delivery(
        f"""\
(time() - max without ($replica) ({_OLDEST}))
and on (job, target)
avg without ($replica) (
  (
    (
      clamp_min(max without (probe) ({_LAST_RUN}), time() - {_LATER})
      - max without (from, to) ({_OLDEST})
      > bool clamp_min(max without (from, to) ({_DEADLINE}), {thresholds.ROUNDTRIP_OVERDUE_SECONDS})
    )
    * (max without (from, to) ({_OLDEST}) > bool 0)
  )
  unless on (job, $replica, target) max_over_time(mailprobe_probe_inconclusive{{probe="roundtrip"}}[3m]) == 1
) > 0.5"""
    ),
    Text(
        "Mail does not arrive in time",
        f"{_ROUTE}: a mail sent {{{{ $value | humanizeDuration }}}} ago was not there when last looked for. "
        "Look at the sending server's queue and the receiver's junk folder.",
    ),
    Text(
        "邮件没有按时送达",
        f"{_ROUTE_ZH}：{{{{ $value | humanizeDuration }}}} 前发出的邮件在最近一次查看时仍未到达。"
        "请查看发件服务器的队列和收件人的垃圾箱。",
    ),
    page="route",
    wait="2m",
    keep="5m",
    labels=SENDER,
    comment=(
        "What is in flight is known from the last run only: a mail counts as overdue once a run began after its "
        "deadline\nand did not find it, or when no run has looked for eleven minutes. Never before six minutes."
    ),
)


def _lost(severity: str, expr: str) -> Alert:
    return Alert(
        "MailRoundTripLost",
        severity,
        "delivery",
        delivery(f"({expr})"),
        Text(
            "Mail is lost or comes back",
            f"{_ROUTE}: {_COUNT} of the last hour's test mails never came, or came back. "
            "Look for them in the sending server's log; the route's page has their ids.",
        ),
        Text(
            "邮件丢失或被退回",
            f"{_ROUTE_ZH}：最近一小时有 {_COUNT} 封测试邮件丢失或被退回。请按路由页面上的编号在发件服务器日志中查找。",
        ),
        page="route",
        labels=SENDER,
    )


LOST: Final = (
    _lost("warning", f"max without ($replica) ({_GONE}) > 0"),
    _lost(
        "critical",
        f"sum without ($replica) ({_GONE}) > {thresholds.ROUNDTRIP_LOST_CRITICAL - 0.5}",
    ),
)

SLOW: Final = Alert(
    "MailRoundTripSlow",
    "warning",
    "delivery",
    delivery(
        f"""\
(
  histogram_quantile(0.95, sum without ($replica) (rate(mailprobe_roundtrip_seconds_bucket[6h])))
  > {thresholds.ROUNDTRIP_SLOW_RATIO} * max without ($replica) ({_DEADLINE})
)
and sum without ($replica) (increase(mailprobe_roundtrip_seconds_count[6h])) >= {thresholds.ROUNDTRIP_SLOW_MESSAGES}"""
    ),
    Text(
        "Mail is slow",
        f"{_ROUTE}: one mail in twenty takes {{{{ $value | humanizeDuration }}}} or longer, over half of what is "
        "allowed. The route's page shows between which servers they wait.",
    ),
    Text(
        "邮件投递缓慢",
        f"{_ROUTE_ZH}：每二十封中有一封耗时 {{{{ $value | humanizeDuration }}}} 以上，超过允许时间的一半。"
        "路由页面会显示邮件在哪些服务器之间等待。",
    ),
    page="route",
    wait="15m",
    labels=SENDER,
    comment=(
        f"With fewer than {thresholds.ROUNDTRIP_SLOW_MESSAGES} mails a single slow one would be the 95th percentile: "
        "then only\nlateness is judged."
    ),
)

STOPPED: Final = Alert(
    "MailRoundTripStopped",
    "warning",
    "delivery",
    without(
        f"""\
max without ($replica) ({_DEADLINE})
and on (job, target) (
  (
    max without ($replica, phase, reason, layer) (
      max_over_time(mailprobe_probe_failure_info{{probe="roundtrip",phase!="arrive",reason!~"{THROTTLED}"}}[3m])
    )
    and on (job, target)
    {_TRIP_FAILING}
  )
  or on (job, target)
  (
    time() - max without ($replica, probe) ({_LAST_RUN})
    > {thresholds.STALLED_INTERVALS} * max without ($replica, probe) (
      last_over_time(mailprobe_probe_interval_seconds{{probe="roundtrip"}}[3m])
    )
    + max without ($replica, from, to) ({_DEADLINE}) + {thresholds.STALLED_GRACE_SECONDS}
  )
)""",
        "on (job, from) label_replace(" + failing('probe="smtp"') + ', "from", "$$1", "target", "(.*)")',
        "on (job, to) label_replace(" + failing('probe="imap"') + ', "to", "$$1", "target", "(.*)")',
        wider(),
    ),
    Text(
        "No mail can be sent over a route",
        f"{_ROUTE}: no test mail gets on its way{words.target_why(_TRIP)}."
        f"{words.target_since(_TRIP)} Both mailboxes can log in: the route's page shows its last run.",
    ),
    Text(
        "收发链路无法发信",
        f"{_ROUTE_ZH}：测试邮件无法发出{words.target_why(_TRIP, zh=True)}。"
        f"{words.target_since(_TRIP, zh=True)}两端邮箱均可登录：请在路由页面查看最近一次运行。",
    ),
    page="route",
    wait="15m",
    keep="5m",
    labels=SENDER,
    comment=(
        "It fails before a mail is on its way, or does not run. Where a mailbox cannot be used, that is told by "
        "MailLogin*."
    ),
)


def _event(name: str, expr: str, wait: str, texts: tuple[Text, Text], comment: str = "") -> Alert:
    return Alert(
        name, "warning", "delivery", delivery(f"({expr})"), *texts, "route", wait=wait, labels=SENDER, comment=comment
    )


MISFILED: Final = _event(
    "MailRoundTripMisfiled",
    f"max without ($replica) (increase(mailprobe_roundtrip_messages_misfiled_total[3h]))"
    f" > {thresholds.ROUNDTRIP_MISFILED - 0.5}",
    "30m",
    (
        Text(
            "Mail ends up in the junk folder",
            f"{_ROUTE}: {_COUNT} test mails of the last three hours were put into junk. "
            "Look at SPF, DKIM and DMARC on the route's page.",
        ),
        Text(
            "邮件被归入垃圾箱",
            f"{_ROUTE_ZH}：最近三小时有 {_COUNT} 封测试邮件进入垃圾箱。请在路由页面查看 SPF、DKIM 和 DMARC。",
        ),
    ),
    "One mail in junk is chance.",
)
ALTERED: Final = _event(
    "MailRoundTripAltered",
    "max without ($replica) (increase(mailprobe_roundtrip_messages_altered_total[1h])) > 0",
    "",
    (
        Text(
            "Mail is altered on its way",
            f"{_ROUTE}: the text of a test mail is not the one that was sent. Something on the way rewrites mail: a "
            "disclaimer, a link filter, a virus scanner. Signatures break by it.",
        ),
        Text(
            "邮件在途中被改动",
            f"{_ROUTE_ZH}：收到的测试邮件与发出的不一致。途中有系统改写邮件（免责声明、链接过滤、杀毒），会使签名失效。",
        ),
    ),
)
DUPLICATED: Final = _event(
    "MailRoundTripDuplicated",
    "max without ($replica) (increase(mailprobe_roundtrip_messages_duplicated_total[1h])) > 0",
    "",
    (
        Text(
            "Mail arrives more than once",
            f"{_ROUTE}: a test mail arrived more than once. Look for two delivery paths: a forward beside an alias, or "
            "a server that sends again what was already accepted.",
        ),
        Text(
            "邮件重复送达",
            f"{_ROUTE_ZH}：同一封测试邮件送达多次。请检查是否有两条投递路径（转发与别名并存），或服务器重复发送。",
        ),
    ),
)

GROUP: Final = Group("mailprobe-delivery", (*SLOWED, OVERDUE, *LOST, SLOW, STOPPED, MISFILED, ALTERED, DUPLICATED))
