"""Tests which URLs can belong to a robot, and which part of a robot's answer may be shown."""

from __future__ import annotations

import pytest

from exporter.config.robot_urls import fault, masked
from exporter.model.settings import RobotKind

TOKEN = "0123456789abcdef0123456789abcdef"
DINGTALK = f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}"
FEISHU = "https://open.feishu.cn/open-apis/bot/v2/hook/01234567-89ab-cdef-0123-456789abcdef"
WECOM = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("dingtalk", DINGTALK),
        ("feishu", FEISHU),
        ("feishu", FEISHU.replace("feishu.cn", "larksuite.com")),
        ("feishu", FEISHU.replace("/v2/", "/")),
        ("wecom", WECOM),
        ("wecom", "http://127.0.0.1:8080/send?key=x"),
        ("dingtalk", "https://proxy.example/anything"),
    ],
)
def test_what_can_be_a_robots_url(kind: str, url: str):
    assert fault(RobotKind(kind), url) == ""


@pytest.mark.parametrize(
    ("kind", "url", "why"),
    [
        ("wecom", "ftp://x/hidden-key", "must begin with https://"),
        ("wecom", "http://robot.example/send?key=hidden-key", "must begin with https://"),
        ("wecom", "hidden-key", "is not a URL such as https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…"),
        ("dingtalk", "", "is not a URL such as https://oapi.dingtalk.com/robot/send?access_token=…"),
        ("feishu", "hidden-key\nhidden-key", "is not a URL such as https://open.feishu.cn/open-apis/bot/v2/hook/…"),
        ("wecom", DINGTALK, "is the address of a dingtalk robot, not of a wecom robot such as https://qyapi.weixin"),
        ("dingtalk", WECOM, "is the address of a wecom robot, not of a dingtalk robot"),
        ("dingtalk", FEISHU, "is the address of a feishu robot, not of a dingtalk robot"),
        ("wecom", f"https://proxy.example/robot/send?access_token={TOKEN}", "is the address of a dingtalk robot"),
        ("dingtalk", "https://oapi.dingtalk.com/robot/send", "has no key"),
        ("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=", "has no key"),
        ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/", "has no key"),
    ],
)
def test_what_cannot_is_said_without_quoting_it(kind: str, url: str, why: str):
    said = fault(RobotKind(kind), url)
    assert said.startswith(why)
    for each in ("hidden-key", TOKEN, "01234567-", "login.example.com"):
        assert each not in said


@pytest.mark.parametrize(
    ("kind", "url", "words", "told"),
    [
        ("dingtalk", DINGTALK, "send too fast", "send too fast"),
        ("dingtalk", DINGTALK, f"robot/send: token {TOKEN} is not exist", "robot/send: token <secret> is not exist"),
        ("feishu", FEISHU, "hook of an open bot", "hook of an open bot"),
        ("feishu", FEISHU, f"invalid: {FEISHU}", "invalid: https://open.feishu.cn/open-apis/bot/v2/hook/<secret>"),
        ("wecom", WECOM, "webhook send", "webhook send"),
        ("wecom", WECOM, f"hint: [{WECOM[-36:]}]", "hint: [<secret>]"),
        ("wecom", WECOM, f"invalid {WECOM}", "invalid https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=<secret>"),
        ("wecom", "https://proxy.example/go?key=a%2Bb%2Fc", "a+b/c, a%2Bb%2Fc", "<secret>, <secret>"),
        ("wecom", f"https://proxy.example/{TOKEN}/send?x={TOKEN}y", f"send {TOKEN} {TOKEN}y", "send <secret> <secret>"),
        (
            "dingtalk",
            f"{DINGTALK}&timestamp=1700000000250&sign=7LVwF0dAF3%2F%2BMRRulbpE4y72Ogzykc6bS2nG4I99T4s%3D",
            "at /robot/send?access_token=another&timestamp=1700000000250&sign=7LVw%3D (sign not match)",
            "at /robot/send?access_token=<secret>&timestamp=<secret>&sign=<secret> (sign not match)",
        ),
        (
            "dingtalk",
            f"{DINGTALK}&timestamp=1700000000250&sign=7LVwF0dAF3%2F%2BMRRulbpE4y72Ogzykc6bS2nG4I99T4s%3D",
            "got 7LVwF0dAF3/+MRRulbpE4y72Ogzykc6bS2nG4I99T4s=, sign not match",
            "got <secret>, sign not match",
        ),
    ],
)
def test_only_what_is_secret_is_masked(kind: str, url: str, words: str, told: str):
    assert masked(RobotKind(kind), words, url, "SECsecret") == told


def test_a_signature_and_its_secret_are_masked_too():
    assert masked(RobotKind.FEISHU, "SECsecret made 5Wc8F8b2v/=", FEISHU, "SECsecret", "5Wc8F8b2v/=") == (
        "<secret> made <secret>"
    )
    assert masked(RobotKind.WECOM, "a word stays", WECOM, "", "a") == "a word stays"
