"""mailprobe: a Prometheus exporter and alerting daemon that watches mail services."""

__version__ = "0.1.0"

DEFAULT_PORT = 9826
"""Provisional until it is reserved on the Prometheus wiki; this is its one constant."""
