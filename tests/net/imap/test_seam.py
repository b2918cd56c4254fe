"""Pins the parts of aioimaplib that net/imap/protocol.py relies on, most of them not public."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from aioimaplib import aioimaplib

from exporter.net.imap import protocol as imap_protocol


@pytest.fixture
async def protocol():
    return aioimaplib.IMAP4ClientProtocol(asyncio.get_running_loop())


async def test_protocol_takes_the_loop_and_starts_without_a_transport(protocol):
    assert list(inspect.signature(aioimaplib.IMAP4ClientProtocol.__init__).parameters)[1] == "loop"
    assert protocol.loop is asyncio.get_running_loop()
    assert (protocol.transport, protocol.state, protocol.pending_sync_command) == (None, aioimaplib.STARTED, None)
    assert protocol.capabilities == set()


async def test_connection_made_keeps_the_transport_and_moves_the_state(protocol):
    protocol.connection_made("a transport")
    assert (protocol.transport, protocol.state) == ("a transport", aioimaplib.CONNECTED)


async def test_tags_are_different_and_plain_ascii_letters_and_digits(protocol):
    tags = [protocol.new_tag() for _ in range(100)]
    assert len(set(tags)) == 100
    assert all(tag.isascii() and tag.isalnum() for tag in tags)


def test_all_that_is_overridden_is_named_with_its_reason():
    inherited = {name for each in aioimaplib.IMAP4ClientProtocol.__mro__[:-1] for name in vars(each)}
    overridden = {name for name in vars(imap_protocol.ImapProtocol).keys() & inherited if not name.startswith("__")}
    assert overridden == {"data_received", "connection_lost", "_continuation"}
    assert all(f"- `{name}`: " in (imap_protocol.__doc__ or "") for name in overridden)


@pytest.mark.parametrize("name", ["data_received", "connection_lost", "_continuation", "execute"])
def test_what_is_replaced_is_called_by_that_name(name):
    assert callable(getattr(aioimaplib.IMAP4ClientProtocol, name))


def test_every_command_that_is_sent_is_in_the_table_with_the_states_that_it_needs():
    before, inside, selected = {aioimaplib.NONAUTH}, {aioimaplib.AUTH, aioimaplib.SELECTED}, {aioimaplib.SELECTED}
    needed = {
        **dict.fromkeys(["STARTTLS", "AUTHENTICATE", "LOGIN"], before),
        **dict.fromkeys(["CAPABILITY", "ID", "NOOP"], before | inside),
        **dict.fromkeys(["LIST", "STATUS", "EXAMINE", "SELECT", "GETQUOTAROOT"], inside),
        **dict.fromkeys(["FETCH", "STORE", "EXPUNGE", "IDLE"], selected),
        "LOGOUT": before | inside | {aioimaplib.LOGOUT},
    }
    for name, states in needed.items():
        assert states <= set(aioimaplib.Commands[name].valid_states), name
