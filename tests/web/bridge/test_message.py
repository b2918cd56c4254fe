"""Tests of the message for a group, made from Alertmanager's JSON: names, times, links, languages, and hostile text."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.settings import RobotKind
from exporter.web.bridge.message import Composed, Level, Markup, Message, compose
from exporter.web.bridge.robots import LIMITS, MARKUPS, fits
from exporter.web.bridge.webhook import MAX_ALERTS, Notification, WebhookError, parse
from tests.notifications import alert, notification

BEIJING = timezone(timedelta(hours=8), "CST")


def told(*bodies: object, language: str = "zh", kind: RobotKind = RobotKind.FEISHU) -> Message:
    found = [parse(body, language) for body in bodies]
    return compose(found, language, MARKUPS[kind], lambda each: fits(kind, each), BEIJING).message


def test_a_mailbox_in_chinese():
    message = told(notification([alert()]))
    assert message == Message(
        "严重：邮箱无法登录（sales）",
        "**严重：邮箱无法登录**\n"
        "受影响：sales\n"
        "告警时间：2026-11-22 11:00 CST\n"
        "原因：sales：密码错误\n"
        "[处理办法](https://mailprobe.example.com/runbooks/MailLoginFailing) · "
        "[详情](https://mailprobe.example.com/targets/sales)\n"
        "mailprobe",
        Level.CRITICAL,
    )


def test_a_mailbox_in_english():
    message = told(notification([alert(severity="warning")]), language="en")
    assert message == Message(
        "WARNING: A mailbox cannot be logged in to (sales)",
        "**WARNING: A mailbox cannot be logged in to**\n"
        "Affected: sales\n"
        "Alert raised: 2026-11-22 11:00 CST\n"
        "Why: sales: wrong_password\n"
        "[What to do](https://mailprobe.example.com/runbooks/MailLoginFailing) · "
        "[Details](https://mailprobe.example.com/targets/sales)\n"
        "mailprobe",
        Level.WARNING,
    )


def test_a_mailbox_in_traditional_chinese():
    """What stands around the alert's own texts; those are in the language that comes nearest."""
    message = told(notification([alert()]), language="zh-TW")
    assert message.title == "嚴重：邮箱无法登录（sales）"
    assert message.text.splitlines()[1:4] == [
        "受影響：sales",
        "告警時間：2026-11-22 11:00 CST",
        "原因：sales：密码错误",
    ]
    own = alert(summary_zh_TW="信箱無法登入", description_zh_TW="sales：密碼錯誤")
    assert told(notification([own]), language="zh-TW").title == "嚴重：信箱無法登入（sales）"
    assert told(notification([own]), language="zh").title == "严重：邮箱无法登录（sales）"


def test_the_times_are_those_of_the_fault_where_the_alert_tells_them():
    """An alert is raised minutes after the fault began, and resolved minutes after it ended."""
    first = alert("a", since="2026-11-22 02:57:23 UTC+00:00")
    later = alert("b", since="2026-11-22 10:58:00 UTC+08:00")
    assert "Since: 2026-11-22 10:57 CST\n" in told(notification([later, first]), language="en").text
    assert "开始时间：2026-11-22 10:57 CST\n" in told(notification([first])).text
    gone = [
        alert("a", over=True, since="2026-11-22 02:57:23 UTC+00:00", until="2026-11-22 03:04:41 UTC+00:00"),
        alert("b", over=True, since="2026-11-22 10:58:00 UTC+08:00", until="2026-11-22 11:05:11 UTC+08:00"),
    ]
    told_once = told(notification(gone), language="en").text
    assert "From – to: 2026-11-22 10:57 CST – 2026-11-22 11:05 CST (8 min)" in told_once
    assert "Alert raised: " in told(notification([alert(since="nonsense UTC+00:00")]), language="en").text
    assert "Alert raised: " in told(notification([alert(since="2026-11-22 02:57:23")]), language="en").text


def test_what_is_over_says_from_when_to_when():
    message = told(notification([alert(over=True)]))
    assert message.level is Level.RESOLVED
    assert message.title == "已恢复：邮箱无法登录（sales）"
    assert message.text.splitlines()[1:3] == [
        "受影响：sales",
        "告警起止：2026-11-22 11:00 CST – 2026-11-22 11:12 CST（12 分钟）",
    ]


