"""Extracts the commands of a page of documentation."""

from __future__ import annotations

import re
from pathlib import Path

HEADING = re.compile(r"^#{2,3} (.+)$")


def blocks(page: Path) -> dict[str, list[tuple[str, str]]]:
    """Return by heading the fenced blocks under it, as (language, text)."""
    found: dict[str, list[tuple[str, str]]] = {}
    heading, language, lines = "", None, list[str]()
    for line in page.read_text(encoding="utf-8").splitlines():
        if language is None and (match := HEADING.match(line)):
            heading = match[1]
        elif language is None and line.startswith("```"):
            language = line.removeprefix("```")
        elif language is not None and line == "```":
            found.setdefault(heading, []).append((language, "\n".join(lines) + "\n"))
            language, lines = None, []
        elif language is not None:
            lines.append(line)
    return found


def commands(page: Path, heading: str) -> str:
    """Return all commands under a heading, in order."""
    return "".join(text for language, text in blocks(page)[heading] if language == "sh")
