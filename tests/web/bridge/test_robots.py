"""Tests of the requests to group robots, and of the meaning of their answers."""

from __future__ import annotations

import json
from bisect import bisect_left
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.model.settings import RobotKind
from exporter.web.bridge.message import Level, Message
from exporter.web.bridge.robots import LIMITED, PACES, Verdict, call, fits, judge

MESSAGE = Message("严重：服务器无应答", '正文 “引号” & "more"\n第二行', Level.CRITICAL)
NOW = 1_700_000_000.25


def test_dingtalk_is_signed_in_the_query():
    """The signature was made with openssl dgst -hmac."""
    made = call(
        RobotKind.DINGTALK, "https://oapi.dingtalk.com/robot/send?access_token=x", "SECtestsecret", MESSAGE, NOW
    )
    query = parse_qs(urlsplit(made.url).query)
    assert query["timestamp"] == ["1700000000250"]
    same = call(RobotKind.DINGTALK, "https://h/robot/send?access_token=x", "SECtestsecret", MESSAGE, 1_700_000_000.0)
    assert parse_qs(urlsplit(same.url).query) == {
        "access_token": ["x"],
        "timestamp": ["1700000000000"],
        "sign": ["7LVwF0dAF3/+MRRulbpE4y72Ogzykc6bS2nG4I99T4s="],
    }
    assert "sign=7LVwF0dAF3%2F%2BMRRulbpE4y72Ogzykc6bS2nG4I99T4s%3D" in same.url
    assert json.loads(made.body) == {"msgtype": "markdown", "markdown": {"title": MESSAGE.title, "text": MESSAGE.text}}


def test_feishu_is_signed_in_the_body():
    """The signature was made with openssl dgst -mac HMAC: the key is timestamp and secret, the text is empty."""
    made = call(RobotKind.FEISHU, "https://open.feishu.cn/open-apis/bot/v2/hook/x", "feishusecret", MESSAGE, NOW)
    body = json.loads(made.body)
    assert made.url == "https://open.feishu.cn/open-apis/bot/v2/hook/x"
    assert (body["timestamp"], body["sign"]) == ("1700000000", "5Wc8F8b2vZlNjoVFpK6BAaovMobglP4Rm1FzmEq/rCU=")
    assert body["card"]["header"] == {"title": {"tag": "plain_text", "content": MESSAGE.title}, "template": "red"}
    assert body["card"]["elements"] == [{"tag": "markdown", "content": MESSAGE.text}]


@pytest.mark.parametrize("kind", RobotKind)
def test_without_a_secret_nothing_is_signed(kind):
    made = call(kind, "https://h/x?key=y", "", MESSAGE, NOW)
    assert made.url == "https://h/x?key=y"
    assert b"sign" not in made.body
    assert MESSAGE.text.splitlines()[1] in made.body.decode()


@pytest.mark.parametrize(
    ("kind", "limit"), [(RobotKind.DINGTALK, 20_000), (RobotKind.FEISHU, 20_000), (RobotKind.WECOM, 4096)]
)
def test_what_fits_is_within_the_robots_limit_in_bytes(kind, limit):
    first_too_long = bisect_left(
        range(9000), True, key=lambda n: not fits(kind, Message("标题", "错" * n, Level.WARNING))
    )
    most = first_too_long - 1
    message = Message("标题", "错" * most, Level.WARNING)
    made = call(kind, "https://h/x", "s" * 40, message, NOW)
    counted = len(message.text.encode()) if kind is RobotKind.WECOM else len(made.body)
    assert limit - 200 < counted <= limit


def test_a_long_title_is_cut():
    made = call(RobotKind.DINGTALK, "https://h/x", "", Message("长" * 500, "x", Level.WARNING), NOW)
    assert len(json.loads(made.body)["markdown"]["title"]) == 120


@pytest.mark.parametrize(("kind", "minute", "second"), [("dingtalk", 20, 20), ("feishu", 100, 5), ("wecom", 20, 20)])
def test_the_pace_keeps_within_the_robots_rate(kind, minute, second):
    pace = PACES[RobotKind(kind)]
    assert pace.burst + 60 / pace.every <= minute
    assert pace.burst + 1 / pace.every <= second


OK = Verdict(ok=True)


@pytest.mark.parametrize(
    ("kind", "status", "body", "retry", "words"),
    [
        (RobotKind.DINGTALK, 200, {"errcode": 130101, "errmsg": "send too fast"}, 600, "130101: send too fast"),
        (RobotKind.DINGTALK, 200, {"errcode": 310000, "errmsg": "sign not match"}, None, "310000: sign not match"),
        (RobotKind.DINGTALK, 200, {"errcode": -1, "errmsg": "系统繁忙"}, 5, "系统繁忙"),
        (RobotKind.DINGTALK, 500, None, 5, "HTTP 500"),
        (RobotKind.DINGTALK, 404, None, None, "HTTP 404"),
        (RobotKind.DINGTALK, 302, None, None, "HTTP 302"),
        (RobotKind.FEISHU, 200, {"code": 19021, "msg": "sign match fail"}, None, "19021: sign match fail"),
        (RobotKind.FEISHU, 200, {"code": 11232, "msg": "frequency limited"}, 60, "11232"),
        (RobotKind.FEISHU, 200, {"code": 9499, "msg": "too many request"}, 60, "too many request"),
        (RobotKind.FEISHU, 200, {"code": 9499, "msg": "Bad Request"}, None, "9499: Bad Request"),
        (RobotKind.FEISHU, 429, {"code": 99991400, "msg": "request trigger frequency limit"}, 60, "99991400"),
        (RobotKind.WECOM, 200, {"errcode": 45009, "errmsg": "api freq out of limit"}, 60, "45009"),
        (RobotKind.WECOM, 200, {"errcode": 93000, "errmsg": "invalid webhook url"}, None, "93000"),
        (RobotKind.WECOM, 200, {"hello": "proxy"}, 5, "not the answer of a robot"),
        (RobotKind.WECOM, 200, [], 5, "not the answer of a robot"),
        (RobotKind.WECOM, 200, None, 5, "not the answer of a robot"),
        (RobotKind.WECOM, 503, {"errcode": 0}, 5, "HTTP 503"),
    ],
)
def test_http_200_is_not_yet_success(kind, status, body, retry, words):
    verdict = judge(kind, status, {}, body)
    assert (verdict.ok, verdict.retry) == (False, retry)
    assert words in verdict.text


def test_success_is_the_code_0_of_the_robot():
    assert judge(RobotKind.DINGTALK, 200, {}, {"errcode": 0, "errmsg": "ok"}) == OK
    assert judge(RobotKind.WECOM, 200, {}, {"errcode": 0}) == OK
    assert judge(RobotKind.FEISHU, 200, {}, {"code": 0, "msg": "success"}) == OK
    assert judge(RobotKind.FEISHU, 200, {}, {"StatusCode": 0, "StatusMessage": "success"}) == OK


@pytest.mark.parametrize(("told", "rest"), [("7", 7), ("100000", 60), ("0", 60), ("-5", 60), ("x", 60)])
def test_feishu_may_say_how_long_to_rest(told, rest):
    verdict = judge(RobotKind.FEISHU, 429, {"x-ogw-ratelimit-reset": told}, None)
    assert verdict.retry == rest <= LIMITED[RobotKind.FEISHU]
