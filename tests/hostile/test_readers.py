"""Every module that reads foreign bytes is listed here with its limits; a protocol that is not listed fails a test."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "exporter"
# Module, and the names of the limits that it uses: of its own, or of model/bounds.
READERS = {
    "net/wire.py": ("MAX_TOTAL", "READ_SIZE"),
    "net/imap/reader.py": ("IMAP_COMMAND", "IMAP_LITERAL", "IMAP_LINE", "IMAP_LINES"),
    "net/imap/protocol.py": ("MAX_WARNINGS",),
    "net/imap/capabilities.py": ("IMAP_CAPABILITIES", "MAX_REMEMBERED"),
    "net/imap/parser.py": ("MAX_DEPTH", "MAX_DIGITS"),
    "net/imap/session.py": ("HEADER_FIELDS", "MAX_FOLDERS", "AT_ONCE"),
    "net/smtp/protocol.py": ("MAX_LINE", "MAX_REPLY"),
    "net/pop3/session.py": ("MAX_LINE", "MAX_LINES"),
    "net/http.py": ("MAX_LINE", "MAX_HEAD", "MAX_INTERIM"),
    "net/oauth/client.py": ("MAX_ANSWER",),
    "net/sasl/mechanisms.py": ("MAX_ITERATIONS",),
    "net/dns/message.py": ("DNS_POINTERS", "DNS_STEPS", "DNS_OTHER_RECORDS", "MAX_RECORDS"),
    "net/dns/transport.py": ("MAX_STRAYS",),
    "probes/records/spf.py": ("SPF_TERMS", "MAX_LENGTH"),
    "probes/records/dkim.py": ("MAX_KEY", "DKIM_EXPONENT_BITS"),
    "probes/records/tags.py": ("MAX_TAGS",),
    "probes/roundtrip/headers.py": ("HEADER", "FIELD", "MAX_HOPS", "MAX_PARAMETERS"),
    "probes/roundtrip/report.py": ("REPORT_PARTS", "REPORT_PART", "REPORT_DELIMITERS", "REPORT_BLOCKS"),
    "probes/roundtrip/inbox.py": ("MAX_REPORTS", "MESSAGE", "MAX_BACK"),
    "probes/roundtrip/message.py": ("TEXT",),
    "probes/roundtrip/authentication.py": ("SIGNED", "BLANKS", "DKIM_KEY_BITS", "FIELD"),
    "web/server.py": ("MAX_BODY", "MAX_HEADER"),
    "web/bridge/routes.py": ("MAX_BODY", "READ_WITHIN"),
}


@pytest.mark.parametrize("module", READERS)
def test_a_reader_uses_its_limits(module):
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    loaded |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert set(READERS[module]) <= loaded


def test_every_limit_is_used_by_a_reader():
    bounds = importlib.import_module("exporter.model.bounds")
    named = {name for limits in READERS.values() for name in limits} | {"DKIM_KEY_RECORD"}
    assert {name for name in vars(bounds) if name.isupper()} <= named


def test_every_sink_of_the_wire_is_listed():
    sinks = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "net").rglob("*.py")
        if "def data_received" in path.read_text(encoding="utf-8")
    }
    assert sinks <= set(READERS)
