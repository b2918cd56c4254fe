"""Tests of the name in EHLO: what may be configured, and what a machine is called by default."""

from __future__ import annotations

import os

import pytest

from exporter.config import ehlo_name, load, redacted


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("probe.example.com", "probe.example.com"),
        ("Probe.Example.COM.", "probe.example.com"),
        ("xn--fiq228c.xn--fiqs8s", "xn--fiq228c.xn--fiqs8s"),
        ("mail.lan", "mail.lan"),
        ("[192.0.2.1]", "[192.0.2.1]"),
        ("[IPv6:2001:DB8:0::1]", "[IPv6:2001:db8::1]"),
        ("[ipv6:::1]", "[IPv6:::1]"),
    ],
)
def test_a_qualified_name_or_a_literal_may_be_configured(written, used):
    assert ehlo_name.checked(written) == used


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("mail", "is not fully qualified: write the host name with its domain"),
        ("localhost", "is not fully qualified"),
        ("邮件.example.com", "in its form with xn--"),
        ("192.0.2.1", r'without brackets: write "\[192\.0\.2\.1\]", with the quotes'),
        ("2001:db8::1", r'write "\[IPv6:2001:db8::1\]"'),
        ("[2001:db8::1]", r"without its tag: write \[IPv6:2001:db8::1\]"),
        ("[IPv6:192.0.2.1]", "is not an address literal such as"),
        ("[fe80::1%eth0]", "is not an address literal such as"),
        ("[192.0.2.1", "is not an address literal such as"),
        ("[mail.example.com]", "is not an address literal such as"),
        (["192.0.2.1"], r'into quotes, such as "\[192\.0\.2\.1\]"'),
        (["IPv6:2001:db8::1"], r'into quotes, such as "\[IPv6:2001:db8::1\]"'),
        (["mail"], "into quotes"),
        ("", "must be text"),
        (["a", "b"], "must be text"),
        ("mail_1.example.com", "is not a host name such as"),
        ("mail.example.com QUIT", "is not a host name such as"),
        ("mail.example.com\r\nQUIT", "is not a host name such as"),
        ("mail.example.com\n", "is not a host name such as"),
        ("-mail.example.com", "is not a host name such as"),
        ("mail..example.com", "is not a host name such as"),
        ("192.0.2", "is not a host name such as"),
        (f"{'a' * 64}.example.com", "is not a host name such as"),
        (".".join(["a" * 60] * 5), "is not a host name such as"),
    ],
)
def test_everything_else_is_refused_with_the_likely_fix(written, said):
    with pytest.raises(ValueError, match=said):
        ehlo_name.checked(written)


DEBIAN = "127.0.0.1 localhost\n127.0.1.1\tMail.Example.com mail # us\n"


@pytest.mark.parametrize(
    ("host", "hosts", "name"),
    [
        ("Mail.Example.com", "", "mail.example.com"),
        ("mail", DEBIAN, "mail.example.com"),
        ("mail", "# 192.0.2.1 mail.example.com mail\n", None),
        ("mail", "192.0.2.1 other.example.com other\n\n", None),
        ("mail", "127.0.0.1 localhost.localdomain localhost mail\n192.0.2.1 mail.example.com mail", "mail.example.com"),
        ("mail", "127.0.0.1 localhost mail\n", None),
        ("mail", "", None),
        ("localhost", "127.0.0.1 localhost.example.com localhost\n", None),
        ("localhost.localdomain", DEBIAN, None),
        ("nas.local", "", None),
        ("ip-192-0-2-1.ec2.internal", "", None),
        ("pod-0", "192.0.2.7 pod-0.probe.default.svc.cluster.local pod-0\n", None),
        ("bad_name.example.com", "", None),
        ("192.0.2.1", "", None),
        ("", "192.0.2.1 mail.example.com\n", None),
    ],
)
def test_the_default_is_the_full_public_name_of_the_machine(host, hosts, name):
    assert ehlo_name.default(host, hosts.splitlines(keepends=True)) == name


def test_a_configuration_without_the_key_takes_the_name_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(ehlo_name, "of_this_machine", lambda: "mail.example.com")
    (tmp_path / "config.yaml").write_text("include: ['*.yml']\n", "utf-8")
    (tmp_path / "a.yml").write_text("defaults: {ehlo_name: '[192.0.2.1]'}\n", "utf-8")
    (tmp_path / "b.yml").write_text("defaults: {timeout: 3s}\n", "utf-8")
    config = load(tmp_path / "config.yaml")
    assert [part.defaults.ehlo_name for part in config.parts] == ["mail.example.com", "[192.0.2.1]", "mail.example.com"]
    assert "ehlo_name: mail.example.com" in redacted(config)


def test_a_machine_without_a_file_of_hosts_has_the_name_of_its_host_at_most(tmp_path, monkeypatch):
    monkeypatch.setattr(ehlo_name, "HOSTS", tmp_path / "missing")
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "mail", "", "", "")))
    assert ehlo_name.of_this_machine() is None
    (tmp_path / "missing").write_bytes(b"# \xff\n" + DEBIAN.encode())
    assert ehlo_name.of_this_machine() == "mail.example.com"
