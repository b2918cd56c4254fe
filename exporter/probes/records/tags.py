"""Parses tag lists such as `v=DKIM1; k=rsa; p=…`, the format of DKIM (RFC 6376 section 3.2) and DMARC."""

from __future__ import annotations

import re

from exporter.probes.records.errors import RecordError, shown

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_BLANK = " \t\r\n"
MAX_TAGS = 100


def parse(text: str, section: str) -> dict[str, str]:
    """Return a mapping from tag name to value, in order. Raises RecordError that cites `section`."""
    found: dict[str, str] = {}
    parts = text.split(";")
    if not parts[-1].strip(_BLANK):
        parts.pop()  # one semicolon at the end is allowed
    if len(parts) > MAX_TAGS:
        raise RecordError(section, f"more than {MAX_TAGS} tags")
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip(_BLANK)
        if not equals or not _NAME.match(name):
            raise RecordError(section, f"{shown(part.strip(_BLANK))} is not a tag (name=value)")
        if name in found:
            raise RecordError(section, f"the tag {name} occurs twice")
        found[name] = value.strip(_BLANK)
    return found
