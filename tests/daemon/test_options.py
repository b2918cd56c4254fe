"""Tests of the flags, their environment variables, and the default verb."""

from __future__ import annotations

import argparse

import pytest

from exporter.cli.main import VERBS, language_of
from exporter.daemon.options import FLAGS, OptionError, add_flags, listen_address, options, with_verb
from exporter.model.sharding import Sharding
from tests.docs.generate_flags import PAGE, page


def parse(*arguments: str, **environ: str):
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return options(parser.parse_args(arguments), environ)


def test_the_default_address_is_the_loopback():
    assert parse().listen == (("127.0.0.1", 9826),)


def test_a_flag_wins_over_its_twin_in_the_environment():
    assert parse("--log.level=debug", MAILPROBE_LOG_LEVEL="error").log_level == "debug"
    assert parse(MAILPROBE_LOG_LEVEL="error").log_level == "error"


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_every_flag_has_a_twin(flag):
    assert flag.env == "MAILPROBE_" + flag.name.upper().replace(".", "_").replace("-", "_")


def test_the_interval_of_the_automatic_reload():
    """As the flags of Prometheus: off by default; if enabled, every 30 seconds or the given interval."""
    assert parse().auto_reload is None
    assert parse("--config.auto-reload-interval=5s").auto_reload is None
    assert parse("--config.enable-auto-reload").auto_reload == 30
    assert parse("--config.enable-auto-reload", "--config.auto-reload-interval=1m30s").auto_reload == 90
    assert parse("--config.enable-auto-reload", MAILPROBE_CONFIG_AUTO_RELOAD_INTERVAL="2h").auto_reload == 7200


def test_listen_addresses_are_repeatable_and_comma_separated_in_the_environment():
    assert parse("--web.listen-address=:1", "--web.listen-address=[::1]:2").listen == ((None, 1), ("::1", 2))
    assert parse(MAILPROBE_WEB_LISTEN_ADDRESS=":1, 127.0.0.2:2").listen == ((None, 1), ("127.0.0.2", 2))


@pytest.mark.parametrize("text", ["9826", "host:", "host:x", ":70000", "::1:9826", ""])
def test_a_bad_listen_address_is_named(text):
    with pytest.raises(OptionError, match="listen-address"):
        listen_address(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAILPROBE_LOG_LEVEL", "loud"),
        ("MAILPROBE_HISTORY_LIMIT", "many"),
        ("MAILPROBE_CONFIG_CHECK", "perhaps"),
        ("MAILPROBE_HISTORY_LIMIT", "0"),
        ("MAILPROBE_WEB_TELEMETRY_PATH", "metrics"),
        ("MAILPROBE_WEB_TIME_ZONE", "Beijing"),
        ("MAILPROBE_CONFIG_AUTO_RELOAD_INTERVAL", "30"),
        ("MAILPROBE_CONFIG_AUTO_RELOAD_INTERVAL", "500ms"),
        ("MAILPROBE_CONFIG_AUTO_RELOAD_INTERVAL", "soon"),
    ],
)
def test_a_bad_value_in_the_environment_is_an_error(name, value):
    with pytest.raises(OptionError, match=value):
        parse(**{name: value})


def test_the_time_zone_of_the_pages_is_an_iana_name():
    assert parse().time_zone is None
    assert str(parse("--web.time-zone=Asia/Shanghai").time_zone) == "Asia/Shanghai"
    with pytest.raises(OptionError, match=r"--web\.time-zone CST8: 'CST8' is no time zone.*such as Asia/Shanghai"):
        parse("--web.time-zone", "CST8")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["run"]),
        (["--log.level", "debug"], ["--log.level", "debug", "run"]),
        (["--config.file", "check", "--config.check"], ["--config.file", "check", "--config.check", "run"]),
        (["check", "sales"], ["check", "sales"]),
        (["--log.level=debug", "demo"], ["--log.level=debug", "demo"]),
        (["--version"], ["--version"]),
        (["nonsense"], ["nonsense"]),
    ],
)
def test_without_a_verb_the_daemon_runs(given, expected):
    assert with_verb(given, VERBS) == expected


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("zh_CN.UTF-8", "zh"),
        ("zh_TW.UTF-8", "zh-TW"),
        ("zh_HK", "zh-TW"),
        ("en_US", "en"),
        ("de_DE.UTF-8", "en"),
        ("", "en"),
        ("C", "en"),
    ],
)
def test_the_language_follows_the_locale(locale, language):
    assert language_of(locale) == language


def test_the_shard_is_told_by_flags_their_twins_or_the_pods_name():
    assert parse().sharding == Sharding(0, 1)
    assert parse("--shard=1", "--total-shards=3").sharding == Sharding(1, 3)
    auto = {"MAILPROBE_SHARD": "auto", "MAILPROBE_TOTAL_SHARDS": "3", "POD_NAME": "mailprobe-2"}
    assert parse(**auto).sharding == Sharding(2, 3)
    with pytest.raises(OptionError, match="--shard 3: must be 0 to 2"):
        parse("--shard=3", "--total-shards=3")


def test_the_flags_are_documented():
    """On failure: python -m tests.docs.generate_flags."""
    assert PAGE.read_text(encoding="utf-8") == page()
