"""`--web.config.file`: TLS, client certificates, users, headers and a rate limit for our own HTTP server.

The schema is exporter-toolkit's, so that one file serves every exporter of a machine. What differs is in
docs/security.md.
"""
