"""Reads `--web.config.file`: TLS, client certificates, users, headers and a rate limit for the HTTP server.

The file format is that of Prometheus' exporter-toolkit, so that one file works for every exporter on a machine. The
differences are listed in docs/security.md.
"""
