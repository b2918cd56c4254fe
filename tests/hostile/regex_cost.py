"""A regular expression is matched by backtracking, as Python's `re` does it, and each step is counted.

Also makes inputs from the pattern itself: the beginning of something that matches, then a part of it many times, then
what cannot match. That is the form of the inputs for which backtracking takes quadratic or exponential time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

sre: Any = import_module("re._constants")
parser: Any = import_module("re._parser")
Ops = Sequence[tuple[Any, Any]]
Then = Callable[[int], int | None]
REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
ONE_CHARACTER = (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN)
CATEGORIES: dict[Any, Callable[[str], bool]] = {
    sre.CATEGORY_DIGIT: str.isdigit,
    sre.CATEGORY_SPACE: str.isspace,
    sre.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    sre.CATEGORY_NOT_DIGIT: lambda char: not char.isdigit(),
    sre.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    sre.CATEGORY_NOT_WORD: lambda char: not (char.isalnum() or char == "_"),
}
CANDIDATES = 'a0 \tAe.-=/:;,"\\()[]{}<>@_+\r\n\x00!é'
MOST = 200_000  # steps: nothing linear comes near


class TooManyStepsError(Exception):
    """More than MOST."""


def _is(op: Any, arg: Any, char: str) -> bool:
    if op is sre.IN:
        negated = arg[0][0] is sre.NEGATE
        return negated != any(_is(kind, each, char) for kind, each in arg[negated:])
    if op is sre.RANGE:
        return bool(arg[0] <= ord(char) <= arg[1])
    if op is sre.CATEGORY:
        return CATEGORIES[arg](char)
    if op is sre.ANY:
        return True  # with or without DOTALL: the worse case
    return (ord(char) == arg) is (op is sre.LITERAL)


class Matcher:
    """Matches one pattern and counts. `steps` is the sum over all calls."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self.ops: Ops = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG).data
        self._ignores_case = bool(pattern.flags & re.IGNORECASE)
        self._multiline = bool(pattern.flags & re.MULTILINE)
        self.steps = 0
        self.text = ""

    def match(self, text: str, at: int = 0) -> int | None:
        self.text = text
        return self._run(self.ops, 0, at, lambda end: end)

    def search_all(self, text: str) -> None:
        """As finditer and sub: from each position, and on from the end of each match."""
        at = 0
        while at <= len(text):
            end = self.match(text, at)
            at = at + 1 if end is None else max(end, at + 1)

    def _accepts(self, op: Any, arg: Any, at: int) -> bool:
        self.steps += 1
        if self.steps > MOST:
            raise TooManyStepsError
        if at >= len(self.text):
            return False
        char = self.text[at]
        return _is(op, arg, char) or (self._ignores_case and _is(op, arg, char.swapcase()))

    def _run(self, ops: Ops, index: int, at: int, then: Then) -> int | None:
        while index < len(ops) and ops[index][0] in ONE_CHARACTER:
            if not self._accepts(ops[index][0], ops[index][1], at):
                return None
            index, at = index + 1, at + 1
        if index == len(ops):
            return then(at)
        self.steps += 1
        op, arg = ops[index]

        def rest(end: int) -> int | None:
            return self._run(ops, index + 1, end, then)

        if op is sre.AT:
            return rest(at) if self._holds(arg, at) else None
        if op is sre.SUBPATTERN:
            return self._run(arg[-1].data, 0, at, rest)
        if op is sre.BRANCH:
            for branch in arg[1]:
                if (end := self._run(branch.data, 0, at, rest)) is not None:
                    return end
            return None
        if op is sre.ATOMIC_GROUP:
            end = self._run(arg.data, 0, at, lambda here: here)
            return None if end is None else rest(end)
        if op in (sre.ASSERT, sre.ASSERT_NOT):
            starts = [at] if arg[0] > 0 else range(at, max(-1, at - 3), -1)  # behind: of at most two characters here
            holds = any(self._run(arg[1].data, 0, start, lambda here: here) is not None for start in starts)
            return rest(at) if holds is (op is sre.ASSERT) else None
        if op in REPEATS:
            return self._repeat(op, arg, at, rest)
        raise NotImplementedError(str(op))

    def _repeat(self, op: Any, arg: Any, at: int, rest: Then) -> int | None:
        least, most, body = arg[0], arg[1], arg[2].data
        if len(body) == 1 and body[0][0] in ONE_CHARACTER and op is not sre.MIN_REPEAT:
            count = 0
            while count < most and self._accepts(body[0][0], body[0][1], at + count):
                count += 1
            fewest = least if op is sre.MAX_REPEAT else count
            for taken in range(count, max(fewest, least) - 1, -1):
                if (end := rest(at + taken)) is not None:
                    return end
            return None
        if op is sre.POSSESSIVE_REPEAT:
            count = 0
            while count < most and (end := self._run(body, 0, at, lambda here: here)) is not None and end > at:
                count, at = count + 1, end
            return rest(at) if count >= least else None

        def again(count: int, here: int) -> int | None:
            if op is sre.MIN_REPEAT and count >= least and (end := rest(here)) is not None:
                return end
            if count < most:
                end = self._run(body, 0, here, lambda on: again(count + 1, on) if on > here or count < least else None)
                if end is not None:
                    return end
            return rest(here) if op is sre.MAX_REPEAT and count >= least else None

        return again(0, at)

    def _holds(self, where: Any, at: int) -> bool:
        text = self.text
        if where in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
            return at == 0 or (where is sre.AT_BEGINNING and self._multiline and text[at - 1] == "\n")
        if where in (sre.AT_END, sre.AT_END_STRING):
            return at == len(text) or (where is sre.AT_END and text[at] == "\n" and self._multiline)
        is_word = CATEGORIES[sre.CATEGORY_WORD]
        edge = (at > 0 and is_word(text[at - 1])) != (at < len(text) and is_word(text[at]))
        return edge is (where is sre.AT_BOUNDARY)


