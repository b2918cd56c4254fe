"""Tests of the reported commit: from the built-in file, else from the checkout, and equal to git's own answer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from exporter.daemon.revision import BUILT_IN, of_checkout, revision

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git(folder: Path, *command: str) -> str:
    argv = [
        "git",
        "-c",
        "safe.directory=*",
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "-C",
        str(folder),
        *command,
    ]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=tests: a commit")
    return folder


def test_a_branch(checkout: Path):
    assert of_checkout(checkout) == git(checkout, "rev-parse", "HEAD")


def test_a_branch_whose_name_is_packed(checkout: Path):
    git(checkout, "branch", "other")
    git(checkout, "pack-refs", "--all")
    assert of_checkout(checkout) == git(checkout, "rev-parse", "HEAD")


def test_no_branch(checkout: Path):
    git(checkout, "checkout", "--quiet", "--detach")
    assert of_checkout(checkout) == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("packed", [False, True])
def test_a_further_worktree(checkout: Path, tmp_path: Path, *, packed: bool):
    further = tmp_path / "further"
    git(checkout, "worktree", "add", "--quiet", "-b", "area/other", str(further))
    git(further, "commit", "--quiet", "--allow-empty", "--message=tests: another commit")
    if packed:
        git(checkout, "pack-refs", "--all")
    assert of_checkout(further) == git(further, "rev-parse", "HEAD") != of_checkout(checkout)


def test_nothing_is_known(tmp_path: Path):
    assert of_checkout(tmp_path) == ""
    git(tmp_path, "init", "--quiet")
    assert of_checkout(tmp_path) == ""  # no commit yet
    (tmp_path / ".git" / "HEAD").write_bytes(b"\xff")
    assert of_checkout(tmp_path) == ""


def test_the_built_in_file_comes_first(checkout: Path):
    package = checkout / "exporter"
    assert revision(package) == git(checkout, "rev-parse", "HEAD")
    (package / BUILT_IN).parent.mkdir(parents=True)
    (package / BUILT_IN).write_text(f"{COMMIT}\n")
    assert revision(package) == COMMIT


def test_this_checkout_tells():
    assert revision() == git(ROOT, "rev-parse", "HEAD")
