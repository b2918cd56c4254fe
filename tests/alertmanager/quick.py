"""The shipped rules and configuration, sixty times as fast and on loopback; nothing else of them is changed."""

from __future__ import annotations

import re
from pathlib import Path

from tests.alertmanager.shipped import CONFIG, RULES, TEMPLATES

TIMES = re.compile(r"\b(group_wait|group_interval|repeat_interval): (\d+)([smh])\b")
SECONDS = re.compile(r"(time\(\) - |, |\) < )(\d{3,})\b")
MILLISECONDS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
BRIDGE = re.compile(
    r"    # webhook_configs:\n    #   - url: http://127\.0\.0\.1:9826/bridge/(?:.*\n)(?:    #    .*\n)+"
)
TOKENS = {"pager-token": "tok-pager", "dead-man-token": "tok-dead-man", "bridge-token": "tok-bridge"}
PLACES = {
    "https://pager.example.com/alertmanager": "/pager",
    "https://deadman.example.com/mailprobe": "/dead-man",
    "http://127.0.0.1:9826/bridge/ops": "/bridge",
}
HOOKS = {"chat-url": "/chat", "digest-url": "/digest"}
SECRETS = "/etc/alertmanager/secrets"


def quick_rules(hour: int = 60) -> str:
    """Return the rules with minutes as seconds, hours as so many seconds, and seconds divided by sixty."""
    text, seconds = SECONDS.subn(lambda found: f"{found[1]}{int(found[2]) // 60}", RULES.read_text(encoding="utf-8"))
    assert seconds >= 3, "seconds in the rules are written in another way"
    text, odd = re.subn(r"\b(\d+)m30s\b", lambda found: f"{int(found[1]) * 1000 + 500}ms", text)
    assert odd >= 4, "half minutes are written in another way"
    quick, minutes = re.subn(r"\b(\d+)m\b", r"\1s", text)
    assert minutes >= 20, "durations of the rules are no longer written in minutes"
    return re.sub(r"\b(\d+)h\b", lambda found: f"{int(found[1]) * hour}s", quick)


def quick_times(text: str) -> str:
    """Return a configuration of Alertmanager whose routes are sixty times as fast."""
    quick, times = TIMES.subn(_sixtieth, text)
    assert times >= 12, "times of the routes are written in another way"
    return quick


def quick_config(url: str, folder: Path, *, bridge: bool = False) -> str:
    """Return a configuration whose receivers are paths of `url`. Their secrets are files that are written to `folder`.

    With `bridge`, the example's commented-out receiver for mailprobe's own bridge is enabled.
    """
    text = CONFIG.read_text(encoding="utf-8")
    if bridge:
        text, blocks = BRIDGE.subn(lambda found: found[0].replace("    # ", "    "), text)
        assert blocks == 1
    return _here(quick_times(text), url, folder)


def slow_config(url: str, folder: Path) -> str:
    """Return the same with the times as they are shipped."""
    return _here(CONFIG.read_text(encoding="utf-8"), url, folder)


def _here(text: str, url: str, folder: Path) -> str:
    for public, path in PLACES.items():
        assert public in text
        text = text.replace(public, url + path)
    for name, secret in {**TOKENS, **{name: url + path for name, path in HOOKS.items()}}.items():
        assert f"{SECRETS}/{name}\n" in text or f"{SECRETS}/{name}}}" in text, name
        (folder / name).write_text(secret)
    text = text.replace(SECRETS, str(folder)).replace(f"templates/{TEMPLATES.name}", str(TEMPLATES))
    return text.replace("global:\n", f"global:\n  wechat_api_url: {url}/wecom/\n", 1)


def _sixtieth(found: re.Match[str]) -> str:
    key, number, unit = found.groups()
    return f"{key}: {int(number) * MILLISECONDS[unit] // 60}ms"
