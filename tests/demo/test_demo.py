"""Tests of the demo: each target has its described result, and the command starts and stops cleanly."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import itertools
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from exporter.config import Config, load
from exporter.credentials.guard import LoginGuard
from exporter.daemon.loading import make_context
from exporter.daemon.options import Options, options
from exporter.demo import world
from exporter.demo.scene import STORIES, Scene
from exporter.demo.world import demo, in_thread
from exporter.model import FactName, Outcome, Phase, ProbeName, Result, Target, Wait
from exporter.model.reasons import Reason
from exporter.probes.roundtrip import trip
from exporter.run.runner import Runner
from exporter.run.vantage import Vantage, VantageRunner
from exporter.state.store import State
from exporter.targets.build import build, with_wait
from tests.canary import leaks
from tests.servers.process import free_port

NEVER = 600.0  # seconds: no test waits for the slow mail
Found = tuple[Phase | None, Reason] | None  # why a run failed; None: it succeeded

# Servers are named by their host here, because their ports differ at each start.
EXPECTED: dict[tuple[str, ProbeName], Found] = {
    ("sales", ProbeName.IMAP): None,
    ("sales", ProbeName.SMTP): None,
    ("wang", ProbeName.IMAP): None,
    ("wang", ProbeName.SMTP): None,
    ("intern", ProbeName.IMAP): (Phase.LOGIN, Reason.WRONG_PASSWORD),
    ("intern", ProbeName.SMTP): (Phase.LOGIN, Reason.WRONG_PASSWORD),
    ("archive", ProbeName.IMAP): None,
    ("support", ProbeName.IMAP): None,
    ("marketing", ProbeName.IMAP): None,
    ("finance", ProbeName.IMAP): (Phase.TLS, Reason.CERTIFICATE_EXPIRED),
    ("finance", ProbeName.SMTP): (Phase.TLS, Reason.CERTIFICATE_NAME_MISMATCH),
    ("warehouse", ProbeName.IMAP): (Phase.CONNECT, Reason.CONNECTION_REFUSED),
    ("sales-to-wang", ProbeName.ROUNDTRIP): None,
    ("sales-to-support", ProbeName.ROUNDTRIP): (Phase.ARRIVE, Reason.MESSAGE_LATE),
    ("sales-to-marketing", ProbeName.ROUNDTRIP): (Phase.ARRIVE, Reason.MESSAGE_IN_JUNK),
    ("sales-to-archive", ProbeName.ROUNDTRIP): (Phase.SUBMIT, Reason.RECIPIENT_OVER_QUOTA),
    ("orders", ProbeName.ROUNDTRIP): (Phase.ARRIVE, Reason.MESSAGE_LATE),
    ("imap.acme.example", ProbeName.TLS): None,
    ("smtp.acme.example", ProbeName.TLS): None,
    ("imap.huaxin.example", ProbeName.TLS): None,
    ("smtp.huaxin.example", ProbeName.TLS): None,
    ("imap.globex.example", ProbeName.TLS): (Phase.TLS, Reason.CERTIFICATE_EXPIRED),
    ("smtp.globex.example", ProbeName.TLS): (Phase.TLS, Reason.CERTIFICATE_NAME_MISMATCH),
    ("imap.initech.example", ProbeName.TLS): (Phase.CONNECT, Reason.CONNECTION_REFUSED),
    ("acme.example", ProbeName.DNS): None,
    ("huaxin.example", ProbeName.DNS): None,
    ("hooli.example", ProbeName.DNS): (Phase.RESOLVE, Reason.DNS_SERVER_FAILURE),
    ("globex.example", ProbeName.DNS): (Phase.RESOLVE, Reason.RECORD_MISSING),
    ("initech.example", ProbeName.DNS): None,
}


@dataclass(frozen=True)
class Stage:
    """The demo's world, its configuration, and a runner."""

    config: Config
    targets: Sequence[Target]
    runner: Runner

    def target(self, name: str, probe: ProbeName) -> Target:
        return next(target for target in self.targets if target.key == (name, probe))

    async def run(self, target: Target, **changed: object) -> Result:
        """Run a target, with other settings if given. Deadlines are long, unless the test is about them."""
        if isinstance(target.settings, trip.Settings):
            changed = {"late_after": NEVER, "lost_after": NEVER, "step_timeout": 60.0} | changed
        settings = dataclasses.replace(target.settings, **changed)  # type: ignore[type-var]
        return await self.runner.run(dataclasses.replace(target, settings=settings, deadline=60.0))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    with in_thread(Scene(tmp_path, slow=NEVER)) as scene:
        config = load(scene.config)
        state = await State.open(tmp_path / "data")
        try:
            runner = Runner(make_context(config.resolvers, state, LoginGuard(state, config.login_guard)))
            yield Stage(config, build(config).targets, runner)
        finally:
            await state.close()


