"""What an alert says, in English and Chinese: what is wrong since when, who is affected, what was said, what to do."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from exporter.incidents.incident import Incident
from exporter.model.reasons import Owner, about

MAX_NAMES = 10
MAX_NAME = 120  # characters of each
MAX_WORDS = 300  # characters of the server's words

SUMMARIES: Mapping[str, tuple[str, str]] = {
    "MailHostOutage": ("A mail server is out of order", "邮件服务器故障"),
    "MailProviderOutage": ("A mail provider fails for many accounts", "邮件服务商大面积故障"),
    "MailDomainOutage": ("The mail service of a whole domain fails", "整个域名的邮件服务故障"),
    "MailprobeAllVantagesOffline": ("The monitoring host's own network is down", "监测主机自身的网络中断"),
    "MailprobeVantageOffline": ("The monitoring host is in trouble itself", "监测主机自身有问题"),
    "MailprobeInconclusive": ("Some checks cannot tell anything", "部分检查无法得出结论"),
    "MailEndpointDown": ("A mail server cannot be reached", "邮件服务器无法连接"),
    "MailCertificateInvalid": ("A mail server's certificate does not verify", "邮件服务器证书验证失败"),
    "MailCertificateExpired": ("A mail server's certificate has expired", "邮件服务器证书已过期"),
    "MailDNSFailing": ("The DNS of a mail domain gives no answer", "邮件域名的 DNS 无法得到应答"),
    "MailDNSRecordMissing": ("A mail domain has no usable MX record", "邮件域名没有可用的 MX 记录"),
    "MailDNSPolicyInvalid": ("A DNS record for mail is missing or wrong", "与邮件有关的 DNS 记录缺失或有误"),
    "MailLoginFailing": ("A mailbox cannot be used", "邮箱无法使用"),
    "MailLoginRejected": ("A mailbox's login is refused", "邮箱登录被拒绝"),
    "MailQuotaAlmostFull": ("A mailbox is full, or almost", "邮箱容量已满或即将用尽"),
    "MailSubmissionThrottled": ("A server slows us down", "服务器正在限制发信或登录频率"),
    "MailRoundTripOverdue": ("Mail does not arrive in time", "邮件没有按时送达"),
    "MailRoundTripLost": ("Mail is lost or comes back", "邮件丢失或被退回"),
    "MailRoundTripStopped": ("No mail can be sent over a route", "收发链路无法发信"),
    "MailRoundTripMisfiled": ("Mail ends up in the junk folder", "邮件被归入垃圾箱"),
    "MailRoundTripAltered": ("Mail is altered on its way", "邮件在途中被改动"),
    "MailRoundTripDuplicated": ("Mail arrives more than once", "邮件重复送达"),
}
_OWNERS: Mapping[Owner, tuple[str, str]] = {
    Owner.YOU: ("you", "您自己"),
    Owner.ADMIN: ("your administrator", "贵公司管理员"),
    Owner.PROVIDER: ("the mail provider", "邮件服务商"),
    Owner.NETWORK: ("the network", "网络方"),
}


def annotations_of(incident: Incident, external_url: str = "") -> dict[str, str]:
    """All annotations of an incident's alert."""
    labels = dict(incident.labels)
    alert = labels["alertname"]
    english, chinese = SUMMARIES[alert]
    found = {
        "summary": english,
        "description": _english(incident),
        "summary_zh": chinese,
        "description_zh": _chinese(incident),
    }
    if external_url:
        base = external_url.rstrip("/")
        page = f"targets/{quote(labels['target'], safe='')}" if "target" in labels else ""
        found["dashboard_url"] = f"{base}/{page}"
        found["runbook_url"] = f"{base}/runbooks/{alert}"
    return found


def names(targets: tuple[str, ...], more: str) -> str:
    """At most ten, then how many more there are (`more` has a place for `{n}`)."""
    shown = ", ".join(cleaned(name, MAX_NAME) for name in sorted(targets)[:MAX_NAMES])
    left = len(targets) - MAX_NAMES
    return shown + (more.format(n=left) if left > 0 else "")


def cleaned(text: str, limit: int = MAX_WORDS) -> str:
    """One line without control or direction characters, and not too long."""
    plain = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[: 4 * limit])
    plain = " ".join(plain.split())
    return plain if len(plain) <= limit else plain[: limit - 1].rstrip() + "…"


def since(at: float) -> str:
    """In the time zone of this machine, with its offset."""
    return datetime.fromtimestamp(at).astimezone().isoformat(" ", "minutes")


def _english(incident: Incident) -> str:
    known = about(incident.reason)
    parts = [incident.told[0], f"Since {since(incident.since)}."]
    if len(incident.targets) > 1:
        parts.append(f"{len(incident.targets)} affected: {names(incident.targets, ' and {n} more')}.")
    if incident.text:
        parts.append(f"The server said: “{cleaned(incident.text)}”.")
    helps = "Waiting may help." if known.waiting_helps else "Waiting does not help."
    parts += [f"What to do: {known.remedy_en}", f"Whose job: {_OWNERS[known.owner][0]}. {helps}"]
    return " ".join(parts)


def _chinese(incident: Incident) -> str:
    known = about(incident.reason)
    parts = [incident.told[1], f"开始于 {since(incident.since)}。"]
    if len(incident.targets) > 1:
        parts.append(f"影响 {len(incident.targets)} 个对象：{names(incident.targets, ' 等，另有 {n} 个')}。")
    if incident.text:
        parts.append(f"服务器原话：“{cleaned(incident.text)}”。")
    helps = "等待可能有用。" if known.waiting_helps else "等待无用。"
    parts += [f"处理办法：{known.remedy_zh}", f"由谁处理：{_OWNERS[known.owner][1]}。{helps}"]
    return "".join(parts)
