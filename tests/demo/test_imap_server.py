"""Tests of the demo's IMAP server: it works with clients of other projects, and its use of resources is limited."""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import ssl
from collections.abc import AsyncIterator
from typing import Self

import pytest

from exporter.demo.certificates import Authority
from exporter.demo.imap_server import ImapServer
from exporter.demo.imap_syntax import MAX_COMMAND
from exporter.demo.listener import MAX_LINE
from exporter.demo.mailstore import MailStore
from tests.demo.client import ANNA, HOST, LETTER, PASSWORD, blocking

LOGIN = f"a LOGIN {ANNA} {{{len(PASSWORD)}+}}\r\n{PASSWORD}"


@pytest.fixture
async def imap(store: MailStore, authority: Authority) -> AsyncIterator[ImapServer]:
    async with ImapServer(store, authority.good(HOST)) as server:
        yield server


@contextlib.contextmanager
def logged_in(server: ImapServer, trusting: ssl.SSLContext, *, timeout: float = 30):
    with imaplib.IMAP4_SSL(HOST, server.port, ssl_context=trusting, timeout=timeout) as client:
        client.login(ANNA, PASSWORD)
        yield client


async def test_looking_at_a_message_changes_nothing_but_body_does(imap, store, trusting):
    folder = store.mailboxes[ANNA].folders[0]
    folder.add(LETTER)

    def talk():
        with logged_in(imap, trusting) as client:
            client.select("INBOX")
            header = client.fetch("1", "(UID BODY.PEEK[HEADER.FIELDS (X-LONG SUBJECT)])")[1][0]
            part = client.uid("FETCH", "1", "(BODY.PEEK[]<9.5>)")[1][0]
            before = set(folder.messages[0].flags)
            client.fetch("1", "(BODY[])")
            return header, part, before

    header, part, before = await blocking(talk)
    assert header[1] == b"Subject: hello\r\nX-Long: one\r\n two\r\n\r\n"
    assert part[1] == LETTER[9:14]
    assert before == set()
    assert folder.messages[0].flags == {"\\Seen"}


async def test_only_what_was_named_is_expunged(imap, store, trusting):
    folder = store.mailboxes[ANNA].folders[0]
    for _ in range(3):
        folder.add(LETTER)

    def talk():
        with logged_in(imap, trusting) as client:
            client.select("INBOX")
            client.uid("STORE", "1:2", "+FLAGS.SILENT", "(\\Deleted)")
            client.uid("EXPUNGE", "2")
            return client.response("EXPUNGE")[1]

    assert await blocking(talk) == [b"2"]
    assert [message.uid for message in folder.messages] == [1, 3]


async def test_a_client_learns_what_another_one_removed(imap, store, trusting):
    folder = store.mailboxes[ANNA].folders[0]
    folder.add(LETTER)
    folder.add(LETTER)

    def talk():
        with logged_in(imap, trusting) as one, logged_in(imap, trusting) as other:
            one.select("INBOX")
            other.select("INBOX")
            other.store("1", "+FLAGS", "(\\Deleted)")
            other.expunge()
            one.fetch("1:*", "(FLAGS)")
            untold = one.response("EXPUNGE")[1]
            one.noop()
            return untold, one.response("EXPUNGE")[1]

    assert await blocking(talk) == ([None], [b"1"])


async def test_an_examined_folder_cannot_be_changed(imap, store, trusting):
    store.mailboxes[ANNA].folders[0].add(LETTER)

    def talk():
        with logged_in(imap, trusting) as client:
            client.select("INBOX", readonly=True)
            return client.store("1", "+FLAGS", "(\\Deleted)")[0], client.expunge()[0]

    assert await blocking(talk) == ("NO", "NO")


