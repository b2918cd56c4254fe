"""Tests of reports about locked accounts: a server that refuses gets the password twice, whatever words it uses."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter.cli.check import Wanted, check
from exporter.daemon.options import Options
from exporter.model import Wait
from tests.net.lines_server import Peer
from tests.probes.login_scene import listening

WORD = "canary-pa55word"
RUNS = 6
CONFIG = """\
resolvers: [system]
login_guard: {{unsettled_per_day: {unsettled}}}
mailboxes:
  - address: alice@example.test
    password_file: secret
    imap: {imap}
    smtp: {smtp}
    pop3: {pop3}
"""
SERVER = "{{host: 127.0.0.1, port: {port}, security: plain}}"


class Refuser:
    """A server that answers each login in the same way and counts the passwords that it gets."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.passwords = 0

    async def smtp(self, peer: Peer) -> None:
        await peer.say("220 mail.example.test ESMTP")
        while line := await peer.hear():
            match line.split():
                case ["EHLO", *_]:
                    await peer.say("250-mail.example.test\r\n250 AUTH PLAIN")
                case ["AUTH", "PLAIN", word]:
                    self.passwords += WORD in base64.b64decode(word).decode()
                    if not self.answer:
                        return
                    await peer.say(self.answer)
                case _:
                    await peer.say("221 bye")
                    return

    async def imap(self, peer: Peer) -> None:
        await peer.say("* OK [CAPABILITY IMAP4rev1] ready")
        while line := await peer.hear():
            tag, command, *rest = line.split()
            if command == "LOGIN":
                self.passwords += WORD in " ".join(rest)
                if not self.answer:
                    return
                await peer.say(f"{tag} {self.answer}")
            else:
                await peer.say(f"{tag} BAD not now")

    async def pop3(self, peer: Peer) -> None:
        await peer.say("+OK ready")
        while line := await peer.hear():
            match line.split():
                case ["CAPA"]:
                    await peer.say("+OK\r\nUSER\r\n.")
                case ["USER", _]:
                    await peer.say("+OK")
                case ["PASS", word]:
                    self.passwords += WORD in word
                    if not self.answer:
                        return
                    await peer.say(self.answer)
                case _:
                    await peer.say("+OK bye")
                    return


@asynccontextmanager
async def watched(folder: Path, server: Refuser, protocol: str, unsettled: int) -> AsyncIterator[Options]:
    """Return the options of `mailprobe check` for one mailbox on this server, with one state folder."""
    async with listening(getattr(server, protocol), None) as port:
        entry = SERVER.format(port=port)
        off = {"imap": "off", "smtp": "off", "pop3": "off"} | {protocol: entry}
        (folder / "secret").write_text(WORD)
        (folder / "secret").chmod(0o600)
        config = folder / "config.yaml"
        config.write_text(CONFIG.format(unsettled=unsettled, **off))
        yield Options(
            config_file=config,
            config_check=False,
            auto_reload=None,
            listen=(),
            external_url="",
            telemetry_path="/metrics",
            storage_path=folder / "state",
            log_level="info",
            log_format="logfmt",
            history_limit=10,
            timeout_offset=0.5,
        )


async def check_once(options: Options, *, force: bool = False) -> int:
    """`mailprobe check --url ''`: in one process after the other, which share the state folder."""
    wanted = Wanted((), ("imap", "smtp", "pop3"), "", force=force, wait=Wait.LATE, as_json=False, language="en")
    async with asyncio.timeout(60):
        return await check(options, wanted)


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("smtp", "535 5.7.8 Error: authentication failed"),
        ("smtp", "535 Error: authentication failed, system busy"),
        ("smtp", "535 5.7.8 Error: authentication failed, please try again later"),
        ("smtp", "535 Login Fail. Login frequency limited"),
        ("smtp", "550 5.7.1 Server busy"),
        ("imap", "NO LOGIN Server temporarily unavailable"),
        ("imap", "NO [ALERT] Too many simultaneous connections"),
        ("imap", "BAD Internal error, try again later"),
        ("pop3", "-ERR system busy, service temporarily unavailable"),
    ],
)
async def test_a_refused_password_goes_out_twice(tmp_path, capsys, protocol, answer):
    server = Refuser(answer)
    async with watched(tmp_path, server, protocol, unsettled=48) as options:
        for _ in range(RUNS):
            assert await check_once(options) == 1
    # once, if the words say "slow down": then the pause begins with the first refusal
    assert 1 <= server.passwords <= 2
    told = capsys.readouterr().out
    assert answer.partition(" ")[2] in told
    assert "Logins are paused so that the account is not locked" in told
    assert WORD not in told


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("smtp", "454 4.7.0 Temporary authentication failure: Connection lost to authentication server"),
        ("smtp", "454 4.7.0 Authentication failed: wrong password"),
        ("smtp", ""),
        ("imap", "NO [UNAVAILABLE] Temporary authentication failure."),
        ("imap", ""),
        ("pop3", "-ERR [SYS/TEMP] Login failed"),
        ("pop3", ""),
    ],
)
async def test_what_a_server_leaves_open_has_a_bound_of_its_own(tmp_path, capsys, protocol, answer):
    server = Refuser(answer)
    async with watched(tmp_path, server, protocol, unsettled=8) as options:
        for _ in range(RUNS):
            await check_once(options)
        assert server.passwords == 4  # the second half is spread over the day
        told = capsys.readouterr().out
        assert "The server neither accepted nor refused many logins of this day" in told
        for _ in range(2):
            await check_once(options, force=True)
        assert server.passwords == 6
    assert WORD not in told
