"""Tests that reading a configuration loads no module of the runtime."""

from __future__ import annotations

import subprocess
import sys

LISTING = "import sys, exporter.config; print(*sorted(sys.modules), sep='\\n')"


def test_the_configuration_loads_nothing_of_the_runtime():
    done = subprocess.run([sys.executable, "-c", LISTING], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    libraries = {
        "aiohttp",
        "aioimaplib",
        "aiosmtplib",
        "dns",
        "jinja2",
        "prometheus_client",
        "rich",
        "sqlite3",
        "uvloop",
    }
    assert libraries.isdisjoint(loaded)
    ours = {name.split(".")[1] for name in loaded if name.startswith("exporter.")}
    assert ours == {"config", "credentials", "model", "net"}
    assert {name for name in loaded if name.startswith("exporter.net.")} == {"exporter.net.urls"}
    assert {name for name in loaded if name.startswith("exporter.credentials.")} == {"exporter.credentials.sources"}
