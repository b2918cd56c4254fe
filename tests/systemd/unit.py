"""Parses the unit: its settings, its command line, and the system calls that its filter allows."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

from tests.servers.process import binary

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNIT = FOLDER / "mailprobe.service"


@cache
def settings() -> dict[str, list[str]]:
    """Return every `Key=value` of the unit, in order, with empty values."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"^([A-Z]\w+)=(.*)$", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def one(key: str) -> str:
    (value,) = settings()[key]
    return value


@cache
def syscalls() -> frozenset[str]:
    """Return the names that SystemCallFilter= allows (systemd.exec(5)): @default is always among them."""
    allowed = set(_group("@default"))
    for line in settings()["SystemCallFilter"]:
        names = {name for word in line.removeprefix("~").split() for name in _group(word)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return frozenset(allowed)


@cache
def _group(word: str) -> frozenset[str]:
    if not word.startswith("@"):
        return frozenset((word,))
    argv = [binary("systemd-analyze", "systemd"), "--no-pager", "syscall-filter", word]
    # systemd 257 reports its own end to the notify socket, and would wait forever if nobody reads it.
    variables = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    lines = subprocess.run(argv, capture_output=True, text=True, check=True, env=variables).stdout.splitlines()
    names = [line.strip() for line in lines if line.startswith("    ") and not line.strip().startswith("#")]
    return frozenset(name for each in names for name in _group(each))
