"""Tests of the facts of a run as text for people."""

from __future__ import annotations

import time

import pytest

from deploy import thresholds
from exporter.model import FactName, ProbeName, Result
from exporter.model.phrases import texts
from exporter.web.pages import fact_words, facts
from exporter.web.pages.words import Words
from tests.results import domain, fact, mailbox, ok, route, server

NOW = time.time()
DAY = 86400


def told(result: Result, language: str = "en") -> dict[str, dict[str, facts.FactRow]]:
    return {group.title: {row.label: row for row in group.rows} for group in facts.groups(result, Words(language), NOW)}


def test_every_fact_has_its_place_and_a_name():
    assert set(FactName) == {FactName(name) for name in texts("en")["fact_names"]} | fact_words.TOLD_WITH_OTHERS


MX = fact(FactName.DNS_LOOKUP, 1, "mx")
INBOX = fact(FactName.FOLDER_NAME, "INBOX", "inbox")
BESIDE = {
    FactName.FAMILY: fact(FactName.ADDRESS, "192.0.2.1"),
    FactName.TLS_CIPHER: fact(FactName.TLS_VERSION, "TLSv1.3"),
    FactName.MAILDROP_BYTES: fact(FactName.MAILDROP_MESSAGES, 7),
    FactName.ROUNDTRIP_PRECISION: fact(FactName.ROUNDTRIP_RECEIVED, 7),
    FactName.ROUNDTRIP_OLDEST_IN_FLIGHT: fact(FactName.ROUNDTRIP_IN_FLIGHT, 7),
    FactName.QUOTA_LIMIT_BYTES: fact(FactName.QUOTA_USED_BYTES, 7, "user"),
    FactName.QUOTA_LIMIT_MESSAGES: fact(FactName.QUOTA_USED_MESSAGES, 7, "user"),
    FactName.FOLDER_UNSEEN: INBOX,
    FactName.FOLDER_NEWEST: INBOX,
    FactName.DNS_LOOKUP_SECONDS: MX,
    FactName.DNS_RECORDS: MX,
    FactName.DNS_TEXT: MX,
    FactName.DNS_LAST_CHANGE: MX,
}
"""The fact whose row it stands in."""
VALUES = {FactName.FAMILY: "ipv6", FactName.TLS_CIPHER: "TLS_AES"}
LABELS = {"dns": ("mx",), "quota": ("user",), "folder": ("inbox",), "dkim": ("s1", "rsa")}
ROUND_TRIP = {FactName.ROUNDTRIP_HOP_DELAY: ("relay",), FactName.ROUNDTRIP_AUTHENTICATION: ("spf",)}


@pytest.mark.parametrize("name", FactName)
def test_no_fact_is_left_out(name):
    """Each one shows, alone or in the row of another."""
    labels = ROUND_TRIP.get(name) or LABELS.get(name.partition("_")[0], ())
    beside = [BESIDE[name]] if name in BESIDE else []
    without = ok(mailbox(), *beside)
    with_it = ok(mailbox(), *beside, fact(name, VALUES.get(name, 5), *labels))
    assert facts.groups(with_it, Words("en"), NOW) != facts.groups(without, Words("en"), NOW)


def test_a_certificate_is_told_with_what_is_left_of_its_time():
    ends = NOW + 3 * DAY + 60
    result = ok(
        server(),
        fact(FactName.CERT_VALID, 1),
        fact(FactName.CERT_NOT_AFTER, ends),
        fact(FactName.CHAIN_NOT_AFTER, ends),
        fact(FactName.CERT_NAMES, "a.example b.example"),
        fact(FactName.CERT_FINGERPRINT, "abcdef"),
        fact(FactName.TLS_VERSION, "TLSv1.3"),
        fact(FactName.TLS_CIPHER, "TLS_AES"),
    )
    certificate = told(result)["Certificate"]
    assert (certificate["Verification"].value, certificate["Verification"].sign) == ("chain and name are right", "ok")
    assert certificate["Expires"].sign == "failed"
    assert certificate["Expires"].value.endswith("(in 3 d)")
    assert "Chain expires" not in certificate  # the same
    assert certificate["For the names"].value == "a.example, b.example"
    assert certificate["Fingerprint (SHA-256)"].value == "ab:cd:ef"
    assert told(result)["Connection"]["TLS"] == facts.FactRow("TLS", "TLS 1.3", note="TLS_AES")
    assert told(result, "zh")["证书"]["适用域名"].value == "a.example、b.example"


@pytest.mark.parametrize(
    ("left", "sign", "note"), [(60 * DAY, "ok", ""), (20 * DAY, "unclear", ""), (-DAY, "failed", "expired")]
)
def test_an_expiry_has_a_sign_before_it_is_too_late(left, sign, note):
    row = told(ok(server(), fact(FactName.CERT_NOT_AFTER, NOW + left)))["Certificate"]["Expires"]
    assert (row.sign, row.note) == (sign, note)


