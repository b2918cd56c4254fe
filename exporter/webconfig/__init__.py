"""`--web.config.file`: TLS, client certificates, users, headers and a rate limit for our own HTTP server.

The schema is exporter-toolkit's, so that one file serves every exporter of a machine. What differs is in
docs/security.md.
"""

from exporter.webconfig.bucket import Bucket
from exporter.webconfig.keeper import Keeper
from exporter.webconfig.load import Settings, load
from exporter.webconfig.users import Busy, Users, credentials

__all__ = ["Bucket", "Busy", "Keeper", "Settings", "Users", "credentials", "load"]
