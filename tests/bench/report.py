"""The report of the benchmarks: printed as they run, and written to docs/benchmarks.md at the end."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import re
import shutil
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exporter import __version__

FILE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
COMMAND = "make bench"
PACKAGES = ("uvloop", "aioimaplib", "aiosmtplib", "aiohttp", "pydantic", "prometheus-client")
INTRODUCTION = """\
# Benchmarks

Written by `{command}`, which only measures: a figure that misses its limit is marked and fails no test. CPU is user
and system time of the process. Real servers run on the same machine and use a part of it.

"""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, and its limit."""

    what: str
    figure: str
    limit: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        return "" if self.met is None else "yes" if self.met else "no"


@dataclass(slots=True)
class Section:
    """One benchmark: how it was measured, and its figures."""

    title: str
    how: str
    rows: list[Row] = field(default_factory=list)

    def add(self, what: str, figure: str, limit: str = "", met: bool | None = None) -> None:
        row = Row(what, figure, limit, met)
        self.rows.append(row)
        print(f"    {row.what}: {row.figure}" + (f"  (limit {row.limit}; met: {row.verdict})" if row.limit else ""))

    def text(self) -> str:
        head = f"## {self.title}\n\n{self.how}\n\n| what | figure | limit | met |\n| --- | --- | --- | --- |\n"
        return head + "".join(f"| {row.what} | {row.figure} | {row.limit} | {row.verdict} |\n" for row in self.rows)


class Report:
    """All sections. A benchmark that runs alone replaces its own section and keeps the others."""

    def __init__(self) -> None:
        self._sections: list[Section] = []

    def section(self, title: str, how: str) -> Section:
        section = Section(title, " ".join(how.split()))
        self._sections.append(section)
        print(f"\n  {title}")
        return section

    def write(self, path: Path = FILE) -> None:
        texts = {section.title: section.text() for section in self._sections if section.rows}
        if not texts:
            return
        if path.exists():
            old = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
            kept = {each.partition("\n")[0].removeprefix("## "): each.rstrip() + "\n" for each in old}
            kept.pop("Where", None)
            texts = kept | texts
        where = Section("Where", "The machine and the versions of the last run.", machine()).text()
        body = "\n".join([where, *(texts[title] for title in sorted(texts))])
        path.write_text(INTRODUCTION.format(command=COMMAND) + body, encoding="utf-8")


def machine() -> list[Row]:
    """Return the machine and the time of the measurement."""
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    python = f"{platform.python_version()}, {ssl.OPENSSL_VERSION}"
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    rows = [
        Row("date", now),
        Row("CPU", f"{_cpu()}, {os.cpu_count()} cores"),
        Row("kernel", f"{platform.system()} {platform.release()}"),
        Row("mailprobe", __version__),
        Row("Python", python),
        Row("packages", packages),
    ]
    servers = {
        "dovecot": ("dovecot", "--version"),
        "postfix": ("postconf", "-h", "mail_version"),
        "blackbox_exporter": ("prometheus-blackbox-exporter", "--version"),
    }
    return rows + [Row(name, _said(*argv)) for name, argv in servers.items()]


def _cpu() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else platform.machine()


def _said(*argv: str) -> str:
    program = shutil.which(argv[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        return "not here"
    done = subprocess.run([program, *argv[1:]], capture_output=True, text=True, timeout=20, check=False)
    lines: Sequence[str] = (done.stdout or done.stderr).strip().splitlines()
    return lines[0].partition(" (branch")[0].removeprefix("blackbox_exporter, version ") if lines else "not told"
