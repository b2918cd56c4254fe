"""Writes docs/images/dashboard-*.png: previews of the dashboards over the scene, in a real Chromium.

Run `python -m tests.grafana.screenshots` as root (it starts the mail servers). The pictures are not from Grafana.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from grafana.preview.data import Source, values_of
from grafana.preview.page import WIDTH, height, page
from tests.grafana.panels import NAMES, dashboard
from tests.grafana.scene import Scene, TokenThread
from tests.servers.certs import Authority
from tests.servers.chromium import HEADLESS
from tests.servers.dns import Authoritative, Resolver
from tests.servers.dovecot import Dovecot
from tests.servers.opendkim import Key, Milters, Signer, Verifier
from tests.servers.postfix import Postfix
from tests.servers.process import binary
from tests.servers.world import DOMAIN, gather, users, zones

IMAGES = Path(__file__).parents[2] / "docs" / "images"
BEFORE, AFTER = 45, 20  # seconds without faults, and with faults
CHOSEN = {"mailbox": {"target": "carol|dave"}}
WANTED = [(name, "en") for name in NAMES] + [("overview", "zh")]


def shoot(html: str, size: tuple[int, int], to: Path) -> None:
    """Write a picture of the page."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        source.write_text(html, encoding="utf-8")
        subprocess.run(
            [
                binary("chromium", "chromium"),
                *HEADLESS,
                "--force-device-scale-factor=0.75",
                f"--user-data-dir={folder}/profile",
                f"--window-size={size[0]},{size[1]}",
                f"--screenshot={to}",
                source.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )


def main(folder: Path = IMAGES) -> None:
    with ExitStack() as running:
        authority, key = Authority(), Key()
        running.callback(authority.close)
        dovecot = running.enter_context(Dovecot(authority, users()))
        names = running.enter_context(Authoritative(zones(key.record)))
        resolver = running.enter_context(Resolver(names))
        signer = running.enter_context(Signer(DOMAIN, key))
        verifier = running.enter_context(Verifier(f"mx.{DOMAIN}", resolver.address))
        postfix = running.enter_context(Postfix(dovecot, Milters(signer, verifier)))
        tokens = running.enter_context(TokenThread())
        scene = Scene(gather(dovecot, postfix, resolver.address), dovecot, names, resolver, tokens.server)
        running.callback(scene.close)
        scene.run(BEFORE)
        time.sleep(AFTER)
        now = time.time()
        folder.mkdir(parents=True, exist_ok=True)
        for name, language in WANTED:
            board = dashboard(name, language)
            values = values_of(board, CHOSEN.get(name, {}))
            source = Source(scene.prometheus.url, scene.healthy - BEFORE, now, values)
            suffix = "" if language == "en" else f"-{language}"
            shoot(page(board, source), (WIDTH + 16, height(board)), folder / f"dashboard-{name}{suffix}.png")


if __name__ == "__main__":
    main(*(Path(each) for each in sys.argv[1:2]))
