"""Builds the Dockerfile with buildah and runs the image: as its user, with a read-only root file system.

It needs no registry: a Debian 13 with its own Python is used as the base image.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter import DEFAULT_PORT, __version__
from tests.containers.files import DOCKER, ROOT
from tests.install.machine import LOCAL_CA
from tests.servers.monitoring import HttpServer
from tests.servers.process import accepts, binary, short_folder

pytestmark = [pytest.mark.install, pytest.mark.timeout(1200)]

SUITE, PACKAGES = "trixie", "python3,python3-venv,ca-certificates"
PATIENCE = 900
ID = 65532
# In a mount namespace: the image is read-only, except for the two folders that a container may write to.
INSIDE = """\
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mount -t tmpfs -o size=16m tmpfs "$1/tmp"
mount --bind "$2" "$1/var/lib/mailprobe"
root=$1; shift 2
exec chroot --userspec=65532:65532 "$root" env --ignore-environment "$@"
"""


class Image:
    """The built image: its file system and its configuration."""

    def __init__(self, root: Path, config: Any, state: Path) -> None:
        self.root = root
        self.config = config
        self.state = state

    def argv(self, *arguments: str) -> list[str]:
        """Return the command line of its container; `arguments` replace CMD."""
        chosen = arguments or tuple(self.config["Cmd"])
        inside = ["unshare", "--mount", "--propagation=private", "--", "bash", "-euc", INSIDE, "inside"]
        return [*inside, str(self.root), str(self.state), *self.config["Env"], *self.config["Entrypoint"], *chosen]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.argv(*arguments), capture_output=True, text=True, timeout=120, check=False)


class Container(HttpServer):
    """Runs the image like `docker run --read-only`, as far as possible without Docker."""

    def __init__(self, image: Image) -> None:
        super().__init__("container")
        self.image = image
        self.port = DEFAULT_PORT

    def argv(self) -> list[str]:
        return self.image.argv()


@pytest.fixture(scope="module")
def buildah() -> Iterator[Callable[..., str]]:
    folder = short_folder()
    where = [f"--root={folder}/store", f"--runroot={folder}/run", "--storage-driver=vfs"]
    program = binary("buildah", "buildah")

    def run(*argv: str) -> str:
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(folder)}
        done = subprocess.run(
            [program, *where, *argv], capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    yield run
    run("umount", "--all")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def image(buildah: Callable[..., str]) -> Iterator[Image]:
    folder = short_folder()
    base = folder / "base.tar"
    make = [binary("mmdebstrap", "mmdebstrap"), "--quiet", "--variant=minbase", f"--include={PACKAGES}", SUITE]
    subprocess.run([*make, str(base)], check=True, timeout=PATIENCE)
    working = buildah("from", "scratch")
    buildah("add", working, str(base), "/")
    for authority in LOCAL_CA.glob("*.crt"):  # of a network that inspects downloads
        buildah("add", working, str(authority), str(authority))
    buildah("run", working, "--", "update-ca-certificates")
    buildah("commit", working, "localhost/base")

    build = ["bud", "--format=docker", "--build-arg=BASE=localhost/base", "--tag=localhost/mailprobe"]
    build += [f"--build-arg=VERSION={__version__}", f"--file={DOCKER / 'Dockerfile'}", str(ROOT)]
    buildah(*build)
    described = json.loads(buildah("inspect", "--type=image", "localhost/mailprobe"))
    state = folder / "state"
    state.mkdir(mode=0o700)
    os.chown(state, ID, ID)
    made = buildah("from", "localhost/mailprobe")
    yield Image(Path(buildah("mount", made)), described["Docker"]["config"], state)
    shutil.rmtree(folder)


@pytest.fixture
def container(image: Image, launch: Callable[[Container], Container]) -> Container:
    assert not accepts(DEFAULT_PORT), f"port {DEFAULT_PORT} of this machine must be free"
    return launch(Container(image))


def test_it_says_what_it_is(image: Image):
    assert image.config["User"] == f"{ID}:{ID}"
    assert image.config["Labels"]["org.opencontainers.image.version"] == __version__
    assert image.config["Healthcheck"]["Test"] == ["CMD", "mailprobe", "healthcheck"]
    assert f"{DEFAULT_PORT}/tcp" in image.config["ExposedPorts"]


def test_it_has_no_installer_and_no_source(image: Image):
    assert not list((image.root / "opt/mailprobe/bin").glob("pip*"))
    assert not (image.root / "src").exists()
    # Compiled files are included, because the container cannot write them.
    assert list((image.root / "opt/mailprobe").glob("lib/python3*/site-packages/exporter/daemon/__pycache__/app.*.pyc"))
    owner = (image.root / "var/lib/mailprobe").stat()
    assert (owner.st_uid, owner.st_gid, owner.st_mode & 0o777) == (ID, ID, 0o700)


def test_the_command_works(image: Image):
    assert image.run("--version").stdout.startswith(f"mailprobe, version {__version__}")
    checked = image.run("--config.check")
    assert checked.returncode == 0, checked.stderr
    assert image.run("healthcheck").returncode == 1  # nobody listens


def test_the_daemon_serves_and_its_health_check_sees_it(container: Container):
    assert container.image.run("healthcheck").returncode == 0
    assert container.json("/api/v1/targets")["targets"] == []
    assert (container.image.state / "mailprobe.db").exists()
    status = Path(f"/proc/{container.pid}/status").read_text()
    assert f"\nUid:\t{ID}\t{ID}\t{ID}\t{ID}\n" in status
    assert "\nCapEff:\t0000000000000000\n" in status


def test_nothing_but_its_state_can_be_written(image: Image):
    written = image.run("run", "--storage.path=/opt/mailprobe/state")
    assert written.returncode == 1
    assert "Read-only file system" in written.stderr