def test_the_page_warns_when_the_alerts_do():
    assert facts.CERTIFICATE_SOON == thresholds.CERTIFICATE_WARNING_DAYS * DAY
    assert facts.CERTIFICATE_URGENT == thresholds.CERTIFICATE_CRITICAL_DAYS * DAY
    assert (facts.QUOTA_HIGH, facts.QUOTA_FULL) == (thresholds.QUOTA_WARNING_RATIO, thresholds.QUOTA_CRITICAL_RATIO)


def test_dns_records_are_told_with_their_text_and_whether_they_are_right():
    result = ok(
        domain(),
        fact(FactName.DNS_LOOKUP, 1, "mx"),
        fact(FactName.DNS_LOOKUP_SECONDS, 0.012, "mx"),
        fact(FactName.DNS_RECORDS, 1, "mx"),
        fact(FactName.DNS_TEXT, "10 mx.example.com", "mx"),
        fact(FactName.DNS_LAST_CHANGE, 0, "mx"),
        fact(FactName.DNS_LOOKUP, 0, "a"),
        fact(FactName.DNS_LOOKUP, 1, "spf"),
        fact(FactName.DNS_RECORDS, 0, "spf"),
        fact(FactName.DNS_TEXT, "", "spf"),
        fact(FactName.DNS_LAST_CHANGE, NOW - 7200, "spf"),
        fact(FactName.DNS_POLICY_VALID, 1, "mx"),
        fact(FactName.DNS_POLICY_VALID, 0, "spf"),
        fact(FactName.DNS_POLICY_VALID, 1, "mta_sts"),
        fact(FactName.DKIM_KEY_BITS, 2048, "s1", "rsa"),
    )
    records = told(result)["DNS records"]
    assert records["MX"] == facts.FactRow("MX", "10 mx.example.com", "ok", "answered in 12 ms", code=True)
    assert (records["A"].value, records["A"].sign) == ("no answer", "failed")
    assert (records["SPF"].value, records["SPF"].sign) == ("none", "failed")
    assert records["SPF"].note.startswith("missing or wrong · changed ")
    assert records["MTA-STS"] == facts.FactRow("MTA-STS", "valid", "ok")
    assert (records["DKIM key s1"].value, records["DKIM key s1"].note) == ("2048 bits", "rsa")


def test_a_mailbox_is_told_with_its_space_and_its_folders():
    result = ok(
        mailbox(),
        fact(FactName.QUOTA_USED_BYTES, 950 * 1024, "user"),
        fact(FactName.QUOTA_LIMIT_BYTES, 1000 * 1024, "user"),
        fact(FactName.QUOTA_USED_MESSAGES, 12345, "user"),
        fact(FactName.FOLDER_NAME, "INBOX", "inbox"),
        fact(FactName.FOLDER_MESSAGES, 3, "inbox"),
        fact(FactName.FOLDER_UNSEEN, 1, "inbox"),
        fact(FactName.FOLDER_NAME, "客户", "other1"),
    )
    box = told(result)["Mailbox"]
    assert box["Space used"] == facts.FactRow("Space used", "950 KiB of 1000 KiB (95 %)", "unclear", "user", share=0.95)
    assert box["Mails used"].value == "12\u202f345"
    assert (box["Inbox"].value, box["Inbox"].note) == ("3 mails, 1 unread", "")
    assert (box["Folder"].value, box["Folder"].note) == ("–", "客户")
    assert told(result, "zh")["邮箱"]["收件箱"].value == "3 封邮件、1 封未读"


def test_a_round_trip_counts_its_events():
    result = ok(
        route(),
        fact(FactName.ROUNDTRIP_RECEIVED, 1.5),
        fact(FactName.ROUNDTRIP_HOP_DELAY, 0.2, "relay"),
        fact(FactName.ROUNDTRIP_AUTHENTICATION, 1, "spf"),
        fact(FactName.ROUNDTRIP_AUTHENTICATION, 0, "dkim_verified"),
        fact(FactName.ROUNDTRIP_LOST, 1),
        fact(FactName.ROUNDTRIP_LOST, 1),
        fact(FactName.ROUNDTRIP_IN_FLIGHT, 2),
        fact(FactName.ROUNDTRIP_OLDEST_IN_FLIGHT, NOW - 600),
    )
    assert result.target.probe is ProbeName.ROUNDTRIP
    trip = told(result)["Round trip"]
    assert trip["From sending to being there"].value == "1.50 s"
    assert trip["Delay in between"].value == "200 ms"
    assert (trip["SPF, says the receiver"].value, trip["SPF, says the receiver"].sign) == ("passed", "ok")
    assert trip["DKIM, verified by us"].sign == "failed"
    assert (trip["Lost"].value, trip["Lost"].sign) == ("2", "failed")
    assert trip["Under way"].note.startswith("the oldest since ")
