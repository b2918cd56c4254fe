"""Tests of `--web.config.file` with Prometheus and the command line, and of the messages about invalid files."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.web.config.load import load
from tests.servers.certs import Authority
from tests.servers.daemon import ROOT, Daemon
from tests.servers.monitoring import Prometheus
from tests.servers.process import free_port
from tests.web.config.material import MUTUAL, PASSWORD, TLS, Material, hashed

CONFIG = """\
defaults: {timeout: 2s}
endpoints:
  - {name: gone, host: 127.0.0.1, port: PORT, security: tls, protocol: imap}
"""
USERS = f"basic_auth_users:\n  prometheus: {hashed()}\n"
SCRAPE = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: mailprobe
    scheme: https
    basic_auth: {{username: prometheus, password: {password}}}
    tls_config: {{ca_file: {ca_file}, cert_file: {cert}, key_file: {key}, server_name: localhost}}
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class UnixConnection(http.client.HTTPConnection):
    """HTTP through a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class SecureDaemon(Daemon):
    """With a web configuration beside its config.yaml; asked through its control socket."""

    def __init__(self, authority: Authority, web_config: str) -> None:
        super().__init__(CONFIG.replace("PORT", str(free_port())), {})
        self.material = Material(authority)
        self.material.copy_to(self.folder)
        self.web_config = self.folder / "web.yml"
        self.web_config.write_text(web_config)
        self.web_config.chmod(0o600)
        self.flags = [f"--web.config.file={self.web_config}"]

    def ask(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Status and body, past TLS and login."""
        connection = UnixConnection(self.folder / "data" / "control.sock")
        with contextlib.closing(connection):
            connection.request(method, path)
            with connection.getresponse() as answer:
                return answer.status, answer.read().decode()

    def ready(self) -> bool:
        try:
            return self.ask("/-/ready")[0] == 200
        except OSError:
            return False

    def metric(self, series: str) -> float | None:
        lines = (line for line in self.ask("/metrics")[1].splitlines() if line.startswith(series))
        return next((float(line.rsplit(" ", 1)[1]) for line in lines), None)


@pytest.fixture
def secured(authority, launch):
    return lambda web_config: launch(SecureDaemon(authority, web_config))


def mailprobe(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "HOME": str(cwd), **environ},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


LOCKED = MUTUAL + "  client_allowed_sans: [prometheus.example.com]\n" + USERS


def test_prometheus_scrapes_with_user_and_client_certificate_and_through_a_rotation(secured, authority, launch):
    daemon = secured(LOCKED)
    own = authority.good("prometheus.example.com")
    filled = {"ca_file": authority.ca_file, "cert": own.chain, "key": own.key, "port": daemon.port}
    server = launch(Prometheus(SCRAPE.format(password=PASSWORD, **filled)))
    stranger = launch(Prometheus(SCRAPE.format(password="wrong", **filled)))
    server.wait_for('up{job="mailprobe"} == 1')
    server.wait_for("mailprobe_build_info")
    stranger.wait_for('up{job="mailprobe"} == 0')

    first = daemon.metric("mailprobe_config_last_reload_success_timestamp_seconds")
    daemon.web_config.write_text("basic_auth_users: {}\n")
    server.wait_for("mailprobe_config_last_reload_successful == 0")
    assert "cannot be removed while the daemon is running" in daemon.tail()
    daemon.web_config.write_text(LOCKED)
    Material.place(authority.good("localhost"), daemon.folder)
    server.wait_for("mailprobe_config_last_reload_successful == 1")
    later = daemon.metric("mailprobe_config_last_reload_success_timestamp_seconds")
    assert first is not None
    assert later is not None
    assert later > first
    assert server.query('min_over_time(up{job="mailprobe"}[1m])')[0]["value"][1] == "1"


def test_the_command_line_reaches_a_daemon_that_wants_certificate_and_login(secured):
    daemon = secured(MUTUAL + USERS)
    flags = (f"--config.file={daemon.config}", f"--storage.path={daemon.folder}/data")
    listen = f"--web.listen-address=127.0.0.1:{daemon.port}"
    checked = mailprobe("check", "gone", *flags, cwd=daemon.folder)
    assert (checked.returncode, "asking the daemon at unix:" in checked.stderr) == (1, True), checked.stderr
    assert "gone" in checked.stdout
    told = mailprobe("report", "gone", *flags, cwd=daemon.folder)
    assert (told.returncode, told.stderr) == (0, "")
    assert mailprobe("healthcheck", listen, cwd=daemon.folder).returncode == 0
    daemon.stop()
    assert mailprobe("healthcheck", listen, cwd=daemon.folder).returncode == 1


def test_the_command_line_reaches_another_machines_daemon_with_a_netrc(secured):
    daemon = secured(TLS + USERS)
    url = f"--url=https://127.0.0.1:{daemon.port}"
    trust = {"SSL_CERT_FILE": str(daemon.folder / "ca.pem")}

    untrusted = mailprobe("check", url, cwd=daemon.folder)
    assert (untrusted.returncode, "SSL_CERT_FILE" in untrusted.stderr) == (2, True)
    unknown = mailprobe("report", "gone", url, cwd=daemon.folder, **trust)
    assert (unknown.returncode, "~/.netrc (machine 127.0.0.1 " in unknown.stderr) == (2, True), unknown.stderr

    netrc = daemon.folder / ".netrc"
    netrc.write_text(f'machine 127.0.0.1 login prometheus password "{PASSWORD}"\n')
    netrc.chmod(0o600)
    assert mailprobe("check", "gone", url, cwd=daemon.folder, **trust).returncode == 1


def test_a_reload_looks_at_the_web_configuration_too(secured):
    daemon = secured(TLS + USERS)
    assert daemon.ask("/-/reload", "POST")[0] == 200
    daemon.web_config.write_text(TLS + "basic_auth_users: {ops: very-secret}\n")
    status, said = daemon.ask("/-/reload", "POST")
    assert status == 500
    assert said.startswith("the config was reloaded; the web configuration (--web.config.file) is refused, its old")
    assert "configuration reloaded, but not the web configuration" in daemon.log.read_text()
    assert f"{daemon.web_config}:4: basic_auth_users.ops: is not a bcrypt hash" in said
    assert daemon.metric("mailprobe_config_last_reload_successful") == 0
    assert "very-secret" not in daemon.log.read_text() + said + daemon.ask("/")[1] + daemon.ask("/config")[1]
    good = daemon.config.read_text()
    daemon.config.write_text("endpoint: []\n")
    first, second = daemon.ask("/-/reload", "POST")[1].splitlines()
    assert first.startswith(f"the config was not reloaded, the old one runs on: {daemon.config}:1: endpoint")
    assert second.startswith("the web configuration (--web.config.file) is refused, its old one holds: ")
    daemon.config.write_text(good)
    daemon.web_config.write_text(TLS + USERS)
    assert daemon.ask("/-/reload", "POST")[0] == 200
    assert daemon.metric("mailprobe_config_last_reload_successful") == 1


@pytest.mark.parametrize("verb", [("run",), ("run", "--config.check")])
def test_a_bad_file_at_start_ends_with_2_and_says_where_and_what(tmp_path, authority, verb):
    Material(authority).copy_to(tmp_path)
    (tmp_path / "config.yaml").write_text("mailboxes: []\n")
    (tmp_path / "web.yml").write_text("tls_server_config:\n  certfile: server.pem\n  key_file: server.key\n")
    flags = ("--web.config.file=web.yml", f"--web.listen-address=127.0.0.1:{free_port()}")
    done = mailprobe(*verb, *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert "web.yml:2: tls_server_config.certfile: unknown key; did you mean cert_file?" in done.stderr


def test_config_check_takes_a_good_file_and_passes_its_warnings_on(tmp_path, authority):
    Material(authority).copy_to(tmp_path)
    (tmp_path / "config.yaml").write_text("mailboxes: []\n")
    (tmp_path / "web.yml").write_text(TLS + "  min_version: TLS10\n" + USERS)
    done = mailprobe("--config.check", cwd=tmp_path, MAILPROBE_WEB_CONFIG_FILE="web.yml")
    assert done.returncode == 0, done.stderr
    assert "warning: web.yml:4: tls_server_config.min_version: TLS 1.2 is the oldest" in done.stderr


def test_the_example_loads_as_it_is_shipped_and_with_its_comments_taken_off(tmp_path, authority):
    Material(authority).copy_to(tmp_path)
    for name, source in (("tls.crt", "server.pem"), ("tls.key", "server.key"), ("clients-ca.crt", "ca.pem")):
        shutil.copy(tmp_path / source, tmp_path / name)
    shipped = (ROOT / "deploy" / "web.config.example.yml").read_text()
    whole, count = re.subn(r"^( *)# (?=(client_\w+|rate_limit): )", r"\1", shipped, flags=re.MULTILINE)
    assert count == 4
    path = tmp_path / "web.yml"
    path.write_text(shipped)
    settings = load(path)
    assert (settings.warnings, settings.notes, set(settings.users)) == ((), (), {"prometheus", "ops"})
    path.write_text(whole)
    settings = load(path)
    assert settings.certificate_required
    assert (settings.interval, settings.burst) == (0.1, 100)
