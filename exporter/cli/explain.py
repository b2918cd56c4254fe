"""The verb `explain`: the meaning of a server's reply or of a reason, the rule that matches, and the remedy."""

from __future__ import annotations

import ast
import difflib
import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from exporter.config import presets
from exporter.diagnosis import signatures
from exporter.diagnosis.classify import Classification, classify
from exporter.model import Service
from exporter.model.reasons import Owner, Reason, about
from exporter.net.text import decode

_PROTOCOLS = {"imap": Service.IMAP, "pop3": Service.POP3, "smtp": Service.SMTP, "http": Service.HTTPS}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "unknown": "No rule knows these words: nothing is guessed.",
        "ambiguous": "These words have several causes:",
        "layer": "Layer",
        "rule": "Rule",
        "owner": "Whose job",
        "waiting": "Waiting may help.",
        "not_waiting": "Waiting does not help.",
        "do": "What to do",
        "apart": "What tells them apart",
        "colon": ": ",
    },
    "zh": {
        "unknown": "没有规则认识这段话，不作猜测。",
        "ambiguous": "这段话对应多种原因：",
        "layer": "层次",
        "rule": "规则",
        "owner": "由谁处理",
        "waiting": "等待可能有用。",
        "not_waiting": "等待无用。",
        "do": "处理办法",
        "apart": "如何区分",
        "colon": "：",
    },
}
_OWNERS: Mapping[str, Mapping[Owner, str]] = {
    "en": {
        Owner.YOU: "you",
        Owner.ADMIN: "your administrator",
        Owner.PROVIDER: "the mail provider",
        Owner.NETWORK: "the network",
    },
    "zh": {Owner.YOU: "您自己", Owner.ADMIN: "贵公司管理员", Owner.PROVIDER: "邮件服务商", Owner.NETWORK: "网络方"},
}
# How Python's libraries print a reply: (535, b'Login fail. …'). People paste that.
_PYTHON = re.compile(r"""^\(?\s*(?:(\d{3})\s*,\s*)?(b(?:'[^']*'|"[^"]*"))\s*\)?$""", re.DOTALL)


class _UnknownProviderError(Exception):
    """Neither a provider's id, nor a family or software that has signatures."""


def explain(text: str, protocol: str | None, provider: str, *, as_json: bool, language: str) -> int:
    """Prints the answer. 0: known, 1: unknown, 2: no such provider."""
    words = as_received(text)
    named = Reason(words.strip()) if words.strip() in set(Reason) else None
    try:
        families = _families(provider)
    except _UnknownProviderError as exc:
        print(exc, file=sys.stderr)
        return 2
    found = (
        Classification(named, "")
        if named
        else classify(_PROTOCOLS.get(protocol or ""), "", words, None, families=families)
    )
    meaning = found or Classification(Reason.UNKNOWN, "")
    print(json.dumps(explanation(meaning), ensure_ascii=False) if as_json else _told(meaning, language))
    return 1 if meaning.reason is Reason.UNKNOWN and named is None else 0


def explanation(meaning: Classification) -> dict[str, Any]:
    """The contract's object."""
    known = about(meaning.reason)
    return {
        "reason": str(meaning.reason),
        "layer": str(known.layer),
        "rule": meaning.rule or None,
        "ambiguous": [str(cause) for cause in meaning.ambiguous],
        "owner": str(known.owner),
        "waiting_helps": known.waiting_helps,
        "remedy": {"en": known.remedy_en, "zh": known.remedy_zh},
    }


def as_received(text: str) -> str:
    """What a terminal, a log or a Python exception made of a server's bytes, turned back into text."""
    if any("\udc80" <= char <= "\udcff" for char in text):
        text = decode(os.fsencode(text))  # an argument that is not UTF-8: GBK, from a Chinese server's log
    found = _PYTHON.match(text.strip())
    if found:
        try:
            said = decode(ast.literal_eval(found[2]))
        except (ValueError, SyntaxError):
            said = text
        text = f"{found[1]} {said}" if found[1] else said
    return text.replace("\\r\\n", "\n").replace("\\n", "\n")


def _families(provider: str) -> tuple[str, ...]:
    if not provider:
        return ()
    preset = presets.presets().get(provider)
    if preset is not None:
        return preset.families
    if provider in signatures.scopes():
        return (provider,)
    known = {*presets.presets(), *signatures.scopes()}
    near = difflib.get_close_matches(provider, known, 3)
    hint = f"; did you mean {', '.join(near)}?" if near else ": see mailprobe providers"
    raise _UnknownProviderError(f"--provider {provider}: unknown{hint}")


def _told(meaning: Classification, language: str) -> str:
    say, known = _WORDS[language], about(meaning.reason)
    chinese = language == "zh"

    def line(name: str, value: str) -> str:
        return f"{say[name]}{say['colon']}{value}"

    def remedy(reason: Reason) -> str:
        return about(reason).remedy_zh if chinese else about(reason).remedy_en

    lines = [str(meaning.reason), line("layer", str(known.layer))]
    if meaning.reason is Reason.UNKNOWN and not meaning.rule:
        lines.insert(1, say["unknown"])
    if meaning.rule:
        lines.append(line("rule", meaning.rule))
    helps = say["waiting"] if known.waiting_helps else say["not_waiting"]
    owner = _OWNERS[language][known.owner]
    lines.append(line("owner", f"{owner}。{helps}" if chinese else f"{owner}. {helps}"))
    if meaning.ambiguous:
        lines.append(say["ambiguous"])
        lines += [f"  {cause}{say['colon']}{remedy(cause)}" for cause in meaning.ambiguous]
        lines.append(line("apart", _apart(meaning, chinese=chinese)))
    else:
        lines.append(line("do", remedy(meaning.reason)))
    return "\n".join(lines)


def _apart(meaning: Classification, *, chinese: bool) -> str:
    """What the row says; where rows disagree, what the reasons themselves allow to tell."""
    told = meaning.apart[1 if chinese else 0]
    if told:
        return told
    passing = [str(cause) for cause in meaning.ambiguous if about(cause).waiting_helps]
    staying = [str(cause) for cause in meaning.ambiguous if not about(cause).waiting_helps]
    if chinese:
        parts = [f"等一会儿自行恢复的是 {'、'.join(passing)}" if passing else ""]
        parts.append(f"一直不变的是 {'、'.join(staying)}，用 --provider 指明服务商可以区分" if staying else "")
        return "；".join(filter(None, parts)) + "。"
    parts = [f"what passes by itself is {' or '.join(passing)}" if passing else ""]
    parts.append(
        f"what stays is {' or '.join(staying)}: name the provider with --provider to tell them apart" if staying else ""
    )
    return "; ".join(filter(None, parts)) + "."
