"""Mail servers that need almost no CPU, as a process: one answer per line, TLS from the first byte.

python -m tests.bench.stub PORTS WAIT [CHAIN KEY]

PORTS are `imap=1234,smtp=1235,waiting=1236`. `waiting` speaks IMAP without TLS: it greets WAIT seconds after it has
accepted a connection, and its greeting states how long it really waited.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
import time
from typing import cast

import uvloop

CAPABILITIES = "IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN LIST-EXTENDED LIST-STATUS SPECIAL-USE QUOTA"
FOLDERS = (("\\Sent", "Sent"), ("\\Junk", "Junk"), ("\\Trash", "Trash"), ("\\Drafts", "Drafts"), ("", "INBOX"))
LIST = "".join(f'* LIST ({flag}) "/" {name}\r\n' for flag, name in FOLDERS)
COUNTS = "".join(f"* STATUS {name} (MESSAGES 3 UNSEEN 1)\r\n" for _, name in FOLDERS)
SMTP = {
    "EHLO": "250-stub\r\n250-SIZE 10240000\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n",
    "AUTH": "235 2.7.0 in\r\n",
    "QUIT": "221 2.0.0 bye\r\n",
}


def imap(line: str) -> str:
    tag, verb, *_ = line.split(" ")
    match verb.upper():
        case "LIST":
            told = COUNTS if "STATUS" in line else LIST
        case "EXAMINE":
            told = "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 4] next\r\n"
        case "FETCH":
            told = '* 3 FETCH (INTERNALDATE "17-Jul-2026 02:44:25 +0000")\r\n'
        case "GETQUOTAROOT":
            told = '* QUOTAROOT INBOX "User quota"\r\n* QUOTA "User quota" (STORAGE 10 102400 MESSAGE 3 1000)\r\n'
        case "AUTHENTICATE":
            return f"{tag} OK [CAPABILITY {CAPABILITIES}] in\r\n"
        case "LOGOUT":
            told = "* BYE bye\r\n"
        case _:
            told = ""
    return f"{told}{tag} OK done\r\n"


def smtp(line: str) -> str:
    return SMTP.get(line[:4].upper(), "250 2.0.0 done\r\n")


class Imap(asyncio.Protocol):
    greeting = f"* OK [CAPABILITY {CAPABILITIES}] stub ready\r\n"
    answer = staticmethod(imap)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.greet()

    def greet(self) -> None:
        self.transport.write(self.greeting.encode())

    def data_received(self, data: bytes) -> None:
        for line in data.decode().splitlines():
            self.transport.write(self.answer(line).encode())


class Smtp(Imap):
    greeting = "220 stub ESMTP\r\n"
    answer = staticmethod(smtp)


class Waiting(Imap):
    wait = 0.0

    def greet(self) -> None:
        accepted = time.perf_counter()
        asyncio.get_running_loop().call_later(self.wait, self.greet_late, accepted)

    def greet_late(self, accepted: float) -> None:
        waited = time.perf_counter() - accepted
        self.transport.write(f"* OK [CAPABILITY {CAPABILITIES}] waited={waited:.6f}\r\n".encode())


async def serve(ports: str, wait: float, files: list[str]) -> None:
    context = None
    if files:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
    Waiting.wait = wait
    loop = asyncio.get_running_loop()
    kinds = {"imap": Imap, "smtp": Smtp, "waiting": Waiting}
    servers = []
    for each in ports.split(","):
        name, _, port = each.partition("=")
        tls = None if name == "waiting" else context
        servers.append(await loop.create_server(kinds[name], "0.0.0.0", int(port), ssl=tls, backlog=1024))
    if "waiting" in ports:  # its clock is the reference: no other work may run in between
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))
