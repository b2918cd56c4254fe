"""The dashboard of one mailbox: whether it works, why not and since when, its speed, logins, servers and quota.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from deploy import thresholds
from grafana.generator.failures import by_probe, failing_now
from grafana.generator.marks import (
    CERTIFICATE_DAYS,
    NEVER,
    OBJECTIVE,
    PLAIN,
    QUOTA,
    STATE,
    STATES,
    SUSPENDED,
    UNCLEAR,
    UP,
    percent,
)
from grafana.generator.promql import OWNER, availability, counted, days_left, quota, series, verdict
from grafana.generator.spec import Column, Filled, Lines, Page, Query, Row, Stat, Table, Timeline

_SERVER = "job, protocol, server, port"


def _state() -> Row:
    return Row(
        "Does it work?",
        (
            Stat(
                title="State",
                shows="The verdict of the last conclusive run of each probe.",
                bad="FAILING: the table below says why. DISPUTED: replicas of mailprobe disagree.",
                alerts=("MailLoginFailing", "MailLoginRejected"),
                queries=(Query(verdict(f"{OWNER}, probe"), "{{target}} {{probe}}", instant=True),),
                width=11,
                height=5,
                words=STATE,
                steps=STATES,
                names=True,
            ),
            Stat(
                title="Availability",
                shows="The share of the time range in which it worked, the mean of all probes and replicas.",
                bad=Filled("Below the objective of {}.", percent(thresholds.OBJECTIVE)),
                alerts=("MailErrorBudgetBurn",),
                queries=(Query(availability(OWNER, "$__range"), "{{target}}", instant=True),),
                unit="percentunit",
                width=5,
                height=5,
                steps=OBJECTIVE,
                names=True,
            ),
            Stat(
                title="Last success",
                shows="When each probe last succeeded.",
                bad="Longer ago than the probe's interval.",
                alerts=("MailprobeProbesStalled",),
                queries=(
                    Query(
                        f"max by ({OWNER}, probe) ({series('probe_last_success_timestamp_seconds')}) * 1000",
                        "{{target}} {{probe}}",
                        instant=True,
                    ),
                ),
                unit="dateTimeFromNow",
                width=8,
                height=5,
                steps=PLAIN,
                words=NEVER,
                names=True,
                fills=False,
            ),
        ),
    )


def _why() -> Row:
    unclear = f"max by ({OWNER}, probe) ({series('probe_inconclusive')})"
    return Row(
        "Why, and since when?",
        (
            failing_now(6),
            by_probe(7),
            Timeline(
                title="Inconclusive runs",
                shows="When the last run could tell nothing about the mailbox, in at least one replica.",
                bad="UNCLEAR for long: the verdict above is an old one.",
                alerts=("MailprobeInconclusive",),
                queries=(Query(unclear, "{{target}} {{probe}}"),),
                width=24,
                height=5,
                words=UNCLEAR,
                steps=STATES,
            ),
        ),
    )


def _speed() -> Row:
    return Row(
        "How slow is it?",
        (
            Lines(
                title="Duration of a run",
                shows="How long the last run took as a whole, in the slowest replica.",
                bad="A rise that stays, or a line at the configured timeout.",
                alerts=(),
                queries=(
                    Query(f"max by ({OWNER}, probe) ({series('probe_duration_seconds')})", "{{target}} {{probe}}"),
                ),
                unit="s",
                width=12,
                height=8,
            ),
            Lines(
                title="Where the time goes",
                shows="The steps of the last run, on top of each other: resolve, connect, TLS, login and so on, as the "
                "mean of the chosen mailboxes.",
                bad="One step that grows: it names who is slow, the network, the server or its login.",
                alerts=(),
                queries=(
                    Query(
                        f"avg by (job, probe, phase) ({series('probe_phase_duration_seconds')})",
                        "{{probe}} {{phase}}",
                    ),
                ),
                unit="s",
                width=12,
                height=8,
                stacked=True,
            ),
        ),
    )


def _logins() -> Row:
    suspended = f"max by ({OWNER}, probe) ({series('login_suspended')})"
    following = f"max by ({OWNER}, probe) ({series('login_next_attempt_timestamp_seconds')} > 0) * 1000"
    expiry = f"min by ({OWNER}) ({series('oauth_access_token_expiry_timestamp_seconds')}) * 1000"
    return Row(
        "Its logins",
        (
            Lines(
                title="Logins and refusals",
                shows="Runs in which a password was sent, and those in which it was refused, within each hour.",
                bad="Any refusal; and many logins, since providers count them.",
                alerts=("MailLoginRejected",),
                queries=(
                    Query(counted("login_attempts_total", OWNER, "1h"), "{{target}} sent"),
                    Query(counted("login_refused_total", OWNER, "1h"), "{{target}} refused"),
                ),
                width=10,
                height=7,
            ),
            Timeline(
                title="Login guard",
                shows="Whether the guard lets logins through, in each replica together.",
                bad="SUSPENDED: the password is kept back, so that the account is not locked.",
                alerts=("MailprobeLoginSuspended",),
                queries=(Query(suspended, "{{target}} {{probe}}"),),
                width=8,
                height=7,
                words=SUSPENDED,
                steps=STATES,
            ),
            Stat(
                title="Next login",
                shows="When the guard will try a suspended login again.",
                bad="Any time here: a right password is tried at once, without waiting for it.",
                alerts=("MailprobeLoginSuspended",),
                queries=(Query(following, "{{target}} {{probe}}", instant=True),),
                unit="dateTimeFromNow",
                width=3,
                height=7,
                steps=PLAIN,
                names=True,
                fills=False,
                none="no login waits",
            ),
            Stat(
                title="Access token ends",
                shows="When the access token of an OAuth login ends; mailprobe renews it before.",
                bad="A time that is past: the renewal fails.",
                alerts=("MailprobeOAuthTokenExpiring",),
                queries=(Query(expiry, "{{target}}", instant=True),),
                unit="dateTimeFromNow",
                width=3,
                height=7,
                steps=PLAIN,
                names=True,
                fills=False,
                none="no OAuth",
            ),
        ),
    )


def _servers() -> Row:
    endpoints = f"max by ({_SERVER}, target) ({series('endpoint_info')})"
    up = f"{endpoints} * on ({_SERVER}) group_left () avg by ({_SERVER}) ({series('endpoint_up')})"
    days = days_left("tls_certificate_not_after_timestamp_seconds", _SERVER)
    return Row(
        "Its servers",
        (
            Table(
                title="Servers of the mailbox",
                shows="The servers that it uses, whether they answer, and for how many days their certificate is good.",
                bad="DOWN: the mailbox cannot work. Few days: the certificate must be renewed.",
                alerts=("MailEndpointDown", "MailCertificateExpiringSoon", "MailCertificateExpired"),
                queries=(Query(up), Query(f"{endpoints} * on ({_SERVER}) group_left () {days}")),
                width=16,
                height=7,
                sort="Certificate",
                descending=False,
                columns=(
                    Column(title="Target", label="target"),
                    Column(title="Protocol", label="protocol", width=100),
                    Column(title="Server", label="server"),
                    Column(title="Port", label="port", width=80),
                    Column(title="Answers", query="A", words=UP, width=110),
                    Column(title="Certificate", query="B", unit="d", steps=CERTIFICATE_DAYS, width=120),
                ),
            ),
            Stat(
                title="Largest message",
                shows="The largest message that the sending server takes, by its own word.",
                bad="Less than people want to attach; base64 makes attachments a third larger.",
                alerts=(),
                queries=(Query(f"min by ({OWNER}) ({series('smtp_size_limit_bytes')})", "{{target}}", instant=True),),
                unit="bytes",
                width=8,
                height=7,
                steps=PLAIN,
                names=True,
                fills=False,
                none="the server names no limit",
            ),
        ),
    )


def _room() -> Row:
    newest = f"time() - max by ({OWNER}, folder) ({series('folder_newest_message_timestamp_seconds')} > 0)"
    messages = f"max by ({OWNER}, folder) ({series('folder_messages')})"
    unseen = f"max by ({OWNER}, folder) ({series('folder_unseen_messages')})"
    return Row(
        "Its room and its folders",
        (
            Lines(
                title="Quota used",
                shows="Storage used as a share of what is allowed.",
                bad=Filled("Above {}; a full mailbox bounces mail.", percent(thresholds.QUOTA_WARNING_RATIO)),
                alerts=("MailQuotaAlmostFull", "MailQuotaFillingUp"),
                queries=(Query(quota(), "{{target}} {{quota_root}}"),),
                unit="percentunit",
                width=8,
                height=8,
                ceiling=1,
                steps=QUOTA,
                none="the server tells no quota",
            ),
            Lines(
                title="Messages and unread ones",
                shows="Messages in each folder, and those that nobody has read.",
                bad="An inbox whose unread mail only grows: does anybody read it?",
                alerts=(),
                queries=(Query(messages, "{{target}} {{folder}}"), Query(unseen, "{{target}} {{folder}} unread")),
                width=8,
                height=8,
            ),
            Lines(
                title="Age of the newest message",
                shows="How long ago the newest message of each folder came in.",
                bad="An inbox that is usually busy and has had nothing for hours.",
                alerts=(),
                queries=(Query(newest, "{{target}} {{folder}}"),),
                unit="s",
                width=8,
                height=8,
            ),
        ),
    )


PAGE = Page(
    uid="mailprobe-mailbox",
    title="Mail / Mailbox",
    about="One mailbox, or any other target: does it work, why not, since when, its logins, servers and room.",
    rows=(_state(), _why(), _speed(), _logins(), _servers(), _room()),
)
