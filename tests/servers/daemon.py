"""mailprobe as a process, started as a user would start it."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests.servers.monitoring import HttpServer, get
from tests.servers.process import PATIENCE
from tests.servers.world import MailWorld

ROOT = Path(__file__).parents[2]

CONFIG = """\
resolvers: ["{resolver}"]
defaults:
  interval: {{login: 2s, tls: 2s, dns: 2s, roundtrip: 2s}}
  timeout: 20s
  recheck: 1s
  ca_file: {ca_file}
limits: {{logins_per_host_per_minute: 6000}}
mailboxes:
  - name: alice
    address: alice@example.test
    password_file: secrets/alice
    imap: {{host: mail.example.test, port: {imaps}, security: tls}}
    smtp: {{host: mail.example.test, port: {submission}, security: starttls}}
  - name: bob
    address: bob@example.test
    password_file: secrets/bob
    imap: {{host: mail.example.test, port: {imap}, security: starttls}}
    smtp: {{host: mail.example.test, port: {submissions}, security: tls}}
domains:
  - {{name: example.test, dkim_selectors: [{dkim_selector}]}}
routes:
  - {{name: alice-to-bob, from: alice, to: bob, late_after: 30s, lost_after: 60s}}
"""


class Daemon(HttpServer):
    """`mailprobe run` with the configuration in `config`; secrets are files in `secrets`."""

    ready_path = "/-/ready"

    def __init__(self, config: str, secrets: dict[str, str], flags: Sequence[str] = ()) -> None:
        super().__init__("mailprobe")
        self.config = self.folder / "config.yaml"
        self.secrets = self.folder / "secrets"
        self.secrets.mkdir(mode=0o700)
        for name, value in secrets.items():
            self.secret(name, value)
        self.config.write_text(config)
        self.config.chmod(0o600)
        self.flags = list(flags)

    def secret(self, name: str, value: str) -> None:
        path = self.secrets / name
        path.write_text(value + "\n")
        path.chmod(0o600)

    def argv(self) -> list[str]:
        return [
            "env",
            f"PYTHONPATH={ROOT}",
            sys.executable,
            "-m",
            "exporter",
            "run",
            f"--config.file={self.config}",
            f"--storage.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            *self.flags,
        ]

    def text(self, path: str) -> str:
        return get(self.url + path).decode()

    def post(self, path: str) -> tuple[int, str]:
        """Send a POST request. Returns status and body."""
        request = urllib.request.Request(self.url + path, method="POST", headers={"X-Mailprobe": "1"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30 * PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()

    def metric(self, series: str) -> float | None:
        """Return the value of the one series that begins with this text, or None if there is none."""
        for line in self.text("/metrics").splitlines():
            if line.startswith(series):
                return float(line.rsplit(" ", 1)[1])
        return None


def mailprobe(*arguments: str, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a mailprobe command and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", **environ},
    )


def daemon_for(world: MailWorld, config: str = CONFIG, flags: Sequence[str] = ()) -> Daemon:
    """Return a daemon that monitors the mail world."""
    text = config.format(
        resolver=world.resolver,
        ca_file=world.ca_file,
        imap=world.imap,
        imaps=world.imaps,
        submission=world.submission,
        submissions=world.submissions,
        dkim_selector=world.dkim_selector,
    )
    secrets = {name.partition("@")[0]: password for name, password in world.users.items()}
    return Daemon(text, secrets, flags)
