"""Tests that each language has all texts and no others, and that each text that the program uses exists."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
import yaml

import exporter
from exporter.config.presets import FLAGS, code_made_at, presets, provider_name
from exporter.diagnosis import signatures
from exporter.incidents.rootcause.cause import Cause, sentence
from exporter.model import FactName, Scope
from exporter.model.advice import Advice
from exporter.model.details import SECTIONS
from exporter.model.phrases import FALLBACK, Phrases, languages, matching, texts
from exporter.model.reasons import Owner, Reason, about
from exporter.outputs.ticket.evidence import Says

PACKAGE = Path(exporter.__file__).parent
OTHERS = [code for code in languages() if code != FALLBACK]
ENGLISH = texts(FALLBACK)
# What English needs none of, or the data files hold in English and Chinese; another language has it among its words.
OF_DATA: dict[str, set[str]] = {
    "provider_names": set(presets()),
    "code_made_at": {preset.id for preset in presets().values() if preset.code_at},
    "apart": {row.id for row in signatures.rows() if row.apart[0]},
    "reason_names": set(Reason),  # in English, the code can be read
    **{section: set(texts("zh")[section]) for section in SECTIONS},  # see test_details.py
}
# The keys of these sections are closed lists of the program, beside a few that are asked for by name.
LISTS: dict[str, set[str]] = {
    "owners": set(Owner),
    "remedies": set(Reason),
    "advice": set(Advice),
    "statements": set(Says),
    "hops": {"sender", "relay", "receiver"},
    "flags": set(FLAGS),
    "logins": {preset.login for preset in presets().values() if preset.login},
    "fact_names": set(ENGLISH["fact_names"]) & set(FactName),
}


@cache
def own(code: str) -> dict[str, dict[str, str]]:
    """Return the texts in the file of a language."""
    found: dict[str, dict[str, str]]
    _, found = yaml.load_all((PACKAGE / "data" / "words" / f"{code}.yaml").read_bytes(), Loader=yaml.CBaseLoader)
    return found


def places(text: str) -> list[str]:
    """Return the names of the places, with their formats; a choice between singular and plural is no format."""
    found = [(name, spec or "") for _, name, spec, _ in Formatter().parse(text) if name is not None]
    return sorted({f"{name}{'' if '|' in spec else spec}" for name, spec in found})


@pytest.mark.parametrize("code", OTHERS)
def test_a_language_has_every_text_and_none_that_english_lacks(code):
    found = dict(own(code))
    for section, known in OF_DATA.items():
        assert set(found.pop(section, {})) <= known, section
    assert {section: set(each) for section, each in found.items()} == {
        section: set(each) for section, each in ENGLISH.items()
    }


@pytest.mark.parametrize("code", OTHERS)
def test_a_text_has_the_same_places_in_every_language(code):
    for section, each in ENGLISH.items():
        for key, text in each.items():
            assert places(own(code)[section][key]) == places(text), f"{section}.{key}"


@pytest.mark.parametrize(
    ("key", "places", "one", "several"),
    [
        (
            "causes.host",
            {"mailboxes": 1, "of": 5, "subject": "h", "reason": "r"},
            "1 of 5 mailboxes at h fails (r)",
            "3 of 3 mailboxes at h fail (r)",
        ),
        ("causes.vantage_offline", {"count": 1}, "about 1 target.", "about 3 targets."),
        ("causes.dns", {"count": 1, "subject": "d", "reason": "r"}, "1 target depends on it", "3 targets depend on it"),
        ("causes.targets", {"count": 1, "subject": "d", "reason": "r"}, "1 target fails (r)", "3 targets fail (r)"),
        ("pages.all_ok", {"total": 1}, "The only target is working", "All 3 targets are working"),
        ("pages.some_failing", {"failing": 1, "total": 2}, "1 of 2 targets is failing", "3 of 3 targets are failing"),
        ("pages.checks", {"count": 1}, "1 check", "3 checks"),
        ("pages.vantage", {"answering": 1, "of": 1}, "1 of 1 reference answers.", "3 of 3 references answer."),
        (
            "statements.neighbours_fail",
            {"count": "1", "total": "4", "server": "h"},
            "1 of 4 other mailboxes on h fails",
            "3 of 3 other mailboxes on h fail,",
        ),
        ("bridge.left_out", {"n": 1}, "And 1 alert that", "And 3 alerts that"),
    ],
)
def test_english_has_singular_and_plural(key, places, one, several):
    say = Phrases("en")
    three = {name: 3 if str(value).isdigit() else value for name, value in places.items()}
    assert one in say(key, **places)
    assert several in say(key, **three)
    assert "{" not in say(key, **places) + Phrases("zh")(key, **places)


def test_no_english_count_stands_before_a_plural_that_does_not_follow_it():
    fixed = re.compile(
        r"\{(?:count|n|of|total|mailboxes)\} (?!ok|failed|more|s\b|min\b|h\b|d\b|unread|affected|inconclusive)[a-z]+s\b"
    )
    found = {
        f"{section}.{key}": text
        for section, each in ENGLISH.items()
        for key, text in each.items()
        if fixed.search(re.sub(r"\|[^}]*\{\w+\}[^}]*\}", "}", text))
    }
    assert found == {}


@pytest.mark.parametrize("code", languages())
def test_no_text_is_empty_but_the_gap_between_chinese_sentences(code):
    empty = {f"{section}.{key}" for section, each in texts(code).items() for key, text in each.items() if not text}
    assert empty <= {"common.gap"}


@pytest.mark.parametrize("code", [code for code in OTHERS if languages()[code].like == "zh"])
def test_each_reason_has_a_short_chinese_name_of_its_own(code):
    names = own(code)["reason_names"]
    assert list(names) == list(Reason), "the same reasons, in the same order"
    assert {reason: name for reason, name in names.items() if not 2 <= len(name) <= 12} == {}
    assert [name for name, count in Counter(names.values()).items() if count > 1] == []


def test_a_reason_is_shown_with_its_name_where_the_language_has_one():
    shown = {code: Phrases(code).reason(Reason.WRONG_PASSWORD) for code in languages()}
    assert shown == {"en": "wrong_password", "zh": "密码错误 wrong_password", "zh-TW": "密碼錯誤 wrong_password"}
    assert Phrases("zh").reason("a_reason_of_a_newer_daemon") == "a_reason_of_a_newer_daemon"


@pytest.mark.parametrize("section", LISTS)
def test_a_closed_list_has_its_words(section):
    assert set(ENGLISH[section]) == set(LISTS[section])


def test_a_sentence_is_written_once():
    """Equal single words may be a coincidence; two sentences that are equal in every language must become one."""
    said = [(section, key) for section, each in ENGLISH.items() for key, text in each.items() if len(text.split()) > 3]
    found = Counter(tuple(texts(code)[section][key] for code in ("en", "zh")) for section, key in said)
    assert [text for text, count in found.items() if count > 1] == []


# -- what the program asks for --------------------------------------------------------------------------------------


CALLED = {"say", "words", "says", "_words", "_say", "_texts", "labelled", "self", "_phrases"}
DYNAMIC = {"pages", *LISTS, "alerts", "causes", "notices", "folders"}
"""Sections whose keys are made of something at run time, among others."""


def calls() -> Iterator[tuple[str, str]]:
    """Return (file, key) of each text that Python code and templates use by name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            is_phrases = isinstance(node.func, ast.Call) and getattr(node.func.func, "id", "") == "Phrases"
            if name in CALLED or is_phrases:
                for each in ast.walk(node.args[0]):
                    if isinstance(each, ast.Constant) and isinstance(each.value, str):
                        yield path.name, each.value
    for path in sorted(PACKAGE.rglob("*.j2")):
        for key in re.findall(r'words\("([\w.]+)"(?! ~)', path.read_text(encoding="utf-8")):
            yield path.name, key


