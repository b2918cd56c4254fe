"""Alerts about mail domains: their DNS cannot be looked up, has no MX, or has wrong policies.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

from deploy import thresholds
from deploy.rules import times, words
from deploy.rules.promql import MX, any_of, block, dns_failing, ended, policy_invalid
from deploy.rules.rule import Alert, Group, Text


def _or_ended(expr: str, alert: str) -> str:
    end = "max without ($replica) (last_over_time(mailprobe_dns_failure_end_timestamp_seconds[3m]))"
    return any_of((block(expr), ended(alert, "job, domain", end)))


FAILING: Final = Alert(
    "MailDNSFailing",
    "critical",
    "dns",
    _or_ended(dns_failing(), "MailDNSFailing"),
    Text(
        "The DNS of a mail domain gives no answer",
        f"{{{{ $labels.domain }}}}: the MX or its addresses cannot be looked up"
        f"{words.domain_why()}.{words.domain_since()} Nobody can send mail to it. Look at the domain's name servers.",
    ),
    Text(
        "邮件域名的 DNS 无法得到应答",
        f"{{{{ $labels.domain }}}}：MX 或其地址无法解析{words.domain_why(zh=True)}。{words.domain_since(zh=True)}"
        "外部邮件无法送达。请检查该域名的 DNS 服务器。",
    ),
    page="domain",
    wait="1m30s",
    keep="4m",
    times=times.OF_DOMAIN,
)

RECORD_MISSING: Final = Alert(
    "MailDNSRecordMissing",
    "critical",
    "dns",
    _or_ended(f"max without (policy) {block(policy_invalid(MX))}", "MailDNSRecordMissing"),
    Text(
        "A mail domain has no usable MX record",
        f"{{{{ $labels.domain }}}} does not say who takes its mail{words.domain_why()}.{words.domain_since()} "
        "Mail to it comes back. Correct the MX record in the DNS console.",
    ),
    Text(
        "邮件域名没有可用的 MX 记录",
        f"{{{{ $labels.domain }}}} 没有可用的 MX 记录{words.domain_why(zh=True)}。{words.domain_since(zh=True)}"
        "发往该域名的邮件会被退回。请在 DNS 控制台修正 MX 记录。",
    ),
    page="domain",
    wait="5m",
    keep="4m",
    times=times.OF_DOMAIN,
)

POLICY_INVALID: Final = Alert(
    "MailDNSPolicyInvalid",
    "warning",
    "dns",
    policy_invalid('policy!="mx"'),
    Text(
        "A DNS record for mail is missing or wrong",
        "{{ $labels.policy | toUpper }} of {{ $labels.domain }} is missing or wrong: "
        "its mail may land in junk or be refused. The domain's page shows the record and what to publish.",
    ),
    Text(
        "与邮件有关的 DNS 记录缺失或有误",
        "{{ $labels.domain }} 的 {{ $labels.policy | toUpper }} 缺失或有误：其邮件可能进入垃圾箱或被拒收。"
        "域名页面会显示记录内容和应发布的记录。",
    ),
    page="domain",
    wait="30m",
    keep="5m",
)

CHANGED: Final = Alert(
    "MailDNSChanged",
    "info",
    "dns",
    f"""\
(
  time() - max without ($replica) (last_over_time(mailprobe_dns_last_change_timestamp_seconds[3m]) > 0)
) < {thresholds.DNS_CHANGE_SECONDS}""",
    Text(
        "DNS records of a mail domain have changed",
        "The {{ $labels.record_type | toUpper }} records of {{ $labels.domain }} "
        "changed {{ $value | humanizeDuration }} ago. If nobody of you did that, look at the domain's page now.",
    ),
    Text(
        "邮件域名的 DNS 记录有变化",
        "{{ $labels.domain }} 的 {{ $labels.record_type | toUpper }} 记录"
        "在 {{ $value | humanizeDuration }} 前发生变化。若不是你们自己修改的，请立即查看域名页面。",
    ),
    page="domain",
)

GROUP: Final = Group("mailprobe-dns", (FAILING, RECORD_MISSING, POLICY_INVALID, CHANGED))
