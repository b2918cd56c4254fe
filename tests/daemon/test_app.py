"""Tests of the values that the connected parts of the daemon report."""

from __future__ import annotations

import pytest

from exporter.web.listener import listen_name


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1:9826"), ("::", "[::]:9826"), ("::1", "[::1]:9826"), ("", ":9826")]
)
def test_an_ipv6_address_is_written_in_brackets(host: str, shown: str):
    assert listen_name(host, 9826) == shown
