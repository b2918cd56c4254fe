from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
import yaml

from exporter.config import load
from exporter.config import presets as providers
from exporter.config.presets import (
    NoServerError,
    at_host,
    candidates,
    choose,
    current,
    is_free_mail,
    presets,
    recognise,
)
from exporter.model import Security, Service
from exporter.model.phrases import texts
from exporter.targets.build import build

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


@pytest.mark.parametrize(
    ("domain", "provider"),
    [
        *((f"yahoo.{end}", "yahoo") for end in ("com.tw", "com.hk", "com.sg", "com.my", "co.id", "it", "ca", "com.br")),
        *((f"hotmail.{end}", "outlook_com") for end in ("com.tw", "com.hk", "co.jp", "fr", "co.uk", "de")),
        *((f"outlook.{end}", "outlook_com") for end in ("jp", "kr", "sg", "com.vn", "de", "fr")),
        *((f"live.{end}", "outlook_com") for end in ("hk", "cn", "com.sg", "co.uk", "jp")),
        ("livemail.tw", "outlook_com"), ("windowslive.com", "outlook_com"),
        ("aol.de", "aol"), ("verizon.net", "aol"),
        ("gmx.hk", "gmx"), ("gmx.tw", "gmx"), ("gmx.eu", "gmx"), ("yandex.kz", "yandex"),
        ("zohomail.com", "zoho"), ("zohomail.in", "zoho_in"), ("zohomail.eu", "zoho_eu"),
        ("yahoo.co.jp", None),  # another company's
        ("yahoo.com.cn", None), ("yahoo.cn", None),  # closed
        ("yahoodns.net", None), ("protection.outlook.com", None),  # names of servers
    ],
)  # fmt: skip
def test_regional_domains_of_the_big_providers_are_recognised(domain, provider):
    found = recognise(domain)
    assert (found.id if found else None) == provider


def test_the_rows_of_2016_are_kept():
    assert sum("seed_2016" in row for row in ROWS) == 28
    assert len(ROWS) >= 82


@EVERY
def test_flags_follow_from_the_quirks_in_words(row):
    words = " ".join(row["quirks"])
    assert ("needs_id" in row["flags"]) == bool(re.search(r"must send RFC 2971 ID|send IMAP ID after login", words))
    assert ("no_sasl_ir" in row["flags"]) == ("SASL-IR" in words)
    assert ("status_omits_uidnext" in row["flags"]) == ("omit UIDNEXT" in words)
    assert ("idle_timeout" in row) == ("idle connections are dropped" in words)
    assert ("visible_after" in row) == ("becomes visible 15-40 s" in words)


@EVERY
def test_a_row_says_it_in_both_languages(row):
    assert set(row.get("code_at", {"en", "zh"})) == {"en", "zh"}


def test_every_flag_and_kind_of_login_is_of_a_row_and_has_its_words():
    assert {flag for row in ROWS for flag in row["flags"]} == providers.FLAGS == set(texts("en")["flags"])
    assert {row["login"] for row in ROWS if row["login"]} == set(texts("en")["logins"])


# tests/probes/test_quirks.py tests it: SEARCH is never sent to any server
QUIET = providers.FLAGS - {"search_unreliable"}


@pytest.mark.parametrize("quirk", [*sorted(QUIET), "idle_timeout", "visible_after"])
def test_every_quirk_is_acted_on(quirk, monkeypatch, tmp_path):
    """With the same configuration, a provider with the quirk must behave differently from one without it."""
    (tmp_path / "config.yaml").write_text(
        "mailboxes: [{name: a, address: a@x.quirky.example, password_env: PATH, provider: qq}]\n"
        "routes: [{from: a, to: a, late_after: 10s}]\n"
    )
    config = load(tmp_path / "config.yaml")
    none: dict[str, Any] = {**dict.fromkeys(providers.FLAGS, False), "idle_timeout": None, "visible_after": 0.0}
    usual = replace(presets()["qq"], domains=("quirky.example",), **none)
    changes: dict[str, Any] = {quirk: True if quirk in providers.FLAGS else 30.0}
    quirky = replace(usual, **changes)

    def behaviour(preset: providers.Preset) -> object:
        monkeypatch.setattr(providers, "presets", lambda: {"qq": preset})
        providers._by_domain.cache_clear()
        return build(config), recognise("x.quirky.example") is not None

    try:
        assert behaviour(quirky) != behaviour(usual)
    finally:
        monkeypatch.undo()
        providers._by_domain.cache_clear()


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
        ((Service.IMAP, "gmx", "gmx.de"), ("imap.gmx.net", 993, Security.TLS)),
        ((Service.SMTP, "gmx", "gmx.ch"), ("mail.gmx.net", 465, Security.TLS)),
        ((Service.SMTP, "gmx", "gmx.hk"), ("mail.gmx.com", 465, Security.TLS)),
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