def sample(ops: Ops) -> str:
    """Something short that matches these parts; what is optional is there once."""
    text = ""
    for op, arg in ops:
        if op is sre.LITERAL:
            text += chr(arg)
        elif op in ONE_CHARACTER:
            text += next((char for char in CANDIDATES if _is(op, arg, char)), chr(0x4E00))
        elif op is sre.SUBPATTERN:
            text += sample(arg[-1].data)
        elif op is sre.BRANCH:
            text += sample(arg[1][0].data)
        elif op is sre.ATOMIC_GROUP:
            text += sample(arg.data)
        elif op in REPEATS:
            text += sample(arg[2].data) * max(1, arg[0])
    return text


def _beginnings(ops: Ops, before: str = "") -> Iterator[tuple[str, Ops]]:
    """For each repetition: what matches up to it, and what is repeated."""
    for index, (op, arg) in enumerate(ops):
        here = before + sample(ops[:index])
        if op in REPEATS:
            yield here, arg[2].data
            yield from _beginnings(arg[2].data, here)
        elif op is sre.BRANCH:
            for branch in arg[1]:
                yield from _beginnings(branch.data, here)
        elif op is sre.SUBPATTERN:
            yield from _beginnings(arg[-1].data, here)


def hostile_shapes(ops: Ops) -> set[tuple[str, str, str]]:
    """(beginning, what is repeated, end): made from the pattern."""
    found = set()
    whole = sample(ops)
    for before, body in _beginnings(ops):
        parts = {sample(body), before, before + sample(body), whole, *before[-1:]}
        if len(body) == 1 and body[0][0] in ONE_CHARACTER:
            parts |= {char for char in CANDIDATES if _is(*body[0], char)} & set(whole + " 0a\\")
        for part in parts - {""}:
            found |= {(begin, part, end) for begin in ("", before) for end in ("", "\x00", "\n!")}
    return found


def excess(pattern: re.Pattern[Any], *, anchored: bool, size: int = 240) -> str:
    """Empty where the steps grow linearly for each hostile shape; otherwise, the shape and the counts."""
    ops = Matcher(pattern).ops

    def steps(shape: tuple[str, str, str], times: int) -> int:
        matcher, text = Matcher(pattern), shape[0] + shape[1] * (times // len(shape[1]) + 1) + shape[2]
        try:
            matcher.match(text) if anchored else matcher.search_all(text)
        except TooManyStepsError:
            return MOST
        return matcher.steps

    for shape in sorted(hostile_shapes(ops)):
        few = steps(shape, size)
        # 15 steps a character are linear, whatever comes; else the growth decides.
        if few > 15 * size and (many := steps(shape, 4 * size)) > min(5.5 * few, MOST - 1):
            return f"{shape}: {few} steps for {size} characters, {many} for {4 * size}"
    return ""
