"""Tests of the imports:

only down through the walls between the packages, and each third-party library only in its place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "exporter"

# From bottom to top. A package imports only from the lines below it; packages on one line do not import each other.
WALLS = (
    ("__init__",),
    ("model", "state"),
    ("net", "diagnosis"),
    ("credentials",),
    ("config", "probes"),
    ("targets",),
    ("outputs", "incidents", "run"),
    ("web",),
    ("daemon",),
    ("demo",),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: number for number, line in enumerate(WALLS) for name in line}
# Exceptions: a package may import only these modules of another one: (from, to) → modules.
NARROW = {
    ("outputs", "config"): {"presets"},
    ("incidents", "config"): {"presets"},
    ("config", "credentials"): {"sources"},
    ("config", "net"): {"urls"},
}
# The packages whose __init__ re-exports names. Every other __init__ holds only the docstring.
HAND_ON = {"", "config", "model", "probes"}
LIBRARIES = {
    "prometheus_client": {"outputs/metrics"},
    "yaml": {"config", "diagnosis", "model/phrases.py", "web/config"},
    # diagnosis needs the exception classes of these two, and nothing else
    "sqlite3": {"state", "diagnosis"},
    "socket": {"net", "demo", "web", "daemon", "diagnosis"},
}
CONNECTING = {"open_connection", "start_server", "create_connection", "create_datagram_endpoint", "create_server"}
FILES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def package(path: Path) -> str:
    """Return the top-level package of a file, or the module's name for the two modules outside of packages."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def is_module(dotted: str) -> bool:
    path = ROOT.parent.joinpath(*dotted.split("."))
    return path.with_suffix(".py").exists() or path.is_dir()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> Iterator[str]:
    """Return the dotted name of every module that a file imports, at any place in it."""
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
    """Return (dotted name, top-level package) for each import of a module of this program."""
    for dotted in imports(path):
        if dotted == "exporter":
            yield dotted, "__init__"
        elif dotted.startswith("exporter."):
            yield dotted, dotted.split(".")[1]


def dotted_name(path: Path) -> str:
    """Return the dotted name of a module."""
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def test_no_modules_import_each_other_in_a_circle():
    modules = {dotted_name(path): path for path in FILES}
    graph = {name: {dotted for dotted in imports(path) if dotted in modules} for name, path in modules.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_the_top_level_is_packages_only():
    entries = [entry for entry in ROOT.iterdir() if entry.name != "__pycache__"]
    assert len(entries) <= 18
    assert {entry.name for entry in entries if entry.suffix == ".py"} == {"__init__.py", "__main__.py"}
    assert {entry.name for entry in entries if entry.is_dir()} <= {*LEVEL, "data"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_imports_only_from_packages_below_its_own(path):
    here = package(path)
    for dotted, there in own(path):
        if here == there:
            continue
        assert LEVEL[there] < LEVEL[here], f"{name_of(path)} imports {dotted}, which is not below it"
        if (here, there) in NARROW:
            assert dotted.split(".")[2] in NARROW[here, there], f"{name_of(path)} imports {dotted}"


@pytest.mark.parametrize("path", [path for path in FILES if package(path) == "probes"], ids=name_of)
def test_probes_do_not_import_each_other(path):
    probes = {f"exporter.probes.{name}" for name in ("dns", "imap", "pop3", "smtp", "tls", "webmail")}
    if path != ROOT / "probes" / "__init__.py":
        others = probes - {f"exporter.probes.{path.stem}"}
        assert not others.intersection(imports(path))


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "__init__.py"], ids=name_of)
def test_a_package_says_its_purpose_in_one_sentence(path):
    body = tree(path).body
    purpose = ast.get_docstring(tree(path))
    assert purpose
    assert ". " not in purpose.split("\n\n", maxsplit=1)[0]
    if path.parent.relative_to(ROOT).as_posix().removeprefix(".") not in HAND_ON:
        assert len(body) == 1, f"{name_of(path)} hands names on: import them from their own modules"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_is_imported_only_where_it_belongs(library):
    users = {name_of(path) for path in FILES if any(each.split(".")[0] == library for each in imports(path))}
    places = [ROOT / place for place in LIBRARIES[library]]
    assert [user for user in users if not any((ROOT / user).is_relative_to(place) for place in places)] == []


def test_connections_are_made_only_where_sockets_belong():
    users = {
        package(path)
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in CONNECTING
    }
    assert users <= LIBRARIES["socket"]