HOSTS = sorted({server["host"] for row in ROWS for key in ("imap", "pop3", "smtp") for server in row[key]})
LITERAL = [host for host in HOSTS if "<" not in host and host != "127.0.0.1"]
OLD = [row["seed_2016"] for row in ROWS if "seed_2016" in row]


@pytest.mark.parametrize("host", [*LITERAL, *(each for each in OLD if re.fullmatch(r"[a-z0-9.-]+", each))])
def test_every_host_is_recognised_those_of_2016_too(host):
    preset = at_host(host.upper() + ".")
    assert preset is not None
    rows = (*preset.imap, *preset.pop3, *preset.smtp)
    assert host in {row.host for row in rows} | set(preset.old_hosts)


def test_a_program_on_this_machine_is_nobodys_host():
    assert at_host("127.0.0.1") is None


@pytest.mark.parametrize(
    ("host", "of_free_mail", "of_a_company"),
    [
        ("imap.gmail.com", "gmail", "google_workspace"),
        ("outlook.office365.com", "microsoft365", "microsoft365"),
        ("imap.qq.com", "qq", "qq"),
        ("imap.exmail.qq.com", "exmail", "exmail"),
    ],
)
def test_a_host_that_several_share_is_told_by_whose_the_domain_is(host, of_free_mail, of_a_company):
    found = at_host(host), at_host(host, own_domain=True)
    assert [preset and preset.id for preset in found] == [of_free_mail, of_a_company]


@pytest.mark.parametrize(
    ("gone", "host"),
    [
        ("mxhichina", "imap.qiye.aliyun.com"),
        ("263xmail", "imap.263.net"),
        ("21cn_entcnc", "imap-ent.21cn.com"),
        ("sohu", "imap.sohu.com"),
    ],
)
def test_where_the_old_host_is_gone_the_current_one_is_used(gone, host):
    assert chosen(Service.IMAP, gone)[0] == host
    assert current(current(presets()[gone])) is current(presets()[gone])


@EVERY
@pytest.mark.parametrize("service", [Service.IMAP, Service.POP3, Service.SMTP])
def test_an_unverified_server_is_never_used_unless_the_user_writes_how_it_is_secured(row, service):
    """Neither because of the preset alone, nor because of a port or a host that the user sets."""
    unverified = [each for each in row[service.value] if providers._SECURITY.get(each["security"]) is None]
    verified = {(each["host"], each["port"]) for each in row[service.value]} - {
        (each["host"], each["port"]) for each in unverified
    }
    if row.get("superseded_by"):
        return  # the provider's own servers are not used at all
    for written in ({}, *({"port": each["port"]} for each in unverified)):
        try:
            host, port, security = chosen(service, str(row["id"]), **written)
        except NoServerError:
            continue
        template = host.replace("example.com", "<domain>")
        assert (template, port) in verified or written
        assert template in {name for name, _ in verified}
        assert security in (Security.TLS, Security.STARTTLS)
    for each in unverified:
        if "<region>" not in each["host"]:
            said = {"port": each["port"], "security": Security.PLAIN}
            assert chosen(service, str(row["id"]), **said)[1:] == (each["port"], Security.PLAIN)


@pytest.mark.parametrize(
    ("preset", "domain", "mx", "host"),
    [
        ("ionos", "acme.example", "mx00.ionos.de", "imap.ionos.de"),
        ("ionos", "acme.example", "mx00.ionos.com", "imap.ionos.com"),
        ("ionos", "acme.example", "", "imap.ionos.com"),
        ("zoho", "acme.example", "mx.zoho.com", "imappro.zoho.com"),
        ("zoho", "zoho.com", "", "imap.zoho.com"),
        ("aws_workmail", "acme.example", "inbound-smtp.eu-west-1.amazonaws.com", "imap.mail.eu-west-1.awsapps.com"),
    ],
)
def test_the_domain_and_its_mx_tell_which_of_several_servers(preset, domain, mx, host):
    assert candidates(Service.IMAP, presets()[preset], domain, mx)[0].host == host


def test_ports_tell_what_is_usual():
    assert providers.WELL_KNOWN[993] == (Service.IMAP, Security.TLS)
    assert all(security is not Security.PLAIN for _, security in providers.WELL_KNOWN.values())
