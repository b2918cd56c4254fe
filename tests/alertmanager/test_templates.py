"""Tests of the texts on phones: golden texts, limits, and hostile text that must have no effect."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.alertmanager.notifications import GOLDEN, LANGUAGES, NAMES, SETS, alert, golden, render
from tests.alertmanager.shipped import TEMPLATES, config

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\u200b\u2028\u2029\u202e]")


def parts(text: str) -> dict[str, str]:
    """Return title, text and brief of a golden text."""
    found = re.split(r"^-- (\w+) --\n", text, flags=re.MULTILINE)
    return {name: said.removesuffix("\n") for name, said in zip(found[1::2], found[2::2], strict=True)}


def kept(name: str, language: str) -> dict[str, str]:
    return parts((GOLDEN / f"{name}.{language}.txt").read_text(encoding="utf-8"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SETS)
def test_golden_texts(name: str, language: str):
    """To update: `python -m tests.alertmanager.notifications`."""
    assert golden(name, language) == (GOLDEN / f"{name}.{language}.txt").read_text(encoding="utf-8")


def test_there_is_no_golden_text_of_nothing():
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.{spoken}.txt" for name in SETS for spoken in LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SETS)
def test_each_channel_gets_what_it_can_show(name: str, language: str):
    said = kept(name, language)
    assert tuple(said) == NAMES
    assert len(said["title"]) <= 200
    assert "\n" not in said["title"]
    assert len(said["text"]) <= 4000
    assert len(said["brief"].encode()) <= 2048
    assert all(said.values())


@pytest.mark.parametrize(("language", "rest"), [("en", " and 30 more\n"), ("zh", "，另有 30 个\n")])
def test_of_forty_mailboxes_ten_are_named_and_the_rest_is_counted(language: str, rest: str):
    for part in ("text", "brief"):
        line = next(line for line in kept("forty", language)[part].splitlines(keepends=True) if rest in line)
        assert len(re.findall(r"box\d\d@example\.com", line)) == 10


def test_a_mailbox_is_named_once_however_many_of_its_probes_fail():
    assert kept("probes_of_one", "en")["title"] == "CRITICAL: A mailbox's login is refused (sales)"
    assert kept("probes_of_one", "en")["text"].startswith("Affected: sales\n")


def test_what_is_critical_comes_first():
    said = kept("mixed", "en")
    assert said["title"].startswith("CRITICAL: A mailbox's login is refused and more")
    assert said["text"].index("login is refused") < said["text"].index("almost full") < said["text"].index("Resolved:")


def test_the_time_is_that_of_the_place_where_alertmanager_runs():
    """And its offset is named, since CST is the name of several zones."""
    unknown = alert(annotations={"summary": "x"})
    assert "Alert raised: 2026-03-01 16:30 UTC+08:00" in render("mailprobe.text", [unknown], "Asia/Shanghai")


def test_it_began_when_the_first_of_its_kind_did():
    both = [alert(), alert(target="b", minutes=-10)]
    assert "Since: 2026-03-01 08:17:53 UTC+00:00" in render("mailprobe.text", both)
    assert "Since: 2026-03-01 08:17:53 UTC+00:00" in render("mailprobe.brief", both)


@pytest.mark.parametrize("part", ["text", "brief"])
def test_it_is_never_said_that_it_began_when_the_alert_was_raised(part):
    """Nor that it ended when the alert was resolved."""
    assert "08:30" not in render(f"mailprobe.{part}", [alert()])
    both = [alert(lasted=20), alert(target="b", minutes=-10, lasted=20)]
    assert "08:17:53 UTC+00:00 – 2026-03-01 08:45:00 UTC+00:00" in render(f"mailprobe.{part}", both)
    one = render(f"mailprobe.{part}", [alert(lasted=20)])
    assert "08:27:53 UTC+00:00 – 2026-03-01 08:45:00 UTC+00:00 (20m 0s)" in one
    endless = alert(lasted=20)
    del endless["annotations"]["until"]
    assert "since 2026-03-01 08:27:53 UTC+00:00\n" in render(f"mailprobe.{part}", [endless]) + "\n"
    unknown = alert(lasted=20, annotations={"summary": "x"})
    assert "x: alert from 2026-03-01 08:30 to 2026-03-01 08:50 UTC+00:00" in render(f"mailprobe.{part}", [unknown])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_a_server_cannot_act(language: str):
    """No link, no mention, no further line, no template, and nothing that changes the direction of the text."""
    for name in ("hostile", "no_web_address"):
        for text in kept(name, language).values():
            assert not CONTROL.search(text)
            assert "<" not in text
            assert "](" not in text
            assert "@all" not in text
            assert "javascript:" not in text
            assert not re.search(r"^CRITICAL: all is well", text, re.MULTILINE)
    assert "{{ .ExternalURL }}" in kept("hostile", "en")["text"]


def test_without_annotations_there_is_still_what_is_known():
    assert (
        kept("without_annotations", "en")["text"]
        == "Affected: sales\n• MailLoginRejected\nAlert raised: 2026-03-01 08:30 UTC+00:00"
    )
    assert "原因：It fails." in kept("english_only", "zh")["text"]


def test_a_great_many_alerts_are_counted_all():
    """From 500 on, names are not compared, but counted."""
    many = [alert(target=f"box{number}") for number in range(1234)]
    assert " and 1224 more" in render("mailprobe.text", many)
    assert render("mailprobe.title", many).endswith("+1231)")


def test_every_template_that_the_configuration_uses_is_defined():
    defined = set(re.findall(r'define "(mailprobe\.[\w.]+)"', TEMPLATES.read_text(encoding="utf-8")))
    used = set(re.findall(r'template "(mailprobe\.[\w.]+)"', str(config())))
    public = {f"mailprobe.{name}{suffix}" for name in NAMES for suffix in LANGUAGES.values()}
    assert used <= public <= defined
    assert {each for each in defined if not each.startswith("mailprobe._")} == public


def test_both_languages_are_built_alike():
    """The templates of both languages have the same structure."""
    text = TEMPLATES.read_text(encoding="utf-8")
    found = dict(re.findall(r'define "(mailprobe\.[\w.]+)" }}\n(.*?)\n(?=\{\{-? ?(?:define|/\*)|\Z)', text, re.DOTALL))
    pairs = [name for name in found if f"{name}.zh" in found]
    assert len(pairs) >= 6
    for name in pairs:
        actions = [
            re.findall(r"\{\{-? (if|else|range|with|end|template|printf)", found[each]) for each in (name, f"{name}.zh")
        ]
        assert actions[0] == actions[1], name


def test_the_templates_are_apache():
    for path in (TEMPLATES, Path(TEMPLATES).parents[1] / "alertmanager.example.yml"):
        assert "SPDX-License-Identifier: Apache-2.0" in path.read_text(encoding="utf-8")
