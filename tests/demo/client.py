"""Shared by the tests of the demo's servers: a mailbox, a mail, and a way to use blocking clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

HOST = "127.0.0.1"
ANNA, PASSWORD = "anna@acme.example", 'p"w\\'
LETTER = b"Subject: hello\r\nFrom: a@acme.example\r\nTo: b@acme.example\r\nX-Long: one\r\n two\r\n\r\nThe text\r\n"


async def blocking(work: Callable[[], T]) -> T:
    """Run a blocking client in a thread, because the servers run on this event loop."""
    return await asyncio.to_thread(work)
