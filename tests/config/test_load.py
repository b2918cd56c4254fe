from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from exporter.config import Config, ConfigError, load, redacted
from exporter.config.yaml_reader import MAX_BYTES
from exporter.model import AddressFamily
from exporter.model.settings import IncidentSettings, Limits
from exporter.targets.build import build

MAILBOX = "{address: a@example.com, password_file: secret, imap: {host: imap.example.com}, smtp: off}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder that is the current folder, with a valid secret file in it."""
    monkeypatch.chdir(tmp_path)
    secret(tmp_path / "secret")
    return tmp_path


def secret(path: Path, mode: int = 0o600) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("hunter2")
    path.chmod(mode)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def refused(path: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


def test_an_empty_file_is_valid(folder):
    config = load(write(folder / "config.yaml", ""))
    assert config.limits == Limits()
    assert (config.resolvers, config.warnings, config.parts[0].mailboxes) == (("system",), (), ())
    assert config.login_guard.first_pause == 1800


def test_an_empty_key_is_as_if_it_were_not_written(folder):
    config = load(write(folder / "config.yaml", "mailboxes:\nlimits:\ndefaults: {source_address: , family: ~}\n"))
    assert config.parts[0].defaults.family is AddressFamily.ANY


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "config.yaml: Is a directory"),
        (lambda path: path.write_bytes(b"a: 1\nb: \xff\n"), "config.yaml: is not UTF-8: see line 2"),
        (lambda path: path.write_bytes("a: ä".encode("utf-16")), "config.yaml: is not UTF-8: see line 1"),
        (lambda path: path.write_bytes(b"#" * (MAX_BYTES + 1)), "config.yaml: is longer than 32 MiB"),
        (
            lambda path: (path.write_text(""), path.chmod(0o666)),
            "config.yaml: mode 0666: everyone can change it and so run programs; use chmod o-w",
        ),
    ],
)
def test_a_file_that_must_not_be_used_is_named(folder, make, said):
    make(folder / "config.yaml")
    assert refused("config.yaml") == said


