"""The URL of a group robot: whether it can be one, what of it is secret, and words that shall not quote that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from exporter.net import urls
from exporter.web.bridge.robots import Kind

EXAMPLES: Mapping[Kind, str] = {
    Kind.DINGTALK: "https://oapi.dingtalk.com/robot/send?access_token=…",
    Kind.FEISHU: "https://open.feishu.cn/open-apis/bot/v2/hook/…",
    Kind.WECOM: "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…",
}
_HOSTS = {
    "oapi.dingtalk.com": Kind.DINGTALK,
    "open.feishu.cn": Kind.FEISHU,
    "open.larksuite.com": Kind.FEISHU,
    "qyapi.weixin.qq.com": Kind.WECOM,
}
_PATHS = {
    "/robot/send": Kind.DINGTALK,
    "/open-apis/bot/": Kind.FEISHU,
    "/cgi-bin/webhook/send": Kind.WECOM,
}
_KEYS = {Kind.DINGTALK: "access_token", Kind.WECOM: "key"}  # Feishu's is the end of the path
SHORTEST = 4  # characters of a key: fewer would be found in any word
OPAQUE = 16  # characters of what is no word, whatever it is called
_QUOTED = re.compile(r"(?i)\b(access_token|key|timestamp|sign)=[^&\s\"'<>()\[\]{},;]+")


def fault(kind: Kind, url: str) -> str:
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


def masked(kind: Kind, text: str, url: str, *secrets: str) -> str:
    """A robot's words without the keys of its URL and these secrets: it may quote what it was asked."""
    found = {*_keys(kind, url), *_opaque(url), *secrets}
    hidden = {form for each in found for form in (each, quote(each, safe=""), quote_plus(each, safe=""))}
    for each in sorted((each for each in hidden if len(each) >= SHORTEST), key=len, reverse=True):
        text = text.replace(each, "<secret>")
    return _QUOTED.sub(r"\1=<secret>", text)


def _keys(kind: Kind, url: str) -> Iterator[str]:
    parts = urlsplit(url)
    if kind is Kind.FEISHU:
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
