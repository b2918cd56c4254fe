"""Takes over listening sockets from systemd (sd_listen_fds(3)), for --web.systemd-socket."""

from __future__ import annotations

import os
import socket

from exporter.web.listener import StartError

FIRST = 3  # number of the first file descriptor


def inherited() -> list[socket.socket]:
    """Return the listening TCP sockets that systemd passed to this process. Raises StartError.

    The environment variables about them are removed, so that programs started by mailprobe do not use them.
    """
    pid, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal() or int(count) == 0:
        raise StartError("--web.systemd-socket: systemd has passed no socket: is mailprobe.socket enabled?")
    return [_taken(number) for number in range(FIRST, FIRST + int(count))]


def _taken(number: int) -> socket.socket:
    try:
        taken = socket.socket(fileno=number)
    except OSError as exc:
        raise StartError(f"--web.systemd-socket: descriptor {number} is no socket") from exc
    # A Unix socket is rejected, because clients on a Unix socket need no password: ours lets in only our own account.
    listens = taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if taken.family not in (socket.AF_INET, socket.AF_INET6) or taken.type != socket.SOCK_STREAM or not listens:
        taken.close()
        raise StartError(f"--web.systemd-socket: descriptor {number} is no listening TCP socket (ListenStream=)")
    taken.set_inheritable(False)
    taken.setblocking(False)
    return taken
