"""The command `mailprobe`: parses the arguments and calls the module of the verb."""

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
from exporter.model import Command, Phase
from exporter.model.phrases import FALLBACK, languages, matching

USUAL = "the control socket in --storage.path, else the listen address"
VERBS = ("run", "check", "explain", "report", "providers", "oauth", "schema", "demo", "healthcheck")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse the arguments, run the verb and exit. Usage errors exit with 2."""
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
        # The reader of our output has closed the pipe (`| head`): this needs no traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mailprobe",
        description="Monitors mail services for Prometheus and reports why they fail.",
        # ASCII only: it must print in every locale.
        epilog="Without a verb, the daemon runs. `mailprobe demo` shows it without a mailbox of your own. "
        "First steps: docs/ten-minutes.md, docs/ten-minutes.zh-CN.md (Chinese). All pages: docs/README.md.",
    )
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="Print the version and exit.")
    add_flags(parser)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)

    def verb(name: str, text: str) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=text, description=text)
        add_flags(made)
        return made

    verb("run", "Run the daemon (the default). Exit code 0 after SIGTERM, 2 with an invalid configuration.")
    check = verb(
        "check",
        "Run every probe once and print causes and remedies. "
        "Exit code 0: all ok, 1: a run failed, 3: a run was inconclusive, 2: invalid configuration or unknown target.",
    )
    check.add_argument(
        "targets", nargs="*", metavar="TARGET", help="Names of mailboxes, domains, endpoints or routes. Default: all."
    )
    check.add_argument("--probe", action="append", default=[], metavar="NAME", help="Run only this probe. Repeatable.")
    check.add_argument("--json", action="store_true", help="Print the results as JSON.")
    check.add_argument("--lang", choices=tuple(languages()), help="Language (default: from LC_ALL or LANG).")
    check.add_argument("--force", action="store_true", help="Log in even if the login guard has paused the account.")
    check.add_argument(
        "--no-wait",
        action="store_true",
        help="Do not wait for a late mail: a mail in flight makes the run inconclusive.",
    )
    check.add_argument("--url", help=f"URL of a running daemon to ask first; empty: none (default: {USUAL}).")
    explain = verb("explain", "Explain a server's reply or a reason, and what to do. Exit code 0: known, 1: unknown.")
    explain.add_argument("text", metavar="TEXT|REASON", help="A reply as the server sent it, or the name of a reason.")
    explain.add_argument("--protocol", choices=("imap", "pop3", "smtp", "http"), help="Protocol of the reply.")
    explain.add_argument(
        "--provider", default="", metavar="ID|FAMILY", help="Provider or family of the server; see mailprobe providers."
    )
    explain.add_argument("--phase", choices=tuple(Phase), help="Step of the run in which the server said it.")
    explain.add_argument("--answer-to", choices=tuple(Command), help="SMTP command that the server answered.")
    explain.add_argument("--json", action="store_true", help="Print the answer as JSON.")
    explain.add_argument("--lang", choices=tuple(languages()), help="Language (default: from LC_ALL or LANG).")
    report = verb(
        "report", "Write a support ticket about a target, from the history of a running daemon if there is one."
    )
    report.add_argument("target", metavar="TARGET", help="Name of a mailbox, domain, endpoint or route.")
    report.add_argument("--lang", choices=tuple(languages()), help="Language (default: from LC_ALL or LANG).")
    report.add_argument(
        "--format", choices=("text", "md", "json"), default="text", help="Output format (default: %(default)s)."
    )
    report.add_argument("--url", help=f"URL of the daemon to ask; empty: none (default: {USUAL}).")
    providers = verb(
        "providers", "Show the preset of a provider and an entry for config.yaml. Without argument, list all providers."
    )
    providers.add_argument(
        "what", nargs="?", default="", metavar="ADDRESS|DOMAIN|HOST", help="Address, domain or host to recognise."
    )
    providers.add_argument("--json", action="store_true", help="Print the answer as JSON.")
    providers.add_argument("--lang", choices=tuple(languages()), help="Language (default: from LC_ALL or LANG).")
    oauth = verb("oauth", "Obtain the first refresh token of a mailbox, by device code or in a browser.")
    oauth.add_argument("name", metavar="NAME", help="Name of the mailbox.")
    verb("schema", "Print the JSON schema of config.yaml.")
    verb("demo", "Run the daemon with embedded mail servers on loopback, some of them broken on purpose.")
    health = verb("healthcheck", "Request /-/healthy from a running daemon. Exit code 0 or 1.")
    health.add_argument("--url", default="", help="URL of the daemon (default: the listen address).")
    return parser


class _ShowVersion(argparse.Action):
    """Like argparse's own action, which would join the lines into one."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(_version())
        parser.exit()


def _version() -> str:
    # The format of Prometheus' own tools: one line for grep, then details.
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
        named=getattr(given, "config_file", None) is not None,
    )
    return asyncio.run(check(chosen, wanted))


def _url(chosen: Options, given: argparse.Namespace) -> str | None:
    """Return the URL of the daemon to ask; empty = none. None: it has a password, which `ps` shows to every user."""
    from exporter.cli.daemon_client import usual  # noqa: PLC0415 - as above

    if given.url is None:
        return usual(chosen)
    if "@" in given.url:
        print(
            "--url must not contain a user name or password: put them into ~/.netrc, see docs/security.md",
            file=sys.stderr,
        )
        return None
    return str(given.url).rstrip("/")


def _language(given: argparse.Namespace) -> str:
    return str(given.lang or language_of(os.environ.get("LC_ALL") or os.environ.get("LANG") or ""))


def language_of(locale: str) -> str:
    """Return our language for a locale such as zh_TW.UTF-8; English if there is none."""
    return matching(locale) or FALLBACK


def _explain(_: Options, given: argparse.Namespace) -> int:
    from exporter.cli.explain import Situation, explain  # noqa: PLC0415 - as above

    said_in = Situation(given.protocol, given.provider, given.phase, given.answer_to)
    return explain(given.text, said_in, as_json=given.json, language=_language(given))


def _report(chosen: Options, given: argparse.Namespace) -> int:
    from exporter.cli.report import report  # noqa: PLC0415 - as above

    url = _url(chosen, given)
    if url is None:
        return 2
    named = getattr(given, "config_file", None) is not None
    return asyncio.run(report(chosen, given.target, url, given.format, _language(given), named=named))


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
    """Return 0 if mailprobe answers at all: an answer that asks for a password or for TLS also shows that it runs."""
    host, port = chosen.listen[0]
    shown = f"[{host}]" if host and ":" in host else host or "127.0.0.1"
    base = given.url.rstrip("/") or f"http://{'127.0.0.1' if shown in ('0.0.0.0', '[::]') else shown}:{port}"
    base += "" if given.url else chosen.route_prefix.path
    if not base.startswith(("http://", "https://")):
        print(f"--url {base}: must start with http:// or https://", file=sys.stderr)
        return 2
    # The request has no secret, so the certificate is not verified. A proxy would hide the daemon and is not used.
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
