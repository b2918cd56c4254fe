"""Imports go down only, and each foreign library has its place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "exporter"

# From the ground up. A file imports from the lines below its own only; names on one line do not know each other.
# `x/` is a package, whose files may import one another (but probes do not).
FLOORS = (
    ("__init__", "remedies_en", "remedies_zh", "provider_words", "sharding"),
    ("reasons",),
    ("model",),
    ("errors",),
    ("trace", "records/", "codes", "folders", "software", "spoken", "causes", "topology", "sightings", "webhook"),
    ("bridge_text", "breaker", "clock", "limits", "mailbag", "notes", "evidence", "incident", "alertnames"),
    ("console", "log", "looks", "options", "robots", "sdnotify", "wording"),
    ("authentication", "bearer", "incidents", "replies", "signatures"),
    ("meaning",),
    ("net/", "diagnosis", "state", "providers"),
    ("robot_urls",),
    ("alertmanager", "bridge", "guard", "message", "rootcause", "recognition", "resharding", "stanza"),
    ("tokens",),
    ("announcer", "world", "arrival", "ledger", "standing", "vantage", "discovery"),
    ("entrance",),
    ("probes/",),
    ("runner", "config/", "beat", "families"),
    ("token_sources", "webconfig/"),
    ("accounts",),
    ("placement", "assembly"),
    ("targets", "exposition", "self_metrics"),
    ("series",),
    ("schedule", "metrics", "history", "journal", "objects"),
    ("ticket_evidence",),
    ("ticket", "ticket_words"),
    ("ticket_text",),
    ("web/",),
    ("loading", "listening"),
    ("app", "reach"),
    ("serve",),
    ("authorize", "check", "explain", "recognise", "demo/"),
    ("report",),
    ("cli",),
    ("__main__",),
)
FLOOR = {name: number for number, line in enumerate(FLOORS) for name in line}
LIBRARIES = {
    "prometheus_client": {"self_metrics"},
    "yaml": {"config/", "providers", "signatures"},
    # diagnosis knows exception classes, and that is all it takes from these two
    "sqlite3": {"state", "diagnosis"},
    "socket": {"net/", "demo/", "web/", "sdnotify", "diagnosis"},
}
CONNECTING = {"open_connection", "start_server", "create_connection", "create_datagram_endpoint", "create_server"}
FILES = sorted(ROOT.rglob("*.py"))


def place(path: Path) -> str:
    """A file's name in FLOORS."""
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py") if first.endswith(".py") else f"{first}/"


def is_module(dotted: str) -> bool:
    path = ROOT.parent.joinpath(*dotted.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, dotted."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: a relative import"
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                yield inner if module.startswith("exporter") and is_module(inner) else module


def own(path: Path) -> Iterator[tuple[str, str]]:
    """(dotted name, place in FLOORS) of what a file imports from this package."""
    for dotted in imports(path):
        if dotted == "exporter":
            yield dotted, "__init__"
        elif dotted.startswith("exporter."):
            name = dotted.split(".")[1]
            yield dotted, f"{name}/" if (ROOT / name).is_dir() else name


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_has_a_floor_and_imports_only_from_below_it(path):
    here = place(path)
    assert here in FLOOR, f"{name_of(path)} has no floor: add it to FLOORS in {Path(__file__).name}"
    for dotted, there in own(path):
        assert there in FLOOR, f"{dotted} has no floor"
        inside = here == there and here.endswith("/")
        assert inside or FLOOR[there] < FLOOR[here], f"{name_of(path)} imports {dotted}, which is not below it"


@pytest.mark.parametrize("path", [path for path in FILES if place(path) == "probes/"], ids=name_of)
def test_probes_do_not_import_each_other(path):
    if path.name != "__init__.py":
        assert [dotted for dotted, there in own(path) if there == "probes/"] == []


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_only_where_it_belongs(library):
    users = {place(path) for path in FILES if any(each.split(".")[0] == library for each in imports(path))}
    assert users <= LIBRARIES[library]


def test_connections_are_made_only_where_sockets_belong():
    users = {
        place(path)
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in CONNECTING
    }
    assert users <= LIBRARIES["socket"]
