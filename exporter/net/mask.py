"""Removes credentials from text before it is written to a transcript or a log.

A Mask knows every form in which a password or token can travel (plain, quoted, URL-encoded, base64, SASL), so that it
is also found where a server echoes it. A credential must never reach a log, a label or a page.
"""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

from exporter.net import utf7
from exporter.net.text import decode

SHOWN = "<secret>"
MIN_LENGTH = 4  # a shorter text would match the server's own words by chance and spoil their diagnosis
MIN_WITHIN = 8  # the same for a part of a base64 text


class Mask:
    """The forms of the credentials used in one session. What mailprobe itself sends is masked where it is made."""

    __slots__ = ("_forms", "_raw")

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = ()
        self._raw: tuple[bytes, ...] = ()  # the forms that are ASCII

    def learn(self, username: str, secret: str, *messages: bytes) -> None:
        """Hide this secret from now on: plain, quoted, URL-encoded, base64, SASL PLAIN (RFC 4616), modified UTF-7.

        `messages` are protocol messages that contain the secret: each is hidden as a whole, in base64.
        """
        forms = {secret}
        if not secret.isalnum() or not secret.isascii():
            quoted = secret.replace("\\", "\\\\").replace('"', '\\"')
            forms |= {quoted, quote(secret, errors="replace"), quote(secret, safe="", errors="replace")}
            forms.add(utf7.encode(secret.encode("utf-8", "replace").decode()))  # as the name of a folder
        for raw in (secret, f"\0{username}\0{secret}", f"{username}\0{username}\0{secret}"):
            forms.add(b64encode(raw.encode("utf-8", "replace")).decode())
        forms.update(b64encode(message).decode() for message in messages)
        forms |= _within(secret.encode("utf-8", "replace"))
        kept = {form for form in forms if len(form) >= MIN_LENGTH}
        # The longest first, so that replacing one form never leaves a part of another one visible.
        self._forms = tuple(sorted(kept.union(self._forms), key=len, reverse=True))
        self._raw = tuple(form.encode() for form in self._forms if form.isascii())

    def keep(self, line: bytes) -> str | bytes:
        """Return a line for the transcript: unchanged if it is ASCII without a credential, else decoded and masked."""
        if line.isascii():
            for form in self._raw:
                if form in line:
                    break
            else:
                return line
        return self.hide(decode(line))

    def hide(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, SHOWN)
        return text


def _within(secret: bytes) -> set[str]:
    """Return how the secret looks inside a longer base64 text: one form for each position in a group of three bytes."""
    if len(secret) < MIN_WITHIN:
        return set()
    found = set()
    for before in range(3):
        encoded = b64encode(b"\0" * before + secret).decode()
        whole = (before + len(secret)) * 8 // 6  # characters that no byte after the secret contributes to
        found.add(encoded[-(-before * 8 // 6) : whole])
    return found
