"""config.yaml: its shape, loading it with all its includes, and where passwords lie."""

from exporter.config.load import Config, Part, load
from exporter.config.problems import ConfigError, Problem
from exporter.config.redact import redacted
from exporter.config.reference import schema

__all__ = ["Config", "ConfigError", "Part", "Problem", "load", "redacted", "schema"]
