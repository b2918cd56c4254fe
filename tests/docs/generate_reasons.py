"""Writes docs/reasons.md from `ABOUT`: `python -m tests.docs.generate_reasons`."""

from __future__ import annotations

from pathlib import Path

from exporter.model.advice import Advice
from exporter.model.phrases import Phrases
from exporter.model.reasons import ABOUT, Layer, Owner, Reason

PAGE = Path(__file__).parents[2] / "docs" / "reasons.md"

LAYERS = {
    Layer.VANTAGE: ("the place we look from", "观测点"),
    Layer.DNS: ("names and records", "域名解析与记录"),
    Layer.TRANSPORT: ("connection, TLS and protocol", "连接、TLS 与协议"),
    Layer.AUTH: ("login", "登录"),
    Layer.CAPACITY: ("limits and space", "限额与容量"),
    Layer.DELIVERY: ("sending and arriving", "投递"),
    Layer.MAILBOX: ("folders and messages", "文件夹与邮件"),
    Layer.EXPORTER: ("mailprobe itself", "mailprobe 自身"),
}
OWNERS = {
    Owner.YOU: ("you", "你"),
    Owner.ADMIN: ("admin", "管理员"),
    Owner.PROVIDER: ("provider", "服务商"),
    Owner.NETWORK: ("network", "网络"),
}
HEAD = """\
# Reasons · 失败原因

Every failure has exactly one reason from this closed list; it is the value of the label `reason`. New reasons may be
added in any release; renaming one would break rules and dashboards. This page is generated from
`exporter/model/reasons.py` by `python -m tests.docs.generate_reasons`.

*Who* has to act: `you`, who have the configuration and the webmail; the `admin`, who has the mail server, the admin
console and the DNS; the `provider`, who runs the service; the `network`, which is between us and the server. *Wait*:
it may end by itself. *Reserved*: the name is fixed, but no probe reports this reason yet.

每次失败只归为下表中的一个原因，即标签 `reason` 的值。本页由 `exporter/model/reasons.py` 生成，请勿手改。

“谁处理”：你（有配置和网页邮箱的人）、管理员（管邮件服务器、管理后台和 DNS）、服务商、网络。
“可等”：可能自行恢复。“预留”：名称已经确定，但目前还没有检查会报告这个原因。
"""
CASES = """
## More exact cases · 更具体的情况

Where mailprobe knows more than the reason says, it gives this advice in place of the reason's.

如果知道得比原因更具体，显示的就是下面的办法。

| case · 情况 | what to do | 怎么办 |
| --- | --- | --- |
"""


def page() -> str:
    """Return the page in Markdown."""
    parts = [HEAD]
    for layer, (english, chinese) in LAYERS.items():
        parts.append(f"\n## {layer}: {english} · {chinese}\n\n")
        parts.append(
            "| reason · 原因 | who · 谁处理 | wait · 可等 | what to do | 怎么办 |\n| --- | --- | --- | --- | --- |\n"
        )
        parts.extend(_row(reason) for reason in Reason if ABOUT[reason].layer is layer)
    parts.append(CASES)
    parts.extend(f"| `{case}` | {_advised(case, 'en')} | {_advised(case, 'zh')} |\n" for case in Advice)
    return "".join(parts)


def _advised(case: Advice, language: str) -> str:
    return ABOUT[Reason.UNKNOWN].remedy(language, case)


def _row(reason: Reason) -> str:
    about = ABOUT[reason]
    wait = "yes · 是" if about.waiting_helps else "no · 否"
    english, chinese = OWNERS[about.owner]
    mark = " (reserved · 预留)" if about.reserved else ""
    name = Phrases("zh").reason_name(reason)
    return (
        f"| `{reason}` {name}{mark} | {english} · {chinese} | {wait} | {about.remedy('en')} | {about.remedy('zh')} |\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
