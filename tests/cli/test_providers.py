"""Tests of `mailprobe providers`:

the provider and the evidence, as text and JSON, and a valid entry for config.yaml.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest

from exporter.cli.providers import show
from exporter.cli.stanza import stanza
from exporter.config import load
from exporter.config.presets import presets
from exporter.daemon.options import Options, options
from exporter.model import Security
from exporter.targets.build import build
from exporter.targets.provider_lookup import RecognisedBy, Recognition
from tests.servers.dns import Authoritative, Zone

OFFLINE = "127.0.0.1:1"
CONTRACT = {"id", "name", "family", "recognised_by", "imap", "pop3", "smtp", "login", "quirks", "folders"}


@pytest.fixture
def given(tmp_path: Path):
    """`given(resolver)` returns the flags for a configuration that uses this resolver."""

    def make(resolver: str) -> Options:
        (tmp_path / "config.yaml").write_text(f'resolvers: ["{resolver}"]\n')
        return options(argparse.Namespace(config_file=str(tmp_path / "config.yaml")), {})

    return make


@pytest.fixture
def run(given, capsys):
    async def running(what: str, resolver: str = OFFLINE, *, as_json: bool = False, language: str = "en"):
        code = await show(given(resolver), what, as_json=as_json, language=language)
        said = capsys.readouterr().out
        return code, json.loads(said) if as_json else said

    return running


@pytest.mark.parametrize(
    ("what", "provider", "by"),
    [
        ("sales@163.com", "netease_163", "domain"),
        ("QQ.com", "qq", "domain"),
        ("x@acme.onmicrosoft.com", "microsoft365", "domain"),
        ("imap.163.com", "netease_163", "host"),
        ("mail.sohu.com", "sohu", "host"),
        ("mxbiz2.qq.com", "exmail", "host"),
        ("smtp.c2.corpease.net", "corpease", "host"),
        ("263", "263", "id"),
    ],
)
async def test_a_name_alone_tells_without_any_dns(run, what, provider, by):
    code, found = await run(what, as_json=True)
    assert (code, found["id"], found["recognised_by"]) == (0, provider, by)
    assert found.keys() >= CONTRACT


@pytest.mark.parametrize("what", ["info@acme.test", "acme.test", "imap.acme.test"])
async def test_a_companys_domain_is_told_by_its_mx(run, authoritative: Authoritative, resolver: str, what):
    authoritative.add("acme.test", Zone(["@ MX 5 hzmx01.mxmail.netease.com."]))
    code, found = await run(what, resolver, as_json=True)
    assert (code, found["id"], found["recognised_by"]) == (0, "netease_qiye_hz", "mx")
    assert found["evidence"] == "hzmx01.mxmail.netease.com"
    assert found["imap"] == [{"host": "imaphz.qiye.163.com", "port": 993, "security": "tls"}]
    assert found["family"] == "netease_qiye"
    assert found["folders"].keys() <= {"sent", "junk", "trash", "drafts"}


async def test_a_host_of_ones_own_is_told_by_what_it_stands_for(run, authoritative: Authoritative, resolver: str):
    authoritative.add("acme.test", Zone(["@ MX 5 gateway", "smtp CNAME smtp.qiye.163.com."]))
    code, found = await run("smtp.acme.test", resolver, as_json=True)
    assert (code, found["id"], found["recognised_by"]) == (0, "netease_qiye", "cname")


async def test_who_is_nobodys_is_unknown_and_gets_a_guess_to_correct(run, authoritative: Authoritative, resolver: str):
    authoritative.add("acme.test", Zone(["@ MX 5 mail", "mail A 127.0.0.1"]))
    code, said = await run("info@acme.test", resolver)
    assert code == 1
    assert "info@acme.test: no provider is recognised." in said
    assert "Its MX is mail.acme.test" in said
    assert "imap: {host: imap.acme.test, port: 993, security: tls}   # a guess" in said
    code, found = await run("info@acme.test", resolver, as_json=True)
    assert code == 1
    assert found.keys() >= CONTRACT
    assert (found["id"], found["imap"]) == (None, [])


@pytest.mark.parametrize(
    ("language", "says"),
    [("en", "Only the domain was looked at: the DNS gives no answer"), ("zh", "仅查看了域名本身：DNS 没有应答")],
)
async def test_offline_it_says_that_only_the_domain_was_looked_at(run, language, says):
    code, said = await run("info@acme.test", language=language)
    assert code == 1
    assert says in said


@pytest.mark.parametrize(
    ("language", "parts"),
    [
        (
            "en",
            [
                "QQ Mail QQ邮箱 (qq)",
                "Recognised by   the domain qq.com",
                "an authorization code",
                "Generate authorization",
            ],
        ),
        ("zh", ["识别依据        域名 qq.com", "客户端授权码", "生成授权码", "不会推送新邮件（IDLE）：改为轮询"]),
    ],
)
async def test_it_says_where_the_code_is_made_and_what_is_odd(run, language, parts):
    code, said = await run("sales@qq.com", language=language)
    assert code == 0
    for part in (*parts, "imap.qq.com:993 TLS", "https://help.mail.qq.com", "40", "  - address: sales@qq.com"):
        assert part in said


async def test_what_took_a_servers_place_is_told(run):
    code, said = await run("imap.mxhichina.com")
    assert code == 0
    assert re.search(r"Successor +Alibaba Mail \(China site\) .*\(aliyun_qiye\)", said)
    assert "imap.qiye.aliyun.com:993" in said
    assert "provider: aliyun_qiye" in said


async def test_without_a_question_it_is_a_list(run):
    code, said = await run("")
    assert code == 0
    assert len(said.splitlines()) == len(presets())
    code, found = await run("", as_json=True)
    assert code == 0
    assert [each["id"] for each in found] == list(presets())
    assert all(each.keys() >= CONTRACT for each in found)


@pytest.mark.parametrize("what", ["", " ", "a b c", "@", "..", "x" * 300 + ".example", "imap.", "<script>"])
async def test_nonsense_is_unknown(run, what):
    if what.strip():
        assert (await run(what))[0] == 1
    else:
        assert (await run(what))[0] in (0, 1)


# -- the stanza -------------------------------------------------------------------------------------------------------


def built(text: str, folder: Path, address: str, mx: str = ""):
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets" / address.partition("@")[0]).write_text("x")
    (folder / "config.yaml").write_text(text)
    domain = address.partition("@")[2]
    recognised = {domain: Recognition("aliyun_qiye", RecognisedBy.MX, mx)} if mx else {}
    return build(load(folder / "config.yaml"), recognised)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("provider", list(presets()))
def test_every_presets_stanza_is_a_good_configuration(tmp_path, provider, language):
    """It is loaded, and its probes need nothing more from the user."""
    preset = presets()[provider]
    address = f"sales@{preset.domains[0] if preset.domains else 'acme.example'}"
    text = stanza(preset, address, language=language)
    found = built(text, tmp_path, address, mx="mx1.qiye.aliyun.com")
    logins = [target for target in found.targets if target.name == address]
    assert logins
    assert found.waiting == ()
    for target in logins:
        assert target.settings.endpoint.security in (Security.TLS, Security.STARTTLS)


@pytest.mark.parametrize(
    ("provider", "mx", "host"),
    [
        ("aws_workmail", "inbound-smtp.eu-west-1.amazonaws.com", "imap.mail.eu-west-1.awsapps.com"),
        ("ionos", "mx00.ionos.de", "imap.ionos.de"),
        ("zoho", "mx.zoho.com", ""),
    ],
)
def test_what_only_the_mx_told_is_written_out(provider, mx, host):
    """When `provider` is written, the MX is not looked up any more."""
    text = stanza(presets()[provider], "sales@acme.example", mx)
    assert (f"imap: {{host: {host}, " in text) if host else ("imap" not in text)


def test_an_unknown_domains_stanza_is_a_good_configuration_too(tmp_path):
    found = built(stanza(None, "sales@acme.example"), tmp_path, "sales@acme.example")
    assert ("sales@acme.example", "imap") in {target.key for target in found.targets}


async def test_words_find_providers(given, capsys):
    """Several are listed, one is told whole; what finds none is unknown."""
    assert await show(given(OFFLINE), "网易", as_json=False, language="zh") == 0
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == [
        "netease_163", "netease_126", "netease_yeah", "netease_qiye", "netease_qiye_hz",
    ]  # fmt: skip
    assert await show(given(OFFLINE), "office365", as_json=True, language="en") == 0
    assert json.loads(capsys.readouterr().out)["id"] == "microsoft365"
