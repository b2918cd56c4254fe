"""Alerts about logins: a login is refused, fails for another reason, or is paused by the login guard.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

from deploy.rules import times, words
from deploy.rules.promql import (
    LOGIN,
    THROTTLED,
    any_of,
    block,
    ended,
    failing,
    failure_end,
    login_failure_end,
    rejected,
    wider,
    without,
)
from deploy.rules.rule import MAILBOX, Alert, Group, Text

_REFUSED: Final = r",layer=\"auth\""
_LOGINS: Final = r",probe=~\"imap|pop3|smtp\""

REJECTED: Final = Alert(
    "MailLoginRejected",
    "critical",
    "auth",
    any_of(
        (
            block(without(rejected(), wider())),
            ended("MailLoginRejected", "job, target", login_failure_end()),
        )
    ),
    Text(
        "A mailbox's login is refused",
        f"The login of {{{{ $labels.target }}}} is refused"
        f"{words.target_why(_REFUSED)}.{words.target_since(_LOGINS)} "
        "Put the right password or authorization code into its file; the mailbox's page says where to get it.",
    ),
    Text(
        "邮箱登录被拒绝",
        f"邮箱 {{{{ $labels.target }}}} 的登录被拒绝"
        f"{words.target_why(_REFUSED, zh=True)}。{words.target_since(_LOGINS, zh=True)}"
        "请把正确的密码或授权码写入密码文件，获取步骤见邮箱页面。",
    ),
    page="mailbox",
    wait="2m",
    keep="2m",
    labels=MAILBOX,
    times=times.OF_LOGINS,
    comment="The server has said no: nothing to wait for. One alert a mailbox, whichever protocols were refused.",
)

FAILING: Final = Alert(
    "MailLoginFailing",
    "critical",
    "auth",
    any_of(
        (
            block(
                without(
                    block(failing(LOGIN)),
                    f"on (job, target) {block(rejected())}",
                    f'on (job, target, probe) max_over_time(mailprobe_probe_failure_info{{reason=~"{THROTTLED}"}}[3m])',
                    wider(),
                )
            ),
            ended("MailLoginFailing", "job, target, probe", failure_end(LOGIN)),
        )
    ),
    Text(
        "A mailbox cannot be used",
        f"{{{{ $labels.probe }}}} of mailbox {{{{ $labels.target }}}} fails{words.probe_why()}.{words.probe_since()} "
        "`mailprobe check {{ $labels.target }}` tells what to do.",
    ),
    Text(
        "邮箱无法使用",
        f"邮箱 {{{{ $labels.target }}}} 的 {{{{ $labels.probe }}}} 检查失败{words.probe_why(zh=True)}。"
        f"{words.probe_since(zh=True)}运行 `mailprobe check {{{{ $labels.target }}}}` 查看处理办法。",
    ),
    page="mailbox",
    wait="4m",
    keep="2m",
    labels=MAILBOX,
    times=times.OF_PROBE,
    comment="A refused login is MailLoginRejected, a throttled one MailSubmissionThrottled.",
)

SUSPENDED: Final = Alert(
    "MailprobeLoginSuspended",
    "info",
    "auth",
    "max without (probe) (avg without ($replica) (max_over_time(mailprobe_login_suspended[3m]))) > 0.5",
    Text(
        "mailprobe does not log in to a mailbox for now",
        "After refused logins, or many without a clear answer, mailprobe leaves {{ $labels.target }} alone, so that "
        "the account is not locked"
        r"{{ with printf "
        r'"max(mailprobe_login_next_attempt_timestamp_seconds{job=%q,target=%q}) - time() > 0" '
        "$labels.job $labels.target | query }}; it tries again in {{ . | first | value | humanizeDuration }}{{ end }}. "
        "A changed password file is tried at once.",
    ),
    Text(
        "mailprobe 暂停登录某个邮箱",
        "登录多次被拒绝，或者多次没有明确答复，mailprobe 暂不登录 {{ $labels.target }}，以免账号被锁定"
        r"{{ with printf "
        r'"max(mailprobe_login_next_attempt_timestamp_seconds{job=%q,target=%q}) - time() > 0" '
        "$labels.job $labels.target | query }}；{{ . | first | value | humanizeDuration }} 后重试{{ end }}。"
        "密码文件更改后会立即重试。",
    ),
    page="mailbox",
    wait="1h",
    labels=MAILBOX,
)

TOKEN: Final = Alert(
    "MailprobeOAuthTokenExpiring",
    "warning",
    "auth",
    """\
max without ($replica) (last_over_time(mailprobe_oauth_access_token_expiry_timestamp_seconds[3m]))
< max without ($replica, probe) (
  last_over_time(mailprobe_probe_last_run_timestamp_seconds{probe=~"imap|pop3|smtp"}[3m])
)""",
    Text(
        "A mailbox's access token is not renewed",
        "The access token of {{ $labels.target }} had expired before the last check, and no new one has come. "
        "See that the token endpoint can be reached; if consent was withdrawn, run `mailprobe oauth`.",
    ),
    Text(
        "邮箱的访问令牌未能续期",
        "{{ $labels.target }} 的访问令牌在上次检查前已过期，且没有得到新令牌。"
        "请确认令牌端点可访问；若授权已被撤销，请运行 `mailprobe oauth`。",
    ),
    page="mailbox",
    wait="1h",
    labels=MAILBOX,
    comment="Access tokens live an hour: one that ends soon is no news, one that is over and not replaced is.",
)

GROUP: Final = Group("mailprobe-auth", (REJECTED, FAILING, SUSPENDED, TOKEN))
