"""The two programs to compare: our worker, and blackbox_exporter with a client that queries it at an even rate."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.bench.scene import Scene
from tests.servers.dovecot import HOST, PASSWORD
from tests.servers.monitoring import Blackbox
from tests.servers.process import ServerError
from tests.servers.world import DOMAIN

ROOT = Path(__file__).parents[2]
USER = f"user0@{DOMAIN}"
SASL_PLAIN = b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()


def cpu_of(pid: int) -> float:
    """Return user plus system time of a process, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Worker:
    """Our program: `tests.bench.worker` as a process."""

    def __init__(self, config: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailprobe-bench-"))
        self._config = self.folder / "config.yaml"
        self._config.write_text(config, encoding="utf-8")
        self._config.chmod(0o600)
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.worker", str(self._config), str(self.folder / "state")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.communicate(timeout=20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, probes: Sequence[str], rate: float, seconds: float) -> dict[str, Any]:
        """Run one round; see `tests.bench.worker.Cost`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"probes": probes, "rate": rate, "seconds": seconds}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise ServerError("the worker ended")
        cost: dict[str, Any] = json.loads(answer)
        if cost["failures"]:
            raise ServerError(f"runs failed: {cost['failures']}")
        return cost


# -- blackbox_exporter ---------------------------------------------------------------------------------------------

Step = dict[str, Any]


def imap_steps(said: Sequence[str]) -> list[Step]:
    """Return the commands of our own transcript as a script: each command is followed by its tagged OK."""
    steps: list[Step] = [{"expect": r"^\* OK"}]
    for line in said:
        command = line.replace("<secret>", SASL_PLAIN)
        steps += [{"send": command + "\r"}, {"expect": f"^{command.split()[0]} OK"}]
    return steps


def smtp_steps(said: Sequence[str]) -> list[Step]:
    """Return the same for SMTP."""
    steps: list[Step] = [{"expect": "^220 "}]
    for line in said:
        verb = line.split()[0].upper()
        code = {"STARTTLS": "220", "AUTH": "235", "QUIT": "221"}.get(verb, "250")
        steps += [{"send": line.replace("<secret>", SASL_PLAIN) + "\r"}, {"expect": f"^{code} "}]
        if verb == "STARTTLS":
            steps.append({"starttls": True})
    return steps


def modules(scene: Scene, scripts: dict[str, list[Step]]) -> str:
    """Return blackbox.yml. `scripts` has the dialogue of each module; modules named imap… use implicit TLS."""
    trust = {"ca_file": str(scene.authority.ca_file), "server_name": HOST}
    made: dict[str, Any] = {
        "tls": {"tls": True, "tls_config": trust},
    }
    for name, steps in scripts.items():
        made[name] = {"tls": not name.startswith("smtp"), "tls_config": trust, "query_response": steps}
    probers: dict[str, Any] = {
        name: {"prober": "tcp", "timeout": "10s", "tcp": {"preferred_ip_protocol": "ip4"} | options}
        for name, options in made.items()
    }
    for kind in ("MX", "TXT"):
        asked = {"query_name": DOMAIN, "query_type": kind, "preferred_ip_protocol": "ip4"}
        probers[f"dns_{kind.lower()}"] = {"prober": "dns", "timeout": "10s", "dns": asked}
    return json.dumps({"modules": probers})  # JSON is YAML


class Rival:
    """blackbox_exporter, queried at an even rate as Prometheus does it."""

    def __init__(self, scene: Scene, scripts: dict[str, list[Step]]) -> None:
        self._server = Blackbox(modules(scene, scripts))
        self._targets = {
            "dns": scene.resolver.address,
            "smtp": f"127.0.0.1:{scene.postfix.submission}",
            "imap": f"127.0.0.1:{scene.dovecot.imaps}",
        }

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.close()

    async def run(self, names: Sequence[str], rate: float, seconds: float) -> float:
        """Return the CPU seconds per probe. The modules run in turn."""
        urls = [self._url(name) for name in names]
        count = round(rate * seconds / len(urls)) * len(urls)
        async with aiohttp.ClientSession() as client:
            for url in urls:
                await self._ask(client, url)
            before = cpu_of(self._server.pid)
            began = time.monotonic()
            async with asyncio.TaskGroup() as group:
                for index in range(count):
                    await asyncio.sleep(max(0.0, began + index / rate - time.monotonic()))
                    group.create_task(self._ask(client, urls[index % len(urls)]))
            return (cpu_of(self._server.pid) - before) / count

    def _url(self, module: str) -> str:
        target = self._targets.get(module.partition("_")[0], self._targets["imap"])
        return f"{self._server.url}/probe?{urllib.parse.urlencode({'module': module, 'target': target})}"

    async def _ask(self, client: aiohttp.ClientSession, url: str) -> None:
        async with client.get(url) as answer:
            text = await answer.text()
        if "\nprobe_success 1" not in text:
            async with client.get(url + "&debug=true") as answer:
                raise ServerError(f"{url} failed: {await answer.text()}")