async def test_idle_tells_of_a_new_message(imap, store, trusting):
    raw = Raw(*await asyncio.open_connection(HOST, imap.port, ssl=trusting))
    async with raw:
        await raw.ask(LOGIN, "a OK")
        await raw.ask("b SELECT inbox", "b OK")
        await raw.ask("c IDLE", "+ idling")
        store.mailboxes[ANNA].folders[0].add(LETTER)
        assert await raw.line() == "* 1 EXISTS"
        await raw.ask("DONE", "c OK")


async def test_a_flood_ends_idle_too(imap, trusting):
    async with Raw(*await asyncio.open_connection(HOST, imap.port, ssl=trusting)) as raw:
        await raw.ask(LOGIN, "a OK")
        await raw.ask("b SELECT inbox", "b OK")
        await raw.ask("c IDLE", "+ idling")
        await raw.ask("x" * (MAX_LINE + 1), "* BYE")


async def test_folders_have_their_names_and_uses(imap, trusting):
    def talk():
        with logged_in(imap, trusting) as client:
            listed = client.list()[1]
            return listed, client.status('"&W6JiNw-"', "(MESSAGES UIDNEXT)")[1], client.status("Sent", "(UNSEEN)")

    listed, status, missing = await blocking(talk)
    assert listed == [
        b'(\\HasNoChildren) "/" "INBOX"',
        b'(\\HasNoChildren \\Junk) "/" "Junk"',
        b'(\\HasNoChildren) "/" "&W6JiNw-"',
    ]
    assert status == [b'"&W6JiNw-" (MESSAGES 0 UIDNEXT 1)']
    assert missing[0] == "NO"


async def test_no_password_is_taken_without_tls(store, authority, trusting):
    async with ImapServer(store, authority.good(HOST), starttls=True) as server:

        def talk():
            with imaplib.IMAP4(HOST, server.port, timeout=30) as client:
                before = client.capabilities
                with pytest.raises(imaplib.IMAP4.error, match="PRIVACYREQUIRED"):
                    client.login(ANNA, PASSWORD)
                client.starttls(trusting)
                client.login(ANNA, PASSWORD)
                return before

        assert {"STARTTLS", "LOGINDISABLED"} <= set(await blocking(talk))


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("", "* BAD"),
        ("a", "a BAD"),
        ("a FLY", "a BAD"),
        ("a FETCH 1 (FLAGS)", "a BAD"),
        ("a LOGIN x", "a BAD"),
        ("a LOGIN x (y", "a BAD"),
        ("a LOGIN x y)", "a BAD"),
        ('a LOGIN x "y', "a BAD"),
        ("a LOGIN anna@acme.example wrong", "a NO [AUTHENTICATIONFAILED]"),
        ("a AUTHENTICATE PLAIN !!!", "a BAD"),
        ("a AUTHENTICATE CRAM-MD5", "a NO"),
        (f"a LOGIN x {{{MAX_COMMAND}}}", "a BAD"),
        (f"a LOGIN x {{{MAX_COMMAND}+}}", "* BYE"),
        ("a LOGIN " + "(" * 50, "a BAD"),
        ("x" * (MAX_LINE + 1), "* BYE"),
    ],
)
async def test_mistakes_and_floods_of_a_client_are_answered(imap, trusting, said, answer):
    async with Raw(*await asyncio.open_connection(HOST, imap.port, ssl=trusting)) as raw:
        await raw.ask(said, answer)
        if answer != "* BYE":
            await raw.ask("z NOOP", "z OK")


class Raw:
    """A client that sends any line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def __aenter__(self) -> Self:
        await self.line()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()

    async def line(self) -> str:
        async with asyncio.timeout(30):
            return (await self._reader.readline()).decode().rstrip("\r\n")

    async def ask(self, line: str, answer: str) -> None:
        """Send a line, and read until a line begins with the expected answer."""
        self._writer.write(f"{line}\r\n".encode())
        heard = [await self.line()]
        while not heard[-1].startswith(answer):
            assert heard[-1].startswith("* "), heard
            heard.append(await self.line())
