"""The output of `mailprobe check`: a table of results, then each root cause with the server's reply and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from exporter.incidents.rootcause.cause import Cause, fold, sentence
from exporter.model.reasons import about

ResultObject = Mapping[str, Any]  # RESULT of the contract

_WORDS = {
    "en": {
        "target": "Target",
        "probe": "Probe",
        "state": "State",
        "cause": "Cause",
        "took": "Took",
        "ok": "OK",
        "failed": "FAILED",
        "inconclusive": "INCONCLUSIVE",
        "in": "in",
        "said": "The server said: {text}",
        "detail": "Detail: {text}",
        "answer_to": "(answer to the {protocol} login)",
        "do": "What to do: {text}",
        "who": "Whose job: {owner}. {waiting}",
        "one_of": "One of: {text}",
        "waiting": "Waiting may help.",
        "not_waiting": "Waiting does not help.",
        "suspended": "Logins are paused so that the account is not locked; a changed password is tried at once.",
        "summary": "{ok} ok, {failed} failed, {inconclusive} inconclusive",
        "running": "running",
    },
    "zh": {
        "target": "对象",
        "probe": "检查",
        "state": "状态",
        "cause": "原因",
        "took": "耗时",
        "ok": "正常",
        "failed": "失败",
        "inconclusive": "无法判断",
        "in": "阶段",
        "said": "服务器原话：{text}",
        "detail": "详情：{text}",
        "answer_to": "（{protocol} 登录时的答复）",
        "do": "处理办法：{text}",
        "who": "由谁处理：{owner}。{waiting}",
        "one_of": "可能原因：{text}",
        "waiting": "等待可能有用。",
        "not_waiting": "等待无济于事，需要处理。",
        "suspended": "为避免账号被锁，登录已暂停；修改密码后立即恢复。",
        "summary": "{ok} 个正常，{failed} 个失败，{inconclusive} 个无法判断",
        "running": "进行中",
    },
}
_OWNERS = {
    "en": {"you": "you", "admin": "your administrator", "provider": "the mail provider", "network": "the network"},
    "zh": {"you": "您自己", "admin": "贵公司管理员", "provider": "邮件服务商", "network": "网络方"},
}
WIDEST = 20_000  # characters of a line where nothing is wrapped: more than the texts of a cause can have
_STYLES = {"ok": "green", "failed": "bold red", "inconclusive": "yellow"}


def words(language: str) -> Mapping[str, str]:
    """The strings of a language; English where there is none."""
    return _WORDS.get(language, _WORDS["en"])


def table(results: Iterable[ResultObject], language: str) -> Table:
    """One row per result. State by word, not by colour alone."""
    say = words(language)
    made = Table(box=None, pad_edge=False, header_style="dim")
    made.add_column(say["target"], overflow="fold")
    made.add_column(say["probe"])
    made.add_column(say["state"])
    made.add_column(say["cause"], overflow="fold")
    made.add_column(say["took"], justify="right")
    for result in results:
        outcome = str(result["outcome"])
        cause = ""
        if result["reason"]:
            cause = f"{result['reason']} ({say['in']} {result['phase']})" if result["phase"] else str(result["reason"])
        made.add_row(
            escape(str(result["target"])),
            str(result["probe"]),
            Text(say[outcome], style=_STYLES[outcome]),
            escape(cause),
            _seconds(float(result["duration_seconds"])),
        )
    return made


def explanation(results: Sequence[ResultObject], causes: Sequence[Cause], language: str) -> RenderableType:
    """Each cause once: what it is, the server's words, what to do, whose job it is."""
    say = words(language)
    parts: list[RenderableType] = []
    for cause in fold(causes):
        names = set(cause.targets)
        mine = [each for each in results if each["outcome"] != "ok" and each["target"] in names]
        known = about(cause.reason)
        parts.append(Text("\n" + sentence(cause, language), style="bold"))
        body: list[RenderableType] = []
        same = [each for each in mine if each["reason"] == cause.reason] or mine
        texts = list(dict.fromkeys(_words_of(each, say) for each in same if each["text"]))
        body.extend(Text(text, style="dim") for text in texts[:3])
        remedy = known.remedy_zh if language == "zh" else known.remedy_en
        body.append(Text(say["do"].format(text=remedy.replace("`", ""))))
        causes_of_words = dict.fromkeys(str(each) for result in same for each in result.get("ambiguous") or ())
        if causes_of_words:
            body.append(Text(say["one_of"].format(text=", ".join(causes_of_words))))
        if any(each["owner"] for each in same):
            helps = say["waiting"] if known.waiting_helps else say["not_waiting"]
            owner = _OWNERS.get(language, _OWNERS["en"])[known.owner]
            body.append(Text(say["who"].format(owner=owner, waiting=helps)))
        elif known.waiting_helps:
            body.append(Text(say["waiting"]))
        if any(each["login_suspended"] for each in mine):
            body.append(Text(say["suspended"], style="yellow"))
        parts.append(Padding(Group(*body), (0, 0, 0, 2)))
    counts = {outcome: sum(each["outcome"] == outcome for each in results) for outcome in _STYLES}
    parts.append(Text("\n" + say["summary"].format(**counts)))
    return Group(*parts)


def show(results: Sequence[ResultObject], causes: Sequence[Cause], language: str, file: TextIO) -> None:
    """The whole report. In a file or a pipe every line is whole, however long, and ends without blanks."""
    parts = table(results, language), explanation(results, causes, language)
    if file.isatty():
        Console(file=file, highlight=False).print(*parts, sep="")
        return
    wide = Console(file=StringIO(), width=WIDEST, force_terminal=False, highlight=False)
    with wide.capture() as capture:
        wide.print(*parts, sep="")
    file.writelines(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _words_of(result: ResultObject, say: Mapping[str, str]) -> str:
    """What a server said, or what we say, told apart."""
    text = str(result["text"]).strip()
    shown = say["said" if result.get("quoted") else "detail"].format(text=text)
    source = result.get("answer_to")
    return f"{shown} {say['answer_to'].format(protocol=source)}" if source and source != result["probe"] else shown


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
