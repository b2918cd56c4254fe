"""Writes a secret to disk: readable only by its owner, and completely or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_secret(file: Path, text: str) -> None:
    """Replace the content of a file, mode 0600; a missing folder is created with mode 0700. Raises OSError.

    If root writes it, the file belongs to the owner of the old file or of the folder, because the daemon must be able
    to read it.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = (file if file.exists() else file.parent).stat()
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 0600
    try:
        if os.geteuid() == 0:
            os.fchown(handle, owner.st_uid, owner.st_gid)
        with os.fdopen(handle, "w", encoding="utf-8") as made:
            made.write(text)
            made.flush()
            os.fsync(made.fileno())
        Path(name).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
