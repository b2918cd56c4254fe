"""Classifies a refusal: which reason does the server's text state.

The signatures of the server's own family are tried first, then those of its software, then generic ones, then the
standard codes. Signatures of other families are not used. If the server's family is unknown, all families are tried,
and if they disagree the result is ambiguous. If nothing matches the result is None; it is never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from exporter.diagnosis import signatures, standard_codes
from exporter.diagnosis.reply import Reply, normalise, protocol_of
from exporter.diagnosis.signatures import ANY, Signature
from exporter.model import Phase, Service
from exporter.model.reasons import Reason

MOST = 6  # causes listed for an ambiguous text
_RULES = 3  # rules listed if signatures disagree
_UNDECIDED = Reason.AMBIGUOUS_LOGIN_REFUSED


@dataclass(frozen=True, slots=True)
class Classification:
    """The reason that a text states, and the rule that found it.

    `ambiguous`: the possible causes, if there are several.
    """

    reason: Reason
    rule: str
    ambiguous: tuple[Reason, ...] = ()
    apart: tuple[str, str] = ("", "")  # how to tell the causes apart over time: (English, Chinese)


def classify(
    protocol: Service | None,
    code: str,
    text: str,
    phase: Phase | None,
    *,
    families: tuple[str, ...] = (),
    software: tuple[str, ...] = (),
) -> Classification | None:
    """Classify a reply. `families` are the target's own, in order of priority; `software` is from its greeting.

    `protocol` and `phase` may be None (unknown); then they are taken from the text as far as possible.
    """
    spoken_by = protocol or protocol_of(text.lstrip())
    said = normalise(spoken_by, text, phase)
    token = signatures.about_token(said)
    if token is not None:
        return _one(token)
    if families or software:
        for scope in dict.fromkeys((*families, *software)):
            found = signatures.in_scope(scope, spoken_by, said)
            if found:
                return _outside_login(_agreed(found), spoken_by, code, said, phase)
    else:
        found = signatures.everywhere(spoken_by, said)
        if found:
            return _outside_login(_without_provider(found, spoken_by, code, said, phase), spoken_by, code, said, phase)
    found = signatures.in_scope(ANY, spoken_by, said)
    if found:
        return _outside_login(_agreed(found), spoken_by, code, said, phase)
    return _standard(spoken_by, code, said, phase)


def _outside_login(
    found: Classification, protocol: Service | None, code: str, said: Reply, phase: Phase | None
) -> Classification:
    """If causes disagree outside a login: the meaning of the standard code if it is one of them, else unknown."""
    if found.reason is not _UNDECIDED or phase in (None, Phase.LOGIN):
        return found
    standard = _standard(protocol, code, said, phase)
    if standard and standard.reason in found.ambiguous:
        return replace(found, reason=standard.reason, rule=standard.rule)
    return replace(found, reason=Reason.UNKNOWN)


def _standard(protocol: Service | None, code: str, said: Reply, phase: Phase | None) -> Classification | None:
    """Apply the standard codes. If the protocol is unknown, return what all protocols agree on."""
    asked = (protocol,) if protocol else (Service.SMTP, Service.IMAP, Service.POP3)
    verdicts = [standard_codes.judge(each, code, said.literal, phase) for each in asked]
    found = dict.fromkeys(verdict for verdict in verdicts if verdict)
    if not found:
        return None
    reason, rule = next(iter(found))
    return Classification(reason, rule) if len({each for each, _ in found}) == 1 else None


def _without_provider(
    rows: tuple[Signature, ...], protocol: Service | None, code: str, said: Reply, phase: Phase | None
) -> Classification:
    """Classify for a server of unknown family. For texts that many servers use, the standard codes count too."""
    if all(row.shared for row in rows):
        plain = signatures.in_scope(ANY, protocol, said)
        if plain and not any(row.shared for row in plain):
            return _agreed(plain)
        standard = _standard(protocol, code, said, phase)
        others = {row.reason: f"signature:{row.id}" for row in plain}
        if standard:
            others[standard.reason] = standard.rule
        others = {reason: rule for reason, rule in others.items() if reason is not _UNDECIDED}
        if not others.keys() <= {row.reason for row in rows}:
            return _several([*others, *(row.reason for row in rows)], (*others.values(), *_rules(rows)))
    return _agreed(rows)


def _agreed(rows: tuple[Signature, ...]) -> Classification:
    """Return the meaning of one signature, or of several that may disagree."""
    if len({row.reason for row in rows}) == 1:
        return _one(next((row for row in rows if row.causes), rows[0]))
    return _several([cause for row in rows for cause in (row.causes or (row.reason,))], _rules(rows))


def _one(row: Signature) -> Classification:
    return Classification(row.reason, f"signature:{row.id}", row.causes[:MOST], row.apart)


def _several(causes: Iterable[Reason], rules: Iterable[str]) -> Classification:
    named = dict.fromkeys(cause for cause in causes if cause is not _UNDECIDED)
    return Classification(_UNDECIDED, " | ".join(list(rules)[:_RULES]), tuple(named)[:MOST])


def _rules(rows: Iterable[Signature]) -> tuple[str, ...]:
    return tuple(f"signature:{row.id}" for row in rows)
