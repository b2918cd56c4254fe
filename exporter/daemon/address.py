"""Computes the URL of a daemon on this machine from its options."""

from __future__ import annotations

from exporter.config import ConfigError
from exporter.daemon.options import Options
from exporter.web.config.load import load


def address(options: Options) -> str:
    """Return the URL of the first listen address, as this machine reaches it."""
    host, port = options.listen[0]
    if host in (None, "0.0.0.0", "::"):
        host = "127.0.0.1"
    shown = f"[{host}]" if host and ":" in host else host
    return f"{_scheme(options)}://{shown}:{port}{options.route_prefix.path}"


def _scheme(options: Options) -> str:
    if options.web_config_file is None:
        return "http"
    try:
        return "https" if load(options.web_config_file).tls is not None else "http"
    except ConfigError:
        return "http"  # errors in the file and a key that only the daemon may read do not matter for the address
