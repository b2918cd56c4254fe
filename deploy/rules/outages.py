"""Alerts about failures of many targets: one alert for a provider, a server or a domain.

It fires instead of the alerts of the single targets, which are silent while it does. Its labels are those of the
outage, not of its targets, so that a label which differs among the targets does not split it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from textwrap import indent
from typing import Final

from deploy.rules import times, words
from deploy.rules.promql import MX, any_of, block, dns_failing, ended, failed_lately, failing, policy_invalid, without
from deploy.rules.rule import Alert, Group, Text

_OLDER: Final = "Until mailprobe 0.1 there was no mailprobe_outage_targets: there the targets are counted."


def _count(scope: str, unlike: str, failed: str) -> str:
    """Return how many targets have a cause of this scope and have failed, as most replicas see it."""
    of_scope = (
        "max without ($replica, layer, reason) (\n"
        f'  max_over_time(mailprobe_root_cause_info{{scope="{scope}"}}[3m])\n'
        ")\n"
        "and on (job, target)\n"
        f"min by (job, target) (\n{indent(failed, '  ')}\n)"
    )
    return f"count without (target, kind, {unlike}) {block(of_scope)} > 0"


def _fails(scope: str, label: str, unlike: str) -> str:
    """Return the outages of this scope. One that comes and goes is one outage while its targets failed a while ago."""
    targets = f'last_over_time(mailprobe_outage_targets{{scope="{scope}"}}[3m])'
    known = f"max without ($replica) ({targets}) > 0\nand on (job, {label})\n{_count(scope, unlike, failed_lately())}"
    counted = f"{_count(scope, unlike, failing())}\nunless on (job, {label}) {targets}"
    return any_of((block(known), block(counted)), f"on (job, {label})")


def _or_ended(expr: str, alert: str, scope: str, label: str) -> str:
    end = f'last_over_time(mailprobe_outage_end_timestamp_seconds{{scope="{scope}"}}[3m])'
    over = ended(alert, f"job, {label}", f"max without ($replica) ({end})", times.OUTAGE_HELD)
    return any_of((block(expr), over))


class _Of:
    """The texts about an outage of one scope, which the label `label` names."""

    def __init__(self, scope: str, label: str) -> None:
        matchers, args = f"job=%[1]q,{label}=%[2]q", f"$labels.job $labels.{label}"
        given = scope, matchers, args
        self.name = f"{{{{ $labels.{label} }}}}"
        self.times = times.of_outage(*given)
        self.who, self.who_zh = words.mailboxes_of(*given), words.mailboxes_of(*given, zh=True)
        self.at, self.at_zh = words.ports_of(matchers, args), words.ports_of(matchers, args, zh=True)
        self.why, self.why_zh = words.reasons_of(*given), words.reasons_of(*given, zh=True)


_PROVIDER: Final = _Of("provider", "provider")
_HOST: Final = _Of("host", "server")
_DOMAIN: Final = _Of("domain", "domain")

PROVIDER: Final = Alert(
    "MailProviderOutage",
    "critical",
    "transport",
    _or_ended(_fails("provider", "provider", "domain"), "MailProviderOutage", "provider", "provider"),
    Text(
        "A mail provider fails for many accounts",
        f"{_PROVIDER.name} fails{_PROVIDER.who}{_PROVIDER.why}. "
        "It is not their passwords: change nothing, look at the provider's status page.",
    ),
    Text(
        "邮件服务商大面积故障",
        f"{_PROVIDER.name} 故障{_PROVIDER.who_zh}{_PROVIDER.why_zh}。"
        "不是各邮箱密码的问题：请勿修改设置，先查看服务商状态页。",
    ),
    page="provider",
    wait="1m30s",
    keep="2m",
    times=_PROVIDER.times,
    comment=_OLDER,
)

HOST: Final = Alert(
    "MailHostOutage",
    "critical",
    "transport",
    _or_ended(_fails("host", "server", "domain"), "MailHostOutage", "host", "server"),
    Text(
        "A mail server is out of order",
        f"The mail server {_HOST.name} fails{_HOST.at}{_HOST.who}{_HOST.why}. "
        "Look at the server, not at the mailboxes.",
    ),
    Text(
        "邮件服务器故障",
        f"邮件服务器 {_HOST.name}{_HOST.at_zh} 故障{_HOST.who_zh}{_HOST.why_zh}。请检查服务器，而不是邮箱。",
    ),
    page="provider",
    wait="1m30s",
    keep="2m",
    times=_HOST.times,
)

DOMAIN: Final = Alert(
    "MailDomainOutage",
    "critical",
    "transport",
    _or_ended(
        without(
            block(_fails("domain", "domain", "provider")),
            f"on (job, domain) {block(dns_failing())}",
            f"on (job, domain) {block(policy_invalid(MX))}",
        ),
        "MailDomainOutage",
        "domain",
        "domain",
    ),
    Text(
        "The mail service of a whole domain fails",
        f"The mail of {_DOMAIN.name} fails{_DOMAIN.who}{_DOMAIN.why}. "
        "It is the domain's mail service, not one mailbox.",
    ),
    Text(
        "整个域名的邮件服务故障",
        f"{_DOMAIN.name} 的邮件服务故障{_DOMAIN.who_zh}{_DOMAIN.why_zh}。"
        "是该域名的邮件服务的问题，不是单个邮箱的问题。",
    ),
    page="domain",
    wait="1m30s",
    keep="2m",
    times=_DOMAIN.times,
    comment="Where it is the domain's own DNS, MailDNSFailing or MailDNSRecordMissing says so.",
)

GROUP: Final = Group("mailprobe-outages", (PROVIDER, HOST, DOMAIN))
