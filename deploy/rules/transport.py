"""Alerts about servers: not reachable, or with a certificate that is invalid or expires soon.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

from deploy import thresholds
from deploy.rules import times, words
from deploy.rules.promql import any_of, block, ended, failing, failure_end, firing, online, wider, without
from deploy.rules.rule import Alert, Group, Text

_TLS: Final = 'probe="tls"'
_PAGE: Final = 'probe="webmail"'
_SERVER: Final = "{{ $labels.server }} port {{ $labels.port }} ({{ $labels.protocol }})"
_SERVER_ZH: Final = "{{ $labels.server }} 端口 {{ $labels.port }}（{{ $labels.protocol }}）"
_NOT_AFTER: Final = (
    "max without ($replica, family) (last_over_time(mailprobe_tls_certificate_not_after_timestamp_seconds[{}]))"
)


def _down() -> str:
    """Return the servers that most replicas cannot reach."""
    return f"avg without ($replica, family) {block(online('last_over_time(mailprobe_endpoint_up[3m])'))} < 0.5"


def _back(alert: str) -> str:
    """Return the servers of this alert that can be reached again, for as long as a text may tell since when."""
    up = "mailprobe_endpoint_up[3m]"
    return block(
        f"avg without ($replica, family) (last_over_time({up})) >= 0.5\n"
        f"and min without ($replica, family) (min_over_time({up})) == 0\n"
        f"and on (job, server, port) {firing(alert)}"
    )


DOWN: Final = Alert(
    "MailEndpointDown",
    "critical",
    "transport",
    any_of(
        (
            block(
                without(
                    block(_down()),
                    """\
on (job, server, port) (
  max_over_time(mailprobe_endpoint_info[3m])
  and on (job, target)
  max_over_time(mailprobe_root_cause_info{kind="endpoint",scope=~"domain|host|provider"}[3m])
)""",
                )
            ),
            _back("MailEndpointDown"),
        )
    ),
    Text(
        "A mail server cannot be reached",
        f"{_SERVER} does not answer as it should{words.endpoint_why()}. Every mailbox on it is affected. "
        "Your own server: look at its service and firewall; a provider's: tell them.",
    ),
    Text(
        "邮件服务器无法连接",
        f"{_SERVER_ZH}没有正常应答{words.endpoint_why(zh=True)}。该服务器上的所有邮箱都受影响。"
        "自建服务器请检查服务和防火墙，服务商的请联系客服。",
    ),
    page="endpoint",
    wait="2m30s",
    keep="3m",
    times=times.OF_ENDPOINT,
    comment=(
        "What is down with its server, domain or provider is told by their alert. If it fired and were muted, its end\n"
        "would be told beside the end of the other."
    ),
)

PAGE_DOWN: Final = Alert(
    "MailEndpointDown",
    "critical",
    "transport",
    any_of(
        (
            block(
                without(
                    block(failing(_PAGE)),
                    "on (job, target) "
                    + block("max_over_time(mailprobe_endpoint_info[3m])\nand on (job, server, port)\n" + _down()),
                    wider(),
                )
            ),
            ended("MailEndpointDown", "job, target, probe", failure_end(_PAGE)),
        )
    ),
    Text(
        "A webmail page does not work",
        f"The page {{{{ $labels.target }}}} does not work{words.probe_why()}.{words.probe_since()} "
        "Open it in a browser, then tell whoever runs it.",
    ),
    Text(
        "网页邮箱无法使用",
        f"页面 {{{{ $labels.target }}}} 无法使用{words.probe_why(zh=True)}。{words.probe_since(zh=True)}"
        "请用浏览器打开确认，然后联系其管理员。",
    ),
    page="page",
    wait="2m30s",
    keep="3m",
    times=times.OF_PROBE,
    labels={"protocol": "https"},
    comment="A page that fails although its server answers.",
)

CERTIFICATE_INVALID: Final = Alert(
    "MailCertificateInvalid",
    "critical",
    "transport",
    without(
        block(
            "avg without ($replica, family) "
            f"{block(online('last_over_time(mailprobe_tls_certificate_valid[3m])'))} < 0.5"
        ),
        f"{_NOT_AFTER.format('3m')} < time()",
    ),
    Text(
        "A mail server's certificate does not verify",
        f"{_SERVER} shows a certificate that mail programs refuse{words.endpoint_why()}. "
        "Install the right one with its full chain and reload the mail service.",
    ),
    Text(
        "邮件服务器证书验证失败",
        f"{_SERVER_ZH}出示的证书会被邮件客户端拒绝{words.endpoint_why(zh=True)}。"
        "请安装正确的证书及完整证书链，并重新加载邮件服务。",
    ),
    page="endpoint",
    wait="10m",
    keep="5m",
    comment="One that has only expired is MailCertificateExpired.",
)

CERTIFICATE_EXPIRED: Final = Alert(
    "MailCertificateExpired",
    "critical",
    "transport",
    f"time() - {_NOT_AFTER.format('3m')} >= 0",
    Text(
        "A mail server's certificate has expired",
        f"The certificate of {_SERVER} expired {{{{ $value | humanizeDuration }}}} ago: mail programs refuse it. "
        "Renew it and reload the mail service.",
    ),
    Text(
        "邮件服务器证书已过期",
        f"{_SERVER_ZH}的证书已过期 {{{{ $value | humanizeDuration }}}}，邮件客户端会拒绝连接。"
        "请续期并重新加载邮件服务。",
    ),
    page="endpoint",
    wait="5m",
    keep="5m",
)


def _expiring(severity: str, days: int, comment: str = "") -> Alert:
    return Alert(
        "MailCertificateExpiringSoon",
        severity,
        "transport",
        f"(\n  {_NOT_AFTER.format('15m')} - time()\n  < {days} * {thresholds.DAY}\n) > 0",
        Text(
            "A mail server's certificate expires soon",
            f"The certificate of {_SERVER} expires in {{{{ $value | humanizeDuration }}}}. "
            "Renew it now and reload the mail service; if renewal is automatic, find out why it did not happen.",
        ),
        Text(
            "邮件服务器证书即将过期",
            f"{_SERVER_ZH}的证书将在 {{{{ $value | humanizeDuration }}}} 后过期。"
            "请立即续期并重新加载邮件服务；若为自动续期，请查明为何未执行。",
        ),
        page="endpoint",
        wait="1h",
        keep="15m",
        comment=comment,
    )


EXPIRING: Final = (
    _expiring(
        "warning",
        thresholds.CERTIFICATE_WARNING_DAYS,
        "It is kept firing past the end, until MailCertificateExpired says so: no all-clear in between.",
    ),
    _expiring("critical", thresholds.CERTIFICATE_CRITICAL_DAYS),
)

GROUP: Final = Group("mailprobe-transport", (DOWN, PAGE_DOWN, CERTIFICATE_INVALID, CERTIFICATE_EXPIRED, *EXPIRING))
