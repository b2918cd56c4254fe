"""The command line: `python -m grafana.generator` writes the dashboards.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from grafana.generator.pages import files


def main() -> None:
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
