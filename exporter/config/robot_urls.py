"""The URL of a group robot: whether it can be one, what of it is secret, and words that shall not quote that."""

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
_KEYS = {RobotKind.DINGTALK: "access_token", RobotKind.WECOM: "key"}  # Feishu's is the end of the path
SHORTEST = 4  # characters of a key: fewer would be found in any word
OPAQUE = 16  # characters of what is no word, whatever it is called
_QUOTED = re.compile(r"(?i)\b(access_token|key|timestamp|sign)=[^&\s\"'<>()\[\]{},;]+")


def fault(kind: RobotKind, url: str) -> str:
    """Why no robot of this kind has such a URL, never quoting it; "" where it may have."""
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
    """A robot's words without the keys of its URL and these secrets: it may quote what it was asked."""
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
    """What looks like a key in a URL of another shape, such as that of a proxy."""
    parts = urlsplit(url)
    values = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    values += [each.partition("=")[2] for each in parts.query.split("&")]  # as written
    yield from (each for each in values if len(each) >= OPAQUE)
