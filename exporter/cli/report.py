"""The verb `report`: prints a support ticket from a running daemon's history, or after one run without a daemon."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence

import aiohttp

from exporter.cli.check import PATIENCE, Alone, CheckError, Job, OtherConfigError, Wanted, hash_of, select
from exporter.cli.daemon_client import NobodyThere, ReachError, admitted, asking, reach, runs_with
from exporter.config import ConfigError
from exporter.daemon.options import Options
from exporter.model import ProbeName, Target, Wait
from exporter.model.effective import EffectiveConfig
from exporter.outputs.history import History
from exporter.outputs.ticket.render import render
from exporter.outputs.ticket.ticket import make
from exporter.state.store import StateError

ANSWER_WITHIN = 30.0  # seconds for a daemon to write the ticket


async def report(options: Options, target: str, url: str, shape: str, language: str, *, named: bool = False) -> int:
    """Print the ticket; `shape` is text, md or json.

    `named`: the user named the configuration, so no daemon with another one may answer.

    Returns 0, or 2 for an unknown target or an invalid configuration.
    """
    try:
        zone = str(getattr(options.time_zone, "key", ""))
        query = {"target": target, "format": shape, "lang": language, "tz": zone}
        told = f"no daemon at {url}" if url else "no daemon asked"
        try:
            text = await _asked(url, query, await hash_of(options) if named else "") if url else None
        except OtherConfigError:
            told, text = f"the daemon at {url} has another configuration than {options.config_file}", None
        if text is None:
            print(f"{told}: probing once, so there is no history", file=sys.stderr)
            text = await _alone(options, target, shape, language)
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        return 2
    except (CheckError, ReachError, StateError) as exc:
        print(f"mailprobe: {exc}", file=sys.stderr)
        return 2
    sys.stdout.write(text)
    return 0


async def _asked(url: str, query: Mapping[str, str], config_hash: str) -> str | None:
    """Return the ticket that the daemon writes, or None if nobody listens.

    Raises CheckError, ReachError, or OtherConfigError if it has not the configuration with this hash ("": any).
    """
    limits = aiohttp.ClientTimeout(total=ANSWER_WITHIN, connect=PATIENCE)
    try:
        with asking(url, "reports"):
            async with reach(url, limits) as reached:
                if config_hash and not await runs_with(reached, config_hash):
                    raise OtherConfigError
                answer = await reached.session.get(f"{reached.base}/api/v1/report", params=query)
                text = await answer.text()
                if answer.status == 200:
                    return text
                admitted(answer.status, url)
                raise CheckError(str(json.loads(text)["error"]))
    except NobodyThere:
        return None


async def _alone(options: Options, name: str, shape: str, language: str) -> str:
    wanted = Wanted((name,), (), "", force=False, wait=Wait.LATE, as_json=False, language=language)
    history = History()
    async with Alone.open(options, wanted) as prober:
        own = select(prober.jobs, wanted, prober.waiting)
        jobs = [*own, *_around(name, prober.targets)]
        for result in await asyncio.gather(*(prober.result(job, lambda _, __: None) for job in jobs)):
            history.record(result)
        targets, configured = prober.targets, EffectiveConfig().interval
        ticket = make(name, targets, history, history.recent(), time.time(), interval_of=configured)
    return render(ticket, shape, language, options.time_zone)


def _around(name: str, targets: Sequence[Target]) -> list[Job]:
    """Return the probes that help the diagnosis without another login: of the target's servers and its domain."""
    own = [target for target in targets if target.name == name]
    servers = {server for target in own for server in target.servers}
    domains = {target.domain for target in own if target.domain}
    return [
        target.key
        for target in targets
        if target.name != name
        and (
            (target.probe is ProbeName.TLS and servers & set(target.servers))
            or (target.probe is ProbeName.DNS and target.domain in domains)
        )
    ]
