"""Makes text from servers safe to show: invisible and control characters become visible ones."""

from __future__ import annotations

import re

# Control characters except tab and newline, line separators, characters that change the writing direction (Unicode
# Bidirectional Algorithm, UAX 9), invisible annotations and tags, and single surrogates, which UTF-8 cannot encode.
# Joiners are allowed, because Persian and emoji need them.
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def shown(value: object) -> object:
    """Return the value as a template may write it. Markup and members of enums are not changed."""
    if type(value) is not str or _STEERING.search(value) is None:
        return value
    return _STEERING.sub(_visible, value.replace("\r\n", "\n"))


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else f"⟨U+{code:04X}⟩"
