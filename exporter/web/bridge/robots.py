"""The group robots of DingTalk, Feishu (Lark) and WeCom: requests, signatures, limits, and their answers. No I/O.

Sources: open.dingtalk.com "custom robot access" (20 messages a minute, else nothing for 10 minutes; 20,000 bytes),
open.feishu.cn "custom bot usage guide" (100 a minute, 5 a second; 20 KB a request), developer.work.weixin.qq.com path
91770 (20 a minute; markdown of 4,096 bytes).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from exporter.model.settings import RobotKind
from exporter.web.bridge.message import Level, Markup, Message


@dataclass(frozen=True, slots=True)
class Pace:
    """A rate limit: `burst` messages at once, then one each `every` seconds."""

    burst: int
    every: float


@dataclass(frozen=True, slots=True)
class Call:
    """One POST request with a JSON body. The URL contains secrets."""

    url: str
    body: bytes
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of sending a message. `retry` is the number of seconds until a retry makes sense; None = never."""

    ok: bool
    text: str = ""
    retry: float | None = None
    code: str = ""  # HTTP status and the robot's code, which stay the same while the text changes

    @property
    def cause(self) -> str:
        """A text that is equal for repetitions of the same failure."""
        return self.code or self.text


# burst + 60 / every is below the robot's limit per minute. For Feishu, burst + 1 is also below its limit per second.
PACES: Mapping[RobotKind, Pace] = {
    RobotKind.DINGTALK: Pace(4, 4.0),
    RobotKind.FEISHU: Pace(4, 1.0),
    RobotKind.WECOM: Pace(4, 4.0),
}
MAX_TITLE = 120  # characters
SIGNED = 150  # bytes that a signature adds to the body of a request to Feishu
LIMITS: Mapping[RobotKind, int] = {RobotKind.DINGTALK: 20_000, RobotKind.FEISHU: 20_000, RobotKind.WECOM: 4096}  # bytes
LIMITED: Mapping[RobotKind, float] = {
    RobotKind.DINGTALK: 600.0,
    RobotKind.FEISHU: 60.0,
    RobotKind.WECOM: 60.0,
}  # seconds to pause after the robot's rate limit was reached
BUSY = 5.0  # seconds until a retry if the server is busy or broken
TOO_FAST: Mapping[RobotKind, frozenset[int]] = {
    RobotKind.DINGTALK: frozenset({130101, 410100, 90030}),
    RobotKind.FEISHU: frozenset({11232, 99991400}),
    RobotKind.WECOM: frozenset({45009, 45033}),
}
TRY_AGAIN = frozenset({-1, 6000, 404})  # codes for "busy" in the documentation of the robots
RESET = "x-ogw-ratelimit-reset"  # Feishu: seconds until the rate limit is reset

_COLOURS = {Level.CRITICAL: "red", Level.WARNING: "orange", Level.RESOLVED: "green"}
_FONTS = {Level.CRITICAL: "warning", Level.WARNING: "warning", Level.RESOLVED: "info"}
MARKUPS: Mapping[RobotKind, Markup] = {
    RobotKind.DINGTALK: Markup("  \n  ", lambda text, _: f"#### {text}"),
    RobotKind.FEISHU: Markup("\n", lambda text, _: f"**{text}**"),
    RobotKind.WECOM: Markup("\n", lambda text, level: f'**<font color="{_FONTS[level]}">{text}</font>**'),
}


def fits(kind: RobotKind, message: Message) -> bool:
    """Return whether the message is within the robot's size limit."""
    if kind is RobotKind.WECOM:
        return len(message.text.encode()) <= LIMITS[kind]
    return len(_json(_body(kind, message))) + SIGNED <= LIMITS[kind]


def call(kind: RobotKind, url: str, secret: str, message: Message, now: float) -> Call:
    """Return the request for a message. `secret` signs it; "" if the robot needs no signature. `now` is Unix time."""
    body, signature = _body(kind, message), ""
    if kind is RobotKind.DINGTALK and secret:
        stamp = str(round(now * 1000))
        signature = _hmac(secret.encode(), f"{stamp}\n{secret}".encode())
        url += ("&" if urlsplit(url).query else "?") + urlencode({"timestamp": stamp, "sign": signature})
    elif kind is RobotKind.FEISHU and secret:
        stamp = str(int(now))
        signature = _hmac(f"{stamp}\n{secret}".encode(), b"")
        body |= {"timestamp": stamp, "sign": signature}
    return Call(url, _json(body), signature)


def judge(kind: RobotKind, status: int, headers: Mapping[str, str], body: object) -> Verdict:
    """Return the verdict on a response. `body` is its JSON, or None.

    HTTP 200 does not mean success: the code in the body decides.
    """
    code, words = _code(kind, body)
    same = f"HTTP {status}" + (f", code {code}" if code is not None else "")
    told = same + (f": {words}" if code is not None else "")
    if status == 200 and code == 0:
        return Verdict(ok=True)
    if status == 429 or code in TOO_FAST[kind] or (kind is RobotKind.FEISHU and "too many" in words.lower()):
        return Verdict(ok=False, text=f"too many messages: {told}", retry=_rest(kind, headers), code=same)
    if status in (408, 500, 502, 503, 504) or code in TRY_AGAIN:
        return Verdict(ok=False, text=told, retry=BUSY, code=same)
    if status == 200 and code is None:
        return Verdict(ok=False, text="HTTP 200, but not the answer of a robot", retry=BUSY)
    return Verdict(ok=False, text=told, code=same)


def _code(kind: RobotKind, body: object) -> tuple[int | None, str]:
    """Return the robot's code and text: `errcode`, for Feishu `code` or, in older versions, `StatusCode`."""
    if not isinstance(body, dict):
        return None, ""
    names = ("code", "StatusCode") if kind is RobotKind.FEISHU else ("errcode",)
    found = next((body[name] for name in names if isinstance(body.get(name), int)), None)
    words = next((body[name] for name in ("errmsg", "msg", "StatusMessage") if isinstance(body.get(name), str)), "")
    return found, words


def _rest(kind: RobotKind, headers: Mapping[str, str]) -> float:
    told = headers.get(RESET, "")
    return min(float(told), LIMITED[kind]) if told.isdecimal() and told.isascii() and told != "0" else LIMITED[kind]


def _body(kind: RobotKind, message: Message) -> dict[str, Any]:
    title = message.title[:MAX_TITLE]
    if kind is RobotKind.DINGTALK:
        return {"msgtype": "markdown", "markdown": {"title": title, "text": message.text}}
    if kind is RobotKind.WECOM:
        return {"msgtype": "markdown", "markdown": {"content": message.text}}
    header = {"title": {"tag": "plain_text", "content": title}, "template": _COLOURS[message.level]}
    return {
        "msg_type": "interactive",
        "card": {"header": header, "elements": [{"tag": "markdown", "content": message.text}]},
    }


def _json(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _hmac(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.digest(key, text, hashlib.sha256)).decode()
