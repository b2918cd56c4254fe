"""Writes docs/configuration.md from the schema of the configuration: `python -m tests.docs.generate_configuration`."""

from __future__ import annotations

from pathlib import Path

from exporter.config.reference import markdown

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"

if __name__ == "__main__":
    DOCUMENT.write_text(markdown(), encoding="utf-8")
