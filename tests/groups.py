"""Decides which tests run in one worker, one after another, and which groups begin first (pytest-xdist, `-n`).

By default each file is a group, because its tests share what its fixtures have started. If the tests of a file share
nothing and wait long, each of them is a group. Groups that take longest begin first; otherwise all other workers would
wait for them at the end. A worker starts a real server when its first test needs it, and keeps it until the worker
ends.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

# The longest first: folders and files, measured with `--durations=0`.
LONG = (
    "tests/walk/test_walk.py",
    "tests/recorded/test_pages.py",
    "tests/recorded/test_rules.py",
    "tests/torture/test_kills.py",
    "tests/daemon/test_daemon.py",
    "tests/alertmanager/test_live.py",
    "tests/web/pages/test_browser.py",
    "tests/grafana/test_live.py",
    "tests/docs/test_ten_minutes.py",
    "tests/system/test_web_config.py",
    "tests/system/test_push.py",
    "tests/system/test_alert.py",
    "tests/system/test_outage.py",
    "tests/system/test_shards.py",
    "tests/probes/test_misbehaviour.py",
    "tests/rules/test_promtool.py",
    "tests/demo/test_demo.py",
    "tests/targets/test_provider_watch.py",
    "tests/docs/test_from_blackbox.py",
    "tests/containers/test_wheel.py",
)
# Files whose tests share nothing except the servers that each worker has anyway.
APART = (
    "tests/torture/test_kills.py",
    "tests/rules/test_promtool.py",
    "tests/daemon/test_daemon.py",
    "tests/system/test_web_config.py",
    "tests/probes/test_misbehaviour.py",
)


def group(nodeid: str) -> str:
    """Return the name of the group in which a test runs."""
    file = nodeid.partition("::")[0]
    return nodeid if file in APART else file


class Groups(LoadScopeScheduling):
    """Gives whole groups to the workers, in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def sort(items: list[pytest.Item], real_servers: frozenset[str]) -> None:
    """Sort the tests into the order in which workers take their groups. Tests of a group stay together."""
    order = {name: number for number, name in enumerate(LONG)}
    waits = {_file(item) for item in items if real_servers.intersection(getattr(item, "fixturenames", ()))}
    items.sort(key=lambda item: (order.get(_file(item), len(LONG)), _file(item) not in waits))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
