"""Follows docs/ten-minutes.md and its Chinese version step by step, until an alert has reached a phone and resolved."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from tests.alertmanager.channels import Channels, Message
from tests.alertmanager.quick import quick_rules, quick_times
from tests.docs.typist import Typist, lines
from tests.install.page import blocks, commands
from tests.servers.daemon import ROOT, Daemon
from tests.servers.monitoring import Alertmanager, Prometheus
from tests.servers.world import ALICE, MailWorld

DOCS = ROOT / "docs"
PAGES = {"en": DOCS / "ten-minutes.md", "zh": DOCS / "ten-minutes.zh-CN.md"}
INSTALL, WATCH, MONITOR, TEST, BREAK, MEND = range(6)
TELEGRAM, WECOM = "bot123456789:REPLACE", "cgi-bin"
PLACES = {"en": TELEGRAM, "zh": WECOM}


def section(language: str, step: int) -> str:
    """Return the text of a step, by its heading."""
    return next(each for each in blocks(PAGES[language]) if each.startswith(f"{step + 1}. "))


def typed(language: str, step: int) -> str:
    return commands(PAGES[language], section(language, step))


def shown(language: str, step: int, kind: str = "yaml") -> list[Any]:
    """Return the code blocks that are no commands."""
    found = [text for each, text in blocks(PAGES[language])[section(language, step)] if each == kind]
    return [yaml.safe_load(text) for text in found] if kind == "yaml" else found


# -- the pages themselves -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", PAGES)
def test_the_installation_is_the_one_that_is_tried_on_a_new_debian(language):
    assert typed(language, INSTALL) == commands(DOCS / "install.md", "Install")
    assert shown(language, WATCH) == [
        yaml.safe_load(text) for kind, text in blocks(DOCS / "install.md")["Watch a mailbox"] if kind == "yaml"
    ]


def test_the_chinese_page_differs_by_its_channel_alone():
    for step in (INSTALL, WATCH, BREAK, MEND):
        assert typed("zh", step) == typed("en", step)
        assert shown("zh", step) == shown("en", step)
    left_out = [each for each in lines(typed("en", MONITOR)) if each not in lines(typed("zh", MONITOR))]
    assert left_out == ["systemctl restart prometheus prometheus-alertmanager"]  # this page also restarts mailprobe
    user, folder = (
        each for each in lines(typed("zh", MONITOR)) if each.startswith(("systemd-sysusers", "install -d -m 7"))
    )
    assert user in commands(DOCS / "install.md", "A user that stays")
    assert folder in commands(DOCS / "install.md", "Passwords as files of the service's own")


# -- end to end ---------------------------------------------------------------------------------------------------


class Phones(Channels):
    """The servers of Telegram and of WeCom's group robot."""

    def _handler(self) -> Any:
        class Handler(super()._handler()):  # type: ignore[misc]  # the base class is created by a function
            def _answer(self, body: Any) -> None:
                sent = {"message_id": 1, "date": 1, "chat": {"id": 123456789, "type": "private"}}
                super()._answer({**body, "ok": True, "result": sent})

        return Handler


def text_of(message: Message) -> str:
    """Return the text that a person reads."""
    if message.place == TELEGRAM:
        return str(message.body["text"])
    return re.sub(r"<[^>]+>|\*\*", "", message.body["markdown"]["content"])


class Service(Daemon):
    """The daemon as systemd runs it: with its environment and the files of the credentials folder."""

    def __init__(self) -> None:
        super().__init__("{}\n", {})
        self.credentials = self.folder / "credentials"
        self.credentials.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(ROOT),
            "MAILPROBE_CONFIG_FILE": str(self.config),
            "MAILPROBE_STORAGE_PATH": f"{self.folder}/data",
            "MAILPROBE_WEB_LISTEN_ADDRESS": f"127.0.0.1:{self.port}",
        }

    def argv(self) -> list[str]:
        variables = {**self.environment, "CREDENTIALS_DIRECTORY": f"{self.folder}/given"}
        return [
            "env",
            *(f"{name}={value}" for name, value in variables.items()),
            sys.executable,
            "-m",
            "exporter",
            "run",
        ]

    def start(self) -> Service:
        shutil.rmtree(self.folder / "given", ignore_errors=True)
        (self.folder / "given").mkdir()
        for each in self.credentials.iterdir():
            shutil.copy(each, self.folder / "given" / f"mailbox_{each.name}")
        super().start()
        return self

    def systemctl(self, verb: str, units: list[str]) -> None:
        """Do what systemctl would do for mailprobe.

        Prometheus and Alertmanager are started when all files are written.
        """
        if "mailprobe" not in units:
            return
        if verb == "reload":
            os.kill(self.pid, signal.SIGHUP)
        elif self.running:
            self.restart()
        else:
            self.start()


