"""Recording rules for queries that dashboards repeat. No alert depends on them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

from deploy.rules.promql import success
from deploy.rules.rule import Group, Record

GROUP: Final = Group(
    "mailprobe-overview",
    (
        Record(
            "target_probe:mailprobe_probe_success:avg",
            success(),
            "What the replicas of mailprobe say together: 1 works, 0 fails, between them they disagree.",
        ),
        Record(
            "provider_probe:mailprobe_probe_success:avg",
            "avg without (target, kind, domain) (target_probe:mailprobe_probe_success:avg)",
        ),
        Record(
            "provider_probe:mailprobe_probe_failures:ratio_rate1h",
            """\
sum without ($replica, target, kind, domain) (rate(mailprobe_probe_failures_total[1h]))
/ sum without ($replica, target, kind, domain) (rate(mailprobe_probes_total[1h]))""",
        ),
        Record(
            "provider_probe:mailprobe_probe_latency_seconds:p95_rate1h",
            "histogram_quantile(0.95, sum without ($replica) (rate(mailprobe_probe_latency_seconds_bucket[1h])))",
        ),
        Record(
            "provider_probe_reason:mailprobe_failure_reasons:rate1h",
            "sum without ($replica) (rate(mailprobe_failure_reasons_total[1h]))",
        ),
        Record(
            "target:mailprobe_roundtrip_seconds:p95_rate6h",
            "histogram_quantile(0.95, sum without ($replica) (rate(mailprobe_roundtrip_seconds_bucket[6h])))",
        ),
        Record(
            "target:mailprobe_quota_used_bytes:ratio",
            """\
avg without ($replica) (
  last_over_time(mailprobe_quota_used_bytes[15m])
  / (last_over_time(mailprobe_quota_limit_bytes[15m]) > 0)
)""",
        ),
    ),
)
