from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.config import ConfigError, load
from exporter.credentials.sources import CommandSecret, EnvSecret, FileSecret
from exporter.model import AddressFamily, Endpoint, Kind, ProbeName, Security, Service, Wait
from exporter.probes import dns, imap, pop3, smtp, tls, webmail
from exporter.probes.roundtrip import trip
from exporter.targets.build import build, with_wait
from exporter.targets.provider_lookup import RecognisedBy, Recognition

ACME = """
  - name: sales
    address: Sales@acme.example
    password_env: SALES
    imap: {host: mail.acme.example, folders: [INBOX, Archive], timeout: 5s}
    smtp: {host: mail.acme.example, port: 587, interval: 1m, auth: login}
    labels: {team: export, tenant: acme}
"""


@pytest.fixture
def built(tmp_path, monkeypatch):
    for name in ("SALES", "OTHER"):
        monkeypatch.setenv(name, "hunter2")

    def build_text(text, **more):
        for name, content in {"config.yaml": text, **more}.items():
            (tmp_path / name).write_text(content, "utf-8")
        return build(load(tmp_path / "config.yaml"))

    return build_text


@pytest.fixture
def targets(built):
    return lambda text, **more: {target.key: target for target in built(text, **more).targets}


def test_a_mailbox_brings_its_servers_and_its_domain(targets):
    found = targets(f"mailboxes:{ACME}")
    assert list(found) == [
        ("sales", "imap"),
        ("sales", "smtp"),
        ("mail.acme.example:993", "tls"),
        ("mail.acme.example:587", "tls"),
        ("acme.example", "dns"),
    ]
    reading = found["sales", ProbeName.IMAP]
    assert (reading.kind, reading.domain, reading.provider) == (Kind.MAILBOX, "acme.example", "")
    assert (reading.interval, reading.timeout, reading.deadline, reading.recheck) == (300, 5, 5, 20)
    assert reading.labels == (("team", "export"), ("tenant", "acme"))
    assert (reading.servers, reading.logins) == (("mail.acme.example:993",), ("mail.acme.example",))
    assert isinstance(reading.settings, imap.Settings)
    assert reading.settings.folders == ("INBOX", "Archive")
    assert reading.settings.login.username == "Sales@acme.example"
    sending = found["sales", ProbeName.SMTP]
    assert isinstance(sending.settings, smtp.Settings)
    assert (sending.interval, sending.timeout, sending.settings.login.auth) == (60, 20, "login")
    assert sending.settings.endpoint.security is Security.STARTTLS
    seen = found["mail.acme.example:993", ProbeName.TLS]
    assert isinstance(seen.settings, tls.Settings)
    assert (seen.interval, seen.domain, seen.labels, seen.logins) == (60, "acme.example", reading.labels, ())
    named = found["acme.example", ProbeName.DNS]
    assert isinstance(named.settings, dns.Settings)
    assert (named.interval, named.domain, named.servers) == (600, "acme.example", ())


def test_imap_smtp_and_routes_of_a_mailbox_count_as_one_account(targets):
    found = targets(f"mailboxes:{ACME}\nroutes: [{{from: sales, to: sales}}]")
    route = found["sales-to-sales", ProbeName.ROUNDTRIP].settings
    accounts = {
        found["sales", ProbeName.IMAP].settings.login.account,
        found["sales", ProbeName.SMTP].settings.login.account,
        route.smtp_login.account,
        route.imap_login.account,
    }
    assert accounts == {"sales@acme.example@@acme.example"}


def test_the_same_user_on_two_addresses_is_two_accounts(targets):
    imap = "{{host: 127.0.0.1, port: {1}, security: tls}}"
    box = f"  - {{{{name: {{0}}, address: a@acme.example, password_env: SALES, imap: {imap}, smtp: off}}}}\n"
    found = targets("mailboxes:\n" + box.format("x", 1993) + box.format("y", 2993))
    assert len({found[name, ProbeName.IMAP].settings.login.account for name in "xy"}) == 2


def test_pop3_is_off_until_it_is_asked_for_and_is_the_same_account(targets):
    reading = ACME.replace("    labels:", "    pop3: {host: pop.acme.example, auth: login, interval: 10m}\n    labels:")
    found = targets(f"mailboxes:{reading}")
    box, server = found["sales", ProbeName.POP3], found["pop.acme.example:995", ProbeName.TLS]
    assert isinstance(box.settings, pop3.Settings)
    assert (box.kind, box.interval, box.settings.login.auth) == (Kind.MAILBOX, 600, "login")
    assert box.settings.endpoint == Endpoint("pop.acme.example", 995, Security.TLS, Service.POP3)
    assert box.settings.login.account == found["sales", ProbeName.IMAP].settings.login.account
    assert box.settings.login.source == found["sales", ProbeName.IMAP].settings.login.source
    assert (box.servers, box.logins) == (("pop.acme.example:995",), ("pop.acme.example",))
    assert server.settings.endpoint.protocol is Service.POP3
    assert ("sales", ProbeName.POP3) not in targets(f"mailboxes:{ACME}")


