"""The command line: `python -m grafana.preview --prometheus URL overview > page.html` draws one dashboard.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from grafana.generator.pages import FOLDER, PAGES
from grafana.preview.data import Source, values_of
from grafana.preview.page import page


def main() -> None:
    names = [each.uid.removeprefix("mailprobe-") for each in PAGES]
    parser = argparse.ArgumentParser(
        prog="python -m grafana.preview", description="Draw an approximate preview of a dashboard, without Grafana."
    )
    parser.add_argument("dashboard", choices=names)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090", help="URL of Prometheus.")
    parser.add_argument("--lang", choices=("en", "zh"), default="en")
    parser.add_argument("--minutes", type=float, default=360.0, help="Time range in minutes, until now.")
    parser.add_argument(
        "--var", action="append", default=[], metavar="NAME=VALUE", help="Set a variable of the dashboard. Repeatable."
    )
    given = parser.parse_args()
    path = FOLDER / given.lang / f"mailprobe-{given.dashboard}.json"
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    chosen = dict(each.split("=", 1) for each in given.var)
    now = time.time()
    source = Source(given.prometheus.rstrip("/"), now - 60 * given.minutes, now, values_of(dashboard, chosen))
    sys.stdout.write(page(dashboard, source))


if __name__ == "__main__":
    main()
