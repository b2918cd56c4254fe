"""The verb `check`: runs every probe once and prints the results.

A running daemon is asked to do the runs, because it knows the state of the login guard. Without one, this process runs
the probes itself with the stored state. The login guard is never bypassed without `--force`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from exporter.cli.check_output import show
from exporter.cli.daemon_client import NobodyThere, Reached, ReachError, admitted, asking, reach
from exporter.config import ConfigError, load
from exporter.daemon.loading import Loaded, load_all, reasons
from exporter.daemon.options import Options
from exporter.daemon.prober import Prober
from exporter.incidents.json_objects import cause_object, from_object
from exporter.incidents.rootcause import search
from exporter.incidents.rootcause.cause import Cause, fold
from exporter.model import Phase, ProbeName, Result, Scope, Target, Wait
from exporter.model.phrases import Phrases
from exporter.model.reasons import Layer, Reason
from exporter.outputs.json_objects import SCHEMA_VERSION, result_object
from exporter.state.store import StateError, StateLocked
from exporter.targets.build import build, with_wait
from exporter.targets.provider_watch import Discovery

AT_ONCE = 20  # runs in progress at the same time
PATIENCE = 3.0  # seconds to wait for the first reply of a daemon
LOOK_UP = 15.0  # seconds to recognise the providers of domains by DNS

Job = tuple[str, ProbeName]
Progress = Callable[[Job, str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The arguments of the user."""

    targets: tuple[str, ...]
    probes: tuple[str, ...]
    url: str
    force: bool
    wait: Wait
    as_json: bool
    language: str
    named: bool = False  # whether the user named the configuration: then no daemon with another one may answer


class CheckError(Exception):
    """The check is not possible. The message is for the user; the exit code is 2."""


class OtherConfigError(Exception):
    """The daemon runs with another configuration than the one that the user named."""


class Checker(Protocol):
    """Runs the probes: a daemon or this process."""

    @property
    def jobs(self) -> Sequence[Job]: ...

    @property
    def waiting(self) -> Mapping[str, str]:
        """Mailboxes that cannot be probed because their servers are unknown: name → why."""
        ...

    async def run(self, job: Job, progress: Progress) -> dict[str, Any]: ...

    async def causes(self) -> Sequence[Cause]:
        """Return the root causes of all known failures. A daemon also knows failures outside of these runs."""
        ...


