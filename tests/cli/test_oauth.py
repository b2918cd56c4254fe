"""Tests of `mailprobe oauth NAME`: every way to sign in ends with a refresh token that only its owner can read."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from argparse import Namespace
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from exporter.cli import oauth as module
from exporter.cli.oauth import authorize
from exporter.daemon.options import Options, options
from exporter.model import Flow, Secret, TokenSource
from exporter.model.errors import Garbage, ProbeError
from exporter.model.reasons import Reason
from exporter.net.dns.resolver import Resolver
from exporter.net.oauth import sign_in
from exporter.net.oauth.client import Net
from exporter.net.oauth.sign_in import BadAnswerError, DeniedError, code_in
from exporter.net.tls import TlsContexts
from tests.servers.tokens import CLIENT, CLIENT_SECRET, TokenServer, redirect

USER = "alice@example.test"


@pytest.fixture
async def server() -> AsyncIterator[TokenServer]:
    async with TokenServer() as made:
        yield made


class Terminal:
    """Standard input in the form of a terminal: line by line."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read, self._write = os.pipe()
        self.stdin = os.fdopen(read)
        monkeypatch.setattr("sys.stdin", self.stdin)

    def type(self, text: str) -> None:
        os.write(self._write, f"{text}\n".encode())

    def end(self) -> None:
        if self._write >= 0:
            os.close(self._write)
        self._write = -1


@pytest.fixture
def terminal(monkeypatch) -> Iterator[Terminal]:
    made = Terminal(monkeypatch)
    yield made
    made.end()
    made.stdin.close()


@pytest.fixture
def config(tmp_path: Path, server: TokenServer):
    def write(**keys: str) -> Options:
        own = {"client_id": CLIENT, "refresh_token_file": "secrets/token", "token_url": server.url()} | keys
        lines = [f"      {key}: {value}" for key, value in own.items() if value]
        text = f"mailboxes:\n  - name: sales\n    address: {USER}\n    imap: {{host: localhost}}\n    smtp: off\n"
        text += "    oauth2:\n" + "\n".join(lines) + "\n  - {address: bob@example.test, password_env: X, "
        text += "imap: {host: localhost}, smtp: off}\n"
        (tmp_path / "config.yaml").write_text(text)
        return options(Namespace(config_file=str(tmp_path / "config.yaml")), {})

    return write


def written(tmp_path: Path, server: TokenServer) -> bool:
    file = tmp_path / "secrets" / "token"
    good = file.read_text().strip() in server.refresh_tokens and stat.S_IMODE(file.stat().st_mode) == 0o600
    return good and list(file.parent.iterdir()) == [file]


async def test_a_device_code_is_typed_elsewhere(config, server, tmp_path, capsys):
    server.pending = 3  # the last of them asks for a longer interval
    authorization_slower = sign_in.SLOWER
    sign_in.SLOWER = 0.01
    try:
        assert await authorize(config(device_url=server.url("/device")), "sales") == 0
    finally:
        sign_in.SLOWER = authorization_slower
    assert written(tmp_path, server)
    said = capsys.readouterr()
    assert "ABCD-EFGH" in said.out
    assert server.url("/type-it-here") in said.out
    assert "并输入代码" in said.out
    assert "canary" not in said.out + said.err
    assert [form.get("device_code") for form in server.requests] == [None, *["device-canary-1"] * 4]


async def test_a_user_who_says_no_is_told_so_in_both_languages(config, server, tmp_path, capsys):
    server.denied = True
    assert await authorize(config(device_url=server.url("/device")), "sales") == 1
    assert "oauth_token_rejected: access_denied" in capsys.readouterr().err
    assert not (tmp_path / "secrets" / "token").exists()


