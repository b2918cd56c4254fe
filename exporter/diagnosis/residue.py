"""Tells whether a server said more than the evidence explains: words that carry a meaning we do not know.

Weak evidence (a bare code, "failed" and nothing else) gives a reason only if nothing is left. Pure; linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from exporter.diagnosis import plain_words

_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"')\]]{1,500}", re.IGNORECASE)
_ADDRESS = re.compile(r"<?[\w.+=*$/-]{1,64}@[\w.$*-]{1,253}>?")
_TAGS = re.compile(r"\[[^\[\]]{0,100}\]|<[^<>]{0,200}>|\([^()\s]{0,100}\)|(?<!\d)\d{1,9}(?:\.\d{1,9}){1,3}")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\S")
_HAN = re.compile(r"[\u3400-\u9fff]")
# A word with digits, `=`, or dots between small letters is an id, a host name or base64, not a word of a language.
_NAME = re.compile(r"\S*(?:[a-z0-9][._=/][a-z0-9]|\d[^\W\d]|[^\W\d_]\d|[a-z][A-Z]|=$)\S*")
_TOKEN = re.compile(r"\S+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")


def masked(text: str) -> str:
    """Return the text for generic rows: without addresses and the paths of URLs, whose words mean nothing.

    Names of a program, such as `SmtpClientAuthentication`, are split into their words.
    """
    if "@" in text:
        text = _ADDRESS.sub("<@>", text)
    if "/" in text:
        text = _TOKEN.sub(_host, text)
    return _CAMEL.sub(" ", text)


def _host(found: re.Match[str]) -> str:
    """Return the host of a URL or path that begins with one; other words with a slash unchanged."""
    if "/" not in found[0]:
        return found[0]
    head, mark, tail = found[0].partition("://")
    host = (tail if mark else head).partition("/")[0]
    return f"{head}{mark}{host}" if mark or "." in host else found[0]


def left_over(text: str, explained: Iterable[str], *, login: bool) -> bool:
    """Tell whether words remain in a text that neither the explained parts nor plain words account for.

    Words about a login are plain in the answer to a login, and only there.
    """
    known = plain_words.load()
    plain = known.in_login if login else known.plain
    for part in sorted(filter(None, explained), key=len, reverse=True):
        text = text.replace(part, " ")
    if "://" in text or "www." in text:
        text = _URL.sub(" ", text)
    text = _TAGS.sub(" ", _ADDRESS.sub(" ", text) if "@" in text else text)
    for token in text.split():
        word = token.strip(".,;:!?()[]<>\"'-#*")
        if not word or word.lower() in plain or _NAME.fullmatch(word):
            continue
        if _HAN.search(word):
            if len(_HAN.findall(known.chinese.sub("", word))) > 1:
                return True
        elif any((len(each) > 2 or each == "IP") and each.lower() not in plain for each in _WORD.findall(word)):
            return True
    return False
