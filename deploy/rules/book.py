"""All groups of rules, in the order of their files.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from deploy.rules import auth, capacity, delivery, dns, exporter, outages, recording, slo, transport, vantage
from deploy.rules.rule import Alert

RECORDINGS: Final = (recording.GROUP, slo.FAST, slo.SLOW)
ALERTS: Final = (
    vantage.GROUP,
    dns.GROUP,
    outages.GROUP,
    transport.GROUP,
    auth.GROUP,
    delivery.GROUP,
    capacity.GROUP,
    slo.GROUP,
    exporter.GROUP,
)


def alerts() -> Iterator[Alert]:
    """Yield every alerting rule. A name may exist with two severities."""
    for group in ALERTS:
        yield from (rule for rule in group.rules if isinstance(rule, Alert))
