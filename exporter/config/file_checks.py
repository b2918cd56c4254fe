"""Warnings about a valid configuration: secrets that others can read, missing files, passwords in the configuration.

In: the validated models. Out: Doubt objects, which `load` turns into warnings or, if `broken`, into errors of
`--config.check`.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.config import problems, robot_urls
from exporter.config.likely_slips import password_slip, port_slip, provider_slip
from exporter.config.schema.daemon import Defaults
from exporter.config.schema.notify import Bridge, Push
from exporter.config.schema.targets import Endpoint, Mailbox
from exporter.credentials.sources import CREDENTIALS
from exporter.model import Service
from exporter.net.urls import MAX_LENGTH

INSTALLED = Path("/etc/mailprobe/credentials")  # of which the installed service makes credentials
PREFIX = "mailbox_"  # of their names: see LoadCredential= in mailprobe.service


@dataclass(frozen=True, slots=True)
class Doubt:
    """A warning. `broken`: a probe cannot work with it, so `--config.check` fails."""

    path: problems.KeyPath
    message: str
    broken: bool = False


@dataclass(slots=True)
class Audit:
    """Checks the files that keys refer to, each file once."""

    environment: Mapping[str, str]
    seen: dict[str, str] = field(default_factory=dict)

    def defaults(self, defaults: Defaults) -> Iterator[Doubt]:
        if defaults.ca_file is not None:
            yield from self._file(("defaults", "ca_file"), defaults.ca_file)

    def mailbox(self, index: int, mailbox: Mailbox, folder: Path) -> Iterator[Doubt]:
        path: problems.KeyPath = ("mailboxes", index)
        if mailbox.provider is not None and (slip := provider_slip(mailbox.address, mailbox.provider)):
            yield Doubt((*path, "provider"), slip)
        yield from self._password(path, mailbox, folder)
        yield from self._oauth2(path, mailbox)
        servers = ((Service.IMAP, mailbox.imap), (Service.POP3, mailbox.pop3), (Service.SMTP, mailbox.smtp))
        for service, server in servers:
            if server is None:
                continue
            if server.ca_file is not None:
                yield from self._file((*path, service.value, "ca_file"), server.ca_file)
            if slip := port_slip(service, server.port, server.security):
                yield Doubt((*path, service.value, "port"), slip)

    def endpoint(self, index: int, endpoint: Endpoint) -> Iterator[Doubt]:
        service = Service(endpoint.protocol) if endpoint.protocol else None
        if slip := port_slip(service, endpoint.port, endpoint.security):
            yield Doubt(("endpoints", index, "port"), slip)

    def push(self, push: Push) -> Iterator[Doubt]:
        yield Doubt(
            ("alertmanager",),
            "incidents are pushed from here: instead of mailprobe's rules in Prometheus, never beside them",
        )
        for index, each in enumerate(push.targets):
            path: problems.KeyPath = ("alertmanager", "targets", index)
            if each.basic_auth is not None:
                file = each.basic_auth.password_file
                yield from self._file((*path, "basic_auth", "password_file"), file, secret=True)
            if each.bearer_token_file is not None:
                yield from self._file((*path, "bearer_token_file"), each.bearer_token_file, secret=True)
            if each.ca_file is not None:
                yield from self._file((*path, "ca_file"), each.ca_file)
            if (each.basic_auth or each.bearer_token_file) and not each.url.startswith("https:"):
                yield Doubt((*path, "url"), "the password or token is sent in the clear: prefer https")

    def bridges(self, bridges: Iterable[Bridge]) -> Iterator[Doubt]:
        for index, each in enumerate(bridges):
            for key in ("url_file", "secret_file", "token_file"):
                file = getattr(each, key)
                if file is not None:
                    yield from self._file(("bridges", index, key), file, secret=True)
            url = _content(each.url_file)
            if url is not None and (why := robot_urls.fault(each.kind, url)):
                yield Doubt(("bridges", index, "url_file"), f"what {each.url_file} holds {why}", broken=True)

    def _oauth2(self, path: problems.KeyPath, mailbox: Mailbox) -> Iterator[Doubt]:
        if mailbox.oauth2 is None:
            return
        for key in ("client_secret_file", "refresh_token_file", "key_file"):
            file = getattr(mailbox.oauth2, key)
            if key == "refresh_token_file" and file is not None and not file.exists():
                text = f"is not there: run mailprobe oauth {mailbox.title}"
                yield Doubt((*path, "oauth2", key), text, broken=True)
            elif file is not None:
                yield from self._file((*path, "oauth2", key), file, secret=True)

    def _password(self, path: problems.KeyPath, mailbox: Mailbox, folder: Path) -> Iterator[Doubt]:
        if mailbox.password_file is not None:
            yield from self._file((*path, "password_file"), mailbox.password_file, secret=True)
            yield from _slip((*path, "password_file"), _content(mailbox.password_file))
        elif mailbox.password_env is not None:
            password = self.environment.get(mailbox.password_env)
            if not password:
                yield Doubt((*path, "password_env"), "this environment variable is not set", broken=True)
            yield from _slip((*path, "password_env"), password)
        elif mailbox.password_credential is not None:
            yield from self._credential((*path, "password_credential"), mailbox.password_credential)
        elif mailbox.password_command is not None:
            program = mailbox.password_command[0]
            found = folder / program if "/" in program else shutil.which(program, path=self.environment.get("PATH"))
            if found is None or not os.access(found, os.X_OK):
                yield Doubt((*path, "password_command"), "this program is not there, or may not be run", broken=True)
        elif mailbox.password is not None:
            yield Doubt((*path, "password"), "a password in the file itself: prefer password_file")
            yield from _slip((*path, "password"), mailbox.password.reveal())

    def _credential(self, path: problems.KeyPath, name: str) -> Iterator[Doubt]:
        folder = self.environment.get(CREDENTIALS)
        if folder:
            yield from self._file(path, Path(folder) / name)
            yield from _slip(path, _content(Path(folder) / name))
        else:
            yield from _installed_credential(path, name)

    def _file(self, path: problems.KeyPath, file: Path, *, secret: bool = False) -> Iterator[Doubt]:
        name = str(file)
        why = self.seen.get(name)
        if why is None:
            why = self.seen[name] = _look(name)
        if why.startswith("mode "):
            if secret:
                yield Doubt(path, f"{why}: others can read this secret; chmod 600")
        elif why:
            yield Doubt(path, f"cannot be read: {why}", broken=True)


def _installed_credential(path: problems.KeyPath, name: str) -> Iterator[Doubt]:
    """Look where the installed service has its credentials from. Only root can, and a command has no others."""
    file = INSTALLED / name.removeprefix(PREFIX)
    if not os.access(INSTALLED, os.R_OK | os.X_OK):
        yield Doubt(path, f"${CREDENTIALS} is not set: only a service that systemd starts has it")
    elif not name.startswith(PREFIX):
        yield Doubt(path, f"the installed service gives credentials names that begin with {PREFIX}")
    elif not file.is_file():
        yield Doubt(path, f"{file} is not there: a credential is called {PREFIX} and the name of its file")
    else:
        yield from _slip(path, _content(file))


def _slip(path: problems.KeyPath, password: str | None) -> Iterator[Doubt]:
    if password and any(end in password for end in "\r\n"):
        yield Doubt(path, "the password has more than one line: nothing else may be in the file", broken=True)
    elif password and (slip := password_slip(password.rstrip("\r\n"))):
        yield Doubt(path, slip)


def _content(file: Path) -> str | None:
    """Return the content as a secret is read, at most its first MAX_LENGTH + 3 bytes.

    None if there is no content (`_look` reports that), or if reading could block.
    """
    try:
        if not file.is_file() or file.stat().st_size == 0:
            return None
        with file.open("rb") as opened:
            return opened.read(MAX_LENGTH + 3).decode("utf-8", "replace").rstrip("\r\n")
    except OSError:
        return None


def _look(file: str) -> str:
    """Return "" if all is well, `mode 0644` if others can read it, else the error of the operating system."""
    try:
        found = os.stat(file)  # noqa: PTH116 - there may be thousands, and Path's method costs twice as much
    except OSError as exc:
        return exc.strerror or "unreadable"
    if stat.S_ISDIR(found.st_mode):
        return "Is a directory"
    if not os.access(file, os.R_OK):
        return "Permission denied"
    if found.st_size == 0 and stat.S_ISREG(found.st_mode):
        return "it is empty"
    return f"mode {stat.S_IMODE(found.st_mode):04o}" if found.st_mode & 0o044 else ""
