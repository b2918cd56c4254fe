"""Texts shown for values: Grafana's value mappings.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.models import dashboard as model

from grafana.generator.catalogue import Catalogue
from grafana.generator.spec import Text, Word


def mappings(words: tuple[Word, ...], say: Catalogue) -> list[model.ValueMapping]:
    """Return the mappings of numbers: one for all exact values, one for each range."""
    exact: dict[str, model.ValueMappingResult] = {}
    made: list[model.ValueMapping] = []
    for index, word in enumerate(words):
        shown = model.ValueMappingResult(text=say(word.text), color=word.colour, index=index)
        if word.low == word.high:
            exact[f"{word.low:g}"] = shown
        else:
            made.append(model.RangeMap(model.DashboardRangeMapOptions(word.low, word.high, shown)))
    return [model.ValueMap(exact), *made] if exact else made


def names(of: Mapping[str, Text], say: Catalogue) -> list[model.ValueMapping]:
    """Return the mappings of a label's values."""
    shown = {
        value: model.ValueMappingResult(text=say(text), index=index) for index, (value, text) in enumerate(of.items())
    }
    return [model.ValueMap(shown)] if shown else []
