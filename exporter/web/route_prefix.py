"""Under which path the pages lie: --web.route-prefix, as Prometheus has it.

Without the flag it is the path of --web.external-url, and the pages are at the root as well: a proxy may take that path
away or leave it. With the flag they are below it only; the command line, which comes by the control socket, needs none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")


@dataclass(frozen=True, slots=True)
class RoutePrefix:
    """`path` is empty, or begins with a slash and ends without one."""

    path: str = ""
    alone: bool = False  # nothing is served outside of it

    def below(self, path: str) -> bool:
        """Whether an address's path lies under this prefix."""
        return bool(self.path) and path.startswith(f"{self.path}/")

    def root(self, path: str) -> str:
        """What leads from an address's path to the front page, relative: a proxy may have put more before it."""
        if self.below(path):
            return "../" * (path.count("/") - self.path.count("/") - 1) or "./"
        up = "../" * (path.count("/") - 1)
        return f"{up}{self.path[1:]}/" if self.path and self.alone else up or "./"


NO_PREFIX = RoutePrefix()


def route_prefix(flag: str, external_url: str) -> RoutePrefix:
    """Of the two flags. Raises ValueError."""
    given = "/".join(filter(None, flag.split("/")))
    if flag:
        if not all(map(_SEGMENT.fullmatch, filter(None, given.split("/")))):
            raise ValueError("must be a path such as /mailprobe, of letters, digits and - _ . ~")
        return RoutePrefix(f"/{given}" if given else "", alone=True)
    path = urlsplit(external_url).path.strip("/")
    return RoutePrefix(f"/{path}" if path and all(map(_SEGMENT.fullmatch, path.split("/"))) else "")
