"""Takes the pictures of the documentation: `mailprobe demo` in a real Chromium. `make screenshots` calls it.

The pages use the fonts of the reader. Here they are Inter and Noto Sans CJK (Debian: fonts-inter, fonts-noto-cjk), or
the fonts that fontconfig selects in their place.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tests.servers.chromium import PHONE, Browser, Chromium
from tests.servers.monitoring import HttpServer
from tests.servers.process import Server

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LONG_ENOUGH = 240  # seconds until the demo has enough history for a picture
FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<alias binding="strong"><family>system-ui</family><prefer><family>Inter</family></prefer></alias>
<alias binding="strong"><family>sans-serif</family>
<prefer><family>Inter</family><family>Noto Sans CJK SC</family></prefer></alias>
</fontconfig>
"""


class Picture(NamedTuple):
    """One file in docs/."""

    file: str
    path: str
    size: tuple[int, int]
    dark: bool = False
    scale: float = 1.0


PICTURES = (
    Picture("screenshot.png", "/?lang=en", (1280, 1240)),
    Picture("images/status-dark.png", "/?lang=en", (1280, 900), dark=True),
    Picture("images/status-zh.png", "/?lang=zh", (1280, 900)),
    Picture("images/status-phone.png", "/?lang=en", PHONE, scale=2),
    Picture("images/status-table.png", "/?lang=en#targets", (1280, 900)),
    Picture("images/target.png", "/targets/sales?lang=en", (1280, 1240)),
    Picture("images/target-zh-dark.png", "/targets/intern?lang=zh", (1280, 900), dark=True),
    Picture("images/target-phone.png", "/targets/intern?lang=en", PHONE, scale=2),
)


class Demo(HttpServer):
    """`mailprobe demo`."""

    ready_path = "/-/ready"

    def __init__(self) -> None:
        super().__init__("mailprobe-demo")

    def argv(self) -> list[str]:
        program = ["env", f"PYTHONPATH={ROOT}", sys.executable, "-m", "exporter", "demo"]
        return [*program, f"--web.listen-address=127.0.0.1:{self.port}"]


async def take(url: str, chromium: Chromium) -> None:
    async with Browser(chromium) as browser:
        for picture in PICTURES:
            page = await browser.page(picture.size, dark=picture.dark, scale=picture.scale)
            await page.open(url + picture.path)
            file = DOCS / picture.file
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(await page.screenshot())
            await page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="", help="of a demo that runs already; else one is started")
    url = parser.parse_args().url
    servers: list[Server] = []
    try:
        if not url:
            demo = Demo()
            servers.append(demo)
            demo.start()
            time.sleep(LONG_ENOUGH)
            url = demo.url
        chromium = Chromium()
        servers.append(chromium)
        fonts = chromium.folder / "fonts.conf"
        fonts.write_text(FONTS, encoding="utf-8")
        chromium.fonts = fonts
        chromium.start()
        asyncio.run(take(url, chromium))
    finally:
        for server in reversed(servers):
            server.close()


if __name__ == "__main__":
    main()
