"""Tests of which shard runs a target, and of how shards divide the limits of an account and a server."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from exporter.config import ConfigError, load
from exporter.daemon.loading import Loaded, logins_of
from exporter.model import Kind
from exporter.model.settings import GuardSettings, Limits
from exporter.model.sharding import WHOLE, Sharding, shard_of
from exporter.run.timing import plan
from exporter.targets.build import build
from exporter.targets.placement import allotted, newcomers
from exporter.targets.provider_lookup import RecognisedBy, Recognition

BOXES = 60
TOTAL = 4


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("P", "x")

    def read(text):
        (tmp_path / "config.yaml").write_text(text, "utf-8")
        return load(tmp_path / "config.yaml")

    return read


def box(name: str, address: str, more: str = "imap: {host: mail.example.com}, smtp: {host: mail.example.com}") -> str:
    return f"  - {{name: {name}, address: '{address}', password_env: P, {more}}}\n"


def fleet() -> str:
    text = "mailboxes:\n" + "".join(box(f"box{n}", f"box{n}@example.com") for n in range(BOXES))
    text += "endpoints: [{url: 'https://web.example.com/'}, {host: mx.example.com, port: 25}]\n"
    text += "domains: [{name: other.example}]\nroutes:\n"
    return text + "".join(f"  - {{from: box{n}, to: box{(n * 7) % BOXES}}}\n" for n in range(0, BOXES, 3))


def shards(total: int = TOTAL) -> list[Sharding]:
    return [Sharding(number, total) for number in range(total)]


def test_every_target_runs_on_exactly_one_shard(config):
    found = config(fleet())
    whole = build(found)
    runs = Counter(target for each in shards() for target in build(found, sharding=each).targets)
    assert set(runs) == set(whole.targets)
    assert set(runs.values()) == {1}
    assert len(whole.targets) > 2 * BOXES
    sizes = [len(build(found, sharding=each).targets) for each in shards()]
    assert min(sizes) > len(whole.targets) / TOTAL / 2


def test_an_accounts_checks_are_together_and_a_route_is_with_its_sender(config):
    found = config(fleet())
    for here in shards():
        for target in build(found, sharding=here).targets:
            name = target.route[0] if target.route else target.name
            expected = f"{name}@example.com" if target.kind in (Kind.MAILBOX, Kind.ROUTE) else target.name
            assert shard_of(expected, TOTAL) == here.shard


def test_mailboxes_of_one_account_are_on_one_shard_and_bare_names_are_spread(config):
    """Two entries with one user name would be two shards that lock one account; `monitor` on many servers is many."""
    same = "username: sales, imap: {host: imap.acme.example}, smtp: off"
    other = "username: SALES, imap: off, smtp: {host: smtp.acme.example}"
    many = [f"username: monitor, imap: {{host: mail.c{n}.example}}, smtp: off" for n in range(40)]
    text = "mailboxes:\n" + box("a", "a@acme.example", same) + box("b", "b@acme.example", other)
    text += "".join(box(f"m{n}", f"m@c{n}.example", more) for n, more in enumerate(many))
    where = {
        target.name: here.shard
        for here in shards(8)
        for target in build(config(f"limits: {{per_host: 8}}\n{text}"), sharding=here).targets
        if target.kind is Kind.MAILBOX
    }
    assert where["a"] == where["b"]
    assert len({shard for name, shard in where.items() if name.startswith("m")}) == 8


def test_a_bare_name_whose_servers_only_the_dns_tells_stays_on_one_shard(config):
    """Whether it is the same account as the one with a written server cannot be known everywhere."""
    text = "mailboxes:\n" + box("a", "a@acme.example", "username: sales, imap: {host: mail.acme.example}, smtp: off")
    found = config(text + box("b", "b@acme.example", "username: sales, smtp: off"))
    recognised = {"acme.example": Recognition("exmail", RecognisedBy.MX, "mxbiz1.qq.com")}
    where = {
        target.name: here.shard
        for here in shards()
        for known in ({}, recognised)
        for target in build(found, known, here).targets
        if target.kind is Kind.MAILBOX
    }
    assert where == {"a": shard_of("sales", TOTAL), "b": shard_of("sales", TOTAL)}


DNS = {f"c{n}.example": Recognition("exmail", RecognisedBy.MX, "mxbiz1.qq.com") for n in range(30)}


def test_only_what_a_shard_runs_is_looked_up_in_the_dns(config):
    text = "mailboxes:\n" + "".join(box(f"b{n}", f"b@c{n}.example", "pop3: off") for n in range(30))
    found = config(text + "routes: [{from: b1, to: b2}]\n")
    sender, receiver = (shard_of(f"b@c{n}.example", TOTAL) for n in (1, 2))
    assert sender != receiver
    for here in shards():
        built = build(found, sharding=here)
        needed = {f"c{n}.example" for n in range(30) if here.owns(f"b@c{n}.example") or here.owns(f"c{n}.example")}
        needed |= {"c2.example"} if here.shard == sender else set()
        assert set(built.by_dns) == needed
        assert {each.name for each in built.waiting} == {f"b{n}" for n in range(30) if here.owns(f"b@c{n}.example")}
        known = build(found, {name: DNS[name] for name in built.by_dns}, here)
        names = {target.name for target in known.targets}
        assert ("b1-to-b2" in names) == (here.shard == sender)
        # No shard knows of all: whoever logs in to a server that the DNS told watches it.
        assert ("imap.exmail.qq.com:993" in names) == bool(built.waiting)
        assert {t.provider for t in known.targets if t.kind is Kind.DOMAIN} <= {"exmail"}


def test_the_refusals_of_an_account_are_divided_by_those_who_log_in_to_it(config):
    text = "mailboxes:\n" + "".join(box(f"box{n}", f"box{n}@example.com") for n in range(BOXES))
    text += "routes:\n" + "".join(f"  - {{from: box{n}, to: box0}}\n" for n in range(1, BOXES))
    found = config(text)
    hub = "box0@example.com@@example.com"
    per_account: Counter[str] = Counter()
    left_open: Counter[str] = Counter()
    for here in shards():
        built = build(found, sharding=here)
        mine = allotted(built.credentials, here, found.login_guard)
        used = set().union(*(logins_of(target) for target in built.targets))
        assert hub in used
        assert set(mine) == {hub}
        assert mine[hub].refusals_per_day == (2 if here.shard in (shard_of("box0@example.com", TOTAL), 0) else 1)
        for account in used:
            settings = mine.get(account, found.login_guard)
            assert 1 <= settings.failures <= settings.refusals_per_day
            per_account[account] += settings.refusals_per_day
            left_open[account] += settings.unsettled_per_day
    assert len(per_account) == BOXES
    assert set(per_account.values()) == {found.login_guard.refusals_per_day}
    assert set(left_open.values()) == {found.login_guard.unsettled_per_day}
    assert allotted(build(found).credentials, WHOLE, found.login_guard) == {}


def test_a_source_of_access_tokens_that_shards_have_in_common_is_shared_too(config, tmp_path):
    for name in ("secret", "token"):
        (tmp_path / name).write_text("x")
    app = "oauth2: {flow: client_credentials, client_id: app, client_secret_file: secret}, provider: microsoft365"
    own = "oauth2: {client_id: app, refresh_token_file: token}, provider: microsoft365"
    text = "mailboxes:\n" + "".join(
        f"  - {{name: b{n}, address: b{n}@c{n}.example, {app if n else own}}}\n" for n in range(20)
    )
    found = config(text + "routes: [{from: b1, to: b0}]\n")
    assert shard_of("b1@c1.example", 3) != shard_of("b0@c0.example", 3)
    parts: Counter[str] = Counter()
    for here in shards(3):
        for name, settings in allotted(build(found, sharding=here).credentials, here, found.login_guard).items():
            parts[name] += settings.refusals_per_day
    assert sorted(name.split("/")[-1] for name in parts) == ["b0@c0.example@@office365.com", "secret", "token"]
    assert set(parts.values()) == {6}
    (warning,) = (each for each in build(found, sharding=Sharding(0, 3)).warnings if "refresh token" in each)
    assert "mailboxes[0].oauth2: its refresh token is used by 2 shards" in warning
    assert not any("refresh token" in each for each in build(found).warnings)


def test_what_cannot_be_divided_is_an_error_with_its_remedy(config):
    """One refusal each would be more in a day than the configuration allows: eight shards, six refusals."""
    text = "limits: {per_host: 7}\nmailboxes:\n" + "".join(box(f"box{n}", f"box{n}@example.com") for n in range(BOXES))
    found = config(text + "routes:\n" + "".join(f"  - {{from: box{n}, to: box0}}\n" for n in range(1, BOXES)))
    assert build(found).targets
    for here in shards(8):
        with pytest.raises(ConfigError) as caught:
            build(found, sharding=here)
        assert [(each.line, each.key) for each in caught.value.problems] == [
            (1, "limits.per_host"),
            (3, "mailboxes[0]"),
        ]
        limits, mailbox = (each.message for each in caught.value.problems)
        assert limits == "7 cannot be divided by 8 shards: write 8 or more"
        assert mailbox.startswith("8 of 8 shards log in to it, because routes to it are sent there")
        assert "login_guard.refusals_per_day, which is 6: write 8 or more there" in mailbox


def test_the_smaller_of_the_two_daily_limits_is_told(config):
    text = "login_guard: {unsettled_per_day: 3}\nmailboxes:\n"
    text += "".join(box(f"box{n}", f"box{n}@example.com") for n in range(BOXES))
    found = config(text + "routes:\n" + "".join(f"  - {{from: box{n}, to: box0}}\n" for n in range(1, BOXES)))
    with pytest.raises(ConfigError) as caught:
        build(found, sharding=Sharding(0, 4))
    (problem,) = caught.value.problems
    assert "login_guard.unsettled_per_day, which is 3: write 4 or more there" in problem.message


def test_a_source_of_tokens_that_too_many_shards_use_is_told_once(config, tmp_path):
    (tmp_path / "secret").write_text("x")
    app = "oauth2: {flow: client_credentials, client_id: app, client_secret_file: secret}, provider: microsoft365"
    boxes = "".join(f"  - {{name: b{n}, address: b{n}@c{n}.example, {app}}}\n" for n in range(BOXES))
    found = config(f"login_guard: {{refusals_per_day: 2}}\nmailboxes:\n{boxes}")
    with pytest.raises(ConfigError) as caught:
        build(found, sharding=Sharding(0, 3))
    (problem,) = caught.value.problems
    assert problem.message.startswith("3 of 3 shards ask for access tokens with the same credential")


@pytest.mark.parametrize("total", [1, 2, 3, 4])
def test_the_limits_of_a_server_hold_for_all_shards_together(total):
    limits = Limits()
    parts = [limits.divided(each) for each in shards(total)]
    assert sum(each.per_host for each in parts) == limits.per_host
    assert min(each.per_host for each in parts) >= 1
    assert sum(each.logins_per_host_per_minute for each in parts) == pytest.approx(limits.logins_per_host_per_minute)
    assert limits.divided(WHOLE) == limits


def test_the_logins_of_a_server_stay_within_the_limit_of_all(config):
    """Two hundred logins a minute are wanted: intervals stretch on each shard until they are sixty in all."""
    text = "defaults: {interval: {login: 36s}}\nmailboxes:\n"
    found = config(text + "".join(box(f"box{n}", f"box{n}@example.com") for n in range(BOXES)))
    rate = 0.0
    for here in shards():
        loaded = Loaded(found, build(found, sharding=here), here)
        intervals = plan(loaded.built.targets, loaded.limits).intervals
        rate += sum(60 / intervals[target.key] for target in loaded.built.targets if target.logins)
    assert rate <= found.limits.logins_per_host_per_minute * (1 + 1e-9)
    assert rate > 0.9 * found.limits.logins_per_host_per_minute


def test_incidents_that_are_pushed_say_which_shard_sees_them(config):
    text = "alertmanager: {targets: [{url: 'http://127.0.0.1:9093'}], labels: {site: berlin}}\n"
    found = config(text)
    pushed = Loaded(found, build(found), Sharding(2, 3)).push
    assert pushed is not None
    assert dict(pushed.labels) == {"site": "berlin", "shard": "2"}
    assert Loaded(found, build(found)).push == found.alertmanager
    own = config(text.replace("site: berlin", "shard: mine"))
    assert Loaded(own, build(own), Sharding(2, 3)).push == own.alertmanager


@pytest.mark.parametrize(("before", "here"), list(itertools.product(shards(3), shards(4))))
def test_newcomers_are_the_accounts_that_this_shard_did_not_log_in_to(config, before, here):
    found = config(fleet())
    logged_in = [
        set().union(*(logins_of(target) for target in build(found, sharding=each).targets)) for each in (before, here)
    ]
    new = newcomers(build(found, sharding=here).credentials, here, before)
    assert new == logged_in[1] - logged_in[0]
    assert newcomers(build(found, sharding=here).credentials, here, None) == logged_in[1]
    assert newcomers(build(found, sharding=here).credentials, here, here) == frozenset()


def test_careful_settings_allow_one_refusal():
    careful = GuardSettings().careful()
    assert (careful.failures, careful.first_pause, careful.longest_pause) == (1, 86400, 86400)