async def check(options: Options, wanted: Wanted) -> int:
    """Run the probes, print the results and return the exit code: 0 ok, 1 failed, 3 inconclusive, 2 not possible."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        async with _checker(options, wanted, errors) as checker:
            jobs = select(checker.jobs, wanted, checker.waiting)
            missing = {name: why for name, why in checker.waiting.items() if not wanted.targets}
            for name, why in missing.items():
                print(Phrases(wanted.language, "check")("not_checked", name=name, why=why), file=sys.stderr)
            results = await _run_all(checker, jobs, wanted, errors)
            causes = causes_of(results, await checker.causes())
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return 2
    except (CheckError, ReachError, StateError) as exc:
        print(f"mailprobe: {exc}", file=sys.stderr)
        return 2
    if wanted.as_json:
        report = {
            "schema_version": SCHEMA_VERSION,
            "results": results,
            "causes": [cause_object(each) for each in fold(causes)],
        }
        print(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        show(results, causes, wanted.language, sys.stdout)
    outcomes = {result["outcome"] for result in results}
    return 1 if "failed" in outcomes else 3 if "inconclusive" in outcomes or missing else 0


def causes_of(results: Sequence[Mapping[str, Any]], known: Sequence[Cause]) -> list[Cause]:
    """Return the causes of these results. A failure that belongs to none of `known` is its own cause."""
    bad = {str(each["target"]): each for each in results if each["outcome"] != "ok" and each["reason"]}
    found = [cause for cause in known if not bad.keys().isdisjoint(cause.targets)]
    told = {name for cause in found for name in cause.targets}
    return found + [
        Cause(
            key=f"target:{name}",
            scope=Scope.TARGET,
            layer=Layer(each["layer"]),
            reason=Reason(each["reason"]),
            targets=(name,),
            since=each["started"],
            text=each["text"] or "",
            subject=name,
            inconclusive=each["outcome"] == "inconclusive",
        )
        for name, each in bad.items()
        if name not in told
    ]


def select(jobs: Sequence[Job], wanted: Wanted, waiting: Mapping[str, str]) -> list[Job]:
    """Return the jobs that the user asked for, all jobs if none. Raises CheckError for an unknown name."""
    names = {name for name, _ in jobs}
    for name in wanted.targets:
        if name in waiting and name not in names:
            raise CheckError(f"{name} cannot be checked: {waiting[name]}")
    if unknown := [name for name in wanted.targets if name not in names]:
        some = ", ".join(sorted(names)[:20]) or "none: the configuration has no target yet"
        raise CheckError(f"unknown target {unknown[0]}; there are: {some}")
    if wrong := [probe for probe in wanted.probes if probe not in set(ProbeName)]:
        raise CheckError(f"unknown probe {wrong[0]}; there are: {', '.join(ProbeName)}")
    chosen = [
        (name, probe)
        for name, probe in jobs
        if (not wanted.targets or name in wanted.targets) and (not wanted.probes or probe in wanted.probes)
    ]
    if not chosen and waiting:
        raise CheckError("; ".join(f"{name} cannot be checked: {why}" for name, why in list(waiting.items())[:10]))
    if not chosen and (wanted.targets or wanted.probes):
        raise CheckError("no target has such a probe")
    if not chosen:
        raise CheckError("the configuration has no target yet: add a mailbox, see README.md")
    return chosen


async def _run_all(checker: Checker, jobs: Sequence[Job], wanted: Wanted, errors: Console) -> list[dict[str, Any]]:
    status: dict[Job, str] = dict.fromkeys(jobs, "")
    gate = asyncio.Semaphore(AT_ONCE)
    say = Phrases(wanted.language, "check")

    def progress(job: Job, phase: str) -> None:
        status[job] = phase

    async def one(job: Job) -> dict[str, Any]:
        async with gate:
            status[job] = say("running")
            result = await checker.run(job, progress)
        del status[job]
        return result

    def rendering() -> Table:
        made = Table(box=None, show_header=False, pad_edge=False)
        for (name, probe), phase in list(status.items())[: max(3, errors.height - 4)]:
            if phase:
                made.add_row(Spinner("dots"), Text(name), Text(str(probe)), Text(phase, style="dim"))
        return made

    if not errors.is_terminal:
        return list(await asyncio.gather(*(one(job) for job in jobs)))
    with Live(get_renderable=rendering, console=errors, refresh_per_second=8, transient=True):
        return list(await asyncio.gather(*(one(job) for job in jobs)))


@asynccontextmanager
async def _checker(options: Options, wanted: Wanted, errors: Console) -> AsyncIterator[Checker]:
    say = Phrases(wanted.language, "check")
    told = say("not_asked")
    if wanted.url:
        async with reach(wanted.url, aiohttp.ClientTimeout(total=None, connect=PATIENCE)) as reached:
            told = say("nobody", url=wanted.url)
            try:
                daemon = await Daemon.find(reached, wanted, await hash_of(options) if wanted.named else "")
            except OtherConfigError:
                daemon = None
                told = say("other_config", url=wanted.url, file=options.config_file)
            if daemon is not None:
                errors.print(say("asking", url=wanted.url), style="dim", markup=False)
                yield daemon
                return
    async with Alone.open(options, wanted) as alone:
        errors.print(told, style="dim", markup=False)
        yield alone


async def hash_of(options: Options) -> str:
    """Return the hash of the configuration, by which a daemon is known to have the same. Raises ConfigError."""
    return (await asyncio.to_thread(load, options.config_file)).hash


class Daemon:
    """Asks a running daemon to run the probes: within its limits, and with its login guard."""

    def __init__(self, reached: Reached, wanted: Wanted, jobs: Sequence[Job], waiting: Mapping[str, str]) -> None:
        self._session = reached.session
        self._base = reached.base
        self._wanted = wanted
        self.jobs = jobs
        self.waiting = waiting

    @classmethod
    async def find(cls, reached: Reached, wanted: Wanted, config_hash: str = "") -> Daemon | None:
        """Return None if nobody listens. Raises ReachError for another server, CheckError for another shard.

        `config_hash`: of the configuration that it must have. Raises OtherConfigError.
        """
        try:
            with asking(wanted.url, "checks"):
                async with asyncio.timeout(PATIENCE), reached.session.get(f"{reached.base}/api/v1/targets") as answer:
                    admitted(answer.status, wanted.url)
                    body = await answer.json()
                rows = [(str(each["target"]), each["probes"]) for each in body["targets"]]
                jobs = [(name, ProbeName(probe)) for name, probes in rows for probe in probes]
                missing = {str(each["target"]): str(each["text"]) for each in body.get("waiting", ())}
        except NobodyThere:
            return None
        if config_hash and body.get("config_hash") != config_hash:
            raise OtherConfigError
        known = {*missing, *(name for name, _ in jobs)}
        if (shard := body.get("shard")) and (unknown := [name for name in wanted.targets if name not in known]):
            raise CheckError(
                f"{wanted.url} is shard {shard['ordinal']} of {shard['total']}, and {unknown[0]} is not among its "
                "targets: ask another shard, or check without a daemon, --url ''"
            )
        return cls(reached, wanted, jobs, missing)

    async def run(self, job: Job, progress: Progress) -> dict[str, Any]:
        name, probe = job
        progress(job, "…")
        query = {"target": name, "probe": str(probe), "wait": str(self._wanted.wait)}
        if self._wanted.force:
            query["force"] = "1"
        url = f"{self._base}/api/v1/run?{urlencode(query)}"
        try:
            async with self._session.post(url, headers={"X-Mailprobe": "1"}) as answer:
                if answer.status != 200:
                    raise CheckError(f"the daemon refuses to run {probe} of {name}: {(await answer.text())[:300]}")
                result: dict[str, Any] = await answer.json()
        except aiohttp.ClientError as exc:
            raise CheckError(f"the daemon at {self._wanted.url} closed the connection: {exc}") from exc
        return result

    async def causes(self) -> Sequence[Cause]:
        try:
            async with asyncio.timeout(PATIENCE), self._session.get(f"{self._base}/api/v1/causes") as answer:
                return [from_object(each) for each in (await answer.json())["causes"]]
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
            return []  # an older daemon: each failure is then its own cause


async def _recognised(loaded: Loaded, discovery: Discovery) -> Loaded:
    """Add the providers that are stored or found by DNS within LOOK_UP. Raises ConfigError."""
    domains = loaded.built.by_dns
    if not domains:
        return loaded
    await discovery.recall(domains)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LOOK_UP):
            await discovery.look_all(domains)
    for notice in discovery.notices():
        if notice.domain in discovery.known:
            print(f"warning: {notice.text()}", file=sys.stderr)
    return Loaded(loaded.config, await asyncio.to_thread(build, loaded.config, dict(discovery.known)))


class Alone:
    """Runs the probes in this process, with the state folder locked, so that no daemon starts at the same time."""

    def __init__(self, targets: Sequence[Target], prober: Prober, wanted: Wanted, missing: Mapping[str, str]) -> None:
        self._targets = {target.key: target for target in targets}
        self._prober = prober
        self._wanted = wanted
        self._results: dict[Job, Result] = {}
        self.jobs = list(self._targets)
        self.waiting = missing

    @classmethod
    @asynccontextmanager
    async def open(cls, options: Options, wanted: Wanted) -> AsyncIterator[Alone]:
        loaded = await asyncio.to_thread(load_all, options)
        try:
            prober = await Prober.open(options.storage_path, loaded.config, notice=lambda _: None)
        except StateLocked as exc:
            raise CheckError(f"{exc}. If this process is the daemon, give its address with --url") from exc
        async with contextlib.aclosing(prober):
            loaded = await _recognised(loaded, prober.discovery)
            for warning in (*loaded.config.warnings, *loaded.built.warnings):
                print(f"warning: {warning}", file=sys.stderr)
            if wanted.force:
                for target in loaded.built.targets:
                    prober.allow_once(target)
            yield cls(loaded.built.targets, prober, wanted, reasons(loaded.built, prober.discovery))

    @property
    def targets(self) -> Sequence[Target]:
        return list(self._targets.values())

    async def run(self, job: Job, progress: Progress) -> dict[str, Any]:
        return result_object(await self.result(job, progress))

    async def result(self, job: Job, progress: Progress) -> Result:
        target = with_wait(self._targets[job], self._wanted.wait)

        def on_progress(phase: Phase) -> None:
            progress(job, str(phase))

        found = self._results[job] = await self._prober.run(target, on_progress=on_progress)
        return found

    async def causes(self) -> Sequence[Cause]:
        return search.causes(self._results, self._targets.values())
