"""Looks for a secret in texts, in every form in which one slips out."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Iterable


def forms(secret: str) -> set[str]:
    """Plain, quoted, URL-encoded, and as it shows in any base64 text: of itself, SASL PLAIN, XOAUTH2, basic auth."""
    if len(secret) < 8:
        raise ValueError("a canary needs eight characters: a shorter one is found by chance")
    found = {secret, repr(secret)[1:-1], secret.replace("\\", "\\\\").replace('"', '\\"'), urllib.parse.quote(secret)}
    for offset in range(3):  # what precedes it decides how its bits are cut; the characters at its ends are not its own
        encoded = base64.b64encode(b"\0" * offset + secret.encode()).decode().rstrip("=")
        found.add(encoded[-(-offset * 8 // 6) : -1])
    return found


def leaks(secret: str, texts: Iterable[str]) -> list[str]:
    """The texts in which the secret shows."""
    wanted = forms(secret)
    return [text for text in texts if any(form in text for form in wanted)]
