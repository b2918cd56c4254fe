"""The configuration as it is in force, for people: every default filled in, every secret as `<secret>`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import yaml

from exporter.config import durations
from exporter.config.load import Config, Part
from exporter.config.shape import Shape

HIDDEN = "<secret>"


def redacted(config: Config) -> str:
    """YAML. Slow for thousands of mailboxes: call it through a thread."""
    document = {
        "resolvers": list(config.resolvers),
        "limits": asdict(config.limits),
        "login_guard": {
            **asdict(config.login_guard),
            "first_pause": durations.show(config.login_guard.first_pause),
            "longest_pause": durations.show(config.login_guard.longest_pause),
        },
        "alert_labels": list(config.alert_labels),
        "files": [_part(part) for part in config.parts],
    }
    text: str = yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120)
    return text


def _part(part: Part) -> dict[str, Any]:
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
    for name in ("imap", "smtp"):
        if mailbox[name] is None:
            mailbox[name] = "off"
    command = mailbox["password_command"]
    if command:
        mailbox["password_command"] = [command[0], *[HIDDEN] * (len(command) - 1)]  # arguments may be secret too
    return {key: value for key, value in mailbox.items() if value is not None}
