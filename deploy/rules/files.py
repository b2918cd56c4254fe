"""The generated files: name, header and content of each.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from deploy.rules.book import ALERTS, RECORDINGS
from deploy.rules.rule import Options
from deploy.rules.writer import as_data, document

DEPLOY: Final = Path(__file__).parents[1]
RECORDING_FILE: Final = "mailprobe.rules.yml"
ALERT_FILE: Final = "mailprobe.alerts.yml"
KUBERNETES_FILE: Final = "prometheusrule.yaml"
MIXIN_FILE: Final = "rules.json"  # the YAML parser of jsonnet 0.18 does not understand block texts

_MADE: Final = (
    "Made by `python -m deploy.rules`: change deploy/rules/, not this file. SPDX-License-Identifier: Apache-2.0"
)
_HEADS: Final = {
    RECORDING_FILE: f"Recording rules of mailprobe, for Prometheus 2.42 and newer.\n{_MADE}\n\n"
    "Load them with mailprobe.alerts.yml: MailErrorBudgetBurn and the dashboards read them.",
    ALERT_FILE: f"Alerts of mailprobe, for Prometheus 2.42 and newer.\n{_MADE}\n\n"
    "A reason never becomes a label: with `for:` an alert whose reason flips would never fire. The annotation looks\n"
    "it up. Gauges are read through windows: one failed scrape is neither a recovery nor a gap. Replicas of mailprobe\n"
    "must agree by majority. docs/rules.md tells how to load, choose and extend these.",
    KUBERNETES_FILE: f"All rules of mailprobe, for the Prometheus operator.\n{_MADE}",
}
_CUSTOM_RESOURCE: Final = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: mailprobe
  labels:
    app.kubernetes.io/name: mailprobe
spec:
"""


def rule_files(options: Options) -> dict[str, str]:
    """Return the text of each rule file, by file name."""
    head, _, groups = document((*RECORDINGS, *ALERTS), options, _HEADS[KUBERNETES_FILE]).partition("groups:\n")
    spec = "".join(f"  {line}\n" if line else "\n" for line in ("groups:", *groups.splitlines()))
    return {
        RECORDING_FILE: document(RECORDINGS, options, _HEADS[RECORDING_FILE]),
        ALERT_FILE: document(ALERTS, options, _HEADS[ALERT_FILE]),
        KUBERNETES_FILE: f"{head}{_CUSTOM_RESOURCE}{spec}",
        MIXIN_FILE: _json(options),
    }


def _json(options: Options) -> str:
    """Return the same rules as JSON, for jsonnet."""
    both = {"prometheusRules": RECORDINGS, "prometheusAlerts": ALERTS}
    made = {name: {"groups": [as_data(group, options) for group in groups]} for name, groups in both.items()}
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def shipped() -> dict[Path, str]:
    """Return the text of each committed file by path, with the default options."""
    texts = rule_files(Options())
    return {
        DEPLOY / "prometheus" / RECORDING_FILE: texts[RECORDING_FILE],
        DEPLOY / "prometheus" / ALERT_FILE: texts[ALERT_FILE],
        DEPLOY / "kubernetes" / KUBERNETES_FILE: texts[KUBERNETES_FILE],
        DEPLOY / "prometheus" / "mixin" / MIXIN_FILE: texts[MIXIN_FILE],
    }
