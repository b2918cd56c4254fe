"""Makes `python -m exporter` the same as `mailprobe`."""

from __future__ import annotations

import sys
from typing import NoReturn

from exporter.daemon.early_signals import early


def main() -> NoReturn:
    """The command line. A daemon takes its signals before its modules are loaded."""
    given = sys.argv[1:]
    verb = next((each for each in given if not each.startswith("-")), "run")
    if verb in ("run", "demo") and "--config.check" not in given:
        early.hold()
    from exporter.cli.main import main as command_line  # noqa: PLC0415 - see above

    command_line()


if __name__ == "__main__":
    main()
