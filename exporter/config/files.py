"""One file's bytes, and whether they may be used at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from exporter.config.yaml_reader import BadYamlError, Document

MAX_BYTES = 32 * 1024 * 1024


def mapping(document: Document, example: str) -> Document:
    if document.root is None:  # nothing but comments
        document.root = {}
    if not isinstance(document.root, dict):
        raise BadYamlError(1, f"must be a mapping of keys such as {example}:")
    return document


class UnusableError(Exception):
    """A file that must not be used. The text says why."""


def read_bytes(path: Path) -> bytes:
    """Raises OSError, UnusableError."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISREG(mode) and mode & stat.S_IWOTH:
            shown = f"{stat.S_IMODE(mode):04o}"
            raise UnusableError(f"mode {shown}: everyone can change it, and so run programs; chmod o-w")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UnusableError(f"longer than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise UnusableError(f"is not UTF-8: see line {line}") from None
    return data