def test_a_file_without_permission_is_named(folder, monkeypatch):
    def denied(*_args, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", denied)
    assert refused("config.yaml") == "config.yaml: Permission denied"


@pytest.mark.parametrize("name", ["config.yaml", "more.yaml"])
def test_a_file_that_is_none_is_refused_at_once(folder, name):
    """Reading a FIFO would wait for a writer, a device for ever."""
    (folder / "config.yaml").write_text("include: [more.yaml]\n")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert refused("config.yaml") == f"{name}: is not a regular file"
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    assert refused("config.yaml") == f"{name}: is not a regular file"


def test_files_are_included_in_order_each_once(folder):
    write(folder / "conf.d" / "b.yaml", "labels: {team: b}")
    write(folder / "conf.d" / "a.yaml", "labels: {team: a}")
    write(folder / "conf.d" / "ignored.txt", "nonsense: [")
    config = load(write(folder / "config.yaml", "include: [conf.d/b.yaml, conf.d/*.yaml, empty.d/*.yaml]"))
    assert [str(part.file) for part in config.parts] == [
        str(folder / name) for name in ("config.yaml", "conf.d/b.yaml", "conf.d/a.yaml")
    ]


def test_an_included_file_has_defaults_of_its_own_over_the_main_files(folder):
    write(folder / "conf.d" / "a.yaml", "defaults: {timeout: 5s, interval: {dns: 1h}, ca_file: ca.pem}")
    config = load(
        write(
            folder / "config.yaml",
            "include: [conf.d/*.yaml]\ndefaults: {recheck: 7s, timeout: 9s, interval: {login: 1m, dns: 2m}}",
        )
    )
    main, part = (each.defaults for each in config.parts)
    assert (main.timeout, main.recheck, main.interval.dns, main.ca_file) == (9, 7, 120, None)
    assert (part.timeout, part.recheck, part.interval.dns, part.interval.login) == (5, 7, 3600, 60)
    assert part.ca_file == folder / "conf.d" / "ca.pem"


def test_paths_are_relative_to_the_file_that_names_them(folder):
    secret(folder / "conf.d" / "secret")
    write(folder / "conf.d" / "a.yaml", f"mailboxes: [{MAILBOX.replace('a@', 'b@')}]")
    config = load(write(folder / "config.yaml", f"include: [conf.d/a.yaml]\nmailboxes: [{MAILBOX}]"))
    assert [part.mailboxes[0].password_file for part in config.parts] == [
        folder / "secret",
        folder / "conf.d" / "secret",
    ]
    assert config.warnings == ()


def test_mistakes_of_all_files_are_told_at_once_in_their_order(folder):
    write(folder / "conf.d" / "a.yaml", f"mailboxes:\n- {MAILBOX}\nlimits: {{}}\n")
    write(folder / "conf.d" / "b.yaml", "labels: [\n")
    write(folder / "config.yaml", f"include: [conf.d/*.yaml]\nmailboxes:\n- {MAILBOX}\nrecheck: 5s\n")
    assert sorted(refused("config.yaml").splitlines()) == [
        "conf.d/a.yaml:2: mailboxes[0]: the name a@example.com is taken by the mailbox at config.yaml:3",
        "conf.d/a.yaml:3: limits: unknown key in an included file: it belongs in the main file",
        "conf.d/b.yaml:2: a value is missing, or a list [ … ] or mapping { … } is not closed",
        "config.yaml:4: recheck: unknown key; it belongs under defaults:",
    ]


def test_a_route_to_a_mailbox_in_an_unreadable_file_is_not_called_wrong(folder):
    write(folder / "others.yaml", "mailboxes: [")
    write(folder / "config.yaml", f"include: [others.yaml]\nmailboxes: [{MAILBOX}]\nroutes: [{{from: x, to: y}}]")
    assert "no mailbox" not in refused("config.yaml")


def test_a_thousand_mistakes_are_a_bounded_message(folder):
    write(folder / "config.yaml", "mailboxes:\n" + "- {address: x}\n" * 1000)
    lines = refused("config.yaml").splitlines()
    assert len(lines) == 101
    assert re.fullmatch(r"and \d+ more", lines[-1])


@pytest.mark.parametrize("word", ["off", "'off'", "false", "Off", '"no"'])
def test_off_is_off_quoted_or_not(folder, word):
    text = f"mailboxes: [{{address: a@example.com, password_file: secret, imap: {{}}, smtp: {word}}}]"
    assert load(write(folder / "config.yaml", text)).parts[0].mailboxes[0].smtp is None


def test_values_are_normalised(folder):
    text = """
resolvers: [system, 9.9.9.9, '127.0.0.1:5353', '::1', '[::1]:54']
mailboxes:
  - address: A@BÜCHER.example
    password_file: secret
    imap: {host: IMAP.Example.com., port: 0993}
    smtp: {host: '[2001:DB8::1]'}
"""
    config = load(write(folder / "config.yaml", text))
    mailbox = config.parts[0].mailboxes[0]
    assert config.resolvers == ("system", "9.9.9.9:53", "127.0.0.1:5353", "[::1]:53", "[::1]:54")
    assert mailbox.imap is not None
    assert mailbox.smtp is not None
    assert (mailbox.imap.host, mailbox.imap.port, mailbox.smtp.host) == ("imap.example.com", 993, "2001:db8::1")
    assert mailbox.title == "A@BÜCHER.example"


def test_the_hash_follows_the_content_of_every_file(folder):
    write(folder / "conf.d" / "a.yaml", "labels: {team: a}")
    config = load(write(folder / "config.yaml", "include: [conf.d/*.yaml]"))
    assert config.hash_now() == config.hash == load(folder / "config.yaml").hash
    for change in ("labels: {team: b}", "labels: [\n"):
        write(folder / "conf.d" / "a.yaml", change)
        assert config.hash_now() != config.hash
    write(folder / "conf.d" / "a.yaml", "labels: {team: a}")
    write(folder / "conf.d" / "new.yaml", "")
    assert config.hash_now() != config.hash


# -- warnings about a valid config ------------------------------------------------------------------------------


def doubts(config: Config) -> tuple[list[str], list[str]]:
    return [str(each) for each in config.warnings], [str(each) for each in config.problems()]


def test_secrets_that_others_can_read_and_inline_ones_warn(folder):
    secret(folder / "shared", 0o644)
    inline = MAILBOX.replace("a@", "b@").replace("password_file: secret", "password: hunter2")
    text = f"mailboxes:\n- {MAILBOX.replace('secret', 'shared')}\n- {inline}\n"
    write(folder / "config.yaml", text)
    warnings, problems = doubts(load("config.yaml"))
    assert warnings == [
        "config.yaml:2: mailboxes[0].password_file: mode 0644: others can read this secret; chmod 600",
        "config.yaml:3: mailboxes[1].password: a password in the file itself: prefer password_file",
    ]
    assert problems == []


def test_what_lets_a_probe_fail_is_a_problem_but_the_config_is_usable(folder, monkeypatch):
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder / "credentials"))
    (folder / "empty").touch(0o600)
    sources = {
        "password_file: gone": "password_file: cannot be read: No such file or directory",
        "password_file: .": "password_file: cannot be read: Is a directory",
        "password_file: empty": "password_file: cannot be read: it is empty",
        "password_env: NOT_SET": "password_env: this environment variable is not set",
        "password_command: [./gone]": "password_command: this program is not there, or may not be run",
        "password_command: [no-such-program-here]": "password_command: this program is not there, or may not be run",
        "password_credential: gone": "password_credential: cannot be read: No such file or directory",
    }
    mailboxes = "".join(
        f"- {MAILBOX.replace('a@', f'{index}@').replace('password_file: secret', source)}\n"
        for index, source in enumerate(sources)
    )
    write(folder / "config.yaml", f"defaults: {{ca_file: gone.pem}}\nmailboxes:\n{mailboxes}")
    warnings, problems = doubts(load("config.yaml"))
    assert problems == [
        "config.yaml:1: defaults.ca_file: cannot be read: No such file or directory",
        *(f"config.yaml:{index + 3}: mailboxes[{index}].{said}" for index, said in enumerate(sources.values())),
    ]
    assert warnings == problems


