"""The verbs of the command line."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import NoReturn

from exporter import __version__
from exporter.daemon.early_signals import early
from exporter.daemon.options import OptionError, Options, add_flags, options, with_verb
from exporter.daemon.revision import revision
from exporter.model.phrases import FALLBACK, languages, matching

USUAL = "the control socket in --storage.path, else the listen address"
VERBS = ("run", "check", "explain", "report", "providers", "oauth", "schema", "demo", "healthcheck")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse, dispatch, exit. Usage errors exit with 2."""
    parser = _parser()
    given = parser.parse_args(with_verb(sys.argv[1:] if arguments is None else arguments, VERBS))
    try:
        chosen = options(given)
    except OptionError as exc:
        parser.error(str(exc))
    try:
        code = _VERBS[given.verb](chosen, given)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): not worth a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mailprobe",
        description="Watches mail services for Prometheus and says why they fail.",
        # ASCII: it must print in every locale.
        epilog="Without a verb the daemon runs; `mailprobe demo` shows it without a mailbox of yours. "
        "First steps: docs/ten-minutes.md, docs/ten-minutes.zh-CN.md (Chinese). All pages: docs/README.md.",
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version and exit")
    add_flags(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text)
        add_flags(made)
        return made

    verb("run", "Run the daemon (the default). Exits 0 on SIGTERM, 2 on a bad configuration.")
    check = verb(
        "check",
        "Run every probe once and tell causes and remedies. "
        "Exits 0: all ok, 1: something failed, 3: something inconclusive, 2: bad configuration or unknown target.",
    )
    check.add_argument("targets", nargs="*", metavar="TARGET", help="names of mailboxes, domains, endpoints, routes")
    check.add_argument("--probe", action="append", default=[], metavar="NAME", help="only this probe (repeatable)")
    check.add_argument("--json", action="store_true", help="print the results as JSON")
    check.add_argument("--lang", choices=tuple(languages()), help="language (default: LC_ALL, LANG)")
    check.add_argument("--force", action="store_true", help="log in even where the login guard has paused")
    check.add_argument("--no-wait", action="store_true", help="do not wait for a late mail: in flight is inconclusive")
    check.add_argument("--url", help=f"a running daemon to ask first; empty = never (default: {USUAL})")
    explain = verb("explain", "Say what a server's words or a reason mean, and what to do. Exits 0: known, 1: unknown.")
    explain.add_argument("text", metavar="TEXT|REASON", help="a reply as the server sent it, or a reason's name")
    explain.add_argument("--protocol", choices=("imap", "pop3", "smtp", "http"), help="which protocol the words are of")
    explain.add_argument(
        "--provider", default="", metavar="ID|FAMILY", help="whose words they are (mailprobe providers)"
    )
    explain.add_argument("--json", action="store_true", help="print the answer as JSON")
    explain.add_argument("--lang", choices=tuple(languages()), help="language (default: LC_ALL, LANG)")
    report = verb(
        "report", "Write the support ticket about a target, from the running daemon's history where there is one."
    )
    report.add_argument("target", metavar="TARGET", help="name of a mailbox, domain, endpoint or route")
    report.add_argument("--lang", choices=tuple(languages()), help="language (default: LC_ALL, LANG)")
    report.add_argument("--format", choices=("text", "md", "json"), default="text", help="default: %(default)s")
    report.add_argument("--url", help=f"the daemon to ask; empty = none (default: {USUAL})")
    providers = verb("providers", "Show a provider's preset and a ready stanza; without argument, list them.")
    providers.add_argument("what", nargs="?", default="", metavar="ADDRESS|DOMAIN|HOST", help="what to recognise")
    providers.add_argument("--json", action="store_true", help="print the answer as JSON")
    providers.add_argument("--lang", choices=tuple(languages()), help="language (default: LC_ALL, LANG)")
    oauth = verb("oauth", "Obtain the first refresh token of a mailbox (device code, or browser and pasted code).")
    oauth.add_argument("name", metavar="NAME", help="the mailbox's name")
    verb("schema", "Print the JSON schema of config.yaml.")
    verb("demo", "Run the daemon over an embedded mail world on loopback, some of it broken on purpose.")
    health = verb("healthcheck", "Ask /-/healthy of a running daemon. Exits 0 or 1.")
    health.add_argument("--url", default="", help="the daemon (default: the listen address)")
    return parser