def found(result: Result) -> Found:
    return (result.failure.phase, result.failure.reason) if result.failure else None


async def test_each_target_ends_as_its_story_says(stage: Stage):
    """All at once, as in the daemon."""

    async def run(target: Target) -> Result:
        late = target.name in ("sales-to-support", "orders")
        return await stage.run(target, **({"late_after": 0.5} if late else {}))

    results = await asyncio.gather(*map(run, stage.targets))

    told = {(each.target.name.partition(":")[0], each.target.probe): found(each) for each in results}
    assert told == EXPECTED
    for result in results:
        assert result.outcome is (Outcome.FAILED if result.failure else Outcome.OK)


async def test_the_config_that_users_see_has_no_fault(stage: Stage):
    assert not stage.config.warnings
    assert not stage.config.problems()
    assert not build(stage.config).warnings


async def test_without_its_references_the_demo_says_that_its_own_network_is_down(tmp_path: Path):
    """And blames no mail service, until they answer again."""
    with in_thread(Scene(tmp_path, slow=NEVER)) as scene:
        config = load(scene.config)
        state = await State.open(tmp_path / "data")
        context = make_context(config.resolvers, state, LoginGuard(state, config.login_guard))
        now = itertools.count(0, 1000.0)  # each look is a new one
        vantage = Vantage(config.vantage, context.resolver, context.contexts, now=lambda: float(next(now)))
        runner = VantageRunner(Runner(context), vantage)
        target = next(each for each in build(config).targets if each.name == "warehouse")

        async def becomes(reason: Reason) -> None:
            async with asyncio.timeout(60):
                while found(await runner.run(target)) != (Phase.CONNECT, reason):
                    pass

        try:
            assert found(await runner.run(target)) == (Phase.CONNECT, Reason.CONNECTION_REFUSED)
            assert vantage.answering() == (2, 2)
            (tmp_path / "offline").touch()
            await becomes(Reason.VANTAGE_OFFLINE)
            assert vantage.answering() == (0, 2)
            (tmp_path / "offline").unlink()
            await becomes(Reason.CONNECTION_REFUSED)
        finally:
            await vantage.aclose()
            await state.close()


async def test_the_stories_are_about_targets_of_the_config(stage: Stage):
    names = {name for names, _ in STORIES for name in names.split(", ")}
    assert names <= {target.name for target in stage.targets}


async def test_a_wrong_password_pauses_after_two_refusals(stage: Stage):
    """The pause applies to IMAP and SMTP."""
    imap, smtp = (stage.target("intern", probe) for probe in (ProbeName.IMAP, ProbeName.SMTP))
    assert [(await stage.run(each)).login_refused for each in (imap, smtp)] == [True, True]
    for each in (imap, smtp):
        result = await stage.run(each)
        assert result.login_suspended
        assert not result.login_attempted
        assert found(result) == (Phase.LOGIN, Reason.WRONG_PASSWORD)


async def test_a_full_mailbox_shows_its_quota(stage: Stage):
    result = await stage.run(stage.target("archive", ProbeName.IMAP))
    used, limit = result.fact(FactName.QUOTA_USED_BYTES, "user"), result.fact(FactName.QUOTA_LIMIT_BYTES, "user")
    assert used == limit
    assert used


async def test_chinese_folders_are_counted(stage: Stage):
    result = await stage.run(stage.target("wang", ProbeName.IMAP))
    names = [result.fact(FactName.FOLDER_NAME, role) for role in ("sent", "junk", "trash", "drafts", "other1")]
    assert names == ["已发送", "垃圾邮件", "已删除", "草稿箱", "客户"]