def test_ten_mailboxes_are_named_and_the_others_counted():
    message = told(notification([alert(f"box{number:02}") for number in range(40)]))
    named = "、".join(f"box{number:02}" for number in range(10))
    assert f"受影响：{named}，另有 30 个\n" in message.text
    assert "box10" not in message.text
    assert message.title == "严重：邮箱无法登录（box00, box01, box02 +37）"


def test_what_is_critical_comes_first_and_what_is_over_last():
    mixed = [
        alert("c", over=True),
        alert("b", name="MailQuota", severity="warning", summary_zh="邮箱将满"),
        alert("a"),
        alert("d", name="MailOdd", severity="odd", summary_zh="其他"),
    ]
    text = told(notification(mixed)).text
    places = [
        text.index(words) for words in ("严重：邮箱无法登录", "警告：邮箱将满", "告警：其他", "已恢复：邮箱无法登录")
    ]
    assert places == sorted(places)
    assert told(notification(mixed)).title == "严重：邮箱无法登录等（a, b, d）"


def test_notifications_that_waited_together_are_one_message_and_the_newest_of_a_group_counts():
    old, new = notification([alert("a")], key="one"), notification([alert("a", over=True)], key="one")
    text = told(old, notification([alert("b")], key="two"), new).text
    assert text.count("受影响：b") == 1
    assert text.count("受影响：a") == 1
    assert "已恢复：邮箱无法登录" in text
    assert told(notification([alert("a")], key=""), notification([alert("b")], key="")).text.count("受影响：a、b") == 1


def test_alertmanager_says_how_many_alerts_it_left_out():
    assert "另有 7 条告警未随通知发来" in told(notification([alert()], truncated=7)).text
    many = parse(notification([alert()] * (MAX_ALERTS + 3), truncated=2), "zh")
    assert (len(many.alerts), many.left_out) == (MAX_ALERTS, 5)


@pytest.mark.parametrize("kind", RobotKind)
def test_what_does_not_fit_is_counted_and_nothing_is_cut_in_the_middle(kind):
    alerts = [
        alert(f"邮箱{n}", name=f"Mail{n}", summary_zh=f"第 {n} 类故障", description_zh="原因" * 149) for n in range(90)
    ]
    message = told(notification(alerts), kind=kind)
    assert fits(kind, message)
    shown = message.text.count("受影响：")
    assert 3 <= shown < 90
    assert f"另有 {90 - shown} 类告警未显示" in message.text
    assert message.text.count("https://mailprobe.example.com/runbooks/") == shown


def test_one_kind_that_is_too_long_is_cut_at_a_character():
    message = compose(
        [parse(notification([alert(description_zh="错" * 300)]), "zh")],
        "zh",
        MARKUPS[RobotKind.WECOM],
        lambda each: len(each.text.encode()) <= 200,
        UTC,
    ).message
    assert 190 < len(message.text.encode()) <= 200
    assert message.text.endswith("…")


HOSTILE = "NO <script> [click](https://evil.example) **x** `y` <@all> ![i](http://e)\r\n# big\u2028\u202e\ud800 end"


@pytest.mark.parametrize("kind", RobotKind)
def test_a_servers_words_stay_words(kind):
    text = told(notification([alert(HOSTILE, description_zh=HOSTILE, summary_zh=HOSTILE)]), kind=kind).text
    ours = text.replace('<font color="warning">', "").replace("</font>", "")
    assert "<" not in ours
    assert text.count("](") == 1  # the runbook's; the mailbox's name has made the other one no address
    assert "click" in text
    assert "\n# big" not in text
    assert not {"\u2028", "\u202e", "\ud800", "\r"} & set(text)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://x/)[a](http://evil", "https://x/ y", "http://x/\u202e", "", "ftp://x"]
)
def test_a_link_that_is_none_is_left_out(url):
    text = told(notification([alert(runbook_url=url, dashboard_url=url)])).text
    assert "](" not in text


