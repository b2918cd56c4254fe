"""The list of all dashboards.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path

from grafana.generator import capacity, dns_tls, mailbox, ourselves, overview, roundtrip
from grafana.generator.catalogue import LANGUAGES, Catalogue
from grafana.generator.exceptions import lint_file
from grafana.generator.render import render
from grafana.generator.spec import Page

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    mailbox.PAGE,
    roundtrip.PAGE,
    dns_tls.PAGE,
    capacity.PAGE,
    ourselves.PAGE,
)
FOLDER = Path(__file__).parents[1] / "dashboards"


def files() -> dict[Path, str]:
    """Return the text of each committed file, by path."""
    made: dict[Path, str] = {}
    for language in LANGUAGES:
        say = Catalogue(language)
        made |= {FOLDER / language / f"{page.uid}.json": render(page, say) for page in PAGES}
        made[FOLDER / language / ".lint"] = lint_file(PAGES, say)
    return made