def test_outside_of_systemd_a_credential_is_only_a_doubt(folder, monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    text = f"mailboxes: [{MAILBOX.replace('password_file: secret', 'password_credential: sales')}]"
    warnings, problems = doubts(load(write(folder / "config.yaml", text)))
    assert len(warnings) == 1
    assert problems == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sales", "the installed service gives credentials names that begin with mailbox_"),
        ("mailbox_gone", "gone is not there: a credential is called mailbox_ and the name of its file"),
        ("mailbox_sales", "the password ends with a blank"),
    ],
)
def test_a_credential_is_looked_for_where_the_installed_service_has_it_from(folder, monkeypatch, name, said):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr("exporter.config.file_checks.INSTALLED", folder / "installed")
    (folder / "installed").mkdir()
    write(folder / "installed" / "sales", "hunter2 \n")
    text = f"mailboxes: [{MAILBOX.replace('password_file: secret', f'password_credential: {name}')}]"
    (warning,), problems = doubts(load(write(folder / "config.yaml", text)))
    assert said in warning
    assert problems == []


@pytest.mark.parametrize(
    ("value", "cut"),
    [
        ("hunter2 #3", True), ("hunter2 # of the new server", True), ('"hunter2 #3"', False), ("'hunter2 #3'", False),
        ("hunter2#3", False), ("hunter2", False), ('"hunter2"  # quoted', False),
    ],
)  # fmt: skip
def test_a_comment_that_may_be_a_part_of_the_password_is_warned_about(folder, value, cut):
    text = f"mailboxes:\n- address: a@example.com\n  imap: {{host: h.example.com}}\n  smtp: off\n  password: {value}\n"
    warnings, problems = doubts(load(write(folder / "config.yaml", text)))
    told = [each for each in warnings if "what follows # is a comment" in each]
    assert bool(told) is cut
    assert problems == []
    assert "hunter2" not in "".join(warnings)


def test_a_password_file_of_two_lines_is_a_problem(folder):
    write(folder / "secret", "hunter2\n# of the new server\n")
    warnings, problems = doubts(load(write(folder / "config.yaml", f"mailboxes: [{MAILBOX}]")))
    assert problems == warnings
    assert "password_file: the password has more than one line: nothing else may be in the file" in problems[0]