def test_a_mailbox_may_be_read_by_pop3_alone_from_its_preset(targets):
    found = targets("mailboxes: [{name: q, address: a@qq.com, password_env: SALES, pop3: on, imap: off, smtp: off}]")
    assert set(found) == {("q", ProbeName.POP3), ("pop.qq.com:995", ProbeName.TLS)}
    assert found["q", ProbeName.POP3].settings.login.account == "a@qq.com@@qq.com"


def test_a_web_page_and_its_server(targets):
    found = targets("""
defaults: {interval: {tls: 2m}, ca_file: ca.pem}
endpoints:
  - {name: webmail, url: 'https://Mail.example.com/owa?lang=zh#top', expect_status: [200, 302]}
  - {url: 'https://[::1]:8443'}
  - {name: front, host: '::1', port: 8443, protocol: https, security: tls}
""")
    assert set(found) == {
        ("webmail", ProbeName.WEBMAIL),
        ("mail.example.com:443", ProbeName.TLS),
        ("https://[::1]:8443/", ProbeName.WEBMAIL),
        ("front", ProbeName.TLS),
    }
    page = found["webmail", ProbeName.WEBMAIL]
    assert isinstance(page.settings, webmail.Settings)
    assert (page.settings.page, page.settings.expect_status) == ("/owa?lang=zh", (200, 302))
    assert (page.settings.endpoint.host, page.settings.endpoint.protocol) == ("mail.example.com", Service.HTTPS)
    assert page.settings.endpoint.ca_file is not None
    assert (page.kind, page.interval, page.servers) == (Kind.ENDPOINT, 120, ("mail.example.com:443",))
    assert found["front", ProbeName.TLS].settings.endpoint.protocol is Service.HTTPS


def test_a_route(targets):
    written = "{name: r, from: sales, to: sales, rcpt: list@acme.example, late_after: 2m}"
    route = targets(f"defaults: {{timeout: 10s}}\nmailboxes:{ACME}\nroutes: [{written}]")["r", ProbeName.ROUNDTRIP]
    assert isinstance(route.settings, trip.Settings)
    assert (route.settings.sender, route.settings.recipient) == ("Sales@acme.example", "list@acme.example")
    assert (route.settings.late_after, route.settings.lost_after, route.settings.step_timeout) == (120, 900, 10)
    assert (route.kind, route.interval, route.timeout, route.deadline) == (Kind.ROUTE, 600, 10, 180)
    assert route.route == ("sales", "sales")
    assert (route.servers, route.logins) == (
        ("mail.acme.example:587", "mail.acme.example:993"),
        ("mail.acme.example", "mail.acme.example"),
    )
    assert (route.domain, route.labels) == ("acme.example", (("team", "export"), ("tenant", "acme")))


def test_each_server_answers_in_the_words_of_its_providers_family(targets):
    text = """mailboxes:
  - {name: a, address: a@163.com, password_env: SALES}
  - {name: b, address: b@acme.example, password_env: OTHER, imap: {host: m.acme.example}, smtp: {host: s.acme.example}}
  - {name: c, address: c@acme.example, provider: "263", password_env: OTHER}
routes: [{name: r, from: a, to: c}]
"""
    found = targets(text)
    imap_login = found["a", ProbeName.IMAP].settings.login
    assert found["a", ProbeName.IMAP].families == imap_login.families == ("netease",)
    assert found["b", ProbeName.IMAP].families == ()
    assert found["c", ProbeName.IMAP].families == ("263",)  # a provider that is known, and has no signatures
    assert found["imap.163.com:993", ProbeName.TLS].families == ("netease",)
    route = found["r", ProbeName.ROUNDTRIP]
    assert route.families_of(Service.SMTP) == ("netease",)
    assert route.families_of(Service.IMAP) == ("263",)


