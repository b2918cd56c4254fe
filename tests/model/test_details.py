"""Tests that each sentence that the program writes about a failure exists in Chinese, and that servers' words stay."""

from __future__ import annotations

import ast
import errno
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest

import exporter
from exporter.model.details import SECTIONS, detail
from exporter.model.phrases import languages, texts

PACKAGE = Path(exporter.__file__).parent
FOLDERS = ("credentials", "net", "probes", "run", "targets")
CHINESE = re.compile("[\u4e00-\u9fff]")
ROWS = texts("zh")["details"]

# Which argument of an exception holds its text.
TEXT_OF = {
    **dict.fromkeys(("ProbeError", "Inconclusive", "Suspended", "DnsFailure", "CertificateFault", "NoReplyError"), 1),
    **dict.fromkeys(("RecordError", "_fail"), 1),
    **dict.fromkeys(("Garbage", "StartTlsUnavailable", "BadMessageError", "BadNameError", "if_silent", "_late"), 0),
}


def template(node: ast.expr) -> str | None:
    """Return a literal or an f-string with {} for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def strings(node: ast.expr, function: ast.AST, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield what an expression can be, as far as it is written in its function."""
    found = template(node)
    if found is not None:
        yield found
    elif isinstance(node, ast.IfExp):
        yield from (*strings(node.body, function, seen), *strings(node.orelse, function, seen))
    elif isinstance(node, ast.BoolOp):
        for each in node.values:
            yield from strings(each, function, seen)
    elif isinstance(node, ast.Name) and node.id not in seen:
        for statement in ast.walk(function):
            if isinstance(statement, ast.Assign | ast.AugAssign):
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                if any(isinstance(target, ast.Name) and target.id == node.id for target in targets):
                    said = strings(statement.value, function, seen | {node.id})
                    yield from (text.removeprefix("; ") for text in said)


