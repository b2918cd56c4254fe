"""Writes samples in the text formats 0.0.4 and OpenMetrics 1.0.0, which differ only in a few places."""

from __future__ import annotations

import math
from bisect import bisect_left

from exporter.outputs.metrics.family import MetricFamily, Shape

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def label(name: str, value: str) -> str:
    """Return `name="value"` with the escapes of the exposition formats."""
    if "\\" in value or '"' in value or "\n" in value:  # rare, and translate() is slow
        value = value.translate(_ESCAPES)
    return f'{name}="{value}"'


def labels(pairs: tuple[tuple[str, str], ...]) -> str:
    return ",".join([label(name, value) for name, value in pairs])


def number(value: float) -> str:
    """Return the text of a sample's value: integers without a decimal point, others rounded to six decimals."""
    if isinstance(value, int):
        return str(int(value))  # str() of a bool, which is an int, would be "True"
    text = f"{value:.6f}"
    if math.isfinite(value):
        return text.rstrip("0").rstrip(".")
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def sample(family: MetricFamily, label_text: str, value: float) -> str:
    return f"{family.full_name}{{{label_text}}} {number(value)}\n"


def header(family: MetricFamily, *, openmetrics: bool) -> str:
    """Return the lines HELP and TYPE.

    In OpenMetrics a counter or info family is named without its suffix. The text format has no type info.
    """
    name, shape = family.full_name, str(family.shape)
    if openmetrics:
        name = name.removesuffix("_total") if family.shape is Shape.COUNTER else name
        name = name.removesuffix("_info") if family.shape is Shape.INFO else name
    elif family.shape is Shape.INFO:
        shape = "gauge"
    return f"# HELP {name} {family.help}\n# TYPE {name} {shape}\n"


class Histogram:
    """A classic histogram. It keeps the latest exemplar of each bucket."""

    __slots__ = ("_counts", "_exemplars", "_family", "_total")

    def __init__(self, family: MetricFamily) -> None:
        self._family = family
        self._counts = [0] * (len(family.buckets) + 1)
        self._exemplars: dict[int, str] = {}
        self._total = 0.0

    def observe(self, value: float, probe_id: str, at: float) -> None:
        index = bisect_left(self._family.buckets, value)
        self._counts[index] += 1
        self._total += value
        self._exemplars[index] = f" # {{{label('probe_id', probe_id)}}} {number(value)} {number(at)}"

    def render(self, label_text: str, *, openmetrics: bool) -> str:
        """Return the lines of the samples. Only OpenMetrics has exemplars."""
        name = self._family.full_name
        lines: list[str] = []
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            bound = repr(self._family.buckets[index]) if index < len(self._family.buckets) else "+Inf"
            exemplar = self._exemplars.get(index, "") if openmetrics else ""
            lines.append(f'{name}_bucket{{{label_text},le="{bound}"}} {seen}{exemplar}\n')
        lines.append(f"{name}_sum{{{label_text}}} {number(self._total)}\n")
        lines.append(f"{name}_count{{{label_text}}} {seen}\n")
        return "".join(lines)
