"""Runs the commands of a page in a shell, with folders, ports and services of the test."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

IGNORED = ("apt-get", "git", "systemd-sysusers")
"""Commands that change the machine itself; `make test-install` runs these."""


def lines(commands: str) -> list[str]:
    """Return each command as a person would enter it."""
    return [each for each in commands.replace("\\\n", " ").splitlines() if each.strip()]


@dataclass(slots=True)
class Typist:
    """Runs commands.

    `systemctl` and `editor` are replaced by the test; everything else really runs, and a failed command fails the test.
    """

    folder: Path
    places: dict[str, str]  # text of the page → its replacement here
    services: Callable[[str, list[str]], None]  # verb and units of a call of systemctl
    typed: dict[str, str] = field(default_factory=dict)  # file name → text to enter in the editor
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, commands: str) -> str:
        """Run the commands and return their output."""
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