class _ShowVersion(argparse.Action):
    """argparse's own action would refill the lines into one."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(_version())
        parser.exit()


def _version() -> str:
    # The shape of Prometheus' own tools: one line to grep, then details.
    commit = revision()
    return (
        f"mailprobe, version {__version__}{f' (revision: {commit})' if commit else ''}\n"
        f"  python version: {platform.python_version()}\n"
        f"  platform:       {sys.platform}/{platform.machine()}"
    )


def _run(chosen: Options, _: argparse.Namespace) -> int:
    from exporter.daemon.process import check_config, serve  # noqa: PLC0415 - `healthcheck` and `schema` stay light

    if chosen.config_check:
        early.release()
        return check_config(chosen)
    return serve(chosen)


def _check(chosen: Options, given: argparse.Namespace) -> int:
    from exporter.cli.check import Wanted, check  # noqa: PLC0415 - as above
    from exporter.model import Wait  # noqa: PLC0415 - as above

    url = _url(chosen, given)
    if url is None:
        return 2
    wanted = Wanted(
        targets=tuple(given.targets),
        probes=tuple(given.probe),
        url=url,
        force=given.force,
        wait=Wait.NOT if given.no_wait else Wait.SETTLED,
        as_json=given.json,
        language=_language(given),
    )
    return asyncio.run(check(chosen, wanted))


def _url(chosen: Options, given: argparse.Namespace) -> str | None:
    """The daemon to ask; empty = none. None: it was written with a password, which every user of the machine sees."""
    from exporter.cli.daemon_client import usual  # noqa: PLC0415 - as above

    if given.url is None:
        return usual(chosen)
    if "@" in given.url:
        print("--url must not hold user or password: put them into ~/.netrc, see docs/security.md", file=sys.stderr)
        return None
    return str(given.url).rstrip("/")


def _language(given: argparse.Namespace) -> str:
    return str(given.lang or language_of(os.environ.get("LC_ALL") or os.environ.get("LANG") or ""))


def language_of(locale: str) -> str:
    """That of a locale such as zh_TW.UTF-8; English where we have none for it."""
    return matching(locale) or FALLBACK


def _explain(_: Options, given: argparse.Namespace) -> int:
    from exporter.cli.explain import explain  # noqa: PLC0415 - as above

    return explain(given.text, given.protocol, given.provider, as_json=given.json, language=_language(given))


def _report(chosen: Options, given: argparse.Namespace) -> int:
    from exporter.cli.report import report  # noqa: PLC0415 - as above

    url = _url(chosen, given)
    return 2 if url is None else asyncio.run(report(chosen, given.target, url, given.format, _language(given)))


def _providers(chosen: Options, given: argparse.Namespace) -> int:
    from exporter.cli.providers import show  # noqa: PLC0415 - as above

    return asyncio.run(show(chosen, given.what, as_json=given.json, language=_language(given)))


def _oauth(chosen: Options, given: argparse.Namespace) -> int:
    from exporter.cli.oauth import authorize  # noqa: PLC0415 - as above

    return asyncio.run(authorize(chosen, given.name))


def _schema(_: Options, __: argparse.Namespace) -> int:
    from exporter.config import schema  # noqa: PLC0415 - as above

    print(json.dumps(schema(), indent=2, ensure_ascii=False))
    return 0


def _demo(chosen: Options, given: argparse.Namespace) -> int:
    try:
        from exporter.demo.world import demo  # noqa: PLC0415 - needs the extra `demo`
    except ModuleNotFoundError as exc:
        print(f"mailprobe demo needs the package {exc.name}: pip install 'mailprobe-exporter[demo]'", file=sys.stderr)
        return 1
    return demo(chosen, given)


def _healthcheck(chosen: Options, given: argparse.Namespace) -> int:
    """Anything that mailprobe itself answers says that it lives: also that it wants a password, or TLS."""
    host, port = chosen.listen[0]
    shown = f"[{host}]" if host and ":" in host else host or "127.0.0.1"
    base = given.url.rstrip("/") or f"http://{'127.0.0.1' if shown in ('0.0.0.0', '[::]') else shown}:{port}"
    base += "" if given.url else chosen.route_prefix.path
    if not base.startswith(("http://", "https://")):
        print(f"--url {base}: must start with http:// or https://", file=sys.stderr)
        return 2
    # Nothing secret is asked or sent, so whose certificate it is does not matter; and no proxy stands in between.
    trusting = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())  # noqa: S323, SLF001
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), trusting)
    try:
        with opener.open(f"{base}/-/healthy", timeout=5) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as exc:
        exc.close()
        if exc.code < 500 and exc.headers.get("Server") == "mailprobe":
            return 0
        print(f"{base}/-/healthy: {exc}", file=sys.stderr)
        return 1
    except (OSError, urllib.error.URLError, ValueError) as exc:
        print(f"{base}/-/healthy: {exc}", file=sys.stderr)
        return 1
    return 0


_VERBS = {
    "run": _run,
    "check": _check,
    "explain": _explain,
    "report": _report,
    "providers": _providers,
    "oauth": _oauth,
    "schema": _schema,
    "demo": _demo,
    "healthcheck": _healthcheck,
}
