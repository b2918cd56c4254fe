"""Checks the URL of a chat group's robot, and removes its secret parts from messages.

The URL of a robot contains its key, so messages must never quote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from exporter.model.settings import RobotKind
from exporter.net import urls

EXAMPLES: Mapping[RobotKind, str] = {
    RobotKind.DINGTALK: "https://oapi.dingtalk.com/robot/send?access_token=…",
    RobotKind.FEISHU: "https://open.feishu.cn/open-apis/bot/v2/hook/…",
    RobotKind.WECOM: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…",
}
_HOSTS = {
    "oapi.dingtalk.com": RobotKind.DINGTALK,
    "open.feishu.cn": RobotKind.FEISHU,
    "open.larksuite.com": RobotKind.FEISHU,
    "qyapi.weixin.qq.com": RobotKind.WECOM,
}
_PATHS = {
    "/robot/send": RobotKind.DINGTALK,
    "/open-apis/bot/": RobotKind.FEISHU,
    "/cgi-bin/webhook/send": RobotKind.WECOM,
}
_KEYS = {RobotKind.DINGTALK: "access_token", RobotKind.WECOM: "key"}  # the key of Feishu is the last part of the path
SHORTEST = 4  # characters of a key: a shorter one would match ordinary words
OPAQUE = 16  # characters from which on a part of the URL is treated as secret
_QUOTED = re.compile(r"(?i)\b(access_token|key|timestamp|sign)=[^&\s\"'<>()\[\]{},;]+")


def fault(kind: RobotKind, url: str) -> str:
    """Return why this cannot be the URL of such a robot, without quoting it, or "" if it can."""
    example = EXAMPLES[kind]
    if why := urls.fault(url, example):
        return why
    parts = urlsplit(url)
    owner = _HOSTS.get(urls.host_of(url))
    found = owner or next((each for path, each in _PATHS.items() if parts.path.startswith(path)), kind)
    if found is not kind:
        return f"is the address of a {found} robot, not of a {kind} robot such as {example}"
    if owner is kind and not next(_keys(kind, url), ""):
        return f"has no key: copy all of the robot's address, such as {example}"
    return ""


def masked(kind: RobotKind, text: str, url: str, *secrets: str) -> str:
    """Remove the keys of the URL and these secrets from a robot's reply, which may quote the request."""
    found = {*_keys(kind, url), *_opaque(url), *secrets}
    hidden = {form for each in found for form in (each, quote(each, safe=""), quote_plus(each, safe=""))}
    for each in sorted((each for each in hidden if len(each) >= SHORTEST), key=len, reverse=True):
        text = text.replace(each, "<secret>")
    return _QUOTED.sub(r"\1=<secret>", text)


def _keys(kind: RobotKind, url: str) -> Iterator[str]:
    parts = urlsplit(url)
    if kind is RobotKind.FEISHU:
        before, _, last = parts.path.rstrip("/").rpartition("/")
        if before.rpartition("/")[2] == "hook":
            yield last
    else:
        yield from (value for name, value in parse_qsl(parts.query) if name == _KEYS[kind])


def _opaque(url: str) -> Iterator[str]:
    """Return what looks like a key in a URL of another form, such as that of a proxy."""
    parts = urlsplit(url)
    values = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    values += [each.partition("=")[2] for each in parts.query.split("&")]  # as written, not decoded
    yield from (each for each in values if len(each) >= OPAQUE)
