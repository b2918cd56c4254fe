"""Tells whether a server said more than the evidence explains: words that carry a meaning we do not know.

Weak evidence (a bare code, "failed" and nothing else) gives a reason only if nothing is left. Pure; linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"')\]]{1,500}", re.IGNORECASE)
_ADDRESS = re.compile(r"<?[\w.+=*$/-]{1,64}@[\w.$*-]{1,253}>?")
_TAGS = re.compile(r"\[[^\]]{0,100}\]|<[^>]{0,200}>|\([^)\s]{0,100}\)|#?\d+(?:\.\d+){1,3}\b")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\S")
_HAN = re.compile(r"[\u3400-\u9fff]")
# A word with digits, `=`, or dots between small letters is an id, a host name or base64, not a word of a language.
_NAME = re.compile(r"\S*(?:[a-z0-9][._=/][a-z0-9]|\d[^\W\d]|[^\W\d_]\d|[a-z][A-Z]|=$)\S*")
_TOKEN = re.compile(r"\S+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")

# Words that say nothing about the cause: grammar, politeness, and what every refusal says.
_PLAIN = frozenset(  # as text: two hundred words in quotes are hard to read
    """
    a an and are as at be been because but by can cannot could did do does for from had has have here i if in into is it
    its me more my no not now of on or our out please so sorry than that the their them then there these this those to
    too try us was we were what when which while will with would you your yours yourself any all also again later after
    some time minutes see visit link learn information info details help contact support administrator admin postmaster
    system server service host mail email e-mail message messages smtp esmtp imap pop pop3 imap4 lmtp error errors err
    failed fail failure failures fails failing unsuccessful rejected reject rejects refused refuse denied deny bad bye
    invalid request requested action command operation aborted taken transaction permanent permanently problem issue
    unable user username account accounts response reply said code status client connection session closing closed line
    lines data rcpt ok perm alert refer go http https com net org www
    """.split()  # noqa: SIM905
)
_LOGIN = frozenset(
    "access login log logon sign signin auth authenticate authentication authenticated authorization sasl plain".split()  # noqa: SIM905
)
_PLAIN_HAN = re.compile(
    "错误|失败|请|稍后|稍候|再试|重试|登录|登陆|认证|验证|身份|服务器?|系统|邮件|邮箱|帐号|账号|用户|详情|查看|看|的|了|已|被|"
    "您|你|拒绝"
)


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
    plain = _PLAIN | _LOGIN if login else _PLAIN
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
            if len(_HAN.findall(_PLAIN_HAN.sub("", word))) > 1:
                return True
        elif any((len(each) > 2 or each == "IP") and each.lower() not in plain for each in _WORD.findall(word)):
            return True
    return False
