"""The path under which the pages are served: --web.route-prefix, with the same meaning as in Prometheus.

Without the flag it is the path of --web.external-url, and the pages are served at the root too, because a proxy may
remove this path or not. With the flag they are served only below it; the command line uses the control socket and needs
no prefix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")


@dataclass(frozen=True, slots=True)
class RoutePrefix:
    """The path under which all pages are. `path` is empty, or starts with a slash and does not end with one."""

    path: str = ""
    alone: bool = False  # True: nothing is served outside of the prefix

    def below(self, path: str) -> bool:
        """Tell whether a path lies under this prefix."""
        return bool(self.path) and path.startswith(f"{self.path}/")

    def root(self, path: str) -> str:
        """Return the relative path from a page to the front page. It also works behind a proxy that adds a prefix."""
        if self.below(path):
            return "../" * (path.count("/") - self.path.count("/") - 1) or "./"
        up = "../" * (path.count("/") - 1)
        return f"{up}{self.path[1:]}/" if self.path and self.alone else up or "./"


NO_PREFIX = RoutePrefix()


def route_prefix(flag: str, external_url: str) -> RoutePrefix:
    """Create it from the two flags. Raises ValueError."""
    given = "/".join(filter(None, flag.split("/")))
    if flag:
        if not all(map(_SEGMENT.fullmatch, filter(None, given.split("/")))):
            raise ValueError("must be a path such as /mailprobe, of letters, digits and - _ . ~")
        return RoutePrefix(f"/{given}" if given else "", alone=True)
    path = urlsplit(external_url).path.strip("/")
    return RoutePrefix(f"/{path}" if path and all(map(_SEGMENT.fullmatch, path.split("/"))) else "")