@cache
def written() -> dict[str, str]:
    """Return each text of a failure in the program, with {} for what is filled in, and the file that has it."""
    found: dict[str, str] = {}
    for path in (path for folder in FOLDERS for path in sorted((PACKAGE / folder).rglob("*.py"))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        for function in functions:
            for node in ast.walk(function):
                if not isinstance(node, ast.Call):
                    continue
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                arguments = [each.value for each in node.keywords if name == "Answer" and each.arg == "text"]
                if name in TEXT_OF:
                    arguments += node.args[TEXT_OF[name] : TEXT_OF[name] + 1]
                for argument in arguments:
                    found.update(dict.fromkeys(strings(argument, function), path.name))
    return found


@cache
def program() -> tuple[str, ...]:
    """Return all texts of the program's code."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py"))
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.expr))
    return tuple(found for node in nodes if (found := template(node)))


def places(sentence: str) -> list[str]:
    return [place for _, place, _, _ in Formatter().parse(sentence) if place is not None]


def bare(sentence: str) -> str:
    return re.sub(r"\{[a-z]+\d*\}", "{}", sentence)


def test_each_text_of_a_failure_is_there_in_chinese():
    own = {text for text in written() if re.search("[A-Za-z]{2}", text.replace("{}", ""))}
    assert len(own) > 120
    samples = {text: text.replace("{}", "7.7") for text in own}  # a number, a name, or anything
    english = {text: written()[text] for text, sample in samples.items() if not CHINESE.search(detail(sample, "zh"))}
    # a key of the configuration before what is wrong with it, or a number that the program looks up
    assert set(english) <= {"ca_file {}: {}", "source_address {}: {}"}


def test_no_text_is_left_over():
    code = program()
    left = []
    for sentence in ROWS:
        core = bare(sentence).strip(" {}:;,()")
        if not any(core in text or (len(text) > 3 and bare(sentence) == text) for text in code):
            left.append(sentence)
    # made of a number of the code and a literal, or of two literals
    composed = (
        "{code} from {server}, {text}",
        "{text} (RFC {n} section {section})",
        "a label is longer than {n} bytes",
        "it needs {n} DNS lookups, {n2} are allowed (RFC {n3} section {section})",
        "wrong {kind}: this domain lives on {host} (its {by} is {evidence})",
    )
    assert [sentence for sentence in left if sentence not in composed] == []


@pytest.mark.parametrize("code", [code for code in languages() if languages()[code].like == "zh"])
@pytest.mark.parametrize("section", SECTIONS)
def test_a_sentence_has_the_same_places_in_both_languages(code: str, section: str):
    for english, chinese in texts(code)[section].items():
        assert sorted(places(english)) == sorted(places(chinese)), english
        assert len(set(places(english))) == len(places(english)), english
        assert sum(place.startswith("text") for place in places(english)) <= 2, "matching would take too long"


def test_what_the_operating_system_says_is_what_it_says():
    others = texts("zh")["details_of_others"]
    of_system = {os.strerror(number) for number in errno.errorcode} & set(others)
    assert len(of_system) == 18
    assert not any("certificate" in text.lower() for text in of_system)
    assert all("certificate" in text.lower() or "CA " in text for text in set(others) - of_system)


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("192.0.2.1 port 993: Connection refused", "192.0.2.1 端口 993：连接被拒绝"),
        ("192.0.2.1 port 993: no answer in 2 s", "192.0.2.1 端口 993：2 秒内没有回应"),
        ("imap.acme.example: NXDOMAIN from 192.0.2.53", "imap.acme.example：192.0.2.53 答复 NXDOMAIN（没有这个名字）"),
        (
            "no answer from 192.0.2.1 in 2.5 s over UDP; 192.0.2.2: nothing listens there (UDP)",
            "192.0.2.1 在 2.5 秒内没有应答（UDP）；192.0.2.2：那里没有服务（UDP）",
        ),
        (
            "SPF of acme.example: 'a:' is no mechanism that exists (RFC 7208 section 4.6.1)",
            "acme.example 的 SPF：没有 'a:' 这种机制（RFC 7208 第 4.6.1 节）",
        ),
        (
            "PLAIN is wanted, the server offers only AUTH XOAUTH2",
            "需要 PLAIN，服务器提供的是：只有 AUTH XOAUTH2",
        ),
        ("imap.acme.example MX: SERVFAIL from 192.0.2.53:53", "imap.acme.example MX：192.0.2.53:53 答复 SERVFAIL"),
        ("192.0.2.53:53: Permission denied (UDP)", "192.0.2.53:53：没有权限（UDP）"),
        ("password_command ./secret show: exit status 3", "password_command ./secret show：退出状态 3"),
        ("password_file /run/x: No such file or directory", "password_file /run/x：没有这个文件或文件夹"),
        ("Hostname mismatch, certificate is not valid for 'a.example'.", "主机名不符，证书不适用于 'a.example'"),
        (
            "wrong server: this domain lives on imap.b.example (its MX is mx.b.example)\nNO no such user",
            "服务器不对：该域名的邮箱在 imap.b.example 上（其 MX 为 mx.b.example）\nNO no such user",
        ),
    ],
)
def test_our_words_are_said_in_chinese(english: str, chinese: str):
    assert detail(english, "zh") == chinese
    assert detail(english, "en") == detail(english, "xx") == english
    assert CHINESE.search(detail(english, "zh-TW"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NO [AUTHENTICATIONFAILED] Authentication failed.",
        "535-5.7.8 Username and password not accepted (BadCredentials)\n535 5.7.8 https://support.example/p/?id=1",
        "550: 5.7.1: relaying denied (see http://example.com)",
        "* BYE only one session; please: close others",
        "-ERR [SYS/TEMP] login: no",
        "450 4.4.1 the next host does not answer: Connection timed out",
        "NO: Connection refused (by backend)",
        "Error: Connection refused",
        "Permission denied; try again",
    ],
)
def test_a_servers_words_stay_as_they_are(text: str):
    assert detail(text, "zh") == text


def test_places_that_look_like_markup_are_only_text():
    assert detail("it was filed in {text} {0} %s", "zh") == "被归入 {text} {0} %s"
