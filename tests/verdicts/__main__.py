"""Prints the measures, and what was judged wrong."""

from __future__ import annotations

from tests.verdicts import tables
from tests.verdicts.grading import Grade


def main() -> None:
    measured = tables.measured()
    print(tables.table(measured))
    for name, judged in measured.items():
        wrong = [each.line() for each in judged if each.grade is Grade.WRONG]
        print(f"\n{name}: {len(wrong)} wrong", *wrong, sep="\n  ")


if __name__ == "__main__":
    main()
