"""The measures: the table against itself in ten folds and family by family, and replies from the field.

Ten folds: the rows are split by their id; the replies of one tenth are judged by a table without these rows, in the
context of a live run (the row's protocol, its family or software, the command that it answers). `replies`: the rows of
signatures.yaml are taken out, the generic vocabulary (wordings.yaml) stays. `replies and words`: the rows of both are.
`without the family`: all rows of one family are taken out, and its replies are judged as those of an unknown server.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import yaml

from exporter.cli.explain import as_received
from exporter.config import presets
from exporter.diagnosis import signatures
from exporter.diagnosis.classify import classify
from exporter.diagnosis.reply import normalise, protocol_of
from exporter.diagnosis.signatures import ANY, CONNECT, SASL, Signature
from exporter.model import Phase, Service
from exporter.model.reasons import Layer, Reason, about
from tests.verdicts.grading import Judged, grade

FOLDS = 10
FIELD = Path(__file__).parents[1] / "field" / "logins.yaml"
BOUNCES = Path(__file__).parents[1] / "field" / "bounces.yaml"
SOFTWARE = frozenset({"dovecot", "postfix", "exim", "cyrus", "courier"})
_CACHED = (signatures.scopes, signatures.by_id, signatures._matcher, signatures._sasl, signatures.login_causes)
# Reasons of the login layer that servers also state after MAIL and RCPT.
_ALSO_LATER = frozenset(
    {Reason.AUTH_MISSING, Reason.TLS_REQUIRED, Reason.ACCOUNT_SUSPENDED, Reason.ACCOUNT_DISABLED, Reason.WRONG_SERVER}
)
_AFTER_LOGIN = frozenset(
    {Reason.MAILBOX_OVER_QUOTA, Reason.MAILBOX_NEAR_QUOTA, Reason.CLIENT_ID_REQUIRED, Reason.MAILBOX_IN_USE}
)


def replies() -> tuple[Signature, ...]:
    """Return the rows that are judged: replies of mail servers, without those that a standard code decides."""
    return tuple(row for row in signatures.rows() if row.pattern and row.protocol not in (SASL, CONNECT))


def is_word(row: Signature) -> bool:
    """Tell whether a row belongs to the generic vocabulary."""
    return row.id in _words()


def ten_folds(rows: Sequence[Signature]) -> list[Judged]:
    """Judge each row's example by a table without its fold."""
    judged: list[Judged] = []
    for fold in range(FOLDS):
        out = [row for row in rows if zlib.crc32(row.id.encode()) % FOLDS == fold]
        with without({row.id for row in out}):
            judged += [judge(row) for row in out]
    return sorted(judged, key=lambda each: each.name)


def without_family() -> list[Judged]:
    """Judge the replies of each family by a table without the family, as those of an unknown server."""
    judged: list[Judged] = []
    for scope in sorted(signatures.scopes()):
        out = [row for row in replies() if row.provider == scope]
        with without({row.id for row in out}):
            judged += [judge(row, known=False) for row in out]
    return judged


def field() -> list[Judged]:
    """Judge the replies from public reports, without a phase (`explain`) and with one where it is plain (live)."""
    judged: list[Judged] = []
    for each in yaml.load(FIELD.read_bytes(), Loader=yaml.CSafeLoader):
        expected = tuple(Reason(reason) for reason in each["expected"])
        text, protocol = as_received(each["text"]), Service(each["protocol"])
        for name, phase in (("explain", None), ("live", _field_phase(protocol, text, expected))):
            verdict = classify(protocol, "", text, phase, families=_families(each["provider"]))
            judged.append(Judged(f"{each['id']} ({name})", text, expected, verdict, grade(expected, verdict)))
    return judged


def bounces() -> list[Judged]:
    """Judge the replies that delivery status notifications quote, as `explain` and the round trip do."""
    judged: list[Judged] = []
    for each in yaml.load(BOUNCES.read_bytes(), Loader=yaml.CSafeLoader):
        expected = tuple(Reason(reason) for reason in each["expected"])
        verdict = classify(Service.SMTP, "", each["text"], Phase.SUBMIT)
        judged.append(Judged(each["id"], each["text"], expected, verdict, grade(expected, verdict)))
    return judged


def judge(row: Signature, *, known: bool = True) -> Judged:
    """Judge a row's example in the context of a live run."""
    family = (row.provider,) if known and row.provider not in SOFTWARE | {ANY} else ()
    software = (row.provider,) if known and row.provider in SOFTWARE else ()
    verdict = classify(protocol(row), "", row.example, phase(row), families=family, software=software)
    # one of several causes alone is more than the server said
    expected = (row.reason,)
    return Judged(row.id, row.example, expected, verdict, grade(expected, verdict))


def protocol(row: Signature) -> Service | None:
    return Service(row.protocol) if row.protocol in ("imap", "pop3", "smtp") else protocol_of(row.example)


def phase(row: Signature) -> Phase:
    """Return the phase in which the server says it: the login, or the submission or the opening of the mailbox."""
    spoken, layer = protocol(row), about(row.reason).layer
    later = Phase.SUBMIT if spoken is Service.SMTP else Phase.SELECT
    if row.when:
        return Phase.LOGIN if row.when == "login" else later
    if layer in (Layer.DELIVERY, Layer.MAILBOX) or row.reason in _AFTER_LOGIN:
        return later
    if spoken is Service.SMTP:
        login = normalise(spoken, row.example, None)
        answers_login = login.login or (login.login is None and login.likely is None)
        is_login = answers_login if row.reason in _ALSO_LATER else login.login or layer is Layer.AUTH
        return Phase.LOGIN if is_login else later
    return Phase.LOGIN


@contextmanager
def without(ids: Collection[str]) -> Iterator[None]:
    """Take rows out of the table."""
    kept = tuple(row for row in signatures.rows() if row.id not in ids)
    try:
        with mock.patch.object(signatures, "rows", return_value=kept):
            _forget()
            yield
    finally:
        _forget()


def _forget() -> None:
    for each in _CACHED:
        each.cache_clear()


def _words() -> frozenset[str]:
    path = Path(signatures.__file__).parents[1] / "data" / "wordings.yaml"
    return frozenset(row["id"] for row in yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader))


def _families(provider: str | None) -> tuple[str, ...]:
    preset = presets.presets().get(provider or "")
    return preset.families if preset else tuple({provider} & signatures.scopes()) if provider else ()


def _field_phase(protocol: Service, text: str, expected: Collection[Reason]) -> Phase:
    about_login = {each for each in expected if about(each).layer is Layer.AUTH} - _ALSO_LATER
    if protocol is not Service.SMTP:
        return Phase.LOGIN if about_login else Phase.SELECT
    said = normalise(protocol, text, None)
    return (
        Phase.LOGIN if said.login or (about_login and said.likely is None) or not _is_later(expected) else Phase.SUBMIT
    )


def _is_later(expected: Collection[Reason]) -> bool:
    return any(about(each).layer is not Layer.AUTH or each in _ALSO_LATER for each in expected)
