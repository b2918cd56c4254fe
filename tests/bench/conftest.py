"""Fixtures of the benchmarks: the report and the servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bench.report import Report
from tests.bench.scene import Scene


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """Collects figures, and writes docs/benchmarks.md at the end."""
    made = Report()
    yield made
    made.write()


@pytest.fixture(scope="session")
def scene() -> Iterator[Scene]:
    """Real servers with many accounts, none of which slows down a client with many connections."""
    with Scene() as made:
        yield made
