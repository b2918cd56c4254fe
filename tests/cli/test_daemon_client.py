"""Tests of how the command line finds a daemon, and when it sends a password."""

from __future__ import annotations

import argparse
import base64
from pathlib import Path

import aiohttp
import pytest

from exporter.cli import main
from exporter.cli.daemon_client import ReachError, admitted, login, reach, usual
from exporter.daemon.address import address
from exporter.daemon.options import Options, options
from exporter.web.listener import Listener
from tests.web.view import FakeView


def chosen(folder: Path, *listen: str, web_config: str = "") -> Options:
    given = argparse.Namespace(storage_path=str(folder), web_listen_address=list(listen) or ["127.0.0.1:9826"])
    return options(given, {"MAILPROBE_WEB_CONFIG_FILE": web_config})


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:9826", "http://127.0.0.1:9826"),
        (":9826", "http://127.0.0.1:9826"),
        ("0.0.0.0:1", "http://127.0.0.1:1"),
        ("[::]:1", "http://127.0.0.1:1"),
        ("[::1]:1", "http://[::1]:1"),
        ("probe.example.com:1", "http://probe.example.com:1"),
    ],
)
def test_the_listen_address_is_reached_from_this_machine(tmp_path, listen, url):
    assert address(chosen(tmp_path, listen)) == url
    assert usual(chosen(tmp_path, listen)) == url


def test_a_web_configuration_that_cannot_be_read_here_is_no_hindrance(tmp_path):
    assert address(chosen(tmp_path, web_config=str(tmp_path / "none.yml"))) == "http://127.0.0.1:9826"


async def test_the_control_socket_is_asked_where_there_is_one(tmp_path):
    found = chosen(tmp_path)
    listener = Listener(FakeView(), [("127.0.0.1", 0)], control=found.control_socket)
    await listener.start()
    try:
        assert usual(found) == f"unix:{found.control_socket}"
        async with reach(usual(found), aiohttp.ClientTimeout()) as reached:
            answer = await reached.session.get(f"{reached.base}/-/healthy")
            assert answer.status == 200
    finally:
        await listener.close()
    assert usual(found) == address(found)


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    file = tmp_path / "netrc"
    file.write_text("machine probe.example.com login ops password pässword\nmachine 127.0.0.1 login local password x\n")
    monkeypatch.setenv("NETRC", str(file))
    return file


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://probe.example.com:9826", "ops:pässword"),
        ("http://127.0.0.1:9826", "local:x"),
        ("https://127.0.0.1", "local:x"),
        ("http://probe.example.com:9826", ""),  # it would be sent over the network without TLS
        ("https://other.example.com", ""),
        ("https://[", ""),
        ("", ""),
    ],
)
def test_a_login_is_sent_to_its_host_alone_and_not_in_the_clear(netrc, url, sent):
    expected = {"Authorization": "Basic " + base64.b64encode(sent.encode()).decode()} if sent else {}
    assert login(url) == expected


@pytest.mark.parametrize("text", [None, "machine\n"])
def test_without_a_usable_netrc_none_is_sent(netrc, text):
    if text is None:
        netrc.unlink()
    else:
        netrc.write_text(text)
    assert login("https://probe.example.com") == {}


@pytest.mark.parametrize(
    ("status", "url", "told"),
    [
        (401, "https://probe.example.com:9826", "machine probe.example.com login"),
        (400, "http://probe.example.com:9826", "https://"),
        (403, "https://probe.example.com:9826", "does not let this client in"),
        (429, "https://probe.example.com:9826", "rate_limit"),
    ],
)
def test_refusals_are_explained(status, url, told):
    with pytest.raises(ReachError, match=told):
        admitted(status, url)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_other_answers_are_for_the_command_to_read(status):
    admitted(status, "https://x")


@pytest.mark.parametrize("verb", [["check"], ["report", "x"]])
def test_a_password_on_the_command_line_is_refused_and_not_repeated(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main([*verb, "--url=https://ops:very-secret@probe.example.com"])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "netrc" in told
    assert "very-secret" not in told
