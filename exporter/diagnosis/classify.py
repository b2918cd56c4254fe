"""Classifies a refusal: which reason does the server's reply state.

A reply is read for evidence: rows of the server's own family and of its software, generic words, and standard codes.
A row of the server's own decides, unless a clause beside its words is more exact. Otherwise the evidence is weighed
(`weigh`), and words that nothing explains take the weight from a bare code. It is never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from exporter.diagnosis import signatures, standard_codes
from exporter.diagnosis.evidence import GENERAL, Evidence, Strength, exact, longest
from exporter.diagnosis.reply import Reply, answered_command, normalise, protocol_of
from exporter.diagnosis.residue import left_over, masked
from exporter.diagnosis.signatures import Signature
from exporter.diagnosis.weigh import MOST, Case, Classification, joined_rules, several, weigh
from exporter.model import Command, Phase, Service
from exporter.model.reasons import Reason

__all__ = ["MOST", "Classification", "classify"]

_ALERT = re.compile(r"^(?:\S{1,40} )?(?:NO|BAD|BYE) \[ALERT\] *\S", re.IGNORECASE | re.MULTILINE)
_OF_CREDENTIALS = frozenset(  # only the answer to a login states these
    {Reason.WRONG_PASSWORD, Reason.AUTH_CODE_REQUIRED, Reason.APP_PASSWORD_REQUIRED, Reason.PASSWORD_EXPIRED}
)
# The answer to MAIL FROM is about the sender, whatever word the server uses for him.
_OF_SENDER: Mapping[Reason, Reason] = {
    Reason.RECIPIENT_DOMAIN_BAD: Reason.SENDER_REJECTED,
    Reason.RECIPIENT_UNKNOWN: Reason.SENDER_REJECTED,
    Reason.RECIPIENT_DISABLED: Reason.ACCOUNT_DISABLED,
    Reason.RECIPIENT_OVER_QUOTA: Reason.MAILBOX_OVER_QUOTA,
}


def classify(
    protocol: Service | None,
    code: str,
    text: str,
    phase: Phase | None,
    *,
    families: tuple[str, ...] = (),
    software: tuple[str, ...] = (),
    command: Command | None = None,
) -> Classification | None:
    """Classify a reply. `families` are the target's own, in order of priority; `software` is from its greeting.

    `protocol`, `phase` and `command` may be None (unknown); then they are taken from the text as far as possible.
    """
    command = command or answered_command(text)
    if phase is None and command is not None:
        phase = Phase.LOGIN if command is Command.AUTH else Phase.SUBMIT
    spoken_by = protocol or protocol_of(text.lstrip())
    said = normalise(spoken_by, text, phase)
    token = signatures.about_token(said)
    if token is not None:
        return _one(token)
    scopes = tuple(dict.fromkeys((*families, *software)))
    reading = _Reading(spoken_by, code, said, phase=phase, command=command, scopes=scopes)
    if said.login is not None:
        found = reading.meaning(login=said.login)
    else:
        first = said.likely if said.likely is not None else True
        found = _unphased([reading.meaning(login=first), reading.meaning(login=not first)], said)
    if found is None and _ALERT.search(said.literal):
        return Classification(Reason.PROVIDER_ALERT, "rfc3501:ALERT")
    return found


def _unphased(found: Sequence[Classification | None], said: Reply) -> Classification | None:
    """Return what a text means of which nobody knows whether it answers a login: what both readings allow."""
    told = [each for each in found if each is not None and each.causes]
    if not told or len({each.reason for each in told}) == 1 or said.likely is not None:
        return told[0] if told else None
    named = [each for each in told if not each.ambiguous]
    if len(named) == 1:
        return named[0]
    return several([cause for each in told for cause in each.causes], [each.rule for each in told], login=True)


class _Reading:
    """Gathers the evidence of one reply, read as the answer to a login or to another command."""

    def __init__(
        self,
        protocol: Service | None,
        code: str,
        said: Reply,
        *,
        phase: Phase | None,
        command: Command | None,
        scopes: tuple[str, ...],
    ) -> None:
        self._protocol, self._code, self._said, self._command = protocol, code, said, command
        self._phase = phase or (Phase.LOGIN if said.login else None)
        self._scopes = scopes

    def meaning(self, *, login: bool) -> Classification | None:
        """Return the meaning of this reading, or None if nothing is known."""
        own = self._own(login=login)
        if own is not None and not own[0].shared and (own[0].causes or own[0].reason in GENERAL):
            return _one(own[0])
        own_words = masked(own[1]) if own else ""
        words = self._words(login=login)
        strong = [each for each in words if each.strength is Strength.WORDS and each.words not in own_words]
        if own is not None and (not own[0].shared or not own_words):
            return _beside(own[0], strong)
        explained = [own_words, *(each.words for each in words)]
        rest = left_over(self._said.sentence, explained, login=login)
        if own is not None and not strong and not rest:
            return _one(own[0])
        weak = [each for each in words if each.strength is Strength.WEAK]
        if own is not None:
            weak.insert(0, _evidence(own[0], own_words))
        permanent = self._protocol is Service.SMTP and (self._code or self._said.literal.lstrip())[:1] == "5"
        return weigh(
            Case(
                [*strong, *weak, *self._codes()],
                self._said.sentence,
                rest=rest,
                login=login,
                certain_login=login and self._phase is Phase.LOGIN,
                permanent=permanent,
                usual=signatures.login_causes(self._scopes) if login and self._scopes else (),
            )
        )

    def _own(self, *, login: bool) -> signatures.Match | None:
        """Return the row of the server's own family or software, if one matches; a shared one only if no other does."""
        found = [signatures.in_scope(scope, self._protocol, self._said, login=login) for scope in self._scopes]
        matches = [each for each in found if each is not None]
        return next((each for each in matches if not each[0].shared), matches[0] if matches else None)

    def _words(self, *, login: bool) -> list[Evidence]:
        """Return the evidence of the words. Rows of all families count only if the server's family is unknown."""
        found = signatures.generic(self._protocol, self._said, login=login)
        if not self._scopes:
            found = [*found, *signatures.everywhere(self._protocol, self._said, login=login)]
        evidence = [
            (row, self._of_command(_evidence(row, masked(words))))
            for row, words in found
            if login or row.reason not in _OF_CREDENTIALS
        ]
        own = longest([each for row, each in evidence if not row.shared])
        return [*own, *(each for row, each in evidence if row.shared)]

    def _codes(self) -> list[Evidence]:
        """Return the evidence of the codes. If the protocol is unknown: of all protocols."""
        spoken = (self._protocol,) if self._protocol else (Service.SMTP, Service.IMAP, Service.POP3)
        found = [
            self._of_command(each)
            for service in spoken
            for each in standard_codes.evidence(service, self._code, self._said.literal, self._phase)
        ]
        named = [each for each in found if each.strength is not Strength.CLASS]
        return named if named and self._protocol is None else found

    def _of_command(self, evidence: Evidence) -> Evidence:
        """Return the evidence with the meaning that it has in the answer to this command."""
        match self._command:
            case Command.MAIL:
                reasons = tuple(dict.fromkeys(_OF_SENDER.get(each, each) for each in evidence.reasons))
            case Command.RCPT if Reason.RECIPIENT_DOMAIN_BAD in evidence.reasons:
                reasons = tuple(each for each in evidence.reasons if each is not Reason.SENDER_REJECTED)
            case _:
                return evidence
        return replace(evidence, reasons=reasons)


def _beside(own: Signature, strong: Sequence[Evidence]) -> Classification:
    """Return the meaning of a row of this server, unless a clause beside its words is more exact."""
    beside = [each for each in strong if len(each.reasons) == 1]
    kept = exact([own.reason, *(each.reasons[0] for each in beside)])
    if own.reason in kept or len(kept) > 1:
        return _one(own)
    more = joined_rules(each for each in beside if each.reasons[0] is kept[0])
    return Classification(kept[0], f"signature:{own.id} | {more}")


def _evidence(row: Signature, words: str) -> Evidence:
    strength = Strength.WEAK if row.weak or row.shared else Strength.WORDS
    of_login = row.reason is Reason.AMBIGUOUS_LOGIN_REFUSED
    return Evidence(row.causes or (row.reason,), f"signature:{row.id}", strength, words, row.apart, of_login)


def _one(row: Signature) -> Classification:
    return Classification(row.reason, f"signature:{row.id}", row.causes[:MOST], row.apart)