def strings() -> set[str]:
    """Return all literal strings of the program, and the keys that its templates use."""
    found = {key for _, key in calls()}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_a_text_that_is_asked_for_with_its_section_is_there():
    asked = [(file, key) for file, key in calls() if re.fullmatch(r"[a-z_]+\.[a-z_]+", key)]
    assert len(asked) > 40
    missing = [(file, key) for file, key in asked if Phrases(FALLBACK).find(key) is None]
    assert missing == []


def test_a_text_that_a_template_asks_for_is_there():
    asked = [(file, key) for file, key in calls() if file.endswith(".j2") and "." not in key]
    assert len(asked) > 100
    assert [(file, key) for file, key in asked if key not in ENGLISH["pages"]] == []


def test_the_program_asks_for_every_text():
    known = strings()
    left = {
        f"{section}.{key}"
        for section, each in ENGLISH.items()
        if section not in DYNAMIC
        for key in each
        if key not in known and f"{section}.{key}" not in known
    }
    # made of a part and a value
    made = {f"ticket.title_{state}" for state in ("failing", "recovered", "inconclusive", "working", "waiting")}
    assert left <= made | {f"providers.by_{by}" for by in ("id", "domain", "host", "mx", "cname")}


def test_no_file_of_the_program_holds_chinese_of_its_own():
    """Exceptions: names of folders on servers, and the demo's world."""
    data = {"net/imap/folders.py", "demo/scene.py"}
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"[\u4e00-\u9fff]", path.read_text(encoding="utf-8"))
    }
    assert found == data


