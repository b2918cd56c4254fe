"""Tests of compose.yaml with Debian's docker-compose, which needs no Docker daemon, and of the files that it mounts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter import DEFAULT_PORT, __version__
from exporter.config import load
from exporter.daemon.options import FLAGS
from exporter.targets.build import build
from tests.containers.files import DOCKER, ROOT, read
from tests.servers.process import binary

FILE = DOCKER / "compose.yaml"


@pytest.fixture(scope="module")
def compose() -> Any:
    return read(FILE)


def mounts(compose: Any) -> Iterator[tuple[Path, str]]:
    for service in compose["services"].values():
        for mount in service.get("volumes", ()):
            source, target, *_ = mount.split(":")
            if source.startswith("."):
                yield (DOCKER / source).resolve(), target


def config(file: Path) -> subprocess.CompletedProcess[str]:
    argv = [binary("docker-compose", "docker-compose"), "--file", str(file), "config", "--quiet"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_docker_compose_takes_it():
    done = config(FILE)
    assert done.returncode == 0, done.stderr


def test_docker_compose_would_tell_of_a_mistake(tmp_path: Path):
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(FILE.read_text().replace("read_only:", "readonly:"))
    assert config(wrong).returncode != 0


def test_what_is_mounted_is_there_and_read_only(compose):
    found = dict(mounts(compose))
    assert found
    for source in found:
        assert source.exists(), source
    for service in compose["services"].values():
        for mount in service.get("volumes", ()):
            assert mount.endswith(":ro") == mount.startswith(".")


def test_every_volume_and_secret_is_declared(compose):
    used = {
        mount.split(":")[0]
        for service in compose["services"].values()
        for mount in service.get("volumes", ())
        if not mount.startswith(".")
    }
    assert used == set(compose["volumes"])
    assert set(compose["services"]["mailprobe"]["secrets"]) == set(compose["secrets"])


@pytest.mark.parametrize("name", ["mailprobe", "prometheus", "alertmanager", "grafana"])
def test_no_service_has_more_rights_than_it_needs(compose, name: str):
    service = compose["services"][name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", False) == (name != "grafana")  # Grafana can write in its installation folder
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert re.search(r":v?\d+\.\d+\.\d+$", service["image"])


def test_our_own_service_is_this_version_with_flags_that_exist(compose):
    service = compose["services"]["mailprobe"]
    assert service["image"] == f"mailprobe:{__version__}"
    assert service["user"] == "65532:65532"
    assert service["ports"] == [f"127.0.0.1:{DEFAULT_PORT}:{DEFAULT_PORT}"]
    flags = {word.partition("=")[0] for word in service["command"][1:]}
    assert flags <= {f"--{flag.name}" for flag in FLAGS}
    assert (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).exists()


def test_prometheus_takes_its_configuration_and_all_rules(compose, tmp_path: Path):
    """The files are placed as the container mounts them."""
    for source, target in mounts(compose):
        if target.startswith("/etc/prometheus/"):
            (tmp_path / Path(target).name).symlink_to(source)
    argv = [binary("promtool", "prometheus"), "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SUCCESS:") >= 2  # the configuration, and each file of rules
    assert "mailprobe.alerts.yml" in done.stdout


def test_prometheus_finds_the_others_by_their_names(compose):
    text = (DOCKER / "prometheus.yml").read_text()
    assert set(re.findall(r'"(\w+):\d+"', text)) <= set(compose["services"])
    assert f'"mailprobe:{DEFAULT_PORT}"' in text
    assert "job_name: mailprobe" in text


def test_alertmanager_takes_the_configuration_that_is_mounted(compose):
    (flag, *_) = compose["services"]["alertmanager"]["command"]
    folder = next(source for source, target in mounts(compose) if target == "/etc/alertmanager")
    file = folder / Path(flag.partition("=")[2]).name
    argv = [binary("amtool", "prometheus-alertmanager"), "check-config", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_configuration_is_good_but_for_the_secret_that_is_yours():
    loaded = load(DOCKER / "config.yaml")
    (problem,) = loaded.problems()
    assert str(problem).endswith("password_file: cannot be read: No such file or directory")
    assert "sales" in {target.name for target in build(loaded).targets}


def test_the_folder_for_secrets_is_not_for_git(compose):
    (secret,) = compose["secrets"].values()
    assert secret["file"].startswith("./secrets/")
    assert "/deploy/docker/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
