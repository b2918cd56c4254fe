"""Finds the git commit of this program, for `--version` and `mailprobe_build_info`.

A wheel contains it in a file written by .ci/hatch_build.py. In a checkout it is read from git's files: git is not run,
so that it works without git and in a checkout of another user. Empty if unknown.
"""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
BUILT_IN = "data/revision.txt"
"""The file in the package, in a wheel and in an sdist."""

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def revision(package: Path = PACKAGE) -> str:
    """Return the commit of the package in this folder, or ""."""
    return _commit(_text(package / BUILT_IN)) or of_checkout(package.parent)


def of_checkout(root: Path) -> str:
    """Return the commit that is checked out in `root`, or "" if `root` is not the top of a checkout."""
    git = root / ".git"
    elsewhere = _text(git).removeprefix("gitdir:").strip()  # in additional worktrees and in submodules `.git` is a file
    if elsewhere:
        git = root / elsewhere
    head = _text(git / "HEAD").strip()
    name = head.removeprefix("ref:").strip()
    if name == head:
        return _commit(head)
    # the folder that holds the branches, if this is an additional worktree
    shared = git / (_text(git / "commondir").strip() or ".")
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
