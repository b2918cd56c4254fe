"""Writes the generated parts of docs/architecture.md: `python -m tests.docs.generate_architecture`.

Three parts, each between two comments of the page: the folder listing (the docstrings of the packages), the drawing of
the flow (which type goes from which package to which), and the walls (what `tests/test_floors.py` allows, and how many
imports there are).
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from tests.test_floors import FILES, ROOT, WALLS, own, package, tree

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
WIDTH = 118  # characters per line of a code block

# A folder without Python code has no docstring.
DATA = {"data": "YAML files: signatures of server replies, providers, and all texts by language."}

# (package that sends, type, package that receives): the steps from the configuration to the output. A step is drawn
# only if both packages really name the type: `givers_and_takers` fails otherwise.
STEPS = (
    ("config", "Config", "targets"),
    ("targets", "Target", "run"),
    ("run", "Context", "probes"),
    ("probes", "Trace", "run"),
    ("diagnosis", "Failure", "run"),
    ("run", "Result", "outputs"),
    ("run", "Result", "incidents"),
    ("outputs", "History", "web"),
    ("incidents", "Incident", "web"),
)
# Input and output of the program: (from, what it is, to).
OUTSIDE = (
    ("config.yaml", "YAML", "config"),
    ("probes", "IMAP, POP3, SMTP, DNS, HTTPS", "mail servers"),
    ("outputs", "/metrics", "Prometheus"),
    ("Prometheus", "alert", "Alertmanager"),
    ("incidents", "alert, if there is no Prometheus", "Alertmanager"),
    ("Alertmanager", "webhook", "web"),
    ("Alertmanager", "notification", "phone"),
    ("web", "chat message, status page", "phone"),
)


def purpose(folder: Path) -> str:
    """Return the first paragraph of a package's docstring, in one line."""
    text = ast.get_docstring(tree(folder / "__init__.py")) or ""
    return " ".join(text.partition("\n\n")[0].split())


@cache
def packages() -> tuple[str, ...]:
    """Return the packages of exporter/, the topmost first."""
    return tuple(name for line in reversed(WALLS) for name in line if (ROOT / name).is_dir())


def listing() -> str:
    """Return the folders of exporter/ with one sentence each."""
    rows = [("exporter/", "")]
    for name in packages():
        folder = ROOT / name
        rows.append((f"  {name}/", purpose(folder)))
        inner = sorted(path.parent for path in folder.glob("*/__init__.py"))
        rows += [(f"    {each.name}/", purpose(each)) for each in inner]
    rows += [(f"  {name}/", text) for name, text in DATA.items()]
    width = max(len(name) for name, _ in rows) + 2
    lines = []
    for name, text in rows:
        first, *more = _wrapped(text, WIDTH - width)
        lines += [f"{name:{width}}{first}".rstrip(), *(" " * width + line for line in more)]
    return _block("", lines)


@cache
def imports() -> Mapping[tuple[str, str], int]:
    """Return (package, imported package) → number of pairs of a file and an imported module."""
    pairs = {(path, dotted, there) for path in FILES for dotted, there in own(path)}
    return Counter((package(path), there) for path, _, there in pairs if there != package(path))


def walls() -> str:
    """Return the packages from the top, with a line at each wall, and the packages that each imports."""
    counted = imports()
    rule, lines = "─" * WIDTH, []
    for line in reversed(WALLS):
        folders = [name for name in line if name in packages()]
        for name in folders:
            below = {there: count for (here, there), count in counted.items() if here == name and there in packages()}
            told = ", ".join(f"{there} {below[there]}" for there in packages() if there in below)
            first, *more = _wrapped(told or "nothing", WIDTH - 13)
            lines += [f"{name:13}{first}", *(" " * 13 + each for each in more)]
        if folders:
            lines.append(rule)
    across = sum(count for pair, count in counted.items() if set(pair) <= set(packages()))
    return _block("", lines[:-1]) + f"\n\n{across} imports cross a wall, and every one of them goes down."


@cache
def named(name: str) -> frozenset[str]:
    """Return the names in the code of a package: those that it defines, imports or uses."""
    words: set[str] = set()
    for path in FILES:
        if package(path) == name:
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.ClassDef):
                    words.add(node.name)
                elif isinstance(node, ast.ImportFrom):
                    words.update(alias.name for alias in node.names)
    return frozenset(words)


def flow() -> str:
    """Return the flow from config.yaml to a notification, as a drawing in Mermaid."""
    lines = ["flowchart LR"]
    for giver, kind, taker in STEPS:
        for each in (giver, taker):
            if kind not in named(each):
                msg = f"exporter/{each} does not know {kind}: the step {giver} -> {taker} is wrong"
                raise LookupError(msg)
        lines.append(f"    {giver} -->|{kind}| {taker}")
    lines += [f'    {_node(start)} -.->|"{kind}"| {_node(end)}' for start, kind, end in OUTSIDE]
    return _block("mermaid", lines)


PARTS: Mapping[str, Callable[[], str]] = {"folders": listing, "flow": flow, "walls": walls}


def with_parts(text: str) -> str:
    """Return the page with all generated parts replaced."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name}: made from the code -->\n", f"<!-- end of {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            msg = f"docs/architecture.md needs the two comments of the part {name} once"
            raise LookupError(msg)
        before, _, rest = text.partition(begin)
        text = before + begin + make() + "\n" + end + rest.partition(end)[2]
    return text


def _node(name: str) -> str:
    """Return a node of Mermaid. What is not a package has round corners and an identifier without spaces and dots."""
    return name if name in packages() else f"{re.sub(r'[^a-zA-Z]', '_', name)}([{name}])"


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _block(language: str, lines: list[str]) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


if __name__ == "__main__":
    PAGE.write_text(with_parts(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
