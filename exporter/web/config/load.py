"""Loads the web configuration and the files it names into Settings; errors name file, line and key."""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.config.load import Shaped, shaped
from exporter.config.problems import ConfigError, KeyPath, Problem, dotted
from exporter.config.yaml_reader import NO_FILE, is_readable_at_once
from exporter.model import Secret
from exporter.web.config import tls as tls_part
from exporter.web.config.schema import Headers, TlsServer, WebConfig

MAX_BYTES = 1024 * 1024  # limit of the size of each file


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the HTTP server."""

    tls: ssl.SSLContext | None
    tls_digest: bytes  # if it changes, connections with the previous TLS settings must be closed
    certificate_required: bool
    allowed_sans: frozenset[str]  # empty = all
    users: Mapping[str, Secret] = field(repr=False)
    headers: Mapping[str, str]
    interval: float  # seconds per request in the rate limit; 0 = no limit
    burst: int
    warnings: tuple[Problem, ...]
    notes: tuple[Problem, ...]

    @property
    def open_to_all(self) -> bool:
        """Whether neither a login nor a client certificate is required."""
        return not self.users and not self.certificate_required


@dataclass(slots=True)
class Attempt:
    """The result of reading all files. `settings` is None if there are `problems`."""

    path: Path
    files: tuple[Path, ...] = ()  # all files that were read, or could not be read
    digest: bytes = b""
    settings: Settings | None = None
    problems: list[Problem] = field(default_factory=list)


def load(path: Path) -> Settings:
    """Load the settings. Blocks: call it in a thread. Raises ConfigError."""
    found = attempt(path)
    if found.settings is None:
        raise ConfigError(found.problems)
    return found.settings


def attempt(path: Path) -> Attempt:
    """Load the settings, with the files and their digest, so that the caller can detect changes. Blocks."""
    made = Attempt(path, (path,))
    contents: dict[Path, _Found] = {path: _read(path)}
    try:
        file = shaped(path, WebConfig)
    except ConfigError as exc:
        made.problems += exc.problems
    else:
        _judge(made, file, contents)
    made.problems.sort(key=lambda each: each.line)
    made.files = tuple(contents)
    made.digest = _digest(contents)
    return made


def digest_of(files: tuple[Path, ...]) -> bytes:
    """Return the digest of the current files. It equals the one of an Attempt if nothing has changed. Blocks."""
    return _digest({path: _read(path) for path in files})


def _judge(made: Attempt, file: Shaped[WebConfig], contents: dict[Path, _Found]) -> None:
    config, tls = file.value, file.value.tls_server_config

    def problem(key: KeyPath, message: str) -> Problem:
        return Problem(str(made.path), file.document.line(key), dotted(key), message)

    def inside(key: KeyPath, message: str) -> Problem:
        return problem(("tls_server_config", *key), message)

    made.problems += [inside(*each) for each in tls_part.faults(tls)]
    parts: dict[str, bytes | None] = {}
    for name in ("cert", "key", "client_ca"):
        path: Path | None = getattr(tls, f"{name}_file")
        if path is None:
            inline = getattr(tls, name)
            parts[name] = (inline.reveal() if isinstance(inline, Secret) else inline).encode() if inline else None
            continue
        found = contents[path] = _read(path)
        parts[name] = found.content
        if found.content is None:
            made.problems.append(inside((f"{name}_file",), f"{path}: {found.why}"))
    if made.problems:
        return
    context = None
    if tls.model_fields_set:
        try:
            context = tls_part.build(tls, parts["cert"] or b"", parts["key"] or b"", parts["client_ca"])
        except tls_part.TlsError as exc:
            made.problems.append(inside((exc.key,), str(exc)))
            return
    warnings = [inside(*each) for each in tls_part.doubts(tls)]
    if day := tls_part.ended(parts["cert"] or b""):
        warnings.append(inside((tls_part.written_as(tls, "cert"),), f"the certificate expired on {day}"))
    http = config.http_server_config
    notes = []
    if http.http2 and "http2" in http.model_fields_set:
        notes.append(problem(("http_server_config", "http2"), "HTTP/2 is not supported: clients get HTTP/1.1"))
    made.settings = Settings(
        tls=context,
        tls_digest=_tls_digest(tls, parts),
        certificate_required=tls.client_auth_type == "RequireAndVerifyClientCert",
        allowed_sans=frozenset(tls.client_allowed_sans or ()),
        users=config.basic_auth_users,
        headers=dict(_written(http.headers)),
        interval=config.rate_limit.interval,
        burst=config.rate_limit.burst,
        warnings=tuple(warnings),
        notes=tuple(notes),
    )


def _written(headers: Headers) -> list[tuple[str, str]]:
    """Return names and values of the headers that the file sets."""
    known = type(headers).model_fields
    return [(known[name].alias or name, getattr(headers, name)) for name in known if name in headers.model_fields_set]


@dataclass(frozen=True, slots=True)
class _Found:
    """One file: its content, or the error, and its owner and mode, because a wrong mode may be the error."""

    content: bytes | None = field(repr=False)
    why: str = ""
    access: str = ""  # mode, owner, group


def _read(path: Path) -> _Found:
    access = ""
    if not is_readable_at_once(path):
        return _Found(None, NO_FILE)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            access = f"{status.st_mode:o} {status.st_uid} {status.st_gid}"
            content = file.read(MAX_BYTES + 1)
    except OSError as exc:
        return _Found(None, (exc.strerror or "cannot be read").lower(), access)
    if len(content) > MAX_BYTES:
        return _Found(None, f"longer than {MAX_BYTES // 1024} KiB", access)
    return _Found(content, access=access)


def _digest(contents: Mapping[Path, _Found]) -> bytes:
    sum_ = hashlib.sha256()
    for path, found in contents.items():
        content = b"-" if found.content is None else b"+" + found.content
        for part in (bytes(path), found.access.encode(), content):
            sum_.update(len(part).to_bytes(8, "big") + part)
    return sum_.digest()


def _tls_digest(tls: TlsServer, parts: Mapping[str, bytes | None]) -> bytes:
    sum_ = hashlib.sha256(repr(tls).encode())
    for part in parts.values():
        sum_.update(hashlib.sha256(part or b"").digest())
    return sum_.digest()