def test_an_address_with_the_preset_of_another_provider_is_warned_about(folder):
    text = "mailboxes: [{address: a@163.com, password_file: secret, provider: gmail}]"
    warnings, problems = doubts(load(write(folder / "config.yaml", text)))
    assert problems == []
    (warning,) = (each for each in warnings if ".provider: " in each)
    assert warning.endswith(
        "config.yaml:1: mailboxes[0].provider: 163.com is a domain of netease_163, not of gmail: "
        "write provider: netease_163, or leave it out"
    )


def test_an_alias_of_a_provider_is_as_good_as_its_id(folder):
    text = "mailboxes: [{address: a@163.com, password_file: secret, provider: 网易163免费邮}]"
    assert {target.provider for target in build(load(write(folder / "config.yaml", text))).targets} == {"netease_163"}


def test_a_missing_file_names_the_ways_to_a_first_one(folder):
    said = refused("config.yaml")
    for way in (
        "--config.file",
        "mailprobe demo",
        "mailprobe providers ADDRESS",
        "docs/configuration.md",
        "config.yaml of",
    ):
        assert way in said
    write(folder / "config.yaml", "include: [gone.yaml]")
    assert "mailprobe demo" not in refused("config.yaml")


ODD_PASSWORDS = {
    "hunter2 ": "ends with a blank",
    "\thunter2": "begins with a blank",
    "\u3000hunter2": "begins with a blank",
    "hunter2\u00a0": "ends with a blank",
    "\ufeffhunter2": "begins with an invisible character",
    "hunter2\u200b": "ends with an invisible character",
    "\uff28unter2": "begins with a full-width character",
    "hunter\uff12": "ends with a full-width character",
}


@pytest.mark.parametrize("source", ["password", "password_file", "password_env", "password_credential"])
@pytest.mark.parametrize("password", ODD_PASSWORDS)
def test_an_odd_end_of_a_password_is_a_doubt_that_does_not_quote_it(folder, monkeypatch, source, password):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    monkeypatch.setenv("odd", password)
    (folder / "odd").write_text(f"{password}\n", "utf-8")
    (folder / "odd").chmod(0o600)
    given = json.dumps(password) if source == "password" else "odd"
    mailbox = MAILBOX.replace("password_file: secret", f"{source}: {given}")
    warnings, problems = doubts(load(write(folder / "config.yaml", f"mailboxes:\n- {mailbox}\n")))
    assert problems == []
    assert f"config.yaml:2: mailboxes[0].{source}: the password {ODD_PASSWORDS[password]}" in warnings[-1]
    assert "unter" not in "".join(warnings)


@pytest.mark.parametrize("password", ["hunter2", "a b", "\u5bc6\u7801", "a\uff02b", "#x%"])
def test_any_other_password_is_no_doubt(folder, password):
    (folder / "secret").write_text(f"{password}\r\n", "utf-8")
    assert load(write(folder / "config.yaml", f"mailboxes: [{MAILBOX}]")).warnings == ()


@pytest.mark.parametrize(
    ("service", "written", "fits"),
    [
        ("imap", (143, "tls"), (993, "starttls")),
        ("imap", (993, "starttls"), (143, "tls")),
        ("pop3", (110, "tls"), (995, "starttls")),
        ("pop3", (995, "starttls"), (110, "tls")),
        ("smtp", (465, "starttls"), (587, "tls")),
        ("smtp", (587, "tls"), (465, "starttls")),
        ("smtp", (25, "tls"), (465, "starttls")),
    ],
)
def test_a_port_that_contradicts_its_security_is_a_doubt(folder, service, written, fits):
    (port, security), (other_port, protection) = written, fits
    server = f"host: mail.example.com, port: {port}, security: {security}"
    off = "".join(f", {other}: off" for other in ("imap", "smtp") if other != service)
    said = f"port {port} is for security: {protection}; write that, or port: {other_port} with security: {security}"
    mailbox = f"mailboxes:\n- {{address: a@example.com, password_file: secret, {service}: {{{server}}}{off}}}\n"
    write(folder / "a.yaml", mailbox)
    assert doubts(load("a.yaml")) == ([f"a.yaml:2: mailboxes[0].{service}.port: {said}"], [])
    endpoint = f"endpoints:\n- {{{server}}}\n- {{{server.replace(security, protection)}, name: good}}\n"
    write(folder / "b.yaml", endpoint)
    assert doubts(load("b.yaml")) == ([f"b.yaml:2: endpoints[0].port: {said}"], [])


