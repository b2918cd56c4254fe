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
from exporter.model.details import detail
from exporter.model.phrases import Phrases
from exporter.model.reasons import Reason, about

ResultObject = Mapping[str, Any]  # the values of RESULT in the JSON interface

MAX_OTHERS = 3  # other reasons of one cause that are explained
WIDEST = 20_000  # characters per line where nothing is wrapped: more than the longest text of a cause
_STYLES = {"ok": "green", "failed": "bold red", "inconclusive": "yellow"}


def table(results: Iterable[ResultObject], language: str) -> Table:
    """Return the table with one row per result. The state is a word, not only a colour."""
    say = Phrases(language, "check")
    made = Table(box=None, pad_edge=False, header_style="dim")
    made.add_column(say("common.target"), overflow="fold")
    made.add_column(say("probe"))
    made.add_column(say("common.state"))
    made.add_column(say("cause"), overflow="fold")
    made.add_column(say("common.took"), justify="right")
    for result in results:
        outcome = str(result["outcome"])
        cause = ""
        if result["reason"]:
            cause = say.reason(str(result["reason"]))
            if result["phase"]:
                cause += f" ({say('in')} {result['phase']})"
        made.add_row(
            escape(str(result["target"])),
            str(result["probe"]),
            Text(say(outcome), style=_STYLES[outcome]),
            escape(cause),
            _seconds(float(result["duration_seconds"])),
        )
    return made


def explanation(results: Sequence[ResultObject], causes: Sequence[Cause], language: str) -> RenderableType:
    """Return each cause once: what it is, the server's reply, what to do, and who must do it."""
    say = Phrases(language, "check")
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
        body.append(Text(say.labelled("common.what_to_do", known.remedy(language, cause.advice).replace("`", ""))))
        causes_of_words = dict.fromkeys(str(each) for result in same for each in result.get("ambiguous") or ())
        if causes_of_words:
            body.append(Text(say.labelled("common.one_of", say("common.comma").join(map(say.reason, causes_of_words)))))
        others = dict.fromkeys(str(each["reason"]) for each in mine if each["reason"] not in (None, cause.reason))
        for reason in list(others)[:MAX_OTHERS]:
            remedy = about(Reason(reason)).remedy(language).replace("`", "")
            body.append(Text(say("other_reason", reason=say.reason(reason), remedy=remedy)))
        if any(each["owner"] for each in same):
            waiting = say("common.waiting_helps" if known.waiting_helps else "not_waiting")
            told = say("common.owner_and_waiting", owner=say(f"owners.{known.owner}"), waiting=waiting)
            body.append(Text(say.labelled("common.whose_job", told)))
        elif known.waiting_helps:
            body.append(Text(say("common.waiting_helps")))
        if any(each["login_suspended"] for each in mine):
            body.append(Text(say("suspended"), style="yellow"))
        parts.append(Padding(Group(*body), (0, 0, 0, 2)))
    for each in results:
        notice = (each.get("facts") or {}).get("provider_alert")
        if notice:
            told = say.labelled("provider_alert", f"{each['target']} ({each['probe']}): {notice}")
            parts.append(Text("\n" + told, style="yellow"))
    counts = {outcome: sum(each["outcome"] == outcome for each in results) for outcome in _STYLES}
    parts.append(Text("\n" + say("summary", **counts)))
    return Group(*parts)


def show(results: Sequence[ResultObject], causes: Sequence[Cause], language: str, file: TextIO) -> None:
    """Print the whole report. In a file or a pipe, lines are not wrapped and do not end with spaces."""
    parts = table(results, language), explanation(results, causes, language)
    if file.isatty():
        Console(file=file, highlight=False).print(*parts, sep="")
        return
    wide = Console(file=StringIO(), width=WIDEST, force_terminal=False, highlight=False)
    with wide.capture() as capture:
        wide.print(*parts, sep="")
    file.writelines(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def _words_of(result: ResultObject, say: Phrases) -> str:
    """Return the text with a label: a quote of the server, or our own detail."""
    text = str(result["text"]).strip()
    if result.get("quoted"):
        shown = say.labelled("common.server_said", text)
    else:
        shown = say.labelled("common.detail", detail(text, say.language))
    source = result.get("answer_to")
    return f"{shown} {say('common.answer_to', protocol=source)}" if source and source != result["probe"] else shown


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
