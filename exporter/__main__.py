"""Makes `python -m exporter` the same as `mailprobe`."""

from exporter.cli.main import main

if __name__ == "__main__":
    main()
