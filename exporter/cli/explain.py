"""The verb `explain`: the meaning of a server's reply or of a reason, the rule that matches, and the remedy."""

from __future__ import annotations

import ast
import difflib
import json
import os
import re
import sys
from dataclasses import dataclass, replace
from typing import Any

from exporter.config import presets
from exporter.diagnosis import signatures
from exporter.diagnosis.classify import Classification, classify
from exporter.diagnosis.evidence import UNDECIDED
from exporter.diagnosis.reply import normalise, protocol_of
from exporter.model import Command, Phase, Service
from exporter.model.phrases import Phrases
from exporter.model.reasons import Reason, about
from exporter.net.text import decode

_PROTOCOLS = {"imap": Service.IMAP, "pop3": Service.POP3, "smtp": Service.SMTP, "http": Service.HTTPS}
# Python's libraries print a reply like this: (535, b'Login fail. …'). Users paste it.
_PYTHON = re.compile(r"""^\(?\s*(?:(\d{3})\s*,\s*)?(b(?:'[^']*'|"[^"]*"))\s*\)?$""", re.DOTALL)
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")
_REPLY = re.compile(r"""^reply: b?(?:'([^']*)'|"([^"]*)")$""", re.DOTALL)


class _UnknownProviderError(Exception):
    """Neither the id of a provider, nor a family or software with signatures."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the user knows of a reply besides its words: None or "" where unknown."""

    protocol: str | None = None
    provider: str = ""
    phase: str | None = None
    answer_to: str | None = None


def explain(text: str, said_in: Situation, *, as_json: bool, language: str) -> int:
    """Print the meaning of the text. Returns 0 if it is known, 1 if it is unknown, 2 if there is no such provider."""
    words = as_received(text)
    named = Reason(words.strip()) if words.strip() in set(Reason) else None
    try:
        families = _families(said_in.provider)
    except _UnknownProviderError as exc:
        print(exc, file=sys.stderr)
        return 2
    found = Classification(named, "") if named else _meaning(words, said_in, families)
    meaning = found or Classification(Reason.UNKNOWN, "")
    if as_json:
        print(json.dumps(explanation(meaning), ensure_ascii=False))
    else:
        open_question = not named and (meaning.reason is Reason.UNKNOWN or bool(meaning.ambiguous))
        hints = _undecided(words, said_in, families, language) if open_question else []
        print("\n".join([_told(meaning, language), *hints]))
    known = named or meaning.reason is not Reason.UNKNOWN or meaning.ambiguous
    return 0 if known else 1


def _meaning(words: str, said_in: Situation, families: tuple[str, ...]) -> Classification | None:
    return classify(
        _PROTOCOLS.get(said_in.protocol or ""),
        "",
        words,
        Phase(said_in.phase) if said_in.phase else None,
        families=families,
        command=Command(said_in.answer_to) if said_in.answer_to else None,
    )


def _undecided(words: str, said_in: Situation, families: tuple[str, ...], language: str) -> list[str]:
    """Say what the reply would mean as the answer to each command, if that decides and nobody has named one."""
    spoken = _PROTOCOLS.get(said_in.protocol or "") or protocol_of(words)
    if said_in.phase or said_in.answer_to or normalise(spoken, words, None).login is not None:
        return []
    if spoken is Service.SMTP:
        readings = {f"--answer-to {each}": replace(said_in, answer_to=each) for each in ("auth", "mail", "rcpt")}
    else:
        readings = {f"--phase {each}": replace(said_in, phase=each) for each in (Phase.LOGIN, Phase.SELECT)}
    found = {option: _meaning(words, each, families) for option, each in readings.items()}
    named = {option: each.reason for option, each in found.items() if each and each.reason not in UNDECIDED}
    if len(set(named.values())) < 2:
        return []
    say = Phrases(language, "explain")
    return [say("decides"), *(f"  {option}: {say.reason(reason)}" for option, reason in named.items())]


def explanation(meaning: Classification) -> dict[str, Any]:
    """Return the answer as an object of the JSON interface."""
    known = about(meaning.reason)
    return {
        "reason": str(meaning.reason),
        "layer": str(known.layer),
        "rule": meaning.rule or None,
        "ambiguous": [str(cause) for cause in meaning.ambiguous],
        "owner": str(known.owner),
        "waiting_helps": known.waiting_helps,
        "remedy": known.remedies(),
    }


def as_received(text: str) -> str:
    """Return the server's reply as text: undo the escapes of a terminal, a log or a Python exception."""
    if any("\udc80" <= char <= "\udcff" for char in text):
        # an argument that is not UTF-8, for example GBK from the log of a Chinese server
        text = decode(os.fsencode(text))
    found = _PYTHON.match(text.strip())
    if found:
        try:
            said = decode(ast.literal_eval(found[2]))
        except (ValueError, SyntaxError):
            said = text
        text = f"{found[1]} {said}" if found[1] else said
    if _ESCAPED.search(text):  # a line of smtplib's debug output
        found_bytes = _ESCAPED.sub(lambda byte: chr(int(byte[1], 16)), text)
        if not found_bytes.isascii() and max(map(ord, found_bytes)) < 256:
            text = decode(found_bytes.encode("latin-1"))
    printed = _REPLY.match(text.strip())
    if printed:
        text = printed[1] or printed[2] or ""
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
    say, known = Phrases(language, "explain"), about(meaning.reason)
    lines = [say.reason(meaning.reason), say.labelled("layer", str(known.layer))]
    if meaning.reason is Reason.UNKNOWN and not meaning.rule:
        lines.insert(1, say("unknown"))
    if meaning.rule:
        lines.append(say.labelled("rule", meaning.rule))
    lines.append(known.whose_job(language))
    if meaning.ambiguous:
        lines.append(say.labelled("common.several_causes", "").rstrip())
        remedies = ((cause, about(cause).remedy(language)) for cause in meaning.ambiguous)
        lines += [f"  {say.reason(cause)}{say('common.colon')}{remedy}" for cause, remedy in remedies]
        lines.append(say.labelled("apart", _apart(meaning, say)))
    else:
        lines.append(say.labelled("common.what_to_do", known.remedy(language)))
    return "\n".join(lines)


def _apart(meaning: Classification, say: Phrases) -> str:
    """Return how to tell possible reasons apart: from the row, or, if rows disagree, from the reasons."""
    told = meaning.apart[say.like == "zh"]
    if told:
        own = (say.find(f"apart.{rule.removeprefix('signature:')}") for rule in meaning.rule.split(" | "))
        return next(filter(None, own), told)
    passing = [say.reason(cause) for cause in meaning.ambiguous if about(cause).waiting_helps]
    staying = [say.reason(cause) for cause in meaning.ambiguous if not about(cause).waiting_helps]
    parts = [
        say(key, causes=say("or").join(causes))
        for key, causes in (("passing", passing), ("staying", staying))
        if causes
    ]
    return say("semicolon").join(parts) + say("stop")
