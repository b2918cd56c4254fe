"""Certificates for the demo's servers, issued by a certificate authority created at each start."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import trustme

DAY = dt.timedelta(days=1)


class Authority:
    """A certificate authority. Clients that trust the file of `write` trust its certificates. Keys stay in memory."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="mailprobe demo")

    def write(self, path: Path) -> None:
        """Write the CA certificate to trust, in PEM."""
        self._ca.cert_pem.write_to_path(str(path))

    def good(self, *names: str) -> ssl.SSLContext:
        """Return a server's context with a certificate for these host names."""
        now = dt.datetime.now(dt.UTC)
        return self._context(names, now - DAY, now + 60 * DAY)

    def expired(self, *names: str) -> ssl.SSLContext:
        """Like `good`, but the certificate expired yesterday."""
        now = dt.datetime.now(dt.UTC)
        return self._context(names, now - 90 * DAY, now - DAY)

    def _context(self, names: tuple[str, ...], not_before: dt.datetime, not_after: dt.datetime) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names, not_before=not_before, not_after=not_after).configure_cert(context)
        return context
