"""Which tests run in one worker, one after another, and which groups begin first (pytest-xdist, `--dist loadgroup`).

A file is a group, because its tests share what its fixtures have started. Tests of one file that share nothing and wait
long are groups of their own. What takes longest begins first, or all other workers would wait for it at the end.
A worker starts a real server when its first test asks for it, and keeps it until the worker ends.
"""

from __future__ import annotations

import pytest

# The longest first. A folder or a file; measured with `--durations=0`.
LONG = (
    "tests/walk/test_walk.py",
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
# Their tests share nothing but the servers that a worker has anyway.
APART = ("tests/rules/test_promtool.py", "tests/daemon/test_daemon.py", "tests/system/test_web_config.py")


def group(nodeid: str) -> str:
    """The name of the group in which a test runs."""
    file = nodeid.partition("::")[0]
    return nodeid if file in APART else file


def assign(items: list[pytest.Item], real_servers: frozenset[str]) -> None:
    """Mark each test with its group, and bring the groups into the order in which workers shall take them."""
    order = {name: number for number, name in enumerate(LONG)}
    waits = {group(item.nodeid) for item in items if real_servers.intersection(getattr(item, "fixturenames", ()))}

    def place(item: pytest.Item) -> tuple[int, bool]:
        file = item.nodeid.partition("::")[0]
        return order.get(file, len(LONG)), group(item.nodeid) not in waits

    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item.nodeid)))
    items.sort(key=place)
