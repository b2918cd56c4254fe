"""The dashboard Capacity: mailboxes that are full or soon will be, throttling, and our own load on the providers.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from deploy import thresholds
from grafana.generator.marks import ANY_IS_BAD, ANY_IS_WARNING, FORECAST, PLAIN, QUOTA, percent
from grafana.generator.promql import LOGINS, OWNER, counted, quota, series
from grafana.generator.spec import Bars, Column, Filled, Goal, Lines, Page, Query, Row, Stat, Table

_ROOT = f"{OWNER}, quota_root"
_USED = f"max by ({_ROOT}) ({series('quota_used_bytes')})"
_LIMIT = f"max by ({_ROOT}) ({series('quota_limit_bytes')})"
_DAYS = thresholds.QUOTA_FORECAST_DAYS
# The forecast from the last six hours, as a share of the quota. The maximum of the replicas, because a restart can
# distort the forecast of one.
FORECAST_RATIO = (
    f"clamp(max by ({_ROOT}) (predict_linear({series('quota_used_bytes')}[6h], {_DAYS * thresholds.DAY}) "
    f"/ ({series('quota_limit_bytes')} > 0)), 0, 10)"
)
FILLING = f"({quota()} > {thresholds.QUOTA_FILLING_RATIO}) and ({FORECAST_RATIO} > 1)"
SLOWED = "~rate_limited|sending_limit_reached|greylisted|mailbox_in_use"


def _full() -> Row:
    warning, critical = thresholds.QUOTA_WARNING_RATIO, thresholds.QUOTA_CRITICAL_RATIO
    return Row(
        "Who is full, or soon will be?",
        (
            Stat(
                title="Almost full",
                shows=Filled(
                    "Mailboxes that use more than {} of their quota, and those above {}.",
                    percent(warning),
                    percent(critical),
                ),
                bad="Anything above 0: a full mailbox bounces mail.",
                alerts=("MailQuotaAlmostFull",),
                queries=(
                    Query(f"sum({quota()} > bool {warning})", Filled("above {}", percent(warning)), instant=True),
                    Query(f"sum({quota()} > bool {critical})", Filled("above {}", percent(critical)), instant=True),
                ),
                width=6,
                height=6,
                steps=ANY_IS_BAD,
                names=True,
                none="no server tells a quota",
            ),
            Stat(
                title=Filled("Full in {} days", _DAYS),
                shows=Filled(
                    "Mailboxes above {} that will be full in {} days if they go on as in the last six hours.",
                    percent(thresholds.QUOTA_FILLING_RATIO),
                    _DAYS,
                ),
                bad="Anything above 0: there is time to make room.",
                alerts=("MailQuotaFillingUp",),
                queries=(Query(f"count({FILLING}) or 0 * count({quota()})", instant=True),),
                width=4,
                height=6,
                steps=ANY_IS_WARNING,
                none="no server tells a quota",
            ),
            Bars(
                title="Fullest mailboxes",
                shows="The ten mailboxes with the least room, as a share of their quota.",
                bad=Filled(
                    "From {} a warning, from {} critical: a full mailbox bounces mail.",
                    percent(warning),
                    percent(critical),
                ),
                alerts=("MailQuotaAlmostFull", "MailQuotaFillingUp"),
                queries=(Query(f"topk(10, {quota()})", "{{target}} {{quota_root}}", instant=True),),
                unit="percentunit",
                width=14,
                height=6,
                steps=QUOTA,
                ceiling=1,
                none="no server tells a quota",
                goal=Goal.MAILBOX,
            ),
            Table(
                title="Room of each mailbox",
                shows=Filled(
                    "Used, allowed, the share, and the share in {} days if it goes on as in the last six hours.", _DAYS
                ),
                bad="A forecast above 100 %: it will be full by then.",
                alerts=("MailQuotaAlmostFull", "MailQuotaFillingUp"),
                queries=(Query(_USED), Query(_LIMIT), Query(quota()), Query(FORECAST_RATIO)),
                width=14,
                height=9,
                none="no server tells a quota",
                sort="Share",
                columns=(
                    Column(title="Target", label="target", goals=(Goal.MAILBOX,), page="targets"),
                    Column(title="Quota", label="quota_root", width=120),
                    Column(title="Used", query="A", unit="bytes", width=90),
                    Column(title="Allowed", query="B", unit="bytes", width=90),
                    Column(title="Share", query="C", unit="percentunit", steps=QUOTA, width=90),
                    Column(title="Forecast", query="D", unit="percentunit", steps=FORECAST, width=100),
                ),
            ),
            Lines(
                title="Quota used",
                shows="Storage used as a share of what is allowed.",
                bad=Filled("Above {}; a full mailbox bounces mail.", percent(warning)),
                alerts=("MailQuotaAlmostFull", "MailQuotaFillingUp"),
                queries=(Query(quota(), "{{target}} {{quota_root}}"),),
                unit="percentunit",
                width=10,
                height=9,
                ceiling=1,
                steps=QUOTA,
                none="no server tells a quota",
                goal=Goal.MAILBOX,
            ),
        ),
    )


def _messages() -> Row:
    growth = f"max by ({OWNER}, folder) (delta({series('folder_messages')}[$__range]))"
    return Row(
        "How many messages?",
        (
            Lines(
                title="Message quota used",
                shows="Messages stored as a share of how many are allowed, where a server limits their number.",
                bad=Filled("Above {}.", percent(thresholds.QUOTA_WARNING_RATIO)),
                alerts=("MailQuotaAlmostFull",),
                queries=(Query(quota("messages"), "{{target}} {{quota_root}}"),),
                unit="percentunit",
                width=8,
                height=8,
                ceiling=1,
                steps=QUOTA,
                none="no server limits the number of messages",
            ),
            Lines(
                title="Largest folders",
                shows="The ten folders with the most messages, at each time.",
                bad="Folders of more than some ten thousand messages make logins and searches slow.",
                alerts=(),
                queries=(
                    Query(f"topk(10, max by ({OWNER}, folder) ({series('folder_messages')}))", "{{target}} {{folder}}"),
                ),
                width=8,
                height=8,
            ),
            Bars(
                title="Folders that grow most",
                shows="Messages that the ten folders that grow most have gained within the time range.",
                bad="A junk folder or an inbox that grows as it never did.",
                alerts=(),
                queries=(Query(f"topk(10, {growth})", "{{target}} {{folder}}", instant=True),),
                width=8,
                height=8,
                steps=PLAIN,
            ),
        ),
    )


def _limits() -> Row:
    slowed = counted("failure_reasons_total", "job, provider, probe, reason", "1h", reason=SLOWED)
    return Row(
        "Who slows us down, and what do we ask of them?",
        (
            Lines(
                title="Slowed down by provider",
                shows="Runs that failed within each hour because a server said: slower, later, too many.",
                bad="Anything that lasts: send less, log in less often, or ask the provider.",
                alerts=("MailSubmissionThrottled",),
                queries=(Query(slowed, "{{provider}} {{probe}} {{reason}}"),),
                width=8,
                height=8,
                none="nobody has slowed us down",
            ),
            Lines(
                title="Logins within an hour",
                shows="Passwords sent to each provider within each hour, by all replicas.",
                bad="More than the provider allows. Longer intervals make it less.",
                alerts=(),
                queries=(Query(counted("login_attempts_total", "job, provider", "1h", probe=LOGINS), "{{provider}}"),),
                width=8,
                height=8,
            ),
            Bars(
                title="Targets by provider and kind",
                shows="How many mailboxes, routes, servers and domains are watched.",
                bad="Fewer than are configured: a mailprobe is missing.",
                alerts=("MailprobeShardsMissing",),
                queries=(
                    Query(
                        f"count by (provider, kind) (max by ({OWNER}, provider, kind) ({series('target_info')}))",
                        "{{provider}} {{kind}}",
                        instant=True,
                    ),
                ),
                width=4,
                height=8,
                steps=PLAIN,
            ),
            Bars(
                title="Largest message",
                shows="The largest message that each sending server takes, the ten smallest.",
                bad="Less than people want to attach.",
                alerts=(),
                queries=(
                    Query(
                        f"bottomk(10, min by ({OWNER}) ({series('smtp_size_limit_bytes')}))",
                        "{{target}}",
                        instant=True,
                    ),
                ),
                unit="bytes",
                width=4,
                height=8,
                steps=PLAIN,
                none="no server names a limit",
            ),
        ),
    )


PAGE = Page(
    uid="mailprobe-capacity",
    title="Mail / Capacity",
    about="Room in the mailboxes, the forecast, messages in folders, and the limits that providers set us.",
    rows=(_full(), _messages(), _limits()),
)