class Desk:
    """One reader of one of the pages: runs its commands, with a separate Alertmanager."""

    def __init__(self, language: str, service: Service, folder: Path) -> None:
        self.language = language
        self.etc = folder / language
        self.etc.mkdir()
        bin_folder = folder / f"bin-{language}"
        bin_folder.mkdir()
        command = bin_folder / "mailprobe"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m exporter "$@"\n')
        command.chmod(0o755)
        self.typist = Typist(
            folder,
            {
                "/usr/local/src/mailprobe": str(ROOT),
                "/etc/prometheus": str(self.etc),
                "/etc/mailprobe": str(service.folder),
                "http://127.0.0.1:9826": service.url,
                "-o mailprobe -g mailprobe": "",
            },
            service.systemctl,
            environment={**service.environment, "PATH": f"{bin_folder}:{os.environ['PATH']}"},
        )

    def follow(self, step: int, files: Mapping[str, str] = MappingProxyType({})) -> str:
        """Run the commands of a step. These texts are entered where the page opens an editor."""
        self.typist.typed |= {name: self.typist.here(text) for name, text in files.items()}
        return self.typist.run(typed(self.language, step))

    def receivers(self) -> str:
        found = [text for kind, text in blocks(PAGES[self.language])[section(self.language, MONITOR)] if kind == "yaml"]
        return next(each for each in found if each.startswith("receivers:"))

    def alertmanager(self, phones: Phones) -> Alertmanager:
        text = quick_times((self.etc / "alertmanager.yml").read_text())
        text = text.replace("templates/mailprobe.tmpl", f"{self.etc}/templates/mailprobe.tmpl")
        started = Alertmanager(text.replace("global:\n", f"global:\n  telegram_api_url: {phones.url}\n"))
        self.typist.places["http://localhost:9093"] = started.url
        return started

    def prometheus(self, service: Service, alertmanagers: list[Alertmanager]) -> Prometheus:
        """Start Prometheus with the shipped example and the shipped rules."""
        text = (self.etc / "prometheus.yml").read_text().replace("30s", "1s")
        text = re.sub(r"mailprobe\.\w+\.yml", r"rules/\g<0>", text)
        targets = ", ".join(f'"127.0.0.1:{each.port}"' for each in alertmanagers)
        text = text.replace('"127.0.0.1:9093"', targets).replace("127.0.0.1:9826", f"127.0.0.1:{service.port}")
        recorded = (self.etc / "mailprobe.rules.yml").read_text()
        return Prometheus(text, {"mailprobe.rules.yml": recorded, "mailprobe.alerts.yml": quick_rules()})


def adapted(world: MailWorld, *parts: dict[str, Any]) -> str:
    """Return the page's configuration with the servers of the test for mail.example.com, and short intervals."""
    config: dict[str, Any] = {
        "resolvers": [world.resolver],
        "limits": {"logins_per_host_per_minute": 6000},
        "defaults": {
            "interval": {"login": "2s", "tls": "2s", "dns": "60s"},
            "timeout": "20s", "recheck": "1s", "ca_file": str(world.ca_file),
        },
    }  # fmt: skip
    for part in parts:
        config |= part
    (mailbox,) = config["mailboxes"]
    mailbox["address"] = ALICE
    mailbox["imap"] |= {"host": world.host, "port": world.imaps}
    mailbox["smtp"] |= {"host": world.host, "port": world.submission}
    return yaml.safe_dump(config)


def test_the_pages_lead_to_a_message_on_the_phone_and_to_its_end(
    mail_world: MailWorld, launch: Callable[[Any], Any], tmp_path: Path
) -> None:
    """One daemon and one Prometheus, and for each language an Alertmanager and a phone."""
    (mailboxes,), (endpoints,) = shown("en", WATCH), shown("en", BREAK)
    bridges, _ = shown("zh", MONITOR)
    with Phones() as phones, contextlib.closing(Service()) as service:
        desks = {language: Desk(language, service, tmp_path) for language in PAGES}

        def arrives(step: int) -> None:
            for language, place in PLACES.items():
                (expected,) = shown(language, step, "text")
                phones.wait_for(place, lambda each: text_of(each).startswith(expected.rstrip("\n")))  # noqa: B023

        config = adapted(mail_world, mailboxes)
        said = desks["en"].follow(WATCH, {"sales": mail_world.users[ALICE] + "\n", "config.yaml": config})
        assert said.count("OK") >= 2
        config = adapted(mail_world, mailboxes, bridges)
        robot = f"{phones.url}/cgi-bin/webhook/send?key=canary"
        for each in desks.values():
            each.follow(MONITOR, {"config.yaml": config, "robot": robot, "receivers.yml": each.receivers()})
        alertmanagers = [launch(each.alertmanager(phones)) for each in desks.values()]
        prometheus = launch(desks["en"].prometheus(service, alertmanagers))

        for each in desks.values():
            each.follow(TEST)
        arrives(TEST)

        prometheus.wait_for('count(mailprobe_probe_success{target="sales"} == 1) == 2')
        desks["en"].follow(BREAK, {"config.yaml": adapted(mail_world, mailboxes, bridges, endpoints)})
        arrives(BREAK)
        assert "connection_refused" in service.text("/targets/practice")
        desks["en"].follow(MEND, {"config.yaml": config})
        arrives(MEND)
        assert {alert["labels"]["alertname"] for alert in prometheus.alerts()} == {"Watchdog"}
