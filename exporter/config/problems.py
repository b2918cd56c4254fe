"""Problem: one mistake in a configuration file, with file, line, key and a suggested fix. ConfigError: all of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]
"""The path of a key in a file: ("mailboxes", 0, "imap", "port")."""

MAX_SHOWN = 100
NO_FILE = (
    "No such file or directory. Another is named by --config.file; `mailprobe providers ADDRESS` prints the lines for "
    "a mailbox, config.yaml of the sources is an example, docs/configuration.md has all keys; "
    "`mailprobe demo` needs no file"
)
"""Of config.yaml itself: the ways to a first one."""
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,60}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake or warning. `line` counts from 1; 0 means the whole file. `key` may be empty."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds everything that was found, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [str(problem) for problem in self.problems[:MAX_SHOWN]]
        more = len(self.problems) - MAX_SHOWN
        return "\n".join([*lines, f"and {more} more"] if more > 0 else lines)


def dotted(path: KeyPath) -> str:
    """Write ("mailboxes", 0, "imap") as mailboxes[0].imap. A key that is no word becomes `?`: it may be a password."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            word = step if _WORD.fullmatch(step) else "?"
            text += f".{word}" if text else word
    return text


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean WORD?` or ""."""
    found = difflib.get_close_matches(word[:100].lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def fold(problems: Iterable[Problem], keep: int = 5) -> tuple[Problem, ...]:
    """Of many problems with the same message, keep the first few and a count of the others."""
    shown: list[Problem] = []
    seen: dict[str, int] = {}
    for problem in problems:
        seen[problem.message] = seen.get(problem.message, 0) + 1
        if seen[problem.message] <= keep:
            shown.append(problem)
    extra = [
        Problem(
            next(each.file for each in shown if each.message == message), 0, "", f"{count - keep} more like: {message}"
        )
        for message, count in seen.items()
        if count > keep
    ]
    return (*shown, *extra)
