"""Somebody who types the commands of a page: in a shell, but with folders, ports and services of the test's own."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

IGNORED = ("apt-get", "git", "systemd-sysusers")
"""What changes the machine itself; `make test-install` runs these."""


def lines(commands: str) -> list[str]:
    """Each command by itself, as a person would enter them."""
    return [each for each in commands.replace("\\\n", " ").splitlines() if each.strip()]


@dataclass(slots=True)
class Typist:
    """`systemctl` and `editor` are the test's; everything else runs, and fails the test where it fails."""

    folder: Path
    places: dict[str, str]  # text of the page → what stands for it here
    services: Callable[[str, list[str]], None]  # verb and units of a systemctl
    typed: dict[str, str] = field(default_factory=dict)  # file name → what is entered in the editor
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, commands: str) -> str:
        """What the commands said."""
        return "".join(self._run(each) for each in lines(self.here(commands)))

    def here(self, text: str) -> str:
        for there, stand_in in self.places.items():
            text = text.replace(there, stand_in)
        return text

    def _run(self, command: str) -> str:
        program, *arguments = shlex.split(command)
        if program in IGNORED or program.endswith("/install"):
            return ""
        if program == "systemctl":
            self.services(arguments[0], arguments[1:])
            return ""
        if program == "cd":
            self.folder = Path(arguments[0])
            return ""
        if program == "editor":
            (path,) = map(Path, arguments)
            path.write_text(self.typed[path.name], encoding="utf-8")
            return ""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout
