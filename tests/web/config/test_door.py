"""Tests of logins on every path, headers, the rate limit, and the control socket, which needs no login."""

from __future__ import annotations

import aiohttp
import pytest

from exporter.web.config.users import Busy, Users
from tests.web.config.material import MUTUAL, OPS, PASSWORD, USERS, hashed
from tests.web.config.served import basic

PATHS = ("/", "/metrics", "/-/healthy", "/-/ready", "/config", "/style.css", "/api/v1/targets", "/nothing/here")


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_wants_a_login(serve, path):
    served = await serve(USERS)
    for auth in (None, ("ops", "wrong"), ("nobody", PASSWORD)):
        async with served.get(path, auth=auth) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
            assert "sales" not in await answer.text()
    assert await served.status(path, auth=OPS) == (404 if path == "/nothing/here" else 200)


async def test_posts_want_a_login_before_anything_else(serve):
    served = await serve(USERS)
    async with aiohttp.ClientSession() as session:
        for path in ("/-/reload", "/api/v1/run?target=sales&probe=imap"):
            async with session.post(served.url + path, headers={"X-Mailprobe": "1"}) as answer:
                assert answer.status == 401


async def test_who_is_logged_in_may_post(serve):
    served = await serve(USERS)
    async with aiohttp.ClientSession(headers={"Authorization": basic(*OPS)}) as session:
        async with session.post(f"{served.url}/-/reload") as answer:
            assert answer.status == 200
        async with session.post(f"{served.url}/-/reload", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
            assert answer.status == 403


async def test_users_change_while_running(serve, folder):
    served = await serve(USERS)
    assert await served.status(auth=OPS) == 200
    (folder / "web.yml").write_text(f"basic_auth_users: {{dev: {hashed()}}}\n")
    assert await served.status(auth=OPS) == 401
    assert await served.status(auth=("dev", PASSWORD)) == 200


async def test_refused_logins_are_logged_without_user_and_password_and_not_each(serve, caplog):
    served = await serve(USERS)
    for _ in range(3):
        await served.status(auth=("very-secret", "very-secret"))
    lines = [each for each in caplog.records if each.getMessage() == "a login is refused"]
    assert [each.fields["client"] for each in lines] == ["127.0.0.1"]
    assert "very-secret" not in caplog.text


async def test_too_many_logins_at_once_are_put_off(serve, monkeypatch):
    served = await serve(USERS)

    async def busy(*_: object) -> bool:
        raise Busy

    monkeypatch.setattr(Users, "allowed", busy)
    async with served.get(auth=OPS) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_headers_of_the_file_override_ours_and_an_empty_one_takes_ours_away(serve):
    served = await serve(
        "http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=60\n    X-Frame-Options: sameorigin\n"
        "    Content-Security-Policy: ''\n" + USERS
    )
    for auth in (OPS, None):
        async with served.get("/", auth=auth) as answer:
            assert answer.headers["Strict-Transport-Security"] == "max-age=60"
            assert answer.headers.getall("X-Frame-Options") == ["sameorigin"]
            assert "Content-Security-Policy" not in answer.headers
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_burst_is_answered_and_what_comes_after_is_not(serve, folder):
    served = await serve("rate_limit: {interval: 1h, burst: 2}\n" + USERS)
    assert [await served.status(auth=OPS) for _ in range(3)] == [200, 200, 429]
    (folder / "web.yml").write_text("rate_limit: {interval: 1h, burst: 3}\n" + USERS)
    assert [await served.status() for _ in range(4)] == [401, 401, 401, 429]


async def test_the_control_socket_needs_no_login_and_no_certificate(serve, tmp_path):
    path = tmp_path / "control.sock"
    path.touch()  # as a daemon leaves it that was killed
    served = await serve("rate_limit: {interval: 1h, burst: 1}\n" + MUTUAL + USERS, control=path)
    assert path.stat().st_mode & 0o777 == 0o600
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path))) as session:
        for _ in range(3):
            async with session.get("http://localhost/api/v1/targets") as answer:
                assert answer.status == 200
    assert len(served.listener.ports) == 1
    await served.listener.close()
    assert not path.exists()


async def test_a_daemon_does_without_a_control_socket_where_none_can_be(serve, tmp_path, caplog):
    served = await serve(USERS, control=tmp_path / ("x" * 200) / "control.sock")
    assert await served.status(auth=OPS) == 200
    assert "cannot create the control socket" in caplog.text


@pytest.mark.parametrize("auth", [None, ("ops", "wrong")])
async def test_a_compressed_body_of_who_is_not_logged_in_ends_the_connection(serve, auth):
    served = await serve(USERS)
    headers = {"Content-Encoding": "gzip"} | ({"Authorization": basic(*auth)} if auth else {})
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{served.url}/-/reload", data=b"x" * 1000, headers=headers) as answer:
            assert (answer.status, answer.headers.get("Connection")) == (401, "close")
        del headers["Content-Encoding"]  # an ordinary request may go on: the client logs in on the same connection
        async with session.post(f"{served.url}/-/reload", data=b"x" * 1000, headers=headers) as answer:
            assert (answer.status, answer.headers.get("Connection")) == (401, None)
