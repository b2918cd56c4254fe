"""Tests of the provider of a domain by its MX and CNAME records, with a real resolver; a missing answer is an error."""

from __future__ import annotations

import pytest

from exporter.config.presets import presets
from exporter.model import Endpoint, Security, Service
from exporter.net.dns.resolver import Resolver
from exporter.targets.provider_lookup import RecognisedBy, Recognition, better_host, by_cname, by_mx, look_up, real_name
from tests.servers.dns import Authoritative, Zone

MX = {
    "netease_163": "163mx01.mxmail.netease.com",
    "netease_126": "126mx02.mxmail.netease.com",
    "netease_yeah": "yeahmx01.mxmail.netease.com",
    "netease_vip163": "vip163mx01.mxmail.netease.com",
    "netease_vip126": "vip126mx01.mxmail.netease.com",
    "netease_188": "188mx01.mxmail.netease.com",
    "netease_vip188": "vip188mx01.mxmail.netease.com",
    "netease_qiye": "qiye163mx01.mxmail.netease.com",
    "netease_qiye_hz": "hzmx01.mxmail.netease.com",
    "qq": "mx3.qq.com",
    "exmail": "mxbiz1.qq.com",
    "aliyun_qiye": "mx1.qiye.aliyun.com",
    "alibaba_mail_sg": "mx1.sg.aliyun.com",
    "alibaba_mail_hk": "mx1.hk.aliyun.com",
    "alibaba_mail_de": "mx1.de.alibabacloud.com",
    "alibaba_mail_us": "mx1.us.alibabacloud.com",
    "aliyun_personal": "mx2.mail.aliyun.com",
    "263": "mx.263.net",
    "21cn_ent": "mta.21cn.com",
    "sina_ent": "mx.sinanet.com",
    "sohu_ent": "mx.mail.sohu.net",
    "163net": "163mx.cdn.163.net",
    "corpease": "mx.corpease.net",
    "coremail_hosted": "mx1.icoremail.net",
    "gmail": "alt1.gmail-smtp-in.l.google.com",
    "google_workspace": "aspmx.l.google.com",
    "microsoft365": "acme-example.mail.protection.outlook.com",
    "microsoft365_cn": "acme-example.mail.protection.partner.outlook.cn",
    "outlook_com": "outlook-com.olc.protection.outlook.com",
    "yahoo": "mta7.am0.yahoodns.net",
    "icloud": "mx01.mail.icloud.com",
    "zoho": "mx2.zoho.com",
    "zoho_eu": "mx.zoho.eu",
    "zoho_cn": "mx.zoho.com.cn",
    "zoho_in": "mx.zoho.in",
    "zoho_jp": "mx.zoho.jp",
    "zoho_au": "mx.zoho.com.au",
    "fastmail": "in1-smtp.messagingengine.com",
    "godaddy": "mailstore1.secureserver.net",
    "yandex": "mx.yandex.net",
    "mailru": "emx.mail.ru",
    "gmx": "mx00.gmx.net",
    "ionos": "mx00.ionos.de",
    "ovh": "mx1.mail.ovh.net",
    "privateemail": "mx1.privateemail.com",
    "rackspace": "mx1.emailsrvr.com",
    "proton": "mail.protonmail.ch",
    "migadu": "aspmx1.migadu.com",
    "titan": "mx1.titan.email",
    "feishu": "mx1.feishu.cn",
    "lark": "mx1.larksuite.com",
    "aws_workmail": "inbound-smtp.eu-west-1.amazonaws.com",
    "hostinger": "mx1.hostinger.com",
    "naver": "mx1.naver.com",
}
SHADOWED = {  # share the MX of a row before them, which is the better guess
    "foxmail": "qq",
    "exmail_overseas": "exmail",
    "mxhichina": "aliyun_qiye",
    "263_overseas": "263",
    "263xmail": "263",
    "aol": "yahoo",
}


@pytest.mark.parametrize(("provider", "host"), MX.items())
def test_a_provider_is_recognised_by_its_mx(provider, host):
    assert by_mx([host.upper()]) == Recognition(provider, RecognisedBy.MX, host.upper())


def test_every_row_with_an_mx_has_its_example():
    assert MX.keys() | SHADOWED.keys() == {preset.id for preset in presets().values() if preset.mx}
    assert set(SHADOWED.values()) <= MX.keys()


@pytest.mark.parametrize(
    "host",
    [
        "mx.acme.example",
        "mxbiz1.qq.com.acme.example",
        "notaspmx.l.google.com",
        "hzmx01.mxmail.netease.com.evil.example",
    ],
)
def test_a_name_that_only_looks_like_it_is_nobodys(host):
    assert by_mx([host]) is None


def test_the_preferred_mx_decides_and_a_gateway_that_nobody_knows_is_passed_over():
    assert by_mx(["gateway.acme.example", MX["exmail"], MX["zoho"]]) == Recognition(
        "exmail", RecognisedBy.MX, MX["exmail"]
    )