async def page(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return the query of the URL that the user must open, as soon as it is printed."""
    said = ""
    while not (found := re.search(r"^https?://\S+[?&]response_type=\S+$", said, re.MULTILINE)):
        await asyncio.sleep(0.001)
        said += capsys.readouterr().out
    return {name: values[0] for name, values in parse_qs(urlsplit(found[0]).query).items()}


async def test_a_browser_here_brings_the_code_itself(config, server, terminal, tmp_path, capsys):
    terminal.end()
    running = asyncio.create_task(authorize(config(authorize_url="https://login.example.test/auth"), "sales"))
    asked = await page(capsys)
    assert asked["code_challenge_method"] == "S256"
    assert asked["login_hint"] == USER
    async with aiohttp.ClientSession() as browser:
        for address in (f"{asked['redirect_uri']}/favicon.ico", redirect(asked["redirect_uri"], "forged", "not-ours")):
            async with browser.get(address) as answer:
                await answer.read()
        async with browser.get(redirect(asked["redirect_uri"], "code-canary", asked["state"])) as answer:
            assert answer.status == 200
            assert "可以关闭" in await answer.text()
    assert await running == 0
    assert written(tmp_path, server)
    (form,) = server.requests
    assert (form["code"], form["redirect_uri"]) == ("code-canary", asked["redirect_uri"])
    assert 43 <= len(form["code_verifier"]) <= 128  # RFC 7636 section 4.1
    assert "code-canary" not in capsys.readouterr().out


@pytest.mark.parametrize("alone", [True, False], ids=["code", "address"])
async def test_a_code_can_be_pasted_from_another_machine(config, server, terminal, capsys, alone):
    running = asyncio.create_task(authorize(config(authorize_url="https://login.example.test/auth?p=1"), "sales"))
    asked = await page(capsys)
    terminal.type("")
    terminal.type(redirect(asked["redirect_uri"], "code", "of-another-request"))
    terminal.type("code-canary" if alone else redirect(asked["redirect_uri"], "code-canary", asked["state"]))
    assert await running == 0
    assert server.requests[0]["code"] == "code-canary"


async def test_where_no_redirect_is_allowed_the_registered_page_is_named(config, server, terminal, capsys):
    urls = {"authorize_url": "https://login.example.test/auth", "redirect_url": "https://login.example.test/code"}
    running = asyncio.create_task(authorize(config(**urls), "sales"))
    assert (await page(capsys))["redirect_uri"] == "https://login.example.test/code"
    terminal.type("code-canary")
    assert await running == 0
    assert server.requests[0]["redirect_uri"] == "https://login.example.test/code"


async def test_nothing_pasted_is_no_token(config, server, terminal, capsys):
    terminal.end()
    urls = {"authorize_url": "https://login.example.test/auth", "redirect_url": "https://login.example.test/code"}
    assert await authorize(config(**urls), "sales") == 1
    assert "nothing was pasted" in capsys.readouterr().err


async def test_a_provider_that_takes_no_device_codes_is_signed_in_to_by_browser(config, server, terminal, capsys):
    server.refuse("unauthorized_client", "device codes are switched off", 401)
    urls = {"authorize_url": "https://login.example.test/auth", "device_url": server.url("/device")}
    running = asyncio.create_task(authorize(config(**urls), "sales"))
    asked = await page(capsys)
    server.allow()
    terminal.type(redirect(asked["redirect_uri"], "code", asked["state"]))
    assert await running == 0


async def test_a_flow_without_a_sign_in_is_tried(config, server, tmp_path, capsys):
    (tmp_path / "client").write_text(CLIENT_SECRET)
    keys = {"flow": "client_credentials", "client_secret_file": "client", "refresh_token_file": ""}
    assert await authorize(config(**keys), "sales") == 0
    assert "60 minutes" in capsys.readouterr().out
    (tmp_path / "client").write_text("wrong")
    assert await authorize(config(**keys), "sales") == 1
    assert "invalid_client" in capsys.readouterr().err


async def test_a_folder_that_cannot_be_written_is_told(config, server, tmp_path, capsys):
    (tmp_path / "secrets").write_text("a file")
    assert await authorize(config(device_url=server.url("/device")), "sales") == 1
    assert "local_error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody", "with oauth2 there are: sales"),
        ("bob@example.test", "has no oauth2"),
        ("sales", "where to sign in is not known"),
        (USER, "where to sign in is not known"),
    ],
)
async def test_what_is_missing_is_said_in_both_languages(config, name, words, capsys):
    assert await authorize(config(), name) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "mailprobe：" in said


async def test_a_bad_configuration_is_told(tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("mailboxes: 7\n")
    assert await authorize(options(Namespace(config_file=str(tmp_path / "config.yaml")), {}), "sales") == 2
    assert "config.yaml:1" in capsys.readouterr().err


async def test_a_user_who_does_nothing_is_not_waited_for_for_ever(config, server, capsys, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    server.pending = 10**6
    assert await authorize(config(device_url=server.url("/device")), "sales") == 1
    assert "timeout" in capsys.readouterr().err


SOURCE = TokenSource("test", Flow.REFRESH_TOKEN, "https://login.example.test/token", CLIENT, "mail", None)  # type: ignore[arg-type]  # not read here


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("http://localhost:1/?error=access_denied&error_description=no&state={state}", DeniedError),
        ("http://localhost:1/?error=access_denied&state=other", BadAnswerError),
        ("http://localhost:1/?state={state}", BadAnswerError),
        ("http://localhost:1/?" + "a=1&" * 100, BadAnswerError),
        ("  ", BadAnswerError),
    ],
)
def test_an_answer_is_believed_only_with_our_state(text, fault):
    asked = sign_in.request("https://login.example.test/auth", SOURCE, "http://localhost:1", USER)
    with pytest.raises(fault) as caught:
        code_in(text.replace("{state}", asked.state), asked)
    assert isinstance(caught.value, DeniedError) == (fault is DeniedError)


def test_no_two_requests_are_alike():
    first, second = (sign_in.request("https://a.test/", SOURCE, "http://localhost:1", USER) for _ in range(2))
    assert first.state != second.state
    assert first.verifier != second.verifier
    assert first.verifier.reveal() not in first.page


@pytest.mark.parametrize("page_url", ["javascript:alert(1)", "http://evil.example.test/", 7, None])
async def test_a_device_page_that_is_none_is_not_told(server, page_url, monkeypatch):
    async def post(*_: object) -> dict[str, object]:
        return {"device_code": "a", "user_code": "b", "verification_uri": page_url}

    monkeypatch.setattr(sign_in, "post", post)
    with pytest.raises(Garbage):
        await sign_in.device(server.url("/device"), SOURCE, Net(Resolver(), TlsContexts()))


async def test_a_network_that_fails_between_two_looks_is_borne(config, server, tmp_path, monkeypatch):
    looks = 0
    real = sign_in.poll

    async def poll(source: TokenSource, begun: sign_in.Device, secret: Secret | None, net: Net) -> object:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise ProbeError(Reason.AUTH_UNAVAILABLE, "no answer")
        return await real(source, begun, secret, net)

    monkeypatch.setattr(sign_in, "poll", poll)
    assert await authorize(config(device_url=server.url("/device")), "sales") == 0
    assert written(tmp_path, server)
