"""Fixtures for web configurations: a folder with certificates, and a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.web.listener import Listener
from tests.results import mailbox, ok
from tests.servers.certs import Authority
from tests.web.config.material import Material
from tests.web.config.served import Served
from tests.web.view import FakeView

Write = Callable[[str], Path]


@pytest.fixture(scope="session")
def material(authority: Authority) -> Material:
    return Material(authority)


@pytest.fixture
def folder(material: Material, tmp_path: Path) -> Path:
    """A folder with server.pem, server.key, other.pem, other.key, encrypted.key, ca.pem."""
    material.copy_to(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Write:
    """Writes web.yml into the folder."""

    def written(text: str) -> Path:
        path = folder / "web.yml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return written


@pytest.fixture
async def serve(write, folder):
    """`serve(text)` starts a listener with this web configuration."""
    listeners: list[Listener] = []

    async def start(text: str, *, host: str | None = "127.0.0.1", control: Path | None = None, port: int = 0) -> Served:
        told: list[str | None] = []
        view = FakeView([mailbox()], [ok(mailbox())])
        made = Listener(view, [(host, port)], web_config=write(text), control=control, told=told.append)
        await made.start()
        listeners.append(made)
        return Served(made, told, folder / "ca.pem")

    yield start
    for each in listeners:
        await each.close()
