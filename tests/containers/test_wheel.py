"""The wheel that the image and the service install, made of what the builder is sent, in an environment of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from exporter import __version__
from tests.containers.files import ROOT, context

PATIENCE = 120


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, made = tmp_path_factory.mktemp("context"), tmp_path_factory.mktemp("wheel")
    for path in context():
        target = source / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)]
    subprocess.run(argv, cwd=source, check=True, capture_output=True, timeout=PATIENCE)
    (found,) = made.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def mailprobe(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of a new environment; what mailprobe needs from others is taken from this one."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=PATIENCE)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python3*/site-packages")
    # As a path file, which does not look at other path files: mailprobe's own, which leads here, does not count.
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
    assert run(mailprobe, "--version").stdout.startswith(f"mailprobe, version {__version__}")


def test_it_finds_its_data(mailprobe: Path, tmp_path: Path):
    done = run(mailprobe, "--config.check", f"--config.file={ROOT / 'config.yaml'}")
    assert (done.returncode, done.stdout.strip()) == (0, f"{ROOT / 'config.yaml'}: good, 0 targets with 0 probes")
    assert run(mailprobe, "explain", "535 5.7.8 Error: authentication failed").returncode == 0
    assert "163.com" in run(mailprobe, "providers", "someone@163.com", "--config.file=/dev/null").stdout
    assert run(mailprobe, "demo", "--config.check").returncode == 0
