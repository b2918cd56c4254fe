"""Colours and texts for states: a state always has a text too, and no two colours differ only as red and green do.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping

from deploy import thresholds
from exporter.model import Phase, ProbeName, Scope
from exporter.model.reasons import ABOUT, Layer
from grafana.generator.spec import Both, Step, Text, Word

# The palette of Okabe and Ito: people with a colour vision deficiency can distinguish its colours.
GOOD = "#009E73"
WARNING = "#E69F00"
BAD = "#D55E00"
CALM = "#56B4E9"  # neutral: neither good nor bad
NEUTRAL = "#8E8E8E"

STATE = (
    Word(0, 0, "FAILING", BAD),
    Word(0.0001, 0.9999, "DISPUTED", WARNING),
    Word(1, 1, "OK", GOOD),
)
NETWORK = (Word(0, 0, "OFFLINE", BAD), Word(1, 1, "OK", GOOD))
UP = (Word(0, 0, "DOWN", BAD), Word(0.0001, 0.9999, "DISPUTED", WARNING), Word(1, 1, "UP", GOOD))
VALID = (Word(0, 0, "INVALID", BAD), Word(0.0001, 0.9999, "DISPUTED", WARNING), Word(1, 1, "valid", GOOD))
PASSED = (Word(0, 0, "FAIL", BAD), Word(1, 1, "pass", GOOD))
ANSWERED = (Word(0, 0, "NO ANSWER", BAD), Word(0.0001, 0.9999, "DISPUTED", WARNING), Word(1, 1, "answers", GOOD))
UNCLEAR = (Word(0, 0, "clear", GOOD), Word(0.0001, 1, "UNCLEAR", WARNING))
SUSPENDED = (Word(0, 0, "logs in", GOOD), Word(0.0001, 1, "SUSPENDED", WARNING))
RELOADED = (Word(0, 0, "REFUSED", BAD), Word(1, 1, "in use", GOOD))
NEVER = (Word(0, 0, "never", NEUTRAL),)

ANY_IS_BAD = (Step(None, GOOD), Step(1, BAD))
ANY_IS_WARNING = (Step(None, GOOD), Step(1, WARNING))
PLAIN = (Step(None, CALM),)
STATES = (Step(None, BAD), Step(0.5, WARNING), Step(1, GOOD))
QUOTA = (
    Step(None, GOOD),
    Step(thresholds.QUOTA_FILLING_RATIO, CALM),
    Step(thresholds.QUOTA_WARNING_RATIO, WARNING),
    Step(thresholds.QUOTA_CRITICAL_RATIO, BAD),
)
FORECAST = (Step(None, GOOD), Step(1, WARNING))
CERTIFICATE_DAYS = (
    Step(None, BAD),
    Step(thresholds.CERTIFICATE_CRITICAL_DAYS, WARNING),
    Step(thresholds.CERTIFICATE_WARNING_DAYS, GOOD),
)
OBJECTIVE = (Step(None, BAD), Step(thresholds.OBJECTIVE, GOOD))
DELAY = (Step(None, GOOD), Step(thresholds.SCHEDULER_DELAY_SECONDS, WARNING))
# RFC 8301 section 3.2: at least 1024, 2048 is recommended
DKIM_BITS = (Step(None, BAD), Step(1024, WARNING), Step(2048, GOOD))


def percent(share: float) -> str:
    return f"{share:.0%}"


REMEDIES: Mapping[str, Text] = {
    reason.value: Both(known.remedy("en"), known.remedy("zh")) for reason, known in ABOUT.items()
}

_LAYERS = {
    Layer.VANTAGE: Both("our own network", "我们自己的网络"),
    Layer.DNS: Both("DNS", "DNS"),
    Layer.TRANSPORT: Both("connection", "连接"),
    Layer.AUTH: Both("login", "登录"),
    Layer.CAPACITY: Both("limits", "容量与限额"),
    Layer.DELIVERY: Both("delivery", "投递"),
    Layer.MAILBOX: Both("mailbox", "邮箱"),
    Layer.EXPORTER: Both("mailprobe", "mailprobe 自身"),
}
LAYERS: Mapping[str, Text] = {layer.value: text for layer, text in _LAYERS.items()}

_SCOPES = {
    Scope.TARGET: Both("one target", "单个对象"),
    Scope.DOMAIN: Both("a whole domain", "整个域名"),
    Scope.HOST: Both("a whole server", "整台服务器"),
    Scope.PROVIDER: Both("a whole provider", "整个服务商"),
    Scope.VANTAGE: Both("our own network", "我们自己的网络"),
}
SCOPES: Mapping[str, Text] = {scope.value: text for scope, text in _SCOPES.items()}

_PROBES = {
    ProbeName.DNS: Both("DNS", "DNS"),
    ProbeName.TLS: Both("TLS", "TLS"),
    ProbeName.IMAP: Both("IMAP", "IMAP 收信"),
    ProbeName.POP3: Both("POP3", "POP3 收信"),
    ProbeName.SMTP: Both("SMTP", "SMTP 发信"),
    ProbeName.ROUNDTRIP: Both("round trip", "收发往返"),
    ProbeName.WEBMAIL: Both("webmail", "网页邮箱"),
}
PROBES: Mapping[str, Text] = {probe.value: text for probe, text in _PROBES.items()}

_PHASES = {
    Phase.RESOLVE: Both("resolve", "解析域名"),
    Phase.CONNECT: Both("connect", "连接"),
    Phase.TLS: Both("TLS", "TLS 握手"),
    Phase.STARTTLS: Both("STARTTLS", "STARTTLS"),
    Phase.GREETING: Both("greeting", "问候"),
    Phase.CAPABILITY: Both("capability", "能力协商"),
    Phase.TOKEN: Both("token", "获取令牌"),
    Phase.LOGIN: Both("login", "登录"),
    Phase.ID: Both("ID", "ID"),
    Phase.SELECT: Both("select", "打开文件夹"),
    Phase.FOLDERS: Both("folders", "文件夹"),
    Phase.QUOTA: Both("quota", "配额"),
    Phase.SUBMIT: Both("submit", "提交"),
    Phase.ARRIVE: Both("arrive", "送达"),
    Phase.FETCH: Both("fetch", "取信"),
    Phase.CLEANUP: Both("cleanup", "清理"),
    Phase.LOGOUT: Both("logout", "登出"),
    Phase.HTTP: Both("HTTP", "HTTP"),
}
PHASES: Mapping[str, Text] = {phase.value: text for phase, text in _PHASES.items()}
