"""Checks every dashboard with TypeScript's compiler as a `Dashboard` of Grafana's own @grafana/schema.

A misspelt key, a wrong type or a value that is not in a closed list is a type error.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.grafana.panels import LANGUAGES, NAMES, Json, dashboard, panels

MODULES = Path(__file__).parents[1] / "node_modules"

# A string with a value of an enum is accepted, because JSON has no enums.
HEAD = """\
import type { Dashboard } from "@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as bars from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type * as series from
  "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
import type * as states from
  "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";

type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
"""
# The fields of an annotation for Prometheus' data source: the schema has only the fields common to all data sources.
DATASOURCES_OWN = {"expr", "step", "titleFormat", "textFormat", "tagKeys", "useValueForTime"}
OPTIONS = {
    "stat": ("stat.Options", ""),
    "table": ("table.Options", "table.FieldConfig"),
    "bargauge": ("bars.Options", ""),
    "timeseries": ("series.Options", "series.FieldConfig"),
    "state-timeline": ("states.Options", "states.FieldConfig"),
}


def declarations(name: str, language: str) -> str:
    """Return the declarations of the dashboard and, by kind of panel, of the options that it leaves open."""
    made = dashboard(name, language)
    for annotation in made["annotations"]["list"]:
        assert set(annotation) >= DATASOURCES_OWN
        for key in DATASOURCES_OWN:
            del annotation[key]
    lines = [f"export const d: Plain<Dashboard> = {json.dumps(made, ensure_ascii=False)};"]
    for panel in panels(name, language):
        options, custom = OPTIONS[panel["type"]]
        number = panel["id"]
        lines.append(f"export const o{number}: Plain<{options}> = {json.dumps(panel['options'], ensure_ascii=False)};")
        if custom:
            given = json.dumps(panel["fieldConfig"]["defaults"]["custom"])
            lines.append(f"export const c{number}: Plain<{custom}> = {given};")
        else:
            assert "custom" not in panel["fieldConfig"]["defaults"]
    return "\n".join(lines) + "\n"


def complaints(folder: Path, files: dict[str, str]) -> list[str]:
    """Return the messages of `tsc --strict` about these sources."""
    compiler = MODULES / "typescript" / "bin" / "tsc"
    node = shutil.which("node")
    assert node, "node is missing: apt-get install nodejs npm, then make install-npm"
    assert compiler.exists(), "make install-npm"
    (folder / "node_modules").symlink_to(MODULES)
    for name, text in files.items():
        (folder / name).write_text(HEAD + text, encoding="utf-8")
    flags = ["--strict", "--noEmit", "--skipLibCheck", "--module", "preserve", "--moduleResolution", "bundler"]
    done = subprocess.run(
        [node, str(compiler), *flags, "--target", "es2022", *files],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.stderr == ""
    assert (done.returncode == 0) == (done.stdout == "")
    return done.stdout.splitlines()


def spoilt(kind: str) -> Json:
    """Return a dashboard with one error."""
    made = dashboard("exporter")
    made["annotations"]["list"] = []
    panel = next(each for each in made["panels"] if each["type"] == "stat")
    if kind == "key":
        panel["fieldConfig"]["defaults"]["units"] = "s"
    elif kind == "type":
        panel["gridPos"]["w"] = "6"
    elif kind == "enum":
        panel["fieldConfig"]["defaults"]["color"]["mode"] = "threshold"
    else:
        made["templating"]["list"][0]["auto_count"] = 30
    return made


MISTAKES = ("key", "type", "enum", "auto")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the messages about all dashboards, and about one with each error."""
    files = {f"{name}-{language}.ts": declarations(name, language) for name in NAMES for language in LANGUAGES}
    files |= {
        f"mistake-{kind}.ts": f"export const d: Plain<Dashboard> = {json.dumps(spoilt(kind))};\n" for kind in MISTAKES
    }
    return complaints(tmp_path_factory.mktemp("types"), files)


def test_every_dashboard_is_one_by_grafanas_own_types(said: list[str]):
    assert [line for line in said if not line.startswith(("mistake-", " "))] == []


@pytest.mark.parametrize("kind", MISTAKES)
def test_the_types_find_mistakes(said: list[str], kind: str):
    assert [line for line in said if line.startswith(f"mistake-{kind}.ts(")]
