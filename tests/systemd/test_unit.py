"""Tests of the unit with systemd's own tools, and of the files next to it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter import DEFAULT_PORT
from exporter.daemon.options import FLAGS
from exporter.run.scheduler import ALIVE_EVERY
from tests.install.page import blocks
from tests.servers.process import binary, short_folder
from tests.systemd.unit import FOLDER, UNIT, one, settings

PAGE = FOLDER.parents[1] / "docs" / "install.md"


def analyze(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [binary("systemd-analyze", "systemd"), *argv], capture_output=True, text=True, check=False, timeout=150
    )


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that every user may enter, wherever this repository lies (/root is closed to others)."""
    folder = short_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file tree with the unit in its place, and the programs that it names."""
    for program in ("opt/mailprobe/bin/mailprobe", "bin/sh", "usr/bin/env"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o755)
    place = tmp_path / "etc/systemd/system/mailprobe.service"
    place.parent.mkdir(parents=True)
    place.write_text(UNIT.read_text())
    targets = tmp_path / "usr/lib/systemd/system"
    targets.mkdir(parents=True)
    (place.parent / "mailprobe.socket").write_text((FOLDER / "mailprobe.socket").read_text())
    for target in ("sysinit", "basic", "shutdown", "network-online", "nss-lookup", "multi-user", "sockets"):
        (targets / f"{target}.target").write_text("[Unit]\nDescription=there\n")
    return tmp_path


def verify(root: Path) -> subprocess.CompletedProcess[str]:
    return analyze("verify", "--man=no", f"--root={root}", "mailprobe.service", "mailprobe.socket")


def test_it_verifies(root: Path):
    done = verify(root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_verify_would_tell_of_a_mistake(root: Path):
    place = root / "etc/systemd/system/mailprobe.service"
    place.write_text(UNIT.read_text().replace("PrivateTmp=yes", "PrivateTemp=yes"))
    assert "PrivateTemp" in verify(root).stderr


def test_its_exposure_is_at_most_1_5():
    done = analyze("security", "--no-pager", "--offline=yes", "--threshold=15", str(UNIT))
    assert done.returncode == 0, done.stdout


def test_the_threshold_would_tell_of_a_hole(tmp_path: Path):
    looser = tmp_path / "mailprobe.service"
    looser.write_text(UNIT.read_text().replace("SystemCallFilter=", "X-Filter=").replace("PrivateUsers=yes\n", ""))
    assert analyze("security", "--no-pager", "--offline=yes", "--threshold=15", str(looser)).returncode == 1


def test_every_flag_and_variable_exists():
    flags = {f"--{flag.name}" for flag in FLAGS}
    variables = {flag.env for flag in FLAGS}
    beside = ("mailprobe.default", "mailprobe.socket")
    files = [UNIT.read_text(), PAGE.read_text(), *((FOLDER / name).read_text() for name in beside)]
    for text in files:
        used = re.findall(r"--(?:web|config|storage|log|history)\.[a-z.-]+[a-z]", text)
        assert set(used) <= flags
        assert set(re.findall(r"MAILPROBE_[A-Z_]+", text)) <= variables


def test_the_socket_is_at_our_port():
    assert f"\nListenStream={DEFAULT_PORT}\n" in (FOLDER / "mailprobe.socket").read_text()


def test_it_listens_on_our_port_and_may_be_told_otherwise():
    assert f"MAILPROBE_WEB_LISTEN_ADDRESS=:{DEFAULT_PORT}" in one("Environment").split()
    # Later ones win over Environment=; ARGS must be set, or systemd warns at each start.
    assert one("EnvironmentFile") == "-/etc/default/mailprobe"
    assert "ARGS=" in one("Environment").split()
    assert one("ExecStart").endswith(" $ARGS")


def test_a_reload_looks_at_the_same_configuration_as_the_daemon():
    check, kill = settings()["ExecReload"]
    start = one("ExecStart").partition(" run ")[2]
    assert check.partition(" run ")[2] == f"--config.check {start}"
    assert kill == "/bin/sh -c 'kill -HUP $MAINPID'"


def test_the_watchdog_leaves_time_for_two_signs_of_life():
    seconds = float(one("WatchdogSec").removesuffix("s"))
    # A sign at a quarter of it, and the scheduler may tell of its life ALIVE_EVERY late.
    assert 2 * (seconds / 4 + ALIVE_EVERY) < seconds


def test_the_user_that_stays_is_valid_for_systemd(tmp_path: Path):
    text = (FOLDER / "mailprobe.sysusers").read_text()
    (tmp_path / "etc").mkdir()
    done = subprocess.run(
        [binary("systemd-sysusers", "systemd"), f"--root={tmp_path}", "-"],
        input=text, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert one("User") in {line.partition(":")[0] for line in (tmp_path / "etc/passwd").read_text().splitlines()}


def test_the_environment_file_assigns_and_nothing_else():
    for line in (FOLDER / "mailprobe.default").read_text().splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r'[A-Z_]+="?.*"?', line)


def test_the_command_line_finds_what_the_service_uses():
    text = (FOLDER / "mailprobe.command").read_text()
    assert "--config.file=/etc/mailprobe/config.yaml" in one("ExecStart")
    assert "MAILPROBE_CONFIG_FILE:-/etc/mailprobe/config.yaml" in text
    assert f"MAILPROBE_STORAGE_PATH:-/var/lib/{one('StateDirectory')}" in text


@pytest.mark.parametrize("name", ["install", "uninstall"])
def test_the_scripts_parse_and_want_root(name: str, passable: Path):
    assert (FOLDER / name).stat().st_mode & 0o111
    script = passable / name
    shutil.copy2(FOLDER / name, script)
    subprocess.run(["bash", "-n", str(script)], check=True)
    done = subprocess.run(
        [str(script)], capture_output=True, text=True, check=False, user="nobody", cwd="/", timeout=150
    )
    assert done.returncode == 1
    assert "must run as root" in done.stderr


def test_the_page_names_the_credential_that_systemd_makes():
    (config,) = (text for language, text in blocks(PAGE)["Watch a mailbox"] if language == "yaml")
    ident, _, folder = one("LoadCredential").partition(":")
    assert folder == "/etc/mailprobe/credentials"
    assert f"editor {folder}/sales\n" in PAGE.read_text()
    assert f"password_credential: {ident}_sales\n" in config


def test_the_page_shows_a_configuration_that_is_good(tmp_path: Path, monkeypatch):
    from exporter.config import load
    from exporter.targets.build import build

    (config,) = (text for language, text in blocks(PAGE)["Watch a mailbox"] if language == "yaml")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    file = tmp_path / "config.yaml"
    file.write_text(config)
    loaded = load(file)
    assert loaded.problems() == ()
    assert "sales" in {target.name for target in build(loaded).targets}
