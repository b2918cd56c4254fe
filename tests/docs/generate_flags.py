"""Writes docs/flags.md from the table of flags: `python -m tests.docs.generate_flags`."""

from __future__ import annotations

from pathlib import Path

from exporter.daemon.options import FLAGS, Flag

PAGE = Path(__file__).parents[2] / "docs" / "flags.md"
HEAD = """\
# Flags

The flags of the command line. They can be written before or after the command; `mailprobe --help` prints them, too.
Each flag can also be set by an environment variable, for example in a container or in `/etc/default/mailprobe`. If
both are set, the flag is used. This page is generated from `exporter/daemon/options.py` by
`python -m tests.docs.generate_flags`.

| flag | environment variable | default | meaning |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Return the page in Markdown."""
    return HEAD + "".join(_row(flag) for flag in FLAGS)


def _row(flag: Flag) -> str:
    default = ", ".join(flag.default) if isinstance(flag.default, list) else str(flag.default)
    shown = f"`{default}`" if flag.kind is not bool and default else ""
    choices = f" ({', '.join(f'`{each}`' for each in flag.choices)})" if flag.choices else ""
    return f"| `--{flag.name}` | `{flag.env}` | {shown} | {flag.help}{choices} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
