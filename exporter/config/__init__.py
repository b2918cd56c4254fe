"""config.yaml: its shape, loading it with all its includes, and where passwords lie."""

from exporter.config.load import Config, ConfigFile, load
from exporter.config.problems import ConfigError, Problem
from exporter.config.redact import redacted
from exporter.config.reference import schema

__all__ = ["Config", "ConfigError", "ConfigFile", "Problem", "load", "redacted", "schema"]