def test_check_waits_until_a_route_is_settled(targets):
    found = targets(f"mailboxes:{ACME}\nroutes: [{{name: r, from: sales, to: sales}}]")
    route, mailbox = found["r", ProbeName.ROUNDTRIP], found["sales", ProbeName.IMAP]
    patient = with_wait(route, Wait.SETTLED)
    assert isinstance(patient.settings, trip.Settings)
    assert (patient.settings.wait, patient.deadline) == (Wait.SETTLED, 900 + 6 * 20)
    assert with_wait(route, Wait.LATE) == route
    assert with_wait(mailbox, Wait.SETTLED) is mailbox


def test_a_known_provider_needs_no_servers(targets):
    boxes = (f"{{address: {address}, password_file: s}}" for address in ("a@163.com", "b@icloud.com", "c@qq.com"))
    found = targets(f"mailboxes: [{', '.join(boxes)}]\nroutes: [{{name: r, from: a@163.com, to: c@qq.com}}]")
    netease = found["a@163.com", ProbeName.IMAP]
    assert (netease.provider, netease.domain) == ("netease_163", "163.com")
    assert netease.settings.endpoint == Endpoint("imap.163.com", 993, Security.TLS, Service.IMAP)
    assert netease.settings.needs_id
    assert ("junk", ("垃圾邮件", "&V4NXPpCuTvY-")) in netease.settings.folder_names
    assert netease.settings.login.auth == "login", "its SASL-IR is refused inline"
    assert found["a@163.com", ProbeName.SMTP].settings.login.auth == "auto"
    assert found["imap.163.com:993", ProbeName.TLS].provider == "netease_163"
    apple = found["b@icloud.com", ProbeName.IMAP].settings.login
    assert (apple.username, found["b@icloud.com", ProbeName.SMTP].settings.login.username) == ("b", "b@icloud.com")
    assert not found["r", ProbeName.ROUNDTRIP].settings.idle
    assert not [key for key in found if key[1] is ProbeName.DNS], "a free-mail domain is its provider's business"


def test_what_the_user_writes_wins_over_the_preset(targets):
    imap = "{host: localhost, port: 1993, security: tls, auth: plain}"
    text = f"mailboxes: [{{address: a@163.com, username: x, password_file: s, imap: {imap}, smtp: off}}]"
    login, endpoint = (
        getattr(targets(text)["a@163.com", ProbeName.IMAP].settings, name) for name in ("login", "endpoint")
    )
    assert (login.username, login.auth, endpoint.host, endpoint.port) == ("x", "plain", "localhost", 1993)


def test_a_company_domain_on_a_providers_servers_is_watched(targets):
    found = targets("mailboxes: [{address: a@acme.example, provider: exmail, password_file: s}]")
    assert found["a@acme.example", ProbeName.IMAP].settings.endpoint.host == "imap.exmail.qq.com"
    assert found["acme.example", ProbeName.DNS].provider == "exmail"


def test_a_server_is_one_target_however_many_mailboxes_are_on_it(targets):
    box = """
  - address: {0}
    password_env: SALES
    imap: {{host: h.example, server_name: {1}}}
    smtp: off
    labels: {{team: {2}, tenant: acme}}
"""
    found = targets(
        "mailboxes:\n" + box.format("a@a.example", "one.example", "x") + box.format("b@b.example", "two.example", "y")
    )
    shared = found["h.example:993", ProbeName.TLS]
    assert shared.settings.endpoint.server_name == "one.example"
    assert (shared.labels, shared.domain) == ((("tenant", "acme"),), ""), "only what all of them agree on"
    assert {key[0] for key in found if key[1] is ProbeName.DNS} == {"a.example", "b.example"}


def test_a_listed_endpoint_or_domain_takes_the_place_of_the_mailboxes_own(targets):
    text = f"""
mailboxes:{ACME.replace("port: 587", "port: 2587, security: starttls, server_name: cert.example")}
endpoints:
  - {{name: submission, host: MAIL.acme.example, port: 2587}}
  - {{host: mx.acme.example, port: 25}}
domains:
  - {{name: Acme.example, dkim_selectors: [s1], interval: 5m}}
  - {{name: other.example}}
"""
    found = targets(text)
    assert {key[0] for key in found if key[1] is ProbeName.TLS} == {
        "submission",
        "mx.acme.example:25",
        "mail.acme.example:993",
    }
    endpoint = found["submission", ProbeName.TLS].settings.endpoint
    assert (endpoint.protocol, endpoint.security, endpoint.server_name) == (
        Service.SMTP,
        Security.STARTTLS,
        "cert.example",
    )
    assert found["submission", ProbeName.TLS].labels == (("team", "export"), ("tenant", "acme"))
    assert found["mx.acme.example:25", ProbeName.TLS].settings.endpoint.security is Security.STARTTLS
    assert found["acme.example", ProbeName.DNS].settings == dns.Settings("acme.example", ("s1",))
    assert found["acme.example", ProbeName.DNS].interval == 300
    assert ("other.example", ProbeName.DNS) in found


