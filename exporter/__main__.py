"""`python -m exporter` is `mailprobe`."""

from exporter.cli import main

if __name__ == "__main__":
    main()