def test_a_port_of_another_protocol_is_a_doubt(folder):
    text = """
mailboxes:
- {address: a@example.com, password_file: secret, imap: {host: mail.example.com, port: 465}, smtp: off}
endpoints:
- {host: mail.example.com, port: 993, protocol: smtp}
- {host: mail.example.com, port: 2993, protocol: smtp, security: tls}
"""
    write(folder / "config.yaml", text)
    assert doubts(load("config.yaml")) == (
        [
            "config.yaml:3: mailboxes[0].imap.port: port 465 is the usual one of smtp, not of imap",
            "config.yaml:5: endpoints[0].port: port 993 is the usual one of imap, not of smtp",
        ],
        [],
    )


def test_many_doubts_of_a_kind_are_folded(folder):
    text = "mailboxes:\n" + "".join(
        f"- {MAILBOX.replace('a@', f'{i}@').replace('secret', 'gone')}\n" for i in range(50)
    )
    write(folder / "config.yaml", text)
    config = load("config.yaml")
    assert len(config.warnings) == 6
    assert str(config.warnings[-1]).startswith("config.yaml: 45 more like: ")
    assert len(config.problems()) == 50


# -- the shown text ------------------------------------------------------------------------------------------------


def test_no_secret_is_shown(folder):
    text = f"""
mailboxes:
- {MAILBOX.replace("password_file: secret", "password: hunter2")}
- {MAILBOX.replace("a@", "b@").replace("password_file: secret", "password_command: [echo, hunter2]")}
"""
    config = load(write(folder / "config.yaml", text))
    shown = redacted(config)
    assert "- echo" in shown
    assert shown.count("<secret>") == 2
    for each in (shown, str(config.warnings), repr(config.parts[0].mailboxes[0])):
        assert "hunter2" not in each


def test_the_shown_config_has_every_default_filled_in(folder):
    write(folder / "config.yaml", f"mailboxes: [{MAILBOX}]")
    shown = redacted(load("config.yaml"))
    for line in (
        "  first_pause: 30m",
        "      login: 5m",
        "    smtp: 'off'",
        "      host: imap.example.com",
        "- file: config.yaml",
    ):
        assert line in shown.splitlines()


def test_the_current_folder_does_not_matter(folder, monkeypatch):
    write(folder / "config.yaml", f"mailboxes: [{MAILBOX}]")
    monkeypatch.chdir(os.sep)
    assert load(folder / "config.yaml").problems() == ()


def test_alertmanagers_and_how_to_get_in(folder):
    secret(folder / "token", 0o644)
    text = """
alertmanager:
  targets:
    - {url: "http://127.0.0.1:9093/am/", basic_auth: {username: u, password_file: secret}}
    - {url: "https://am.example", bearer_token_file: token, ca_file: missing.pem}
  labels: {site: berlin}
  resend: 30s
incidents: {open_after: 5}
"""
    config = load(write(folder / "config.yaml", text))
    push = config.alertmanager
    assert push is not None
    assert [(each.url, each.name) for each in push.targets] == [
        ("http://127.0.0.1:9093/am", "127.0.0.1:9093"),
        ("https://am.example", "am.example:443"),
    ]
    assert (push.labels, push.resend) == ((("site", "berlin"),), 30.0)
    assert config.incidents == IncidentSettings(5, 2)
    told = "\n".join(map(str, config.warnings))
    assert "config.yaml:2: alertmanager: incidents are pushed from here: instead of mailprobe's rules in Prom" in told
    assert "targets[0].url: the password or token is sent in the clear: prefer https" in told
    assert "targets[1].bearer_token_file: mode 0644: others can read this secret; chmod 600" in told
    (broken,) = config.problems()
    assert "config.yaml:5: alertmanager.targets[1].ca_file: cannot be read: No such file" in str(broken)
    shown = redacted(config)
    assert "password: <secret>" in shown
    assert "resend: 30s" in shown
    assert "open_after: 5" in shown
    assert "hunter2" not in shown
    assert load(write(folder / "other.yaml", "")).alertmanager is None