def test_files_give_their_labels_and_defaults_to_their_own_targets(targets):
    part = f"""
labels: {{tenant: acme, team: default}}
defaults: {{family: ipv4, source_address: 127.0.0.1, ca_file: ca.pem, ehlo_name: probe.example.com, timeout: 3s,
           interval: {{login: 1m, tls: 2m}}}}
mailboxes:{ACME}
endpoints: [{{host: mx.acme.example, port: 25}}]
"""
    main = "include: [acme.yaml]\nalert_labels: [tenant]\ndomains: [{name: other.example}]\n"
    found = targets(main, **{"acme.yaml": part})
    sending, listed = found["sales", ProbeName.SMTP], found["mx.acme.example:25", ProbeName.TLS]
    assert (sending.labels, listed.labels) == (
        (("team", "export"), ("tenant", "acme")),
        (("team", "default"), ("tenant", "acme")),
    )
    assert (sending.settings.endpoint.family, sending.settings.endpoint.source_address) == (
        AddressFamily.IPV4,
        "127.0.0.1",
    )
    assert sending.settings.endpoint.ehlo_name == listed.settings.endpoint.ehlo_name == "probe.example.com"
    assert sending.settings.endpoint.ca_file.name == listed.settings.endpoint.ca_file.name == "ca.pem"
    assert (listed.interval, listed.timeout, found["sales", ProbeName.IMAP].interval) == (120, 3, 60)
    assert (found["other.example", ProbeName.DNS].labels, found["other.example", ProbeName.DNS].timeout) == ((), 20)


def test_a_reload_sees_only_what_changed(targets):
    before, after = targets(f"mailboxes:{ACME}"), targets(f"mailboxes:{ACME.replace('interval: 1m', 'interval: 2m')}")
    assert {key for key in before if before[key] != after[key]} == {("sales", "smtp")}


def test_secret_sources(targets, tmp_path):
    box = "  - {{address: {0}@acme.example, {1}, imap: {{host: h.example}}, smtp: off}}\n"
    sources = ["password_file: s/x", "password_env: SALES", "password_command: [pass, x]"]
    found = targets(
        "mailboxes:\n" + "".join(box.format(name, source) for name, source in zip("abc", sources, strict=True))
    )
    assert [found[f"{name}@acme.example", ProbeName.IMAP].settings.login.source for name in "abc"] == [
        FileSecret(tmp_path / "s" / "x"),
        EnvSecret("SALES"),
        CommandSecret(("pass", "x"), tmp_path),
    ]


def test_warnings_for_passwords_in_clear_and_providers_that_take_none(built):
    text = """
mailboxes:
  - address: a@acme.example
    password_env: SALES
    imap: {host: mail.acme.example, security: plain}
    smtp: {host: 127.0.0.1, security: plain}
  - {name: hot, address: a@hotmail.com, password_env: OTHER}
"""
    warnings = [warning.partition("config.yaml: ")[2] for warning in built(text).warnings]
    assert warnings == [
        "mailboxes[0].imap: security: plain sends the password unencrypted",
        "mailboxes[1]: Outlook.com / Hotmail no longer accepts passwords: write oauth2, then run mailprobe oauth hot",
    ]


def test_errors_are_told_for_all_mailboxes_and_files(built):
    box = (
        "mailboxes:\n  - {{name: {0}, address: {0}@acme.example, provider: sohu_vip, password_env: SALES, smtp: off}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        built("include: [other.yaml]\n" + box.format("a"), **{"other.yaml": box.format("b")})
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (3, "mailboxes[0].imap"),
        (2, "mailboxes[0].imap"),
    ]


EXMAIL = {"acme.example": Recognition("exmail", RecognisedBy.MX, "mxbiz1.qq.com")}
BOX = "mailboxes: [{name: sales, address: a@acme.example, password_env: SALES"
ROUTE = "routes: [{from: sales, to: sales}]"


