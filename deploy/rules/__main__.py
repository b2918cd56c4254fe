"""The command line of the generator: writes the rules with a user's own options into a folder.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.rules.files import rule_files, shipped
from deploy.rules.rule import Options

_MATCHER: Final = re.compile(r'[a-zA-Z_]\w*(=|!=|=~|!~)"(\\.|[^"\\])*"')
_LABEL: Final = re.compile(r"[a-zA-Z_]\w*")
_URL: Final = re.compile(r"https?://[^\s{}\"'?#]+")


def _selector(text: str) -> str:
    rest = text.strip()
    matchers = []
    while rest:
        found = _MATCHER.match(rest)
        if found is None:
            raise argparse.ArgumentTypeError(f'{text}: must be label matchers, as in job="mail",site=~"a|b"')
        matchers.append(found.group())
        rest = rest[found.end() :].lstrip()
        if rest:
            if not rest.startswith(","):
                raise argparse.ArgumentTypeError(f"{text}: a comma is missing between two matchers")
            rest = rest[1:].lstrip()
    return ",".join(matchers)


def _labels(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(_LABEL.fullmatch(name) for name in names):
        raise argparse.ArgumentTypeError(f"{text}: must be names of labels, separated by commas")
    return names


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text}: must be like https://mailprobe.example.com, without a query")
    return text.rstrip("/")


def main(arguments: Sequence[str] | None = None) -> int:
    default = Options()
    parser = argparse.ArgumentParser(prog="python -m deploy.rules", description=__doc__.splitlines()[0])
    parser.add_argument("--selector", type=_selector, default="", help='label matchers on every series: job="mail"')
    parser.add_argument(
        "--replica-labels",
        type=_labels,
        default=default.replica_labels,
        help="labels that tell replicas of one mailprobe apart (default: instance)",
    )
    parser.add_argument(
        "--mailprobe-url",
        type=_url,
        default=default.mailprobe_url,
        help="base of links where mailprobe_web_info is missing (default: %(default)s)",
    )
    parser.add_argument("--grafana-url", type=_url, help="make dashboard_url lead to this Grafana")
    parser.add_argument("--no-watchdog", action="store_true", help="leave Watchdog out, where another one exists")
    parser.add_argument("--out", type=Path, help="folder for the files (default: where they are shipped)")
    given = parser.parse_args(arguments)
    options = Options(
        given.selector, given.replica_labels, given.mailprobe_url, given.grafana_url or "", not given.no_watchdog
    )
    if given.out is None and options != default:
        parser.error("--out is needed with other than the default choices: what is shipped has the defaults")
    files = shipped() if given.out is None else {given.out / name: text for name, text in rule_files(options).items()}
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
