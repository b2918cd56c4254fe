"""Formats a run as plain text, for /logs and for /probe?debug=true."""

from __future__ import annotations

from datetime import UTC, datetime

from exporter.model import Result


def log_text(result: Result) -> str:
    """Return verdict, phases, facts and the transcript, in which credentials are masked."""
    at = datetime.fromtimestamp(result.started, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    lines = [
        f"target={result.target.name} probe={result.target.probe} id={result.probe_id} started={at}",
        f"outcome={result.outcome} duration={result.duration:.3f}s",
    ]
    if result.failure:
        lines.append(
            f"phase={result.failure.phase or '-'} reason={result.failure.reason} rule={result.failure.rule or '-'}"
        )
        if result.words_of is not None:
            sent = "" if result.login_attempted else "; this run sent no password"
            lines.append(f"inferred from the answer to the {result.words_of} login{sent}:")
        lines += [f"    {line}" for line in result.failure.text.splitlines()]
    lines += ["", "Phases:"]
    lines += [f"    {phase:<12} {seconds * 1000:10.1f} ms" for phase, seconds in result.phases]
    lines += ["", "Facts:"]
    for fact in result.facts:
        labels = "{" + ", ".join(fact.labels) + "}" if fact.labels else ""
        first, *others = str(fact.value).splitlines() or [""]
        lines.append(f"    {fact.name}{labels} = {first}")
        lines += [f"        {other}" for other in others]
    lines += ["", "Transcript:"]
    for line in result.transcript:
        first, *others = line.text.splitlines() or [""]
        lines.append(f"    {line.at:8.3f}  {line.direction} {first}")
        lines += [f"              {line.direction} {other}" for other in others]
    return "\n".join(lines) + "\n"
