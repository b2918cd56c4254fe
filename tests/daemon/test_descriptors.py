"""Few file descriptors: the web pages answer whatever the probes do, and the log tells what to change."""

from __future__ import annotations

import socket

import pytest

from exporter.daemon.descriptors import bounded, warning
from exporter.model.settings import Limits
from tests.servers.daemon import Daemon
from tests.servers.process import binary, wait_until

FEW = 64


@pytest.mark.parametrize(("limit", "runs"), [(64, 8), (10, 1), (448, 200), (447, 199), (1 << 20, 200)])
def test_so_many_runs_at_once(limit: int, runs: int):
    assert bounded(Limits(in_flight=200), limit).in_flight == runs
    assert bool(warning(Limits(in_flight=200), limit)) == (runs < 200)


class Restricted(Daemon):
    """With few file descriptors."""

    def argv(self) -> list[str]:
        return [binary("prlimit", "util-linux"), f"--nofile={FEW}", *super().argv()]


def test_silent_servers_take_no_descriptor_from_the_web_pages():
    with socket.create_server(("127.0.0.1", 0), backlog=500) as silent:
        port = silent.getsockname()[1]
        target = "  - {{name: t{0}, host: 127.0.0.1, port: {1}, security: tls, protocol: imap}}\n"
        config = "limits: {per_host: 1000}\ndefaults: {interval: {tls: 1s}}\nendpoints:\n"
        config += "".join(target.format(number, port) for number in range(200))
        with Restricted(config, {}) as daemon:
            assert "64 file descriptors are enough for 8 probes at once" in daemon.tail()
            wait_until(lambda: bool(daemon.metric("mailprobe_probes_in_progress")), 30, "probes under way")
            for _ in range(40):
                assert daemon.text("/-/healthy")
            assert "Too many open files" not in daemon.tail(1000)
