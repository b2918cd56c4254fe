"""The flags of the command line. Each works before and after the verb.

Each flag can also be set by an environment variable (--log.level: MAILPROBE_LOG_LEVEL); the flag has priority.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import cast

from exporter import DEFAULT_PORT
from exporter.model import durations
from exporter.model.sharding import WHOLE, Sharding, ShardingError, sharding
from exporter.model.zones import time_zone
from exporter.web.route_prefix import NO_PREFIX, RoutePrefix, route_prefix

DEFAULT_LISTEN = f"127.0.0.1:{DEFAULT_PORT}"


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. `kind` is str, int, float, bool or list (repeatable; comma separated in the environment)."""

    name: str
    kind: type
    default: object
    help: str
    choices: tuple[str, ...] = ()

    @property
    def env(self) -> str:
        return "MAILPROBE_" + self.name.replace(".", "_").replace("-", "_").upper()

    @property
    def dest(self) -> str:
        return self.name.replace(".", "_").replace("-", "_")


FLAGS = (
    Flag("config.file", str, "config.yaml", "Path of the configuration file."),
    Flag("config.check", bool, False, "Check the configuration and exit: 0 if it is valid, 2 if not."),
    Flag("config.enable-auto-reload", bool, False, "Reload the configuration when the content of a file changes."),
    Flag(
        "config.auto-reload-interval", str, "30s", "Interval of the checks by --config.enable-auto-reload. At least 1s."
    ),
    Flag(
        "web.listen-address", list, [DEFAULT_LISTEN], "Address to listen on, such as :9826 or [::1]:9826. Repeatable."
    ),
    Flag("web.systemd-socket", bool, False, "Use the sockets passed by systemd instead of --web.listen-address."),
    Flag(
        "web.config.file",
        str,
        "",
        "Path of the file that enables TLS, authentication and headers, in the format of Prometheus' exporter-toolkit.",
    ),
    Flag("web.external-url", str, "", "The URL under which mailprobe is externally reachable. Used for links."),
    Flag("web.route-prefix", str, "", "Prefix of all paths. Default: the path of --web.external-url."),
    Flag("web.telemetry-path", str, "/metrics", "Path under which to expose metrics."),
    Flag(
        "web.time-zone",
        str,
        "",
        "Time zone of the pages and of reports, such as Asia/Shanghai. Default: the one of this machine.",
    ),
    Flag("storage.path", str, "data/", "Folder for data that must survive a restart."),
    Flag(
        "log.level",
        str,
        "info",
        "Only log messages with the given severity or above.",
        ("debug", "info", "warn", "error"),
    ),
    Flag("log.format", str, "logfmt", "Output format of log messages on stderr.", ("logfmt", "json")),
    Flag(
        "history.limit",
        int,
        100,
        "Number of recent runs to keep for the pages and /logs, and the same number of failures.",
    ),
    Flag(
        "shard",
        str,
        "",
        "Number of this daemon among --total-shards, starting from 0, or auto (from the name of the pod).",
    ),
    Flag("total-shards", int, 1, "Number of daemons that share the targets of one configuration."),
    Flag("timeout-offset", float, 0.5, "Seconds to subtract from the timeout of the scraper on /probe."),
)


class OptionError(ValueError):
    """A flag or its environment variable has an invalid value. The message names it."""


