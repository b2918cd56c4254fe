"""Prints the effective configuration as YAML: every default filled in, every secret replaced by `<secret>`.

Shown on the page /config. A password must never appear in it.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import yaml

from exporter.config.load import Config, ConfigFile
from exporter.config.schema.mapping import Shape
from exporter.model import durations
from exporter.model.settings import PushSettings

HIDDEN = "<secret>"


def redacted(config: Config) -> str:
    """Return the YAML text. Slow for thousands of mailboxes: call it in a thread."""
    return as_yaml(document(config))


def as_yaml(value: object) -> str:
    """Return a part of the document as YAML."""
    text: str = yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)
    return text.removesuffix("...\n")  # the end of a document that is only a word


def document(config: Config) -> dict[str, Any]:
    """Return the configuration as YAML has it. Slow for thousands of mailboxes: call it in a thread."""
    return {
        "resolvers": list(config.resolvers),
        "limits": asdict(config.limits),
        "login_guard": {
            **asdict(config.login_guard),
            "first_pause": durations.show(config.login_guard.first_pause),
            "longest_pause": durations.show(config.login_guard.longest_pause),
        },
        "vantage": {
            "references": [
                {"tcp": f"{each.host}:{each.port}"} if each.port else {"dns": each.host}
                for each in config.vantage.references
            ],
            "quorum": config.vantage.quorum,
        },
        "incidents": asdict(config.incidents),
        "alertmanager": _push(config.alertmanager),
        "bridges": [
            {"name": each.name, "kind": str(each.kind), "lang": each.language, "url": HIDDEN, "token": HIDDEN}
            | ({"secret": HIDDEN} if each.secret is not None else {})
            for each in config.bridges
        ],
        "alert_labels": list(config.alert_labels),
        "files": [_part(part) for part in config.parts],
    }


def _push(push: PushSettings | None) -> dict[str, Any] | None:
    if push is None:
        return None
    targets = []
    for each in push.targets:
        target: dict[str, Any] = {"url": each.url}
        if each.password is not None:
            target["basic_auth"] = {"username": each.username, "password": HIDDEN}
        if each.bearer_token is not None:
            target["bearer_token"] = HIDDEN
        if each.ca_file is not None:
            target["ca_file"] = str(each.ca_file)
        targets.append(target)
    return {"targets": targets, "labels": dict(push.labels), "resend": durations.show(push.resend)}


def _part(part: ConfigFile) -> dict[str, Any]:
    return {
        "file": str(part.file),
        "labels": dict(part.labels),
        "defaults": _plain(part.defaults),
        "mailboxes": [_mailbox(_plain(each)) for each in part.mailboxes],
        "domains": [_plain(each) for each in part.domains],
        "endpoints": [_plain(each) for each in part.endpoints],
        "routes": [_plain(each) for each in part.routes],
    }


def _plain(shape: Shape) -> dict[str, Any]:
    return shape.model_dump(mode="json", by_alias=True)


def _mailbox(mailbox: dict[str, Any]) -> dict[str, Any]:
    for name in ("imap", "pop3", "smtp"):
        if mailbox[name] is None:
            mailbox[name] = "off"
    command = mailbox["password_command"]
    if command:
        mailbox["password_command"] = [command[0], *[HIDDEN] * (len(command) - 1)]  # arguments may contain a secret too
    return {key: value for key, value in mailbox.items() if value is not None}