# -- which language -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        *[(tag, "en") for tag in ("en", "en-GB", "en_US.UTF-8", "EN")],
        *[(tag, "zh") for tag in ("zh", "zh-CN", "zh_CN.UTF-8", "zh_CN.GB18030", "zh-Hans-HK", "zh-SG")],
        *[(tag, "zh-TW") for tag in ("zh-TW", "zh_TW.UTF-8", "zh_HK.Big5-HKSCS", "zh-Hant", "zh-Hant-HK", "ZH-mo")],
        *[(tag, None) for tag in ("", "C", "C.UTF-8", "POSIX", "de-AT", "zhx", "*")],
    ],
)
def test_a_tag_or_a_locale_means_a_language(tag, code):
    assert matching(tag) == code


def test_what_data_files_hold_in_two_languages_is_found_in_a_third():
    assert provider_name("exmail", "zh") == "腾讯企业邮箱"
    assert provider_name("exmail", "zh-TW") == "騰訊企業信箱"
    assert provider_name("exmail", "en") == presets()["exmail"].name
    assert provider_name("nobody", "zh-TW") == "nobody"
    assert "授權碼" in code_made_at(presets()["qq"], "zh-TW")
    assert code_made_at(presets()["generic"], "zh-TW") == ""


def test_an_unknown_language_is_english():
    assert Phrases("xx")("what_to_do") == Phrases("en")("what_to_do") == "What to do"
    assert Phrases("xx").language == "en"


def test_english_is_the_first_and_each_is_like_one_of_the_two_that_always_exist():
    assert list(languages())[:1] == [FALLBACK]
    assert {each.like for each in languages().values()} == {"en", "zh"}


def test_a_text_that_a_language_lacks_is_said_in_english(monkeypatch, tmp_path):
    for code in languages():
        (tmp_path / f"{code}.yaml").write_bytes((PACKAGE / "data" / "words" / f"{code}.yaml").read_bytes())
    (tmp_path / "xx.yaml").write_text(
        "{name: X, tag: xx, answers_to: [], like: en}\n---\ncommon: {colon: ' = '}\n", encoding="utf-8"
    )
    monkeypatch.setattr("exporter.model.phrases._folder", lambda: tmp_path)
    languages.cache_clear()
    try:
        assert matching("xx-YY") == "xx"
        assert Phrases("xx").labelled("what_to_do", "nothing") == "What to do = nothing"
        assert about(Reason.BUG).remedy("xx") == about(Reason.BUG).remedy("en")
        cause = Cause("k", Scope.TARGET, about(Reason.BUG).layer, Reason.BUG, ("a",), subject="a")
        assert sentence(cause, "xx") == sentence(cause, "en")
    finally:
        languages.cache_clear()
        texts.cache_clear()