@pytest.mark.parametrize(
    ("labels", "who"),
    [
        ({"server": "imap.example.com", "port": "993"}, "imap.example.com:993"),
        ({"server": "imap.example.com"}, "imap.example.com"),
        ({"domain": "example.com", "provider": "acme"}, "example.com"),
        ({"instance": "a:9826", "job": "mailprobe"}, "a:9826"),
        ({}, "MailX"),
    ],
)
def test_whom_it_is_about(labels, who):
    body = {"status": "firing", "labels": {"alertname": "MailX", **labels}, "annotations": {}, "startsAt": "x"}
    (found,) = parse(notification([body]), "zh").alerts
    assert (found.who, found.summary, found.raised) == (who, "MailX", 0.0)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "not a JSON object"),
        ({}, "not version 4"),
        ({"version": 4}, "not version 4"),
        ({"version": "4"}, "no list of alerts"),
        ({"version": "4", "alerts": []}, "no list of alerts"),
        ({"version": "4", "alerts": [1]}, "no list of alerts"),
    ],
)
def test_what_is_no_notification_is_said(body, words):
    with pytest.raises(WebhookError, match=words):
        parse(body, "zh")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["status", "labels", "annotations", "startsAt", "endsAt"]), JSON), st.data())
def test_whatever_an_alert_holds_becomes_a_message_that_fits(body, data):
    labels = data.draw(st.dictionaries(st.sampled_from(["alertname", "target", "severity"]), JSON))
    notes = data.draw(st.dictionaries(st.sampled_from(["summary", "summary_zh", "description", "runbook_url"]), JSON))
    found: Notification = parse(notification([{**body, "labels": labels, "annotations": notes}]), "zh")
    for kind in RobotKind:
        message = compose([found], "zh", MARKUPS[kind], lambda each: fits(kind, each)).message  # noqa: B023
        assert fits(kind, message)
        message.text.encode()


class Work:
    """Counts the headings that are made and the characters that are measured."""

    def __init__(self, kind: RobotKind) -> None:
        self.kind, self.headings, self.measured, self.asked = kind, 0, 0, 0
        self.markup = Markup(MARKUPS[kind].newline, self._heading)

    def _heading(self, text: str, level: Level) -> str:
        self.headings += 1
        return MARKUPS[self.kind].heading(text, level)

    def fits(self, message: Message) -> bool:
        self.asked += 1
        self.measured += len(message.text)
        return fits(self.kind, message)

    def compose(self, notifications: list[Notification]) -> Composed:
        return compose(notifications, "zh", self.markup, self.fits, BEIJING)


def kinds(first: int, count: int) -> Notification:
    """A notification with so many kinds of alerts."""
    alerts = [alert(f"box{n}", summary_zh=f"第 {n} 类", description_zh="因" * 300) for n in range(first, first + count)]
    return parse(notification(alerts, key=f"group {first}"), "zh")


@pytest.mark.parametrize("kind", RobotKind)
@pytest.mark.parametrize("storm", [[1800], [40] * 50, [1] * 50, [1, 1800]], ids=str)
def test_no_more_text_is_made_than_a_few_times_what_fits(kind: RobotKind, storm: list[int]):
    work = Work(kind)
    composed = work.compose([kinds(sum(storm[:index]), count) for index, count in enumerate(storm)])
    assert fits(kind, composed.message)
    assert "类告警未显示" in composed.message.text
    assert work.asked < 60
    assert work.headings < 600
    assert work.measured < 60 * LIMITS[kind]


def test_what_is_told_stands_in_the_message_and_the_rest_wants_another():
    waiting = [kinds(3 * index, 3) for index in range(20)]
    messages = 0
    while waiting:
        composed = Work(RobotKind.WECOM).compose(waiting)
        for each, told in zip(waiting, composed.told, strict=True):
            assert not told or all(alert.summary in composed.message.text for alert in each.alerts)
        assert any(composed.told)
        waiting = [each for each, told in zip(waiting, composed.told, strict=True) if not told]
        messages += 1
    assert messages > 3


def test_the_urgent_goes_first_and_what_never_fits_is_told_by_its_number():
    small = parse(notification([alert("last", name="MailQuota", severity="warning")], key="small"), "zh")
    composed = Work(RobotKind.WECOM).compose([small, kinds(0, 100)])
    assert composed.told == (False, True)
    assert "类告警未显示" in composed.message.text
    assert composed.message.title.startswith("严重：第 0 类等")


def test_an_older_notification_of_a_group_is_told_when_the_newest_is():
    old, new = (parse(notification([alert("a", over=over)], key="one"), "zh") for over in (False, True))
    assert Work(RobotKind.WECOM).compose([old, new]).told == (True, True)
    other = kinds(0, 100)
    assert Work(RobotKind.WECOM).compose([old, other, new]).told == (False, True, False)
