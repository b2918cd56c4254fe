"""Renders a support ticket as plain text, Markdown or JSON, in one language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from exporter.config.presets import provider_name
from exporter.model import FactName, Line, Outcome, Result
from exporter.model.details import detail
from exporter.model.durations import in_words
from exporter.model.reasons import Reason, about
from exporter.model.text import shortened
from exporter.outputs.history import Run
from exporter.outputs.json_objects import SCHEMA_VERSION, result_object
from exporter.outputs.ticket.evidence import endpoints_of
from exporter.outputs.ticket.ticket import Case, Ticket, client
from exporter.outputs.ticket.words import TicketWords, utc

FORMATS = {"text": "text/plain", "md": "text/markdown", "json": "application/json"}
"""Name → media type."""

MAX_FIRST_WORDS = 200  # characters
MAX_DIALOGUE = 40  # lines of a transcript that are shown: the last ones

F = FactName
_PLAIN = re.compile(r"[\w .,:;=@/+()%’~–→-]*")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, rows of (label, value), blocks of (label, literal text) and sentences."""

    title: str
    rows: tuple[tuple[str, str], ...] = ()
    blocks: tuple[tuple[str, str], ...] = ()
    sentences: tuple[str, ...] = ()


def title(ticket: Ticket, words: TicketWords) -> str:
    case = ticket.leading
    failure = case.result.failure if case.result else None
    reason = words.reason(failure.reason) if failure else ""
    return words(
        f"title_{ticket.state}",
        probe=str(case.target.probe).upper(),
        account=ticket.account,
        reason=f"{reason} ({case.code})" if reason and case.code else reason,
    )


def sections(ticket: Ticket, words: TicketWords) -> Iterator[Section]:
    yield _account(ticket, words)
    for case in ticket.cases:
        if case.result is not None and ticket.state != "working":
            yield _error(case, case.result, words)
    yield Section(words("environment_section"), tuple(_environment(ticket, words)))
    if ticket.state in ("failing", "recovered", "inconclusive"):
        found = tuple(words.sentence(each) for each in ticket.ruled_out)
        yield Section(words("ruled_out_section"), sentences=found or (words("nothing_ruled_out"),))
    if ticket.also:
        yield Section(words("also_section"), sentences=tuple(words.sentence(each) for each in ticket.also))
    lines = [line for case in (*ticket.cases, *ticket.others) for line in _history(case, words)]
    yield Section(words("history_section"), sentences=tuple(lines))


def _account(ticket: Ticket, words: TicketWords) -> Section:
    rows = [(words("account"), ticket.account)]
    if ticket.name != ticket.account:
        rows.append((words("name"), ticket.name))
    if ticket.first.domain and ticket.first.domain != ticket.account:
        rows.append((words("common.domain"), ticket.first.domain))
    if ticket.first.provider:
        rows.append(
            (
                words("common.provider"),
                f"{provider_name(ticket.first.provider, words.language)} ({ticket.first.provider})",
            )
        )
    servers = [
        (words("common.server"), f"{e.name} ({str(e.protocol).upper()}, {e.security})") for e in ticket.endpoints
    ]
    return Section(words("account_section"), (*rows, *servers))


def _error(case: Case, result: Result, words: TicketWords) -> Section:
    failure = result.failure
    probe = str(case.target.probe).upper()
    rows = [(words("time"), words.both(result.started))]
    blocks = []
    if failure is not None:
        if failure.phase:
            rows.append((words("step"), str(failure.phase)))
        if case.code:
            rows.append((words("code"), case.code))
        rows.append((words("reason"), f"{words.reason(failure.reason)} ({about(failure.reason).layer})"))
        if failure.ambiguous:
            rows.append((words("common.one_of"), words("common.comma").join(map(words.reason, failure.ambiguous))))
        if case.inferred_from:
            said_by = str(case.inferred_from).upper()
            rows.append((words("inferred"), words("inferred_from", probe=probe, source=said_by)))
            blocks.append((words("words_of", source=said_by), failure.text))
        else:
            text = failure.text if failure.quoted else detail(failure.text, words.language)
            blocks.append((words("words"), text or words("no_words")))
    if failure is not None and failure.reason is Reason.MESSAGE_LATE and case.state == "recovered":
        if case.came:
            rows.append((words("in_the_end"), words("came", span=detail(in_words(case.came), words.language))))
        elif case.awaited:
            rows.append((words("in_the_end"), words("not_come")))
    if case.state == "failing" and result.login_suspended:
        rows.append((words("suspended"), words.local(result.login_next_attempt)))
    shown = case.shown
    if shown is None:
        rows.append((words("dialogue_of", probe=probe), words("no_login_yet", probe=probe)))
        return Section(words("error_section" if failure else "run_section", probe=probe), tuple(rows), tuple(blocks))
    rows.append((words("run"), shown.probe_id))
    if shown is not result:
        rows.append((words("dialogue_of", probe=probe), words.both(shown.started)))
    blocks.append((words("steps"), "\n".join(_steps(shown, words))))
    if shown.transcript:
        blocks.append((words("dialogue"), "\n".join(_dialogue(shown.transcript))))
    return Section(words("error_section" if failure else "run_section", probe=probe), tuple(rows), tuple(blocks))


