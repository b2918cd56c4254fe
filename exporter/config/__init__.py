"""Reads config.yaml and the files it includes into a typed Config, and holds the provider presets."""

from exporter.config.load import Config, ConfigFile, load
from exporter.config.problems import ConfigError, Problem
from exporter.config.redact import as_yaml, document, redacted
from exporter.config.reference import schema

__all__ = ["Config", "ConfigError", "ConfigFile", "Problem", "as_yaml", "document", "load", "redacted", "schema"]
