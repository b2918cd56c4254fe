"""Prepares user names and passwords for SCRAM: SASLprep (RFC 4013), a profile of stringprep (RFC 3454). No I/O."""

from __future__ import annotations

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def prepare(text: str) -> str:
    """Return the normalised text. Raises ValueError, without the text, if it is not allowed."""
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if any(forbidden(char) for char in normal for forbidden in _PROHIBITED):
        raise ValueError("contains a character that is not allowed in a user name or password")
    right_to_left = [stringprep.in_table_d1(char) for char in normal]
    if any(right_to_left):
        mixed = any(stringprep.in_table_d2(char) for char in normal)
        if mixed or not (right_to_left[0] and right_to_left[-1]):
            raise ValueError("mixes right-to-left and left-to-right text")
    return normal