async def test_a_good_mail_passes_every_check(stage: Stage):
    result = await stage.run(stage.target("sales-to-wang", ProbeName.ROUNDTRIP))
    methods = ("spf", "dkim", "dmarc", "dkim_verified")
    assert [result.fact(FactName.ROUNDTRIP_AUTHENTICATION, each) for each in methods] == [1, 1, 1, 1]


async def test_a_swallowed_mail_is_lost_in_the_end(stage: Stage):
    target = with_wait(stage.target("orders", ProbeName.ROUNDTRIP), Wait.SETTLED)
    result = await stage.run(target, late_after=0.2, lost_after=0.4)
    assert found(result) == (Phase.ARRIVE, Reason.MESSAGE_LOST)


# -- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Options, bool]]:
    """Replace the daemon, and record its options and whether its configuration exists."""
    seen: list[tuple[Options, bool]] = []

    def serve(chosen: Options, started: Callable[[], None]) -> int:
        seen.append((chosen, chosen.config_file.is_file()))
        started()
        return 7

    monkeypatch.setattr(world, "serve", serve)
    return seen


def test_the_demo_keeps_its_state_in_its_own_folder(served: list[tuple[Options, bool]]):
    """The folder is removed at the end."""
    given = argparse.Namespace()
    assert demo(options(given, {}), given) == 7
    ((chosen, was_there),) = served
    assert was_there
    assert chosen.storage_path.parent == chosen.config_file.parent
    assert not chosen.config_file.parent.exists()


def test_the_demo_keeps_its_state_where_the_user_wants_it(served: list[tuple[Options, bool]], tmp_path: Path):
    given = argparse.Namespace(storage_path=str(tmp_path))
    demo(options(given, {}), given)
    assert served[0][0].storage_path == tmp_path


def test_the_demo_says_where_to_look(served: list[tuple[Options, bool]], capsys: pytest.CaptureFixture[str]):
    given = argparse.Namespace(web_listen_address=[":8080"])
    demo(options(given, {}), given)
    told = capsys.readouterr().out
    assert "http://127.0.0.1:8080/\n" in told
    assert "http://127.0.0.1:8080/metrics\n" in told
    assert str(served[0][0].config_file) in told
    assert all(story in told for _, story in STORIES)
    assert f"touch {served[0][0].config_file.with_name('offline')}\n" in told


async def test_a_port_in_use_is_told_without_saying_where_to_look(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "exporter", "demo", f"--web.listen-address={place}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        told, why = await process.communicate()
    assert process.returncode == 1
    assert told == b""
    assert f"cannot listen on {place}: the port is in use" in why.decode()


def test_a_world_that_cannot_start_says_why(tmp_path: Path):
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError, match="missing"), in_thread(Scene(missing)):
        pass


async def test_the_command_serves_green_and_red_and_stops(tmp_path: Path):
    """Run as a user runs it: metrics with both verdicts, a page with the causes, no password anywhere, exit code 0."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "exporter", "demo", f"--web.listen-address=127.0.0.1:{port}"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output, env=environment)
    try:
        async with asyncio.timeout(300), aiohttp.ClientSession() as session:
            metrics = await until(session, f"{url}/metrics", BOTH_VERDICTS, process, log)
            page = await until(session, f"{url}/?lang=en", RED, process, log)
        secrets = [path.read_text().strip() for path in tmp_path.glob("mailprobe-demo-*/secrets/*")]
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(120):
            assert await process.wait() == 0, log.read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert "wrong_password" in page
    assert len(secrets) > 5
    assert [secret for secret in secrets if leaks(secret, [metrics, page, log.read_text()])] == []
    assert "Traceback" not in log.read_text()
    assert list(tmp_path.glob("mailprobe-demo-*")) == []


BOTH_VERDICTS = (r"^mailprobe_probe_success\{.*\} 1", r"^mailprobe_probe_success\{.*\} 0")
RED = ("wrong_password", "connection_refused")


async def until(
    session: aiohttp.ClientSession,
    url: str,
    wanted: Sequence[str],
    process: asyncio.subprocess.Process,
    log: Path,
) -> str:
    """Return the page as soon as all of these patterns match in it."""
    text = ""
    while not all(re.search(pattern, text, re.MULTILINE) for pattern in wanted):
        assert process.returncode is None, log.read_text()
        await asyncio.sleep(0.2)
        with contextlib.suppress(aiohttp.ClientConnectorError):
            async with session.get(url) as answer:
                text = await answer.text()
    return text
