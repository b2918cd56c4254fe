"""Tests of the format, compression and language for a client."""

import pytest

from exporter.web.api.negotiate import (
    OPENMETRICS,
    OPENMETRICS_0,
    TEXT,
    TEXT_1,
    accepts_gzip,
    exposition_type,
    language,
    wants_html,
)

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        (BROWSER, TEXT),
        (PROMETHEUS_2_42, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text; version=2.0.0", OPENMETRICS),
        ("application/openmetrics-text; version=0.0.1", OPENMETRICS_0),
        ("application/openmetrics-text;q=0.1, text/plain;version=0.0.4;q=0.9", TEXT),
        ("application/openmetrics-text;q=0, */*;q=0.1", TEXT),
        ("text/plain;version=1.0.0", TEXT_1),
        ("text/plain;q=0.5, text/plain;version=1.0.0;q=0.5", TEXT),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily", TEXT),
        ("nonsense;q=much, ;;, application/openmetrics-text;q=nan", TEXT),
        ('application/openmetrics-text; version="1.0.0"; q=1.000', OPENMETRICS),
    ],
)
def test_the_exposition_format_follows_quality(accept, content_type):
    assert exposition_type(accept) == content_type


@pytest.mark.parametrize(
    ("header", "answer"),
    [("", False), ("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("*", True), ("identity", False)],
)
def test_gzip_is_used_where_it_is_accepted(header, answer):
    assert accepts_gzip(header) is answer


@pytest.mark.parametrize(
    ("header", "chosen", "answer"),
    [
        ("", "", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "", "zh"),
        ("de,en;q=0.5,zh;q=0.7", "", "zh"),
        ("de", "", "en"),
        ("zh;q=0, en", "", "en"),
        ("zh-TW", "en", "en"),
        ("en", "zh", "zh"),
        ("zh", "xx", "en"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "", "zh-TW"),
        ("zh-HK,zh;q=0.9", "", "zh-TW"),
        ("zh-Hant-HK", "", "zh-TW"),
        ("zh-Hans-HK", "", "zh"),
        ("en", "zh-TW", "zh-TW"),
        ("en", "zh-tw", "zh-TW"),
    ],
)
def test_the_language_is_the_chosen_one_then_the_browsers(header, chosen, answer):
    assert language(header, chosen) == answer


def test_a_browser_is_told_from_a_program():
    assert wants_html(BROWSER)
    assert not wants_html("*/*")
    assert not wants_html("application/json")