def _steps(result: Result, words: TicketWords) -> Iterator[str]:
    failed = result.failure.phase if result.failure else None
    for phase, seconds in result.phases:
        mark = f"  ← {words('failed_here')}" if phase is failed else ""
        yield f"{phase:<12}{seconds * 1000:10.1f} ms{mark}"


def _dialogue(lines: Sequence[Line]) -> Iterator[str]:
    if len(lines) > MAX_DIALOGUE:
        yield "…"
    for line in lines[-MAX_DIALOGUE:]:
        first, *rest = line.text.splitlines() or [""]
        yield f"{line.at:8.3f} {line.direction} {first}"
        yield from (f"{'':8} {line.direction} {each}" for each in rest)


def _environment(ticket: Ticket, words: TicketWords) -> Iterator[tuple[str, str]]:
    facts = ticket.facts
    yield words("client"), client()
    if F.SOURCE_ADDRESS in facts:
        places = {"address": facts[F.SOURCE_ADDRESS], "family": facts.get(F.FAMILY, "")}
        yield words("common.our_address"), words("our_address_note", **places)
    if F.ADDRESS in facts:
        yield words("common.server_address"), str(facts[F.ADDRESS])
    if F.MECHANISM in facts:
        yield words("mechanism"), str(facts[F.MECHANISM])
    if F.TLS_VERSION in facts:
        yield "TLS", f"{facts[F.TLS_VERSION]}, {facts.get(F.TLS_CIPHER, '')}"
    for label, name in (
        ("common.certificate", F.CERT_SUBJECT),
        ("issuer", F.CERT_ISSUER),
        ("fingerprint", F.CERT_FINGERPRINT),
    ):
        if facts.get(name):
            yield words(label), str(facts[name])
    until = facts.get(F.CERT_NOT_AFTER)
    if isinstance(until, int | float):
        yield words("valid_until"), words.both(until)
    for label, name in (("common.greeting", F.GREETING), ("common.capabilities", F.CAPABILITIES)):
        if facts.get(name):
            yield words(label), str(facts[name])


def _history(case: Case, words: TicketWords) -> Iterator[str]:
    probe = str(case.target.probe).upper()
    if not case.runs:
        yield words("no_runs", probe=probe)
        return
    if case.since is not None:
        key = "failing_since" if case.state == "failing" else "working_since"
        yield words(key, probe=probe, at=words.both(case.since))
    failures = _failures(case.runs)
    at = words.local(case.runs[-1].started)
    yield words("runs", probe=probe, failed=len(failures), count=len(case.runs), at=at)
    if failures:
        yield words("first_failure", probe=probe, at=words.local(_first_failure(case, failures)))
        if first := _first_words(case):
            yield words("first_words", probe=probe, text=first)
        yield words("last_failure", probe=probe, at=words.local(failures[0].started))
        if case.worked is not None:
            yield words("last_success", probe=probe, at=words.local(case.worked))
        else:
            yield words("no_success", probe=probe)


def _failures(runs: tuple[Run, ...]) -> list[Run]:
    """Return the failures, newest first."""
    return [run for run in runs if run.outcome is Outcome.FAILED]


def _first_failure(case: Case, failures: Sequence[Run]) -> float:
    """Return when the first failure was: of the runs that are listed, or of the failure that began before them."""
    return min(failures[-1].started, case.began or failures[-1].started)


def _first_words(case: Case) -> str:
    """Return one line of what was said at first, if it was something else than now."""
    failure = case.result.failure if case.result is not None else None
    if not case.first_words or failure is None or failure.text == case.first_words:
        return ""
    return shortened(" ".join(case.first_words.split()), MAX_FIRST_WORDS)


# -- the three formats ----------------------------------------------------------------------------------------------


