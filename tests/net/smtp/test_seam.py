"""Tests of the private parts of aiosmtplib that net/smtp/protocol.py uses or replaces:

they fail if an upgrade moves one.
"""

import asyncio
import inspect

from aiosmtplib import auth, esmtp, protocol, response
from aiosmtplib.protocol import SMTPProtocol

from exporter.model.trace import Trace
from exporter.net.smtp import protocol as smtp_protocol
from exporter.net.smtp.protocol import SmtpProtocol


def test_all_that_is_overridden_is_named_with_its_reason():
    inherited = {name for each in SMTPProtocol.__mro__[:-1] for name in vars(each)}
    overridden = {name for name in vars(SmtpProtocol).keys() & inherited if not name.startswith("__")}
    assert overridden == {"connection_made", "data_received", "read_response", "connection_lost", "write"}
    assert all(f"- `{name}`: " in (smtp_protocol.__doc__ or "") for name in overridden)


def test_the_replaced_methods_are_there_with_their_signatures():
    names = {
        name: list(inspect.signature(getattr(SMTPProtocol, name)).parameters)
        for name in ("data_received", "connection_lost", "write", "read_response", "execute_command", "connection_made")
    }
    assert names == {
        "data_received": ["self", "data"],
        "connection_lost": ["self", "exc"],
        "write": ["self", "data"],
        "read_response": ["self", "timeout"],
        "execute_command": ["self", "args", "timeout"],
        "connection_made": ["self", "transport"],
    }


async def test_the_attributes_that_are_shared_with_the_base_class_exist():
    base = SMTPProtocol(loop=asyncio.get_running_loop())
    for name in ("_buffer", "_response_waiter", "_loop", "transport"):
        assert hasattr(base, name)
    assert isinstance(base._buffer, bytearray)


async def test_execute_command_writes_one_line_and_reads_by_our_method():
    """Its lock, its line end and its check for control characters are what we keep."""

    class Transport(asyncio.Transport):
        written = b""

        def write(self, data):
            self.written += data
            ours.data_received(b"250-one\r\n250 two\r\n")

        def is_closing(self):
            return False

    ours, transport = SmtpProtocol(Trace()), Transport()
    ours.connection_made(transport)
    assert await ours.execute_command(b"MAIL", b"FROM:<a@b>") == response.SMTPResponse(250, "250-one\n250 two")
    assert transport.written == b"MAIL FROM:<a@b>\r\n"


def test_the_encoders_and_parsers_are_pure_functions_with_these_results():
    assert auth.auth_plain_encode("u", "p") == b"AHUAcA=="
    assert auth.auth_login_encode("u", "p") == (b"dQ==", b"cA==")
    assert esmtp.parse_esmtp_extensions("me\nSIZE 5\nAUTH PLAIN LOGIN") == (
        {"size": "5", "auth": "PLAIN LOGIN"},
        ["plain", "login"],
    )
    assert protocol.normalize_message_line_endings(b"a\nb\rc") == b"a\r\nb\r\nc\r\n"
    assert protocol.PERIOD_REGEX.sub(b"..", b".\r\n.a\r\na.\r\n") == b"..\r\n..a\r\na.\r\n"
