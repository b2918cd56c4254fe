"""A Prometheus exporter and alerting daemon that monitors mail services."""

__version__ = "0.1.0"

DEFAULT_PORT = 9826
"""Provisional, until it is reserved on the Prometheus wiki. Defined only here."""