def as_text(ticket: Ticket, words: TicketWords) -> str:
    head = title(ticket, words)
    lines = [head, "=" * min(len(head), 78), ""]
    if ticket.state == "failing":
        lines += [words("request"), ""]
    for section in sections(ticket, words):
        lines += [section.title, "-" * max(len(section.title), 3)]
        for label, value in section.rows:
            first, *rest = value.splitlines() or [""]
            lines += [f"{label}{words.colon}{first}", *(f"    {each}" for each in rest)]
        for label, value in section.blocks:
            lines += [f"{label}{words.colon}".rstrip(), *(f"    {each}" for each in value.splitlines())]
        lines += [f"- {each}" for each in section.sentences]
        lines.append("")
    lines.append(words("made", client=client(), at=words.local(ticket.made)))
    return "\n".join(lines) + "\n"


def as_markdown(ticket: Ticket, words: TicketWords) -> str:
    lines = [f"# {_escaped(title(ticket, words))}", ""]
    if ticket.state == "failing":
        lines += [words("request"), ""]
    for section in sections(ticket, words):
        lines += [f"## {section.title}", ""]
        lines += [f"- **{label}**{words.colon}{_escaped(value)}" for label, value in section.rows]
        for label, value in section.blocks:
            fence = "`" * max(3, 1 + max((len(each) for each in re.findall("`+", value)), default=0))
            lines += ["", f"**{label}**{words.colon}".rstrip(), "", fence, value, fence]
        lines += [f"- {_escaped(each)}" for each in section.sentences]
        lines.append("")
    lines.append(_escaped(words("made", client=client(), at=words.local(ticket.made))))
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Return the text for Markdown. If it may contain markup, a backslash is put before each special character."""
    flat = " ".join(text.split())
    return flat if _PLAIN.fullmatch(flat) else re.sub(r"([\\`*_{}\[\]<>#!|&~])", r"\\\1", flat)


def as_object(ticket: Ticket, words: TicketWords) -> dict[str, Any]:
    """Return the ticket as a JSON object.

    Sentences are in the requested language; keys and reasons are not translated.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "language": words.language,
        "target": ticket.name,
        "kind": str(ticket.first.kind),
        "account": ticket.account,
        "provider": ticket.first.provider or None,
        "domain": ticket.first.domain or None,
        "state": ticket.state,
        "title": title(ticket, words),
        "made": _stamp(ticket.made, words),
        "servers": [
            {"host": end.host, "port": end.port, "protocol": str(end.protocol), "security": str(end.security)}
            for end in ticket.endpoints
        ],
        "cases": [_case_object(case, words) for case in ticket.cases],
        "environment": {
            "client": client(),
            **{str(name): value for name, value in ticket.facts.items()},
        },
        "ruled_out": [{"what": str(each.says), "text": words.sentence(each)} for each in ticket.ruled_out],
        "also": [{"what": str(each.says), "text": words.sentence(each)} for each in ticket.also],
        "history": [_history_object(case, words) for case in (*ticket.cases, *ticket.others)],
    }


def _case_object(case: Case, words: TicketWords) -> dict[str, Any]:
    result = case.result
    return {
        "probe": str(case.target.probe),
        "state": case.state,
        "code": case.code or None,
        "servers": [end.name for end in endpoints_of(case.target)],
        "time": _stamp(result.started, words) if result else None,
        "result": result_object(result) if result else None,
        "words_of": str(case.inferred_from) if case.inferred_from else None,
        "dialogue": list(_dialogue(case.shown.transcript)) if case.shown else [],
    }


def _history_object(case: Case, words: TicketWords) -> dict[str, Any]:
    failures = _failures(case.runs)

    def at(time: float | None) -> dict[str, str] | None:
        return _stamp(time, words) if time is not None else None

    return {
        "probe": str(case.target.probe),
        "state": case.state,
        "since": at(case.since),
        "runs": len(case.runs),
        "failed": len(failures),
        "first_failure": at(_first_failure(case, failures) if failures else None),
        "first_words": _first_words(case) or None,
        "last_failure": at(failures[0].started if failures else None),
        "last_success": at(case.worked),
    }


def _stamp(at: float, words: TicketWords) -> dict[str, str]:
    return {"local": words.local(at), "utc": utc(at)}


def as_json(ticket: Ticket, words: TicketWords) -> str:
    return json.dumps(as_object(ticket, words), ensure_ascii=False, indent=2) + "\n"


def render(ticket: Ticket, shape: str, language: str, zone: tzinfo | None = None) -> str:
    """Return the ticket as text.

    `shape` is a key of FORMATS. `zone` is the time zone of local times; None is the one of this machine.
    """
    return _RENDER[shape](ticket, TicketWords(language, zone))


_RENDER: Mapping[str, Callable[[Ticket, TicketWords], str]] = {"text": as_text, "md": as_markdown, "json": as_json}
