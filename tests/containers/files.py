"""Parses the container files, and lists which files of the repository the builder gets."""

from __future__ import annotations

import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "deploy" / "docker"
KUBERNETES = ROOT / "deploy" / "kubernetes"
DASHBOARDS = ROOT / "grafana" / "dashboards"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@cache
def manifest(name: str) -> Any:
    return read(KUBERNETES / f"{name}.yaml")


def context() -> list[Path]:
    """Return the files that .dockerignore lets through, relative to ROOT.

    The rules in use: the last matching line decides, `!` includes again, a line for a folder includes all below it.
    """
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]

    def sent(path: Path) -> bool:
        ignored = False
        for rule in rules:
            pattern = rule.removeprefix("!")
            places = [path, *path.parents][:-1]
            if pattern.startswith("**/"):
                hit = any(fnmatch.fnmatch(place.name, pattern.removeprefix("**/")) for place in places)
            else:
                # `*` matches within one part of a path only.
                hit = any(
                    len(place.parts) == len(Path(pattern).parts) and fnmatch.fnmatch(str(place), pattern)
                    for place in places
                )
            if hit:
                ignored = not rule.startswith("!")
        return not ignored

    tops = [ROOT / rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    found = {path for top in tops for path in (top, *top.rglob("*")) if path.is_file()}
    return sorted(path for path in (each.relative_to(ROOT) for each in found) if sent(path))
