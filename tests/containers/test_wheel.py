"""Tests of the wheel for the image and the service: built from the builder's files, in a new environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from exporter import __version__
from exporter.daemon.revision import BUILT_IN
from tests.containers.files import ROOT, context

PATIENCE = 120


REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the files that the builder gets."""
    folder = tmp_path_factory.mktemp("context")
    for path in context():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    return folder


def build(source: Path, made: Path, kind: str, **environment: str) -> Path:
    argv = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(made)]
    subprocess.run(argv, cwd=source, env=os.environ | environment, check=True, capture_output=True, timeout=PATIENCE)
    (found,) = made.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return found


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel without .git, as in the image: the builder gets the commit as an argument."""
    return build(source, tmp_path_factory.mktemp("wheel"), "wheel", MAILPROBE_BUILD_REVISION=REVISION)


def revision_in(wheel: Path) -> str | None:
    with zipfile.ZipFile(wheel) as archive:
        name = f"exporter/{BUILT_IN}"
        return archive.read(name).decode().strip() if name in archive.namelist() else None


def test_a_wheel_without_a_known_commit_has_none(source: Path, tmp_path: Path):
    assert revision_in(build(source, tmp_path, "wheel")) is None


def test_a_wheel_of_an_sdist_of_a_checkout_knows_the_commit(source: Path, tmp_path: Path):
    """The sdist has no .git, but a file with the commit."""
    checkout = tmp_path / "checkout"
    shutil.copytree(source, checkout)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(checkout)]
    for command in (["init", "--quiet"], ["commit", "--quiet", "--allow-empty", "--message=tests: a commit"]):
        subprocess.run([*git, *command], check=True, timeout=PATIENCE)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True, timeout=PATIENCE)
    assert revision_in(build(checkout, tmp_path / "wheel", "wheel")) == head.stdout.strip()
    with tarfile.open(build(checkout, tmp_path / "sdist", "sdist")) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert not (unpacked / ".git").exists()
    assert revision_in(build(unpacked, tmp_path / "second", "wheel")) == head.stdout.strip()


@pytest.fixture(scope="module")
def mailprobe(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the command in a new environment. Its dependencies are taken from the environment of the tests."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=PATIENCE)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python3*/site-packages")
    # A path file does not process other path files, so that mailprobe's own, which leads to this checkout, is ignored.
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run(
        [*install, "--ignore-installed", "--disable-pip-version-check", str(wheel)], check=True, timeout=PATIENCE
    )
    return folder / "bin" / "mailprobe"


def run(mailprobe: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(mailprobe), *argv], cwd=mailprobe.parent, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_it_holds_everything_that_the_package_reads(wheel: Path):
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "exporter").rglob("*") if path.is_file()}
    assert {path for path in files if "__pycache__" not in path} <= inside
    runbooks = {path.name for path in (ROOT / "docs" / "runbooks").rglob("*.md")}
    assert runbooks
    assert runbooks <= {Path(path).name for path in inside}


def test_it_holds_nothing_else(wheel: Path):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"exporter", f"mailprobe_exporter-{__version__}.dist-info"}


def test_it_runs_from_where_it_is_installed(mailprobe: Path):
    where = [str(mailprobe.parent / "python"), "-c", "import exporter; print(exporter.__file__)"]
    found = subprocess.run(where, cwd="/", capture_output=True, text=True, check=True, timeout=PATIENCE).stdout
    assert found.startswith(str(mailprobe.parents[1]))
    assert run(mailprobe, "--version").stdout.startswith(f"mailprobe, version {__version__} (revision: {REVISION})\n")


def test_it_finds_its_data(mailprobe: Path, tmp_path: Path):
    done = run(mailprobe, "--config.check", f"--config.file={ROOT / 'config.yaml'}")
    assert (done.returncode, done.stdout.strip()) == (0, f"{ROOT / 'config.yaml'}: good, 0 targets with 0 probes")
    assert run(mailprobe, "explain", "535 5.7.8 Error: authentication failed").returncode == 0
    assert "163.com" in run(mailprobe, "providers", "someone@163.com", "--config.file=/dev/null").stdout
    assert run(mailprobe, "demo", "--config.check").returncode == 0
