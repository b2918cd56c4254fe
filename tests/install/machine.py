"""A new Debian in a container of systemd-nspawn, started by its own systemd."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.servers.process import ServerError, binary, short_folder, wait_until

RELEASES = {"bookworm": "3.11", "trixie": "3.13"}  # release → version of its Python
PACKAGES = "systemd-sysv,dbus"  # in addition to the packages of every Debian
COMMAND = 600.0  # seconds that a command in it may take
BOOT = 120.0  # seconds
LOCAL_CA = Path("/usr/local/share/ca-certificates")


class Machine:
    """A context manager. It uses the network of this machine, so its loopback is ours."""

    def __init__(self, release: str) -> None:
        self.release = release
        self.folder = short_folder()
        self.root = self.folder / "root"
        self.log = self.folder / "console"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        try:
            self._make()
            self._boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file on the machine."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def run(self, script: str, *, check: bool = True) -> str:
        """Run a command in a root shell and return stdout and stderr.

        Raises ServerError if it fails and `check` is set.
        """
        done = self._run(script)
        if check and done.returncode:
            raise ServerError(f"exit {done.returncode}: {script}\n{done.stdout}")
        return done.stdout

    def fails(self, script: str) -> str:
        """Do the same as `run` with a command that must fail."""
        done = self._run(script)
        if not done.returncode:
            raise ServerError(f"this did not fail: {script}\n{done.stdout}")
        return done.stdout

    def close(self) -> None:
        """Stop it and remove it."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()  # nspawn then asks its systemd to power off
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self) -> None:
        argv = [binary("mmdebstrap", "mmdebstrap"), "--quiet", "--variant=minbase", f"--include={PACKAGES}"]
        made = subprocess.run(
            [*argv, self.release, str(self.root)], capture_output=True, text=True, timeout=COMMAND, check=False
        )
        if made.returncode:
            raise ServerError(f"mmdebstrap: {made.stderr}")
        # The settings that this network needs (a mirror of PyPI, a further authority) are needed there too.
        for file in (Path("/etc/pip.conf"), *LOCAL_CA.glob("*.crt")):
            if file.exists():
                self.write(str(file), file.read_text(encoding="utf-8"))

    def _boot(self) -> None:
        argv = [binary("systemd-nspawn", "systemd-container"), "--quiet", f"--directory={self.root}"]
        argv += [f"--machine=mailprobe-{os.getpid()}", "--register=no", "--link-journal=no", "--console=pipe", "--boot"]
        argv += ["--resolv-conf=replace-host", "--timezone=off"]
        if not Path("/run/systemd/system").exists():
            argv.append("--keep-unit")  # nothing in the container could create it
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(self._up, BOOT, "the machine boots")
        except ServerError as exc:
            raise ServerError(f"{exc}\n{self.log.read_text(errors='replace')[-4000:]}") from exc

    def _up(self) -> bool:
        """Return whether its systemd has started all units."""
        if self._process is None or self._process.poll() is not None:
            raise ServerError("systemd-nspawn ended")
        self._leader = self._leader or _systemd_below(self._process.pid)
        time.sleep(0.2)
        if not self._leader:
            return False
        return self._run("systemctl is-system-running 2>/dev/null || true").stdout.strip() in {"running", "degraded"}

    def _run(self, script: str) -> subprocess.CompletedProcess[str]:
        # Not with machinectl: it needs a host with systemd.
        argv = ["nsenter", f"--target={self._leader}", "--all", "--"]
        argv += [
            "/usr/bin/env",
            "--chdir=/root",
            "--ignore-environment",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ]
        argv += [
            "HOME=/root",
            "LANG=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
            "bash",
            "-euo",
            "pipefail",
            "-c",
            script,
        ]
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=COMMAND,
            check=False,
        )


def _systemd_below(pid: int) -> int:
    """Return the id of process 1 in the container of this nspawn; 0 if there is none."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                return int(child)
            if found := _systemd_below(int(child)):
                return found
    return 0
