"""Weighs the evidence of one reply: what agrees gives the reason, what disagrees gives the list of causes.

In: the evidence that `classify` gathered. Out: a Classification, or None if nothing is known. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from exporter.diagnosis import plain_words
from exporter.diagnosis.evidence import UNDECIDED, Evidence, Strength, exact
from exporter.model.reasons import Reason

MOST = 6  # causes listed for an ambiguous text
_RULES = 4  # rules listed
_REFUSED = Reason.AMBIGUOUS_LOGIN_REFUSED
_TEMPORARY = Reason.TEMPORARILY_UNAVAILABLE
# What a refused login without any cause usually means, if nothing is known of the provider.
_BARE_CAUSES = (
    *(Reason.WRONG_PASSWORD, Reason.APP_PASSWORD_REQUIRED, Reason.AUTH_CODE_REQUIRED, Reason.PROTOCOL_DISABLED),
)
# Reasons that blame the credentials: a reply that may pass (4yz) cannot mean them for certain.
_CREDENTIALS = frozenset({Reason.WRONG_PASSWORD, Reason.ACCOUNT_MISSING})


@dataclass(frozen=True, slots=True)
class Classification:
    """The reason that a text states, and the rules that found it, joined by " | ".

    `ambiguous`: the possible causes, if there are several; then the reason is `ambiguous_login_refused` or `unknown`.
    """

    reason: Reason
    rule: str
    ambiguous: tuple[Reason, ...] = ()
    apart: tuple[str, str] = ("", "")  # how to tell the causes apart over time: (English, Chinese)

    @property
    def causes(self) -> tuple[Reason, ...]:
        """The causes that it names: several, one, or none if they are unknown."""
        return self.ambiguous or (() if self.reason in UNDECIDED else (self.reason,))


@dataclass(frozen=True, slots=True)
class Case:
    """The evidence of one reply, and what is known of the command that it answers."""

    evidence: Sequence[Evidence]
    sentence: str  # the words of the reply
    rest: bool  # it holds words that no evidence explains
    login: bool  # it is read as the answer to a login
    certain_login: bool  # and it is known to be one
    permanent: bool  # a 5yz reply
    usual: tuple[Reason, ...] = ()  # for what this provider refuses a login, the most common first

    def of(self, *strengths: Strength) -> list[Evidence]:
        return [each for each in self.evidence if each.strength in strengths]


def weigh(case: Case) -> Classification | None:
    """Return what the evidence means together."""
    certain = case.of(Strength.WORDS, Strength.CODE) or case.of(Strength.FALLBACK)
    if not certain:
        return _bare(case)
    listed = _listed(certain, case.of(Strength.WEAK))
    if listed is not None:
        found = several(listed.reasons, [listed.rule], login=case.login or listed.of_login)
        return replace(found, apart=listed.apart)
    joined = _alternatives(case)
    if joined:
        return several((cause for each in joined for cause in each.reasons), rules(joined), login=case.login)
    reasons = _agreed(certain, case.of(Strength.WEAK))
    if len(reasons) > 1:
        return several(reasons, rules(certain), login=case.login)
    [reason] = reasons
    return _within_class(
        case, Classification(reason, joined_rules(each for each in case.evidence if _names(each, reason)))
    )


def several(causes: Iterable[Reason], found_by: Iterable[str], *, login: bool) -> Classification:
    """Return the classification of a reply with several possible causes."""
    named = tuple(dict.fromkeys(cause for cause in causes if cause is not _REFUSED))[:MOST]
    return Classification(_REFUSED if login else Reason.UNKNOWN, _join(found_by), named)


def rules(evidence: Iterable[Evidence]) -> list[str]:
    return [each.rule for each in evidence]


def joined_rules(evidence: Iterable[Evidence]) -> str:
    return _join(rules(evidence))


def _join(found_by: Iterable[str]) -> str:
    return " | ".join(list(dict.fromkeys(found_by))[:_RULES])


def _names(evidence: Evidence, reason: Reason) -> bool:
    return reason in evidence.reasons


def _listed(certain: Sequence[Evidence], weak: Sequence[Evidence]) -> Evidence | None:
    """Return the evidence that lists several causes, if the rest of the reply names none or several of just these."""
    lists = [each for each in certain if len(each.reasons) > 1]
    if len(lists) != 1:
        return None
    causes = set(lists[0].reasons)
    single = {each.reasons[0] for each in certain if len(each.reasons) == 1}
    named = single or {cause for each in _witnesses(weak) for cause in each.reasons} & causes
    return lists[0] if single <= causes and len(named) != 1 else None


def _agreed(certain: Sequence[Evidence], weak: Sequence[Evidence]) -> tuple[Reason, ...]:
    """Return the reasons that remain: general ones give way to exact ones, then a second witness decides."""
    reasons = exact([each.reasons[0] for each in certain if len(each.reasons) == 1])
    for each in certain:
        if len(each.reasons) > 1 and not any(_names(each, reason) for reason in reasons):
            reasons = (*reasons, *each.reasons)
    words = [each for each in certain if each.strength is Strength.WORDS]
    codes = [each for each in certain if each.strength is Strength.CODE]
    for first, second in ((words, codes), (certain, _witnesses(weak))):
        both = [
            reason
            for reason in reasons
            if any(_names(each, reason) for each in first) and any(_names(each, reason) for each in second)
        ]
        if len(reasons) > 1 and len(both) == 1:
            return tuple(both)
    return reasons


def _witnesses(weak: Sequence[Evidence]) -> list[Evidence]:
    """Return the weak evidence that may decide between causes: every refused login has a code for "wrong password"."""
    return [each for each in weak if not _names(each, Reason.WRONG_PASSWORD)]


def _within_class(case: Case, found: Classification) -> Classification | None:
    """Doubt a reason that contradicts the class of the reply: 4yz may pass, 5yz and refused credentials may not."""
    weaker = case.of(Strength.WEAK, Strength.CLASS)
    if found.reason is _TEMPORARY:
        refused = [each for each in weaker if _names(each, Reason.WRONG_PASSWORD) and not each.words]
        if case.login and refused:
            causes = [Reason.WRONG_PASSWORD, *(case.usual or _BARE_CAUSES)[:3], _TEMPORARY]
            return several(causes, [found.rule, *rules(refused)], login=True)
        if not case.login and case.permanent:
            return Classification(Reason.UNKNOWN, found.rule)
    if case.login and found.reason in _CREDENTIALS:
        passing = [each for each in weaker if _names(each, _TEMPORARY) and not each.words]
        if passing:
            return several([found.reason, _TEMPORARY], [found.rule, *rules(passing)], login=True)
    return found


def _bare(case: Case) -> Classification | None:
    """Weigh evidence that names no cause by itself: it counts only if the server said nothing else."""
    weak, classes = case.of(Strength.WEAK), case.of(Strength.CLASS)
    said = {cause for each in weak if each.words for cause in each.reasons}
    if case.rest or (not case.login and len(said) > 1):
        return Classification(_REFUSED, joined_rules((*weak, *classes))) if case.certain_login else None
    temporary = [each for each in (*weak, *classes) if _names(each, _TEMPORARY)]
    if temporary and not (case.permanent and all(each.words for each in temporary)):
        return Classification(_TEMPORARY, joined_rules(temporary))
    if case.login:
        return _refused(case, [each for each in weak if each not in temporary], classes)
    named = exact([cause for each in weak if each not in temporary for cause in each.reasons])
    if len(named) > 1:
        return several(named, rules(weak), login=False)
    if named:
        return Classification(named[0], joined_rules(each for each in weak if _names(each, named[0])))
    shown = [each for each in classes if each not in temporary]
    return Classification(shown[0].reasons[0], shown[0].rule) if shown else None


def _refused(case: Case, weak: list[Evidence], classes: list[Evidence]) -> Classification | None:
    """Return the meaning of a login that is refused without a cause."""
    reasons = tuple(dict.fromkeys(cause for each in weak for cause in each.reasons if cause is not _REFUSED))
    if len(reasons) > 1:
        return several(reasons, rules(weak), login=True)
    blamed = any(not each.words for each in weak) and set(case.usual) <= {Reason.WRONG_PASSWORD}
    if reasons and (reasons[0] is not Reason.WRONG_PASSWORD or blamed):
        return Classification(reasons[0], joined_rules(each for each in weak if _names(each, reasons[0])))
    if not reasons and classes and classes[0].reasons[0] is not _REFUSED:
        return Classification(classes[0].reasons[0], classes[0].rule)
    if not weak and not case.certain_login:
        return None
    return several([*reasons, *(case.usual or _BARE_CAUSES)], rules((*weak, *classes)), login=True)


def _alternatives(case: Case) -> list[Evidence]:
    """Return the evidence that the server joins by "or": it names several causes itself."""
    text = case.sentence.lower()
    placed = sorted(
        (at, at + len(each.words), index, each)
        for index, each in enumerate(case.of(Strength.WORDS, Strength.WEAK))
        if each.words and (at := text.find(each.words.lower())) >= 0
    )
    joined: list[Evidence] = []
    for (_, end, _, before), (start, _, _, after) in pairwise(placed):
        if before.reasons != after.reasons and start > end and _is_or(text[end:start]):
            joined += [before, after]
    return joined


def _is_or(between: str) -> bool:
    known = plain_words.load()
    words = between.strip(" ,;:.").split()
    return not known.alternative.isdisjoint(words) and known.alternative | known.links >= set(words)