def test_a_mailbox_that_only_the_dns_tells_waits_for_it_then_has_its_provider(tmp_path, monkeypatch):
    """Its domain is watched from the start."""
    monkeypatch.setenv("SALES", "x")
    (tmp_path / "config.yaml").write_text(f"{BOX}}}]\n{ROUTE}")
    config = load(tmp_path / "config.yaml")
    before, after = build(config), build(config, EXMAIL)
    assert [target.key for target in before.targets] == [("acme.example", "dns")]
    assert (before.by_dns, before.warnings) == (("acme.example",), ())
    assert [(each.name, each.domain, each.why) for each in before.waiting] == [("sales", "acme.example", "")]
    assert (after.by_dns, after.waiting) == (("acme.example",), ())
    servers = {(target.name, str(target.probe)): target.servers for target in after.targets}
    assert servers["sales", "imap"] == ("imap.exmail.qq.com:993",)
    assert servers["sales-to-sales", "roundtrip"] == ("smtp.exmail.qq.com:465", "imap.exmail.qq.com:993")
    assert {target.provider for target in after.targets} == {"exmail"}


@pytest.mark.parametrize(
    ("written", "provider", "host"),
    [
        ("provider: netease_qiye", "netease_qiye", "imap.qiye.163.com"),
        ("imap: {host: mail.acme.example}, smtp: {host: mail.acme.example}", "", "mail.acme.example"),
        ("imap: {host: imap.zoho.eu}", "zoho_eu", "imap.zoho.eu"),
        ("provider: dingtalk, imap: {host: h.example}, smtp: off", "dingtalk", "h.example"),
    ],
)
def test_what_the_user_writes_wins_over_the_dns(tmp_path, monkeypatch, written, provider, host):
    monkeypatch.setenv("SALES", "x")
    (tmp_path / "config.yaml").write_text(f"{BOX}, {written}}}]")
    found = build(load(tmp_path / "config.yaml"), EXMAIL)
    assert found.by_dns == ()
    (reading,) = (target for target in found.targets if target.probe is ProbeName.IMAP)
    assert isinstance(reading.settings, imap.Settings)
    assert (reading.provider, reading.settings.endpoint.host) == (provider, host)


@pytest.mark.parametrize("product", ["dingtalk", "xinnet", "ali_cn_site", "waimao_kuaiche"])
def test_a_product_without_servers_of_its_own_is_where_the_mx_says(tmp_path, monkeypatch, product):
    monkeypatch.setenv("SALES", "x")
    (tmp_path / "config.yaml").write_text(f"{BOX}, provider: {product}}}]")
    config = load(tmp_path / "config.yaml")
    assert build(config).by_dns == ("acme.example",)
    alibaba = Recognition("alibaba_mail_sg", RecognisedBy.MX, "mx1.sg.aliyun.com")
    (reading,) = (
        target for target in build(config, {"acme.example": alibaba}).targets if target.probe is ProbeName.IMAP
    )
    assert isinstance(reading.settings, imap.Settings)
    assert (reading.provider, reading.settings.endpoint.host) == (product, "imap.sg.aliyun.com")


@pytest.mark.parametrize(
    ("provider", "mx", "why"),
    [
        ("corpease", "mx.corpease.net", "nobody has verified how smtp.corpease.net is secured"),
        ("sina_ent", "mx.sinanet.com", "no imap server is known for provider sina_ent"),
    ],
)
def test_a_recognised_provider_without_a_usable_server_stops_nothing(tmp_path, monkeypatch, provider, mx, why):
    """An answer of the DNS is no error of the configuration: the mailbox waits, and what to write is told."""
    monkeypatch.setenv("SALES", "x")
    (tmp_path / "config.yaml").write_text(f"{BOX}}}]")
    found = build(load(tmp_path / "config.yaml"), {"acme.example": Recognition(provider, RecognisedBy.MX, mx)})
    assert [target.key for target in found.targets] == [("acme.example", "dns")]
    assert [each.why.startswith(why) for each in found.waiting] == [True]
    assert any(why in warning for warning in found.warnings)


def test_warnings_for_hosts_that_have_a_successor_and_for_routes_that_must_seem_late(built):
    warnings = built(
        f"{BOX}, imap: {{host: imap.mxhichina.com}}, smtp: {{host: smtp.mxhichina.com, port: 465}}}},"
        "{name: b, address: b@qq.com, password_env: OTHER}]\nroutes: [{from: b, to: b, late_after: 30s}]"
    ).warnings
    assert [warning.partition("config.yaml: ")[2] for warning in warnings] == [
        "mailboxes[0]: imap.mxhichina.com has a successor: imap.qiye.aliyun.com",
        "mailboxes[0]: smtp.mxhichina.com has a successor: smtp.qiye.aliyun.com",
        "routes[0].late_after: a mail to qq may take 40 s to appear there: late_after is too short",
    ]


def test_a_target_can_be_compared_and_hashed(targets):
    for target in targets(f"mailboxes:{ACME}\nroutes: [{{from: sales, to: sales}}]").values():
        assert {target: 1}[replace(target)] == 1
