"""Tests of files that change or become invalid while the daemon runs: access is never less restricted than before."""

from __future__ import annotations

import asyncio

import pytest

from exporter.config import ConfigError
from exporter.web.config import reloader
from tests.web.config.material import MUTUAL, OPS, PASSWORD, TLS, USERS

SECRETS = (PASSWORD, "PRIVATE KEY", "$2b$")


@pytest.mark.parametrize(
    "broken",
    ["", "basic_auth_users: {}\n", "basic_auth_users:\n  ops: x\n", "\t", "http_server_config: {http2: false}\n", None],
    ids=["empty", "nobody_left", "bad_hash", "no_yaml", "users_gone", "no_file"],
)
async def test_a_file_that_breaks_never_opens_the_door(serve, folder, caplog, broken):
    served = await serve(USERS)
    path = folder / "web.yml"
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
    assert await served.status() == 401
    assert await served.status(auth=OPS) == 200
    assert len(served.told) == 1
    assert str(path) in served.told[0]
    assert await served.listener.reread() == served.told[0]
    assert caplog.text.count("the web configuration is not used") == 1
    assert not any(secret in caplog.text for secret in SECRETS)
    path.write_text(USERS)
    assert await served.status(auth=OPS) == 200
    assert served.told[1:] == [None]
    assert await served.listener.reread() is None


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (TLS, USERS, "tls_server_config"),
        (MUTUAL, TLS, "client_auth_type"),
        (MUTUAL + "  client_allowed_sans: [a]\n", MUTUAL, "client_allowed_sans"),
        (TLS + USERS, TLS, "basic_auth_users"),
    ],
    ids=["tls", "client_auth_type", "client_allowed_sans", "users"],
)
async def test_no_lock_is_taken_away_while_running(serve, folder, before, after, lost):
    served = await serve(before)
    (folder / "web.yml").write_text(after)
    assert lost in await served.listener.reread()
    assert "restart" in served.told[0]


async def test_a_lock_may_be_added_while_running(serve, folder):
    served = await serve("# nothing yet\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"healthy.\n")
    (folder / "web.yml").write_text(TLS + USERS)
    assert await served.listener.reread() is None
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    served.url = f"https://127.0.0.1:{served.port}"
    assert await served.status(auth=OPS) == 200


async def test_a_file_refused_for_its_mode_is_used_again_once_that_is_mended(serve, folder):
    served = await serve(USERS)
    path = folder / "web.yml"
    path.chmod(0o666)
    path.write_text(f"# changed\n{USERS}")
    assert "chmod o-w" in await served.listener.reread()
    path.chmod(0o600)
    assert await served.listener.reread() is None
    assert "chmod o-w" in served.told[0]
    assert served.told[1:] == [None]


async def test_slow_files_do_not_hold_up_answers(serve, folder, monkeypatch):
    served = await serve(USERS)
    hung = asyncio.Event()
    monkeypatch.setattr(reloader, "PATIENCE", 0.05)

    async def hang(*_: object) -> bytes:
        await hung.wait()
        return b""

    monkeypatch.setattr(reloader.Keeper, "_in_thread", hang)
    assert await served.status() == 401
    assert await served.status(auth=OPS) == 200
    hung.set()


async def test_a_broken_file_at_start_is_refused(serve):
    with pytest.raises(ConfigError, match="basic_auth_user: unknown key; did you mean basic_auth_users"):
        await serve("basic_auth_user: {}\n")