@pytest.mark.parametrize(
    ("target", "provider"),
    [
        ("imap.qiye.163.com", "netease_qiye"),
        ("imaphz.qiye.163.com", "netease_qiye_hz"),
        ("pop.263.net", "263"),
        ("smtpw.263.net", "263_overseas"),
        ("imap.exmail.qq.com", "exmail"),
        ("imap.gmail.com", "google_workspace"),
        ("mail.acme.example", None),
    ],
)
def test_a_provider_is_recognised_by_what_a_name_stands_for(target, provider):
    found = by_cname(target)
    assert (found and found.provider) == provider


# -- through a real resolver ------------------------------------------------------------------------------------------


@pytest.fixture
def ask(resolver: str, authoritative: Authoritative):
    """`ask(domain, *records)` serves the zone and looks it up."""

    def looking(domain, *records, bogus=False):
        if records:
            authoritative.add(domain, Zone(list(records), bogus=bogus))
        return look_up(domain, Resolver([resolver], timeout=5.0).lookup)

    return looking


@pytest.mark.parametrize(
    ("records", "provider", "evidence"),
    [
        (["@ MX 5 mxbiz1.qq.com.", "@ MX 10 mxbiz2.qq.com."], "exmail", "mxbiz1.qq.com"),
        (
            ["@ MX 10 aspmx.l.google.com.", "@ MX 5 hzmx01.mxmail.netease.com."],
            "netease_qiye_hz",
            MX["netease_qiye_hz"],
        ),
        (["@ MX 5 qiye163mx01.mxmail.netease.com."], "netease_qiye", MX["netease_qiye"]),
        (["@ MX 10 mx1.sg.aliyun.com."], "alibaba_mail_sg", "mx1.sg.aliyun.com"),
        (["@ MX 5 gateway", "@ MX 10 mx1.qiye.aliyun.com."], "aliyun_qiye", "mx1.qiye.aliyun.com"),
    ],
)
async def test_the_mx_tells_the_provider_its_cluster_and_its_region(ask, records, provider, evidence):
    seen = await ask("acme.test", *records)
    assert seen.found == Recognition(provider, RecognisedBy.MX, evidence)


@pytest.mark.parametrize("label", ["imap", "mail"])
async def test_where_the_mx_is_a_gateway_the_alias_of_the_usual_server_names_tells(ask, label):
    seen = await ask("acme.test", "@ MX 10 gateway", f"{label} CNAME imaphz.qiye.163.com.")
    assert seen.found == Recognition("netease_qiye_hz", RecognisedBy.CNAME, "imaphz.qiye.163.com")


@pytest.mark.parametrize("records", [["@ MX 10 mail", "mail A 127.0.0.1"], ["mail A 127.0.0.1"], ["@ MX 0 ."]])
async def test_a_mx_of_ones_own_or_none_is_nobodys_that_we_know(ask, records):
    seen = await ask("acme.test", *records)
    assert (seen.found, seen.unclear) == (None, "")


@pytest.mark.parametrize("domain", ["acme.silent.test", "refused.test", "bogus.test", "nowhere.example"])
async def test_without_a_definite_answer_nothing_is_said(ask, domain):
    """Timeout, REFUSED, bogus DNSSEC and SERVFAIL."""
    seen = await ask(domain)
    assert seen.found is None
    assert seen.unclear


# -- the right server -------------------------------------------------------------------------------------------------


def endpoint(host: str, protocol: Service = Service.IMAP) -> Endpoint:
    return Endpoint(host, 993, Security.TLS, protocol)


@pytest.mark.parametrize(
    ("wrong", "better", "says"),
    [
        (
            endpoint("imap.qiye.163.com"),
            "imaphz.qiye.163.com",
            "wrong cluster: this domain lives on imaphz.qiye.163.com (its MX is hzmx01.mxmail.netease.com)",
        ),
        (
            endpoint("smtp.exmail.qq.com", Service.SMTP),
            "smtphz.qiye.163.com",
            "wrong server: this domain lives on smtphz.qiye.163.com (its MX is hzmx01.mxmail.netease.com)",
        ),
        (endpoint("imaphz.qiye.163.com"), "", ""),
    ],
)
async def test_the_server_where_the_domain_lives_is_named(
    authoritative: Authoritative, resolver: str, wrong, better, says
):
    authoritative.add("acme.test", Zone(["@ MX 5 hzmx01.mxmail.netease.com."]))
    assert await better_host(wrong, "acme.test", Resolver([resolver]).lookup) == (better, says)


async def test_a_name_of_ones_own_for_a_providers_server_is_seen_through(authoritative: Authoritative, resolver: str):
    authoritative.add("acme.test", Zone(["imap CNAME imap.qiye.163.com.", "mail A 127.0.0.1"]))
    lookup = Resolver([resolver]).lookup
    host, says = await real_name(endpoint("imap.acme.test"), lookup)
    assert host == "imap.qiye.163.com"
    assert says == "imap.acme.test is only an alias (CNAME) of imap.qiye.163.com: write host: imap.qiye.163.com"
    assert await real_name(endpoint("mail.acme.test"), lookup) == ("", "")
