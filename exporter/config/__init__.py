"""config.yaml: its shape, loading it with all its includes, and where passwords lie."""

from exporter.config.document import schema
from exporter.config.errors import ConfigError, Problem
from exporter.config.load import Config, Part, load
from exporter.config.redact import redacted

__all__ = ["Config", "ConfigError", "Part", "Problem", "load", "redacted", "schema"]
