"""Tests of log lines: each record is exactly one line, and no line contains a password."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from exporter.daemon import log_setup
from exporter.model import Secret
from exporter.model.logger import logger_of

Start = Callable[..., tuple[io.StringIO, list[str]]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Set up logging on a text stream; the previous state is restored afterwards."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, {name: logging.getLogger(name).disabled for name in log_setup.SILENCED})

    def setup(level: str = "info", fmt: str = "logfmt") -> tuple[io.StringIO, list[str]]:
        stream = io.StringIO()
        levels: list[str] = []
        log_setup.setup(level, fmt, levels.append, stream)
        return stream, levels

    yield setup
    logging.captureWarnings(False)
    root.handlers[:], root.level = before[0], before[1]
    for name, disabled in before[2].items():
        logging.getLogger(name).disabled = disabled


logger = logging.getLogger("exporter.run.scheduler")


def caught(error: ValueError) -> ValueError:
    """Return an exception with a traceback."""
    try:
        raise error
    except ValueError as exc:
        return exc


def test_what_a_line_is_about_is_given_by_name(start):
    stream, levels = start()
    ours = logger_of("exporter.run.scheduler")
    ours.warning("%d of %d runs were late", 2, 3, target="sales team", seconds=90)
    ours.error("a run failed", target="sales", exc_info=caught(ValueError("broken")))
    late, failed = stream.getvalue().splitlines()
    assert late.endswith('msg="2 of 3 runs were late" target="sales team" seconds=90')
    source = r"source=test_log_setup\.py:\d+ "
    assert re.search(source + 'msg="a run failed" target=sales err="ValueError: broken" stack=', failed)
    assert levels == ["warn", "error"]


def test_logfmt_has_the_style_of_slog(start):
    stream, levels = start()
    logger.warning("the interval was stretched", extra={"fields": {"target": "sales team", "seconds": 90, "empty": ""}})
    assert re.fullmatch(
        r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=WARN source=test_log_setup\.py:\d+ "
        r'msg="the interval was stretched" target="sales team" seconds=90 empty=""\n',
        stream.getvalue(),
    )
    assert levels == ["warn"]


def test_json_lines_have_the_same_keys(start):
    stream, _ = start(fmt="json")
    logger.info("started", extra={"fields": {"targets": 3, "name": "采购"}})
    line = json.loads(stream.getvalue())
    assert list(line) == ["time", "level", "source", "msg", "targets", "name"]
    assert (line["level"], line["msg"], line["targets"], line["name"]) == ("INFO", "started", 3, "采购")


@pytest.mark.parametrize("fmt", log_setup.FORMATS)
def test_a_record_is_one_line_whatever_a_server_put_into_it(start, fmt):
    stream, _ = start(fmt=fmt)
    logger.error(
        "it said %s", 'a\nlevel=INFO msg="forged"\r\x1b[31m', extra={"fields": {"a key=": "x\ny", "msg": "no"}}
    )
    logger.error("failed", exc_info=caught(ValueError("two\nlines")))
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert not any(c < " " for line in lines for c in line)
    assert "ValueError: two" in lines[1]
    assert "test_log_setup.py" in lines[1]


def test_levels_are_counted_as_prometheus_names_them_and_the_threshold_holds(start):
    stream, levels = start("warn")
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
        logger.log(level, "x")
    assert levels == ["warn", "error", "error"]
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["level=WARN", "level=ERROR", "level=ERROR"]


def test_libraries_speak_only_when_it_is_serious_and_mail_libraries_never(start):
    stream, levels = start("debug")
    logging.getLogger("asyncio").debug("using selector")
    logging.getLogger("asyncio").warning("slow callback")
    for name in log_setup.SILENCED:
        logging.getLogger(name).error("Sending: A1 LOGIN sales hunter2")
    logger.debug("ours")
    assert levels == ["warn", "debug"]
    assert "hunter2" not in stream.getvalue()


def test_a_secret_shows_itself_in_no_way_of_logging(start):
    stream, _ = start("debug")
    secret = Secret("canary-password")
    logger.info("login with %s %r", secret, secret, extra={"fields": {"password": secret, "nested": [secret]}})
    with suppress(TypeError):
        json.dumps(secret)
    logger.error("failed", exc_info=caught(ValueError(secret)))
    assert "canary-password" not in stream.getvalue()
    assert stream.getvalue().count("<secret>") >= 4


@pytest.mark.parametrize("fmt", log_setup.FORMATS)
def test_long_values_are_cut(start, fmt):
    stream, _ = start(fmt=fmt)
    logger.info("x" * 100_000)
    assert len(stream.getvalue()) < 5000
