"""The HTTP server: metrics, status pages, probe on demand, JSON, health. It reads, and asks the app for the rest."""

from exporter.web.server import Runner, build
from exporter.web.view import AppView

__all__ = ["AppView", "Runner", "build"]
