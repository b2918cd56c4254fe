"""The table of all measures, for the terminal, docs/signatures.md and the benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.verdicts import measures
from tests.verdicts.grading import Figures, Grade, Judged


def measured() -> Mapping[str, Sequence[Judged]]:
    """Return all measures by name."""
    rows = measures.replies()
    field = measures.field()
    return {
        "ten folds: replies": measures.ten_folds([row for row in rows if not measures.is_word(row)]),
        "ten folds: replies and words": measures.ten_folds(rows),
        "without the family": measures.without_family(),
        "the field (explain)": [each for each in field if each.name.endswith("(explain)")],
        "the field (live)": [each for each in field if each.name.endswith("(live)")],
        "bounces": measures.bounces(),
    }


def table(found: Mapping[str, Sequence[Judged]]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| measure | replies | " + " | ".join(Grade) + " |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join([*lines, *(Figures.of(judged).row(name) for name, judged in found.items())])
