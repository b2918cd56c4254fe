"""Searches texts for a secret, in each form in which it could leak."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Iterable


def forms(secret: str) -> set[str]:
    """Return the secret as it is, quoted, URL-encoded, and as part of any base64 text.

    Base64 texts with a secret are SASL PLAIN, XOAUTH2 and basic authentication. Raises ValueError if the secret is too
    short.
    """
    if len(secret) < 8:
        raise ValueError("a canary needs eight characters: a shorter one is found by chance")
    found = {secret, repr(secret)[1:-1], secret.replace("\\", "\\\\").replace('"', '\\"'), urllib.parse.quote(secret)}
    # the bytes before it decide how its bits are split; the first and last characters also hold bits of its neighbours
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + secret.encode()).decode().rstrip("=")
        found.add(encoded[-(-offset * 8 // 6) : -1])
    return found


def leaks(secret: str, texts: Iterable[str]) -> list[str]:
    """Return the texts that contain the secret."""
    wanted = forms(secret)
    return [text for text in texts if any(form in text for form in wanted)]
