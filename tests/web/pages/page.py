"""Fleets for browser tests: one with every kind of content, and one whose servers send hostile text."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from exporter.config import document, load
from exporter.model import Fact, FactName, Failure, Line, Outcome, Phase, ProbeName, Service
from exporter.model.reasons import Reason
from exporter.targets.provider_watch import Notice
from tests.results import domain, fact, failed, incident, mailbox, ok, route, server
from tests.web.view import FakeView

CONFIG = Path(__file__).parents[3] / "config.yaml"
PATHS = (
    "/",
    "/?q=box&state=failed",
    "/targets/sales",
    "/targets/imap.example.com:993",
    "/targets/example.com",
    "/targets/sales-to-backup",
    "/incidents",
    "/runbooks/",
    "/runbooks/MailHostOutage",
    "/runbooks/reasons",
    "/config",
    "/nothing",
)

LONG = "x" * 600
MARKUP = (
    "<script>alert('script')</script><img src=x onerror=alert('img')><style>*{display:none}</style>"
    "\"><svg onload=alert('svg')>' --><!-- {{ 7*7 }} javascript:alert('link')"
)
HOSTILE = (
    MARKUP,
    "</pre></blockquote></table></main><h1>the page is mine</h1><iframe src=//evil.example></iframe>",
    "\x1b[2J\x1b[31mansi\x07 \x00null\x08\x9b31m \x7f",
    "turned \u202egpj.exe\u2066\u2067 \u200f\u061c \u2028 שלום عليكم",
    LONG,
    "z\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307" * 40,
    "\ud800 half \ufeff \U000e0041",
)


def fleet() -> FakeView:
    """Return a fleet with every state and kind, long histories, facts, incidents and notices."""
    now = time.time() - 5
    sales, smtp = mailbox(provider="qq"), mailbox(probe=ProbeName.SMTP, provider="qq")
    boxes = [mailbox(f"box{number}", provider="gmail" if number % 2 else "") for number in range(12)]
    others = [replace(server(), servers=("imap.example.com:993",)), domain(), route(), mailbox("late"), mailbox("dim")]
    view = FakeView([sales, smtp, *boxes, *others, mailbox("new")])
    for number in range(40):
        started = now - 300 * (40 - number)
        made = (
            failed(smtp, started=started) if number % 9 == 4 else ok(smtp, started=started, duration=0.1 + number / 99)
        )
        view.record(made)
    view.record(failed(sales, started=now - 600))
    view.record(
        failed(
            sales,
            facts=_facts(now),
            started=now,
            phases=((Phase.CONNECT, 0.01), (Phase.TLS, 0.2), (Phase.LOGIN, 0.1)),
            failure=Failure(
                Phase.LOGIN,
                Reason.AMBIGUOUS_LOGIN_REFUSED,
                "535 Login fail. Account is abnormal",
                "signature:qq.five_causes",
                (Reason.AUTH_CODE_REQUIRED, Reason.RATE_LIMITED),
                quoted=True,
                answer_to=Service.SMTP,
            ),
            login_suspended=True,
            login_next_attempt=now + 1800,
        )
    )
    for each in boxes:
        dead = failed(each, Reason.TIMEOUT, Phase.CONNECT, "no answer", started=now - 30)
        view.record(ok(each, started=now - 30) if each.provider else dead)
    view.record(failed(others[0], Reason.TIMEOUT, Phase.CONNECT, "no answer", facts=_facts(now), started=now))
    view.record(ok(others[1], *_facts(now), started=now))
    view.record(failed(others[2], Reason.MESSAGE_LATE, Phase.ARRIVE, "not there", facts=_facts(now), started=now))
    view.record(ok(others[3], started=now - 50_000))
    view.record(failed(others[4], Reason.LOCAL_ERROR, None, outcome=Outcome.INCONCLUSIVE, started=now))
    view.known_incidents = [incident(), incident(key="b", resolved=now)]
    view.document = document(load(CONFIG))
    view.found = [Notice("moved", "acme.example", (("before", "A"), ("now", "B"), ("hosts", "mx"), ("id", "b")))]
    return view


def _facts(now: float) -> tuple[Fact, ...]:
    return (
        fact(FactName.CERT_VALID, 0),
        fact(FactName.CERT_NOT_AFTER, now + 86400 * 9),
        fact(FactName.CERT_NAMES, "imap.example.com smtp.example.com"),
        fact(FactName.CERT_FINGERPRINT, "ab" * 32),
        fact(FactName.ADDRESS, "2001:db8::1"),
        fact(FactName.CAPABILITIES, "IMAP4rev1 IDLE QUOTA AUTH=PLAIN " * 8),
        fact(FactName.QUOTA_USED_BYTES, 92.0, "user"),
        fact(FactName.QUOTA_LIMIT_BYTES, 100.0, "user"),
        fact(FactName.FOLDER_NAME, "INBOX", "inbox"),
        fact(FactName.FOLDER_MESSAGES, 12, "inbox"),
        fact(FactName.DNS_LOOKUP, 1, "spf"),
        fact(FactName.DNS_RECORDS, 1, "spf"),
        fact(FactName.DNS_TEXT, "v=spf1 " + "include:a-long-name.example.com " * 20, "spf"),
        fact(FactName.DNS_POLICY_VALID, 0, "spf"),
    )


def hostile() -> FakeView:
    """Return a fleet with hostile text wherever a server, DNS, a certificate or a label can put it."""
    now, text = time.time() - 5, " ".join(HOSTILE)
    facts = tuple(
        fact(name, text, *(("inbox",) if name.startswith("folder") else ("mx",) if name.startswith("dns") else ()))
        for name in FactName
        if name in {FactName.GREETING, FactName.CAPABILITIES, FactName.CERT_SUBJECT, FactName.CERT_ISSUER,
                    FactName.CERT_NAMES, FactName.FOLDER_NAME, FactName.DNS_TEXT, FactName.HTTP_LOCATION,
                    FactName.MECHANISM, FactName.BETTER_HOST}
    )  # fmt: skip
    transcript = tuple(Line(number / 10, "<", each) for number, each in enumerate((*HOSTILE, text)))
    labels = (("team", HOSTILE[0]), ("turned", HOSTILE[3]), ("long", LONG))
    names = [each.replace("\x00", "") for each in HOSTILE if "\ud800" not in each]  # neither can be part of an address
    targets = [mailbox(name, labels=labels, provider="<b>prov</b>" + LONG, domain=HOSTILE[1]) for name in names]
    view = FakeView(targets)
    for each in targets:
        said = Failure(Phase.LOGIN, Reason.WRONG_PASSWORD, text, "x", quoted=True)
        more = (fact(FactName.DNS_LOOKUP, 1, "mx"), *facts)
        for started in (now, now + 1):
            view.record(failed(each, facts=more, failure=said, transcript=transcript, started=started))
    view.known_incidents = [incident(text=text, told=(text, text), targets=tuple(each.name for each in targets))]
    view.found = [Notice("moved", text, (("before", text), ("now", text), ("hosts", text), ("id", text)))]
    view.reload_error = view.write_error = text
    written = text.replace("\ud800", "")  # nor can it be in a YAML file
    view.document = {
        "alert_labels": [written],
        "files": [
            {
                "file": text,
                "labels": {LONG: written},
                "defaults": {},
                "mailboxes": [{"name": name, "address": written} for name in names],
                **dict.fromkeys(("domains", "endpoints", "routes"), ()),
            }
        ],
    }
    return view
