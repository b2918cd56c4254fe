"""Holds the measures: they may get better, not worse. On failure: `make verdicts` lists what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from exporter.diagnosis import signatures
from exporter.diagnosis.classify import Classification
from exporter.model.reasons import Reason
from tests.verdicts import measures, tables
from tests.verdicts.grading import Figures, Grade, Judged, grade

LIMITS = yaml.safe_load((Path(__file__).parent / "limits.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def measured() -> Mapping[str, Sequence[Judged]]:
    return tables.measured()


@pytest.mark.parametrize("name", LIMITS)
def test_a_measure_does_not_get_worse(measured: Mapping[str, Sequence[Judged]], name: str):
    figures = Figures.of(measured[name])
    wrong = [each.line() for each in measured[name] if each.grade is Grade.WRONG]
    assert figures.percent(Grade.WRONG) <= LIMITS[name]["wrong"], "\n".join(wrong)
    assert figures.percent(Grade.RIGHT, Grade.LISTED) >= LIMITS[name]["named"]


def test_all_measures_are_held(measured: Mapping[str, Sequence[Judged]]):
    assert set(LIMITS) == set(measured)


def test_a_fold_is_judged_without_its_rows():
    row = next(row for row in signatures.rows() if row.id == "netease.554_hl_itc")
    assert measures.judge(row).grade is Grade.RIGHT
    [judged] = measures.ten_folds([row])
    assert judged.grade is Grade.UNKNOWN, "nothing else in the table knows these letters"
    assert measures.judge(row).grade is Grade.RIGHT, "the row is back"


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (None, Grade.UNKNOWN),
        (Classification(Reason.UNKNOWN, ""), Grade.UNKNOWN),
        (Classification(Reason.AMBIGUOUS_LOGIN_REFUSED, ""), Grade.UNKNOWN),
        (Classification(Reason.SPF_FAIL, ""), Grade.RIGHT),
        (Classification(Reason.DKIM_FAIL, ""), Grade.WRONG),
        (Classification(Reason.UNKNOWN, "", (Reason.DKIM_FAIL, Reason.SPF_FAIL)), Grade.LISTED),
        (Classification(Reason.UNKNOWN, "", (Reason.DKIM_FAIL, Reason.DMARC_REJECT)), Grade.WRONG),
    ],
)
def test_a_list_without_the_cause_is_wrong(verdict: Classification | None, expected: Grade):
    assert grade((Reason.SPF_FAIL,), verdict) is expected
