"""Finds the charset of a server's words by evidence: UTF-8, GBK, windows-1250, -1251 or -1252, or KOI8-R. No I/O.

SMTP and POP3 replies have no declared charset. Chinese servers answer in GBK, older European ones in the charset of
their system. A wrong guess shows Chinese characters where an umlaut stood.
"""

from __future__ import annotations

import re

_RUN = re.compile(rb"[\x80-\xff]+")
_INSIDE_A_WORD = re.compile(rb"[A-Za-z][\x80-\xff]{1,2}[A-Za-z]|[A-Za-z]{2}[\x80-\xff](?![\x80-\xff])")
_SCRAMBLED = re.compile(r"[\u00a1-\u00ff]{4}")
_TWO_BYTES_EACH = re.compile(r"[\u0080-\u07ff]{3,}")
_CENTRAL_EUROPEAN = re.compile(rb"[A-Za-z][\x8a-\x9f\xa3\xa5\xb3\xb9\xbf]")  # where windows-1252 has signs
# lead bytes of common characters and punctuation in GB 2312
_COMMON = frozenset((*range(0xB0, 0xD8), *range(0xA1, 0xA4)))


def decode(data: bytes) -> str:
    """Return the text of bytes in an unknown charset. Bytes that no charset explains become replacement characters."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(_legacy(data), "replace")
    return data.decode("gb18030", "replace") if _mixes_scripts(text) and _is_gbk(data) else text


def unscrambled(text: str) -> str:
    """Return text that somebody decoded as Latin-1 although it was GBK or UTF-8; other text unchanged."""
    if not _SCRAMBLED.search(text):
        return text
    try:
        data = text.encode("cp1252")
    except UnicodeEncodeError:
        return text
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace") if _is_gbk(data) else text


def _legacy(data: bytes) -> str:
    """Return the name of the most probable charset that is not UTF-8."""
    cyrillic = next((charset for charset in ("cp1251", "koi8-r") if _is_cyrillic(data, charset)), None)
    if cyrillic:
        return cyrillic
    if _is_gbk(data):
        return "gb18030"
    if _INSIDE_A_WORD.search(data):
        return "cp1250" if _CENTRAL_EUROPEAN.search(data) else "cp1252"
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return "utf-8"
    return "gb18030"


def _is_cyrillic(data: bytes, charset: str) -> bool:
    """Tell whether the bytes are words of Cyrillic letters, each in a usual case: Пароль, пароль or ПАРОЛЬ."""
    runs = _RUN.findall(data)
    if max(map(len, runs), default=0) < 4 or any(byte < 0xC0 for run in runs for byte in run):
        return False
    words = [run.decode(charset) for run in runs]
    return all(word.islower() or word.isupper() or word.istitle() for word in words)


def _is_gbk(data: bytes) -> bool:
    """Tell whether the bytes are Chinese: whole pairs, nearly all of them common characters or punctuation."""
    runs = _RUN.findall(data)
    if any(len(run) % 2 for run in runs):
        return False
    leads = [lead for run in runs for lead in run[::2]]
    return bool(leads) and sum(lead in _COMMON for lead in leads) >= 0.8 * len(leads)


def _mixes_scripts(text: str) -> bool:
    """Tell whether letters of several scripts follow each other: short GBK text can be valid UTF-8 by chance."""
    return any(len({ord(char) >> 8 for char in run}) > 1 for run in _TWO_BYTES_EACH.findall(text))
