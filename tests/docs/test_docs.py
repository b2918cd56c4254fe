"""Tests of all pages: links work, README leads to each page, and the commands, flags, metrics and alerts named exist.

test_runbooks has the tests for runbooks only.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cli.check import causes_of
from exporter.cli.check_output import show
from exporter.config import load, schema
from exporter.config.load import shaped
from exporter.daemon import options
from exporter.model import Failure, Phase, ProbeName
from exporter.model.reasons import Reason
from exporter.outputs.json_objects import result_object
from exporter.web.config.schema import WebConfig
from tests.cli.test_check_output import Terminal
from tests.docs import generate_runbooks
from tests.docs.documents import (
    ROOT,
    anchors,
    calls,
    entered,
    fences,
    links,
    metrics,
    pages,
    pictures,
    recorded,
    refused,
    spans,
    text_of,
)
from tests.results import domain, failed, mailbox, ok, route, server
from tests.servers.process import binary

DOCS = ROOT / "docs"
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
MOST_OF_A_PICTURE = 400_000  # bytes
# Of other programs, in running text.
FOREIGN_FLAGS = frozenset({"--build-arg", "--enable-feature"})
PLACEHOLDER = re.compile(r"\b(?:CODE|LAYER|NAME|PAGE|x|test_x)\b")
HASH = "$2y$10$Ty2KPGcsmrtJHWRHmYT./OKx8sQT8CEzFRr2z6XIJm2sT4HoEmtnW"


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


each_page = pytest.mark.parametrize("page", pages(), ids=name_of)


def led_to(page: Path) -> Iterator[Path]:
    for link in links(page):
        path = link.partition("#")[0]
        yield (page.parent / path).resolve() if path else page


# -- links ----------------------------------------------------------------------------------------------------------


@each_page
def test_links_and_anchors_lead_somewhere(page):
    for link, target in zip(links(page), led_to(page), strict=True):
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        anchor = link.partition("#")[2]
        assert not anchor or anchor in anchors(target), link


def test_everything_in_docs_is_found_from_the_front_page():
    found: set[Path] = set()
    ahead = [*READMES, DOCS / "README.md"]
    while ahead:
        page = ahead.pop()
        if page not in found:
            found.add(page)
            ahead += led_to(page) if page.suffix == ".md" else ()
    files = {path for path in DOCS.rglob("*") if path.is_file()}
    assert sorted(map(name_of, files - found)) == []


def test_the_index_has_every_page_of_docs_once():
    listed = [path for path in led_to(DOCS / "README.md") if path.parent == DOCS]
    assert sorted(listed) == sorted({*DOCS.glob("*.md")} - {DOCS / "README.md"})


def test_both_front_pages_lead_to_the_same_pages():
    """For an English page, its Chinese version is accepted too."""

    def places(page: Path) -> set[str]:
        return {name_of(path).replace(".zh-CN.md", ".md") for path in led_to(page) if path.suffix != ".png"}

    assert places(READMES[0]) == places(READMES[1])


def test_pictures_are_small():
    shown = {(page.parent / picture).resolve() for page in pages() for picture in pictures(page)}
    assert shown
    assert [name_of(path) for path in shown if path.stat().st_size > MOST_OF_A_PICTURE] == []


def test_the_front_pages_show_what_check_prints(monkeypatch):
    for name, value in {"COLUMNS": "100", "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    refusal = Failure(
        Phase.LOGIN, Reason.WRONG_PASSWORD, "NO [AUTHENTICATIONFAILED] Authentication failed.", quoted=True
    )
    results = [
        replace(failed(mailbox(), refusal.reason), failure=refusal, duration=0.083),
        replace(ok(mailbox(probe=ProbeName.SMTP)), duration=0.061),
        replace(ok(replace(route(), name="sales-to-backup")), duration=0.412),
        replace(ok(replace(server(), name="imap.example.com:993")), duration=0.035),
        replace(ok(domain()), duration=0.008),
    ]
    told = [result_object(each) for each in results]
    for page, language in zip(READMES, ("en", "zh"), strict=True):
        out = Terminal()
        show(told, causes_of(told, ()), language, out)
        lines = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue()).splitlines()
        (sample,) = (each for each in fences(text_of(page), "") if each.startswith("$ mailprobe check"))
        assert sample.partition("\n")[2] == "\n".join(line.rstrip() for line in lines).rstrip()


# -- names in the text -------------------------------------------------------------------------------------------------


@each_page
def test_commands_are_taken_by_the_command_line(page):
    for arguments in calls(text_of(page)):
        assert refused(arguments) == "", arguments


@cache
def flags() -> frozenset[str]:
    """Return the flags of all programs of the repository."""
    own = {f"--{flag.name}" for flag in options.FLAGS}
    places = (
        "exporter/cli/main.py",
        "deploy/rules/__main__.py",
        "grafana/preview/__main__.py",
        "deploy/systemd/uninstall",
    )
    return frozenset(own.union(*(re.findall(r"--[a-z][\w.-]+", text_of(ROOT / each)) for each in places)))


@pytest.mark.parametrize("page", [each for each in pages() if "runbooks" not in each.parts], ids=name_of)
def test_flags_in_the_text_exist(page):
    named = {re.split(r"[ =]", span)[0] for span in spans(text_of(page)) if re.match("--[a-z]", span)}
    assert named <= flags() | FOREIGN_FLAGS


@each_page
def test_metrics_in_the_text_exist(page):
    text = text_of(page)
    rules = set(re.findall(r"\w+:mailprobe_\w+:\w+", text))
    assert rules <= recorded()
    for rule in rules:
        text = text.replace(rule, "")
    # After a trailing underscore there was a brace or an asterisk.
    assert {name for name in re.findall(r"\bmailprobe_[a-z0-9_]+", text) if name[-1] != "_"} <= set(metrics())


@each_page
def test_alerts_in_the_text_exist(page):
    named = set(re.findall(r"\b(?:Mail|Mailprobe)[A-Z][a-z]\w+", text_of(page)))
    assert named <= set(generate_runbooks.alerts())


def test_the_front_pages_count_the_alerts_right():
    for page in READMES:
        assert re.findall(r"(\d+)(?: alerts| 种告警)", text_of(page)) == [str(len(generate_runbooks.alerts()))]


@each_page
def test_make_knows_what_is_to_be_made(page):
    targets = set(re.findall(r"(?m)^([a-z-]+):", text_of(ROOT / "Makefile")))
    named = [*entered(text_of(page)), *spans(text_of(page))]
    assert {line.split()[1] for line in named if re.match(r"make [a-z]", line)} <= targets


@each_page
def test_tests_and_modules_in_the_text_exist(page):
    for span in spans(text_of(page)):
        if found := re.fullmatch(r"python -m ([\w.]+)( .*)?", span):
            module = ROOT / found[1].replace(".", "/")
            assert module.with_suffix(".py").exists() or (module / "__main__.py").exists() or found[1] == "build", span
        # CODE, LAYER, NAME and x are placeholders for the reader.
        if re.fullmatch(r"(tests|deploy|grafana|exporter|docs)/[\w./-]+", span) and not PLACEHOLDER.search(span):
            assert (ROOT / span).exists(), span


# -- configurations -------------------------------------------------------------------------------------------------


def of_mailprobe(text: str, folder: Path) -> None:
    """Return the configuration with the files that it names: a block in a page need not contain its passwords."""
    for name in re.findall(r"(?:_file|_path): ([\w./-]+)", text):
        secret = folder / name
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("x")
    load(written(text, folder, "config.yaml"))


def of_the_web(text: str, folder: Path) -> None:
    shaped(written(text.replace("$2y$10$...", HASH), folder, "web.yml"), WebConfig)


def of_prometheus(text: str, folder: Path) -> None:
    for name in re.findall(r"(?:ca|cert|key|password)_file: ([\w.-]+)", text):
        (folder / name).touch()
    asked(folder, "promtool", "prometheus", "check", "config", "--syntax-only", written(text, folder, "prometheus.yml"))


def of_alertmanager(text: str, folder: Path) -> None:
    parts = yaml.safe_load(text)
    route = {"route": {"receiver": parts["receivers"][0]["name"]}}
    whole = written(yaml.safe_dump(route | parts), folder, "alertmanager.yml")
    asked(folder, "amtool", "prometheus-alertmanager", "check-config", whole)


def of_blackbox(text: str, folder: Path) -> None:
    file = written(text, folder, "blackbox.yml")
    name = "prometheus-blackbox-exporter"
    asked(folder, name, name, "--config.check", f"--config.file={file}")


def written(text: str, folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def asked(folder: Path, program: str, package: str, *arguments: Any) -> None:
    done = subprocess.run(
        [binary(program, package), *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


JUDGES: dict[frozenset[str], Callable[[str, Path], None]] = {
    frozenset(schema()["properties"]): of_mailprobe,
    frozenset(WebConfig.model_fields): of_the_web,
    frozenset({"global", "rule_files", "alerting", "scrape_configs"}): of_prometheus,
    frozenset({"route", "receivers"}): of_alertmanager,
    frozenset({"modules"}): of_blackbox,
}


@pytest.mark.parametrize(
    ("page", "number"),
    [(page, number) for page in pages() for number in range(len(fences(text_of(page), "yaml")))],
    ids=lambda value: name_of(value) if isinstance(value, Path) else str(value),
)
def test_a_configuration_is_taken_by_its_program(page, number, tmp_path):
    text = fences(text_of(page), "yaml")[number]
    keys = set(yaml.safe_load(text))
    judges = [judge for known, judge in JUDGES.items() if keys <= known]
    assert judges, f"whose configuration begins with {keys}?"
    judges[0](text, tmp_path)
