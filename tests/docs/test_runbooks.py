"""Tests of the runbooks: one per alert and language, complete, and correct about rules, commands, metrics and names."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from deploy import thresholds
from exporter.config import schema
from exporter.daemon import options
from exporter.model import Kind, Phase, ProbeName
from exporter.model.phrases import texts
from exporter.model.reasons import Layer, Reason
from exporter.outputs.metrics.families import FAMILIES
from exporter.web.pages import runbooks
from tests.docs import generate_runbooks, runbook_figures
from tests.docs.documents import fences, labels_of, metrics, recorded, refused, spans, text_of
from tests.docs.generate_runbooks import FOLDER, ROOT
from tests.rules.shipped import alerts

LANGUAGES = ("en", "zh")
SECTIONS = {"en": ["Meaning", "Impact", "Diagnosis", "Mitigation"], "zh": ["含义", "影响", "诊断", "处理"]}
MOST_LINES = 80
FILES = sorted(FOLDER.glob("??/*.md"))
PROGRAMS = {
    *("amtool", "certbot", "curl", "df", "diff", "dig", "grep", "ip", "journalctl", "kubectl", "ls", "mailprobe"),
    *("mount", "nc", "openssl", "ping", "promtool", "systemctl", "timedatectl", "whois"),
}
FOREIGN_METRICS = frozenset({"up", "ALERTS", "process_cpu_seconds_total"})
FOREIGN_FLAGS = frozenset({"--web.enable-lifecycle", "--dry-run", "--force-renewal", "--selector"})

# Times in runbooks that are not figures of their rule, in seconds.
MINUTE, DAY = 60, 86400
OTHER_TIMES = {
    "MailCertificateExpired": {90 * DAY},  # lifetime of a certificate of Let's Encrypt
    "MailCertificateExpiringSoon": {21 * DAY, 30 * DAY, 90 * DAY},
    "MailDNSRecordMissing": {10 * MINUTE},  # a TTL
    "MailDomainOutage": {5 * MINUTE},  # interval between logins
    "MailErrorBudgetBurn": {30 * DAY},
    "MailQuotaAlmostFull": {5 * MINUTE},
    "MailQuotaFillingUp": {3 * DAY},
    "MailRoundTripLost": {15 * MINUTE},  # lost_after
    "MailRoundTripOverdue": {
        40,
        MINUTE,
        4 * MINUTE,
        6 * MINUTE,
        15 * MINUTE,
    },  # late_after, and the rule that follows it
    "MailRoundTripSlow": {5, 10, 40},
    "MailSubmissionThrottled": {5 * MINUTE, 30 * MINUTE},  # the pause of the login guard, greylisting
    "MailprobeInconclusive": {10},
    "MailprobeLoginSuspended": {30 * MINUTE, DAY},
    "MailprobeProbesStalled": {10 * MINUTE},
    "MailprobeSchedulerOverloaded": {20, 30},
}
_OUTAGES = {"MailDNSFailing", "MailDomainOutage", "MailEndpointDown", "MailHostOutage", "MailProviderOutage"}
_BOTH = _OUTAGES | {
    "MailCertificateInvalid", "MailLoginFailing", "MailLoginRejected", "MailSubmissionThrottled",
    "MailprobeAllVantagesOffline",
}  # fmt: skip
REPEATED = {
    "for": _BOTH
    | {
        "MailQuotaFillingUp", "MailRoundTripMisfiled", "MailprobeConfigInconsistent", "MailprobeInconclusive",
        "MailprobeLoginSuspended", "MailprobeOAuthTokenExpiring", "MailprobeSchedulerOverloaded",
        "MailprobeShardingMismatch", "MailprobeShardsMissing",
    },
    "keep_firing_for": _BOTH | {"MailCertificateExpired", "MailCertificateExpiringSoon", "MailprobeVantageOffline"},
}  # fmt: skip


def name_of(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()


# -- one for each alert ------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_alert_of_the_rules_has_a_runbook_and_every_runbook_an_alert(language):
    assert list(runbooks.library(language)) == sorted(generate_runbooks.alerts())


def test_every_alert_that_mailprobe_pushes_has_a_runbook():
    assert {*texts("en")["alerts"], "Watchdog"} <= set(runbooks.library("en"))


def test_the_rules_send_people_to_the_runbooks():
    for rule in alerts():
        assert rule["annotations"]["runbook_url"].endswith(f"/runbooks/{rule['alert']}")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_runbook_is_whole_and_fits_a_screen_or_two(path):
    language, text = path.parent.name, text_of(path)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS[language]
    assert all(len(section) > 30 for section in re.split(r"^## .*$", text, flags=re.MULTILINE))
    assert len(text.splitlines()) <= MOST_LINES
    assert fences(text, "promql") or fences(text, "sh")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_what_it_says_of_the_rule_is_the_rule(path):
    """Run `python -m tests.docs.generate_runbooks` to update it."""
    told = runbooks.parse(path.stem, text_of(path)).facts
    assert told == generate_runbooks.facts(generate_runbooks.alerts()[path.stem], path.parent.name)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_figures_in_the_text_are_those_of_the_rule(path):
    """Run `python -m tests.docs.generate_runbooks` to update them."""
    text, rules = text_of(path), generate_runbooks.alerts()[path.stem]
    assert runbook_figures.corrected(text, rules, path.parent.name) == text


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_other_time_in_the_text_is_known(path):
    """An unknown time may be a figure of the rule, in words that `runbook_figures` does not know."""
    prose = re.sub(r"^ *```.*?^ *```", "", text_of(path), flags=re.DOTALL | re.MULTILINE)
    assert runbook_figures.others(prose, path.parent.name) <= OTHER_TIMES.get(path.stem, set())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ["for", "keep_firing_for"])
def test_a_figure_that_contradicts_the_rule_is_found(key, language):
    """The same alerts repeat figures of their rule in both languages, and each figure follows a changed rule."""
    told = set()
    for alert, rules in generate_runbooks.alerts().items():
        text = text_of(FOLDER / language / f"{alert}.md")
        if key in {figure.key for figure in runbook_figures.repeated(text, language)}:
            told.add(alert)
            changed = runbook_figures.corrected(text, [{**rule, key: "123m"} for rule in rules], language)
            assert runbook_figures.spoken("123m", language) in changed
            assert runbook_figures.corrected(changed, rules, language) == text
    assert told == REPEATED[key]


def test_the_index_is_up_to_date():
    assert generate_runbooks.INDEX.read_text(encoding="utf-8") == generate_runbooks.index()


@pytest.mark.parametrize(
    ("alert", "number"),
    [
        ("MailCertificateExpiringSoon", thresholds.CERTIFICATE_WARNING_DAYS),
        ("MailQuotaAlmostFull", f"{thresholds.QUOTA_WARNING_RATIO:.0%}"),
        ("MailQuotaAlmostFull", f"{thresholds.QUOTA_CRITICAL_RATIO:.0%}"),
        ("MailQuotaFillingUp", f"{thresholds.QUOTA_FILLING_RATIO:.0%}".rstrip("%")),
        ("MailQuotaFillingUp", f"{thresholds.QUOTA_FORECAST_DAYS}*86400"),
        ("MailDNSChanged", f"<{thresholds.DNS_CHANGE_SECONDS}"),
        ("MailprobeSchedulerOverloaded", thresholds.SCHEDULER_DELAY_SECONDS),
        ("MailErrorBudgetBurn", f"{thresholds.OBJECTIVE:.0%}"),
        ("MailRoundTripSlow", thresholds.ROUNDTRIP_SLOW_MESSAGES),
    ],
)
def test_thresholds_are_those_of_the_rules(alert, number):
    for language in LANGUAGES:
        assert str(number) in text_of(FOLDER / language / f"{alert}.md").replace(" ", "")


# -- the names in the text exist ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_links_lead_to_files_that_are_there(path):
    for label, target in re.findall(r"\[([^\]]+)\]\(([^)]+)\)", text_of(path)):
        assert (path.parent / target.partition("#")[0]).is_file()
        assert "`" not in label  # on the web page a code span may become a link


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_alerts_named_in_the_text_exist(path):
    assert set(re.findall(r"\b(?:Mail|Mailprobe)[A-Z]\w+", text_of(path))) <= set(generate_runbooks.alerts())


def test_both_languages_ask_the_same_of_prometheus_and_lead_to_the_same_places():
    for alert in runbooks.library("en"):
        english, chinese = (text_of(FOLDER / language / f"{alert}.md") for language in LANGUAGES)
        assert fences(english, "promql") == fences(chinese, "promql")
        assert set(re.findall(r"\]\(([^)]+)\)", english)) == set(re.findall(r"\]\(([^)]+)\)", chinese))


def selectors(node: Any) -> Iterator[Any]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        inner = getattr(node, name, None)
        if inner is not None and not isinstance(inner, str):
            yield from selectors(inner)
    for each in getattr(node, "args", None) or ():
        yield from selectors(each)


def test_queries_are_valid_and_ask_for_metrics_and_labels_that_exist():
    known, rules = metrics(), recorded()
    asked = [(path, query) for path in FILES for query in fences(text_of(path), "promql")]
    assert len(asked) > 100
    for path, query in asked:
        found = list(selectors(promql_parser.parse(query)))
        assert found, (name_of(path), query)
        for each in found:
            if each.name in FOREIGN_METRICS | rules:
                continue
            assert each.name in known, (name_of(path), each.name)
            labels = {matcher.name for matcher in each.matchers.matchers}
            assert labels <= known[each.name] | {"job", "instance"}, (name_of(path), query)


def commands(text: str) -> Iterator[list[str]]:
    """Return every command of the sh blocks, and those of mailprobe in the running text, as lists of words."""
    lines = [line.strip() for block in fences(text, "sh") for line in block.splitlines()]
    lines += [span for span in spans(text) if span.startswith("mailprobe ")]
    for line in lines:
        command: list[str] = []
        for word in [*shlex.split(line), "|"]:
            if word == "|":
                yield command
                command = []
            elif word not in {"</dev/null", "2>/dev/null"}:
                command.append(word)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_commands_exist(path):
    for command in commands(text_of(path)):
        assert command[0] in PROGRAMS, command
        if command[0] == "mailprobe":
            arguments = command[1:]
            if ">" in arguments:
                arguments = arguments[: arguments.index(">")]
            assert refused(arguments) == "", command


@cache
def words() -> set[str]:
    """Return every name that a code span in snake case may be."""
    known = {*map(str, Reason), *map(str, Phase), *map(str, ProbeName), *map(str, Kind), *map(str, Layer)}
    known |= {label for family in FAMILIES for label in labels_of(family)}
    known |= {f"mailprobe_{family.name}" for family in FAMILIES}
    return known | set(re.findall(r"\w+", str(schema())))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_reasons_metrics_keys_and_flags_in_the_text_exist(path):
    known = words() | {"host_limit", "file_sd_configs", "dkim_verified", "invalid_grant", "invalid_client"}
    flags = {flag.name for flag in options.FLAGS} | {"force", "url", "lang"}
    for span in spans(text_of(path)):
        if re.fullmatch(r"[a-z]+(_[a-z]+)+", span):
            assert span in known, span
        if span.startswith("--"):
            flag = span.split()[0]
            assert flag in FOREIGN_FLAGS or re.split(r"[= ]", flag[2:])[0] in flags, span


# -- where they are found -------------------------------------------------------------------------------------------


def test_in_a_checkout_the_runbooks_of_docs_are_served():
    assert runbooks.folder() == FOLDER


def test_a_wheel_brings_them_along(tmp_path):
    """The wheel is built as pip does it, unpacked in another folder, and imported from there."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=100)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    ask = (
        "from exporter.web.pages import runbooks\n"
        "print(runbooks.folder())\n"
        "print(*runbooks.library('en'), *runbooks.library('zh'))"
    )
    run = [sys.executable, "-c", ask]
    answer = subprocess.run(
        run, cwd=tmp_path / "site", check=True, capture_output=True, text=True, timeout=60
    ).stdout.splitlines()
    assert Path(answer[0]) == tmp_path / "site" / "exporter" / "data" / "runbooks"
    assert answer[1].split() == sorted(generate_runbooks.alerts()) * 2
