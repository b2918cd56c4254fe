from __future__ import annotations

import re
from collections import Counter
from importlib import resources
from typing import Any

import pytest
import yaml

from exporter import providers
from exporter.model import Security, Service
from exporter.providers import NoServerError, choose, is_free_mail, presets, recognise

ROWS = yaml.safe_load(resources.files("exporter").joinpath("data/providers.yaml").read_text("utf-8"))
EVERY = pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["id"]))


def chosen(
    service: Service, preset: str | None, domain: str = "example.com", **written: Any
) -> tuple[str, int, Security]:
    said = {"host": None, "port": None, "security": None, **written}
    return choose(service, presets()[preset] if preset else None, domain, **said)


@EVERY
def test_a_row_has_what_the_loader_needs(row):
    preset = presets()[str(row["id"])]
    assert preset.name
    assert re.fullmatch(r"[a-z0-9_]+", preset.id)
    assert all(1 <= server.port <= 65535 for service in Service for server in preset.rows(service))
    assert all(domain == domain.lower() and "." in domain for domain in preset.domains)
    assert all(re.compile(pattern, re.IGNORECASE) for pattern in row["mx_patterns"])
    assert all(role in ("sent", "junk", "trash", "drafts") and names for role, names in preset.folders)


def test_ids_and_domains_are_unique():
    for values in ([row["id"] for row in ROWS], [domain for row in ROWS for domain in row["domains"]]):
        assert [value for value, count in Counter(values).items() if count > 1] == []


def test_the_rows_of_2016_are_kept():
    assert sum("seed_2016" in row for row in ROWS) == 28
    assert len(ROWS) >= 82


@EVERY
def test_flags_follow_from_the_quirks_in_words(row):
    words = " ".join(row["quirks"])
    assert ("needs_id" in row["flags"]) == bool(re.search(r"must send RFC 2971 ID|send IMAP ID after login", words))
    assert ("no_sasl_ir" in row["flags"]) == ("SASL-IR" in words)


def test_the_file_may_be_copied():
    text = resources.files("exporter").joinpath("data/providers.yaml").read_text("utf-8")
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")


@pytest.mark.parametrize(
    ("domain", "preset"),
    [
        ("163.com", "netease_163"),
        ("vip.163.com", "netease_vip163"),
        ("foxmail.com", "foxmail"),
        ("acme.onmicrosoft.com", "microsoft365"),
        ("mail.qq.com", None),
        ("example.com", None),
        ("com", None),
    ],
)
def test_a_provider_is_recognised_by_its_own_domains(domain, preset):
    found = recognise(domain)
    assert (found.id if found else None) == preset
    assert is_free_mail(domain) == (preset is not None)


def test_google_workspace_has_the_folders_of_gmail():
    assert presets()["google_workspace"].folders == presets()["gmail"].folders != ()


@pytest.mark.parametrize(
    ("arguments", "server"),
    [
        # the preset alone
        ((Service.IMAP, "qq"), ("imap.qq.com", 993, Security.TLS)),
        ((Service.SMTP, "microsoft365"), ("smtp.office365.com", 587, Security.STARTTLS)),
        # of several servers, the one of the mailbox's domain; of a template, the domain's
        ((Service.IMAP, "gmx", "gmx.net"), ("imap.gmx.net", 993, Security.TLS)),
        ((Service.SMTP, "generic"), ("smtp.example.com", 465, Security.TLS)),
        ((Service.IMAP, "netease_qiye"), ("imap.qiye.163.com", 993, Security.TLS)),
    ],
)
def test_a_preset_names_the_server(arguments, server):
    assert chosen(*arguments) == server


@pytest.mark.parametrize(
    ("service", "preset", "written", "server"),
    [
        (Service.SMTP, "qq", {"port": 587}, ("smtp.qq.com", 587, Security.STARTTLS)),
        (Service.SMTP, "qq", {"security": Security.STARTTLS}, ("smtp.qq.com", 587, Security.STARTTLS)),
        (Service.IMAP, "qq", {"port": 143}, ("imap.qq.com", 143, Security.STARTTLS)),
        (Service.IMAP, "qq", {"host": "127.0.0.1"}, ("127.0.0.1", 993, Security.TLS)),
        (Service.IMAP, "tom_vip", {"security": Security.TLS}, ("imap.vip.tom.com", 993, Security.TLS)),
        (Service.IMAP, None, {"host": "h"}, ("h", 993, Security.TLS)),
        (Service.IMAP, None, {"host": "h", "security": Security.PLAIN}, ("h", 143, Security.PLAIN)),
        (Service.SMTP, None, {"host": "h"}, ("h", 465, Security.TLS)),
        (Service.SMTP, None, {"host": "h", "port": 25}, ("h", 25, Security.STARTTLS)),
        (Service.SMTP, None, {"host": "h", "security": Security.STARTTLS}, ("h", 587, Security.STARTTLS)),
        (Service.IMAP, None, {"host": "h", "port": 1143, "security": Security.TLS}, ("h", 1143, Security.TLS)),
    ],
)
def test_what_the_user_writes_wins(service, preset, written, server):
    assert chosen(service, preset, **written) == server


@pytest.mark.parametrize(
    ("service", "preset", "written", "said"),
    [
        (Service.IMAP, None, {}, "no imap server is known: write imap: {host: …}, or a provider, or imap: off"),
        (Service.IMAP, "dingtalk", {}, "no imap server is known for provider dingtalk"),
        (Service.IMAP, "aws_workmail", {}, "no imap server is known for provider aws_workmail"),  # <region>
        (Service.IMAP, "tom_vip", {}, "nobody has verified how imap.vip.tom.com is secured"),
        (Service.IMAP, None, {"host": "h", "port": 1143}, "port 1143 does not tell how it is secured"),
    ],
)
def test_where_no_server_can_be_named_the_fix_is(service, preset, written, said):
    with pytest.raises(NoServerError, match=re.escape(said)):
        chosen(service, preset, **written)


@EVERY
def test_every_preset_either_names_its_servers_or_says_what_to_write(row):
    for service in (Service.IMAP, Service.SMTP):
        try:
            host, _, _ = chosen(service, str(row["id"]))
        except NoServerError as exc:
            said = str(exc)
            host = ""
        else:
            said = "write "
        assert "write " in said
        assert "<" not in host


def test_ports_tell_what_is_usual():
    assert providers.WELL_KNOWN[993] == (Service.IMAP, Security.TLS)
    assert all(security is not Security.PLAIN for _, security in providers.WELL_KNOWN.values())
