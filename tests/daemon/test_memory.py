"""Tests that the daemon loads no library that its configuration does not need.

They count modules, not bytes of memory.
"""

from __future__ import annotations

import sys

from exporter.daemon.warm_up import warm_up
from exporter.diagnosis import signatures
from tests.servers.daemon import Daemon
from tests.servers.monitoring import get

TELL = """
import atexit, sys
from exporter.cli.main import main
atexit.register(lambda: print("loaded:", *sys.modules))
main()
"""
TLS = "endpoints: [{name: first, host: 127.0.0.1, port: 1, security: tls, protocol: imap}]\n"
# Libraries of other verbs, and 8 MB for certificates and keys, 4 MB for DKIM signatures, 3 MB for pages.
ONLY_FOR_OTHERS = {"rich", "aiosmtpd", "trustme", "exporter.demo", "exporter.cli.check", "exporter.cli.oauth"}
CERTIFICATES, SIGNATURES_OF_MAIL, PAGES = {"cryptography"}, {"dkim"}, {"jinja2", "markdown_it"}


class Telling(Daemon):
    """Writes at its end which modules it has loaded."""

    def argv(self) -> list[str]:
        start = super().argv()
        return [*start[:2], sys.executable, "-c", TELL, *start[start.index("run") :]]

    def loaded(self) -> set[str]:
        self.stop()
        (line,) = (line for line in self.log.read_text().splitlines() if line.startswith("loaded: "))
        return set(line.split()[1:])


def test_without_a_target_it_loads_nothing_that_only_targets_and_pages_need():
    daemon = Telling("", {})
    with daemon:
        assert "mailprobe_build_info" in daemon.text("/metrics")
        loaded = daemon.loaded()
    assert "exporter.daemon.app" in loaded
    assert loaded & (ONLY_FOR_OTHERS | CERTIFICATES | SIGNATURES_OF_MAIL | PAGES) == set()


def test_what_a_target_needs_is_loaded_before_its_run_and_what_a_page_needs_with_the_page():
    daemon = Telling(TLS, {})
    with daemon:
        get(f"{daemon.url}/")
        loaded = daemon.loaded()
    assert loaded & (CERTIFICATES | {"jinja2"}) == CERTIFICATES | {"jinja2"}
    assert loaded & (ONLY_FOR_OTHERS | SIGNATURES_OF_MAIL | {"markdown_it"}) == set()


def test_no_signature_is_compiled_without_a_target():
    """They would take 32 MB."""
    signatures._matcher.cache_clear()
    warm_up([])
    assert signatures._matcher.cache_info().currsize == 0
