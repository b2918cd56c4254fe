"""Alerts about failures of many targets: one alert for a provider, a server or a domain.

It fires instead of the alerts of the single targets, which are silent while it does.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from textwrap import indent
from typing import Final

from deploy.rules import words
from deploy.rules.promql import MX, block, dns_failing, failing, policy_invalid, without
from deploy.rules.rule import Alert, Group, Text


def _outage(scope: str, unlike: str) -> str:
    """Return how many targets fail for a cause of this scope, as most replicas see it."""
    count = (
        f"max without ($replica, layer, reason) (\n"
        f'  max_over_time(mailprobe_root_cause_info{{scope="{scope}"}}[3m])\n'
        ")\n"
        f"and on (job, target)\n"
        f"min by (job, target) (\n{indent(failing(), '  ')}\n)"
    )
    return f"count without (target, kind, {unlike}) {block(count)} > 0"


_AT_PROVIDER: Final = ("provider", "job=%q,provider=%q", "$labels.job $labels.provider")
_AT_HOST: Final = ("host", "job=%q,server=%q,provider=%q", "$labels.job $labels.server $labels.provider")
_IN_DOMAIN: Final = ("domain", "job=%q,domain=%q", "$labels.job $labels.domain")

PROVIDER: Final = Alert(
    "MailProviderOutage",
    "critical",
    "transport",
    _outage("provider", "domain"),
    Text(
        "A mail provider fails for many accounts",
        "{{ $value }} targets at {{ $labels.provider }} fail for one cause:"
        f"{words.reasons_of(*_AT_PROVIDER)}. "
        "It is not their passwords: change nothing, look at the provider's status page.",
    ),
    Text(
        "邮件服务商大面积故障",
        "{{ $labels.provider }} 的 {{ $value }} 个对象因同一原因失败："
        f"{words.reasons_of(*_AT_PROVIDER)}。"
        "不是各邮箱密码的问题：请勿修改设置，先查看服务商状态页。",
    ),
    page="provider",
    wait="3m",
    keep="7m",
)

HOST: Final = Alert(
    "MailHostOutage",
    "critical",
    "transport",
    _outage("host", "domain"),
    Text(
        "A mail server is out of order",
        "{{ $value }} targets fail because their mail server {{ $labels.server }} does:"
        f"{words.of_scope(*_AT_HOST)}. Look at the server, not at the mailboxes.",
    ),
    Text(
        "邮件服务器故障",
        "{{ $value }} 个对象因邮件服务器 {{ $labels.server }} 故障而失败："
        f"{words.of_scope(*_AT_HOST, zh=True)}。请检查服务器，而不是邮箱。",
    ),
    page="provider",
    wait="3m",
    keep="7m",
)

DOMAIN: Final = Alert(
    "MailDomainOutage",
    "critical",
    "transport",
    without(
        block(_outage("domain", "provider")),
        f"on (job, domain) {block(dns_failing())}",
        f"on (job, domain) {block(policy_invalid(MX))}",
    ),
    Text(
        "The mail service of a whole domain fails",
        "{{ $value }} targets of {{ $labels.domain }} fail for one cause:"
        f"{words.reasons_of(*_IN_DOMAIN)}. "
        "It is the domain's mail service, not one mailbox.",
    ),
    Text(
        "整个域名的邮件服务故障",
        "{{ $labels.domain }} 的 {{ $value }} 个对象因同一原因失败："
        f"{words.reasons_of(*_IN_DOMAIN)}。"
        "是该域名的邮件服务的问题，不是单个邮箱的问题。",
    ),
    page="domain",
    wait="3m",
    keep="7m",
    comment="Where it is the domain's own DNS, MailDNSFailing or MailDNSRecordMissing says so.",
)

GROUP: Final = Group("mailprobe-outages", (PROVIDER, HOST, DOMAIN))
