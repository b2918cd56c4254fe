"""Tests of the text of the Dockerfile. test_image.py builds and runs it."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser

from exporter import DEFAULT_PORT
from exporter.cli.main import VERBS
from exporter.daemon.options import FLAGS
from tests.containers.files import DOCKER, ROOT, context

FILE = DOCKER / "Dockerfile"


@pytest.fixture(scope="module")
def steps() -> list[dict[str, Any]]:
    return [step for step in DockerfileParser(path=str(FILE)).structure if step["instruction"] != "COMMENT"]


def values(steps: list[dict[str, Any]], instruction: str) -> list[str]:
    return [step["value"] for step in steps if step["instruction"] == instruction]


def final(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    last = max(index for index, step in enumerate(steps) if step["instruction"] == "FROM")
    return steps[last:]


def test_it_has_two_stages_on_one_base(steps):
    assert values(steps, "FROM") == ["${BASE} AS build", "${BASE}"]
    (base, *_) = values(steps, "ARG")
    assert re.fullmatch(r"BASE=docker\.io/library/python:3\.13-slim-trixie", base)


def test_nothing_of_the_build_stays(steps):
    copies = values(final(steps), "COPY")
    assert copies == ["--from=build /opt/mailprobe /opt/mailprobe", "config.yaml /etc/mailprobe/config.yaml"]
    assert not values(steps, "ADD")


def test_it_runs_as_a_number_and_not_as_root(steps):
    assert values(final(steps), "USER") == ["65532:65532"]
    # No later command runs as root.
    after = [step["instruction"] for step in final(steps)]
    assert "RUN" not in after[after.index("USER") :]


def test_program_and_health_check_are_lists(steps):
    assert json.loads(values(steps, "ENTRYPOINT")[0]) == ["mailprobe"]
    (verb,) = json.loads(values(steps, "CMD")[0])
    assert verb in VERBS
    check = values(steps, "HEALTHCHECK")[0]
    assert json.loads(check.partition("CMD ")[2]) == ["mailprobe", "healthcheck"]


def test_its_environment_is_flags_that_exist(steps):
    environment = dict(word.split("=", 1) for word in shlex.split(values(final(steps), "ENV")[0]))
    ours = {name for name in environment if name.startswith("MAILPROBE_")}
    assert ours
    assert ours <= {flag.env for flag in FLAGS}
    assert environment["MAILPROBE_WEB_LISTEN_ADDRESS"] == f":{DEFAULT_PORT}"
    assert values(steps, "EXPOSE") == [str(DEFAULT_PORT)]


def test_it_has_the_usual_labels(steps):
    labels = dict(word.split("=", 1) for word in shlex.split(values(steps, "LABEL")[0]))
    for name in ("title", "description", "licenses", "version", "revision"):
        assert labels[f"org.opencontainers.image.{name}"]


def test_the_builder_is_sent_what_it_needs_and_no_more():
    sent = {str(path) for path in context()}
    for needed in (
        "pyproject.toml",
        ".ci/hatch_build.py",
        "README.md",
        "LICENSE",
        "config.yaml",
        "exporter/__init__.py",
    ):
        assert needed in sent
    beside = {path.split("/")[0] for path in sent}
    assert beside == {"pyproject.toml", ".ci", "README.md", "LICENSE", "config.yaml", "exporter", "docs"}
    assert {"/".join(path.split("/")[:2]) for path in sent if path.startswith("docs/")} == {"docs/runbooks"}
    assert {path for path in sent if path.startswith(".ci/")} == {".ci/hatch_build.py"}
    # Everything in the package is copied: also the data files that it reads.
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "exporter").rglob("*") if path.is_file()}
    assert {path for path in package if "__pycache__" not in path} <= sent
