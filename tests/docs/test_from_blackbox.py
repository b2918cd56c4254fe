"""Tests that both configurations in docs/from-blackbox.md monitor the same servers with the same results."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml

from tests.servers.daemon import Daemon
from tests.servers.dovecot import Dovecot
from tests.servers.monitoring import Blackbox, Prometheus, get
from tests.servers.process import wait_until
from tests.servers.world import MailWorld

PAGE = Path(__file__).parents[2] / "docs" / "from-blackbox.md"
BLOCKS = [
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
]
# Numbers on which both must agree. The other numbers exist on both sides, with different values.
SAME = ("probe_success", "probe_ip_protocol", "probe_ssl_earliest_cert_expiry")


def block(key: str, occurrence: int = 0) -> dict[str, Any]:
    """Return the page's configuration that begins with this key."""
    found: dict[str, Any] = [each for each in BLOCKS if next(iter(each)) == key][occurrence]
    return found


def ports(world: MailWorld) -> dict[str, int]:
    return {"imap_starttls": world.imap, "smtp_starttls": world.submission, "imaps": world.imaps}


def the_modules(world: MailWorld) -> str:
    modules = block("modules")
    for module in modules["modules"].values():
        module["tcp"]["tls_config"] = {"ca_file": str(world.ca_file), "server_name": world.host}
    return yaml.safe_dump(modules)


def the_endpoints(world: MailWorld) -> str:
    config: dict[str, Any] = block("endpoints")
    for endpoint in config["endpoints"]:
        endpoint |= {"host": world.host, "port": ports(world)[endpoint["name"]]}
    here = {"interval": {"tls": "2s"}, "timeout": "20s", "recheck": "1s", "ca_file": str(world.ca_file)}
    return yaml.safe_dump({"resolvers": [world.resolver], "defaults": here, **config})


def samples(text: str) -> dict[str, float]:
    """Return metric name → value, for series without labels."""
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in lines if "{" not in name}


@pytest.fixture
def both(
    mail_world: MailWorld, launch: Callable[[Any], Any], blackbox: Callable[[str], Blackbox]
) -> tuple[Daemon, Callable[[str], Mapping[str, float]], Callable[[str], Mapping[str, float]]]:
    daemon: Daemon = launch(Daemon(the_endpoints(mail_world), {}))
    peer = blackbox(the_modules(mail_world))

    def ours(name: str) -> Mapping[str, float]:
        return samples(daemon.text("/probe?" + urlencode({"target": name, "module": "tls"})))

    def theirs(name: str) -> Mapping[str, float]:
        asked = {"target": f"127.0.0.1:{ports(mail_world)[name]}", "module": name}
        return samples(get(f"{peer.url}/probe?{urlencode(asked)}").decode())

    return daemon, ours, theirs


def test_both_agree_on_servers_that_are_well_and_on_one_that_is_gone(both, mail_world, dovecot: Dovecot):
    """Each metric name that blackbox_exporter has for the probe exists, and the numbers that must agree do."""
    _, ours, theirs = both
    for name in ports(mail_world):
        mine, peers = ours(name), theirs(name)
        assert peers["probe_success"] == 1
        assert {each: mine[each] for each in SAME} == {each: peers[each] for each in SAME}
        unlike = {
            "probe_ip_addr_hash",
            "probe_failed_due_to_regex",
        }  # metrics that only blackbox_exporter has
        assert set(peers) - unlike <= set(mine)
    dovecot.stop()
    assert theirs("imaps")["probe_success"] == 0
    # A result is cached for its interval, and then replaced by a new run.
    wait_until(lambda: ours("imaps")["probe_success"] == 0, 20, "ours fails as well")


@pytest.mark.parametrize("way", [0, 1, 2], ids=["metrics", "probe", "sd"])
def test_each_way_to_scrape_gives_the_verdict_of_every_endpoint(way, both, mail_world, prometheus):
    """The three Prometheus configurations of the page as they are, except for addresses and intervals."""
    daemon, _, _ = both
    config = yaml.safe_dump(block("scrape_configs", way)).replace("127.0.0.1:9826", f"127.0.0.1:{daemon.port}")
    server: Prometheus = prometheus("global: {scrape_interval: 1s}\n" + config)
    if way == 0:
        found = server.wait_for('count(mailprobe_probe_success{probe="tls"} == 1) == 3')
        names = {row["metric"]["target"] for row in server.query('mailprobe_probe_success{probe="tls"} == 1')}
    else:
        found = server.wait_for("count(probe_success == 1) == 3")
        names = {row["metric"]["instance"] for row in server.query("probe_success == 1")}
    assert found
    assert names == set(ports(mail_world))


def test_the_step_further_is_a_configuration(tmp_path):
    """The last block is also valid, if its password file exists."""
    from exporter.config import load

    (tmp_path / "secrets").mkdir()
    secret = tmp_path / "secrets" / "sales"
    secret.write_text("x")
    secret.chmod(0o600)
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(block("mailboxes")))
    path.chmod(0o600)
    assert load(path).problems() == ()
