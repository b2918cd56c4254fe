"""Which commit this program was built from: for `--version` and `mailprobe_build_info`.

A wheel holds it in a file that hatch_build.py writes. In a checkout it is read from git's own files: no git is run, so
that it works without git, and for a checkout that belongs to somebody else. Unknown, it is empty.
"""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
BUILT_IN = "data/revision.txt"
"""In the package, of a wheel and of an sdist."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def revision(package: Path = PACKAGE) -> str:
    """Of the package in this folder."""
    return _commit(_text(package / BUILT_IN)) or of_checkout(package.parent)


def of_checkout(root: Path) -> str:
    """The commit that is checked out there; empty where `root` is not the top of a checkout."""
    git = root / ".git"
    elsewhere = _text(git).removeprefix("gitdir:").strip()  # `.git` is a file in a further worktree and in a submodule
    if elsewhere:
        git = root / elsewhere
    head = _text(git / "HEAD").strip()
    name = head.removeprefix("ref:").strip()
    if name == head:
        return _commit(head)
    shared = git / (_text(git / "commondir").strip() or ".")  # where a worktree's branches are
    return _commit(_text(shared / name)) or _packed(_text(shared / "packed-refs"), name)


def _packed(refs: str, name: str) -> str:
    rows = (line.partition(" ") for line in refs.splitlines())
    return next((_commit(commit) for commit, _, ref in rows if ref == name), "")


def _commit(text: str) -> str:
    found = text.strip()
    return found if _COMMIT.fullmatch(found) else ""


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