@dataclass(frozen=True, slots=True)
class Options:
    """The flags as the daemon uses them."""

    config_file: Path
    config_check: bool
    auto_reload: float | None  # seconds between two checks of the configuration files; None = never
    listen: tuple[tuple[str | None, int], ...]  # (host, port); None = all addresses, IPv4 and IPv6
    external_url: str
    telemetry_path: str
    storage_path: Path
    log_level: str
    log_format: str
    history_limit: int
    timeout_offset: float  # seconds
    sharding: Sharding = WHOLE
    web_config_file: Path | None = None
    route_prefix: RoutePrefix = NO_PREFIX
    time_zone: tzinfo | None = None  # None: the one of this machine
    systemd_socket: bool = False  # listen on the sockets that systemd passes, and not on `listen`

    @property
    def control_socket(self) -> Path:
        """The Unix socket on which a running daemon accepts requests of its own account.

        It works with any web configuration.
        """
        return self.storage_path / "control.sock"


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add all flags to a parser.

    A flag that is not set leaves no attribute, so that the verb's parser overrides nothing.
    """
    group = parser.add_argument_group(
        "flags", "Each flag can also be set by an environment variable: --log.level is MAILPROBE_LOG_LEVEL."
    )
    for flag in FLAGS:
        name = f"--{flag.name}"
        if flag.kind is bool:
            group.add_argument(name, dest=flag.dest, action="store_true", default=argparse.SUPPRESS, help=flag.help)
            continue
        shown = ", ".join(str(each) for each in flag.default) if isinstance(flag.default, list) else flag.default
        group.add_argument(
            name,
            dest=flag.dest,
            type=str if flag.kind is list else flag.kind,
            action="append" if flag.kind is list else "store",
            default=argparse.SUPPRESS,
            choices=flag.choices or None,
            metavar="|".join(flag.choices) if flag.choices else flag.kind.__name__.upper().replace("LIST", "ADDRESS"),
            help=f"{flag.help} (default: {shown})" if shown != "" else flag.help,
        )


def options(
    given: argparse.Namespace, environ: Mapping[str, str] = os.environ, host_name: str | None = None
) -> Options:
    """Return the options: from the flag, else from the environment, else the default. Raises OptionError."""
    value = {flag.dest: _value(flag, given, environ) for flag in FLAGS}
    path = str(value["web_telemetry_path"])
    if not path.startswith("/") or path == "/":
        raise OptionError(f"--web.telemetry-path {path}: must start with / and not be the status page's own path")
    interval = _interval(value["config_auto_reload_interval"])
    return Options(
        config_file=Path(str(value["config_file"])),
        config_check=bool(value["config_check"]),
        auto_reload=interval if value["config_enable_auto_reload"] else None,
        listen=tuple(listen_address(each) for each in cast("list[str]", value["web_listen_address"])),
        systemd_socket=bool(value["web_systemd_socket"]),
        web_config_file=Path(str(value["web_config_file"])) if value["web_config_file"] else None,
        external_url=str(value["web_external_url"]).rstrip("/"),
        route_prefix=_route_prefix(str(value["web_route_prefix"]), str(value["web_external_url"])),
        telemetry_path=path,
        time_zone=_time_zone(str(value["web_time_zone"])),
        storage_path=Path(str(value["storage_path"])),
        log_level=str(value["log_level"]),
        log_format=str(value["log_format"]),
        history_limit=_at_least_one(value["history_limit"]),
        timeout_offset=float(str(value["timeout_offset"])),
        sharding=_sharding(value, environ.get("POD_NAME", ""), platform.node() if host_name is None else host_name),
    )


def _sharding(value: Mapping[str, object], pod_name: str, host_name: str) -> Sharding:
    try:
        return sharding(str(value["shard"]), int(str(value["total_shards"])), pod_name, host_name)
    except ShardingError as exc:
        raise OptionError(str(exc)) from None


def _route_prefix(flag: str, external_url: str) -> RoutePrefix:
    try:
        return route_prefix(flag, external_url)
    except ValueError as exc:
        raise OptionError(f"--web.route-prefix {flag}: {exc}") from None


def _time_zone(name: str) -> tzinfo | None:
    try:
        return time_zone(name) if name else None
    except ValueError as exc:
        raise OptionError(f"--web.time-zone {name}: {exc}") from None


def _interval(value: object) -> float:
    try:
        seconds = durations.parse(value)
    except ValueError as exc:
        raise OptionError(f"--config.auto-reload-interval {value}: {exc}") from None
    if seconds < 1:
        raise OptionError(f"--config.auto-reload-interval {value}: must be 1s or more")
    return seconds


def _at_least_one(value: object) -> int:
    number = int(str(value))
    if number < 1:
        raise OptionError(f"--history.limit {number}: must be 1 or more")
    return number


def _value(flag: Flag, given: argparse.Namespace, environ: Mapping[str, str]) -> object:
    if hasattr(given, flag.dest):
        return getattr(given, flag.dest)
    text = environ.get(flag.env)
    if text is None:
        return flag.default
    if flag.kind is bool:
        if text.lower() not in {"true", "false", "1", "0", "yes", "no"}:
            raise OptionError(f"{flag.env}={text}: must be true or false")
        return text.lower() in {"true", "1", "yes"}
    if flag.kind is list:
        return [each.strip() for each in text.split(",") if each.strip()]
    if flag.choices and text not in flag.choices:
        raise OptionError(f"{flag.env}={text}: must be one of {', '.join(flag.choices)}")
    try:
        return flag.kind(text)
    except ValueError as exc:
        raise OptionError(f"{flag.env}={text}: must be a number") from exc


def listen_address(text: str) -> tuple[str | None, int]:
    """Parse `:9826`, `127.0.0.1:9826` or `[::1]:9826` into (host, port). Raises OptionError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535 or (":" in host and not host.startswith("[")):
        raise OptionError(f"--web.listen-address {text}: must be like :9826, 127.0.0.1:9826 or [::1]:9826")
    return host.strip("[]") or None, int(port)


def with_verb(arguments: Sequence[str], verbs: Sequence[str]) -> list[str]:
    """Insert the default verb `run` if the arguments have no verb."""
    known = {f"--{flag.name}" for flag in FLAGS if flag.kind is not bool}
    skip = False
    for argument in arguments:
        if skip:
            skip = False
        elif argument in known:
            skip = True
        elif argument in {"-h", "--help", "--version"} or argument in verbs:
            return list(arguments)
        elif not argument.startswith("-"):
            break  # an unknown verb: argparse reports it with the list of verbs
    else:
        return [*arguments, "run"]
    return list(arguments)
