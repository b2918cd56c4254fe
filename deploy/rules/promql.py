"""The parts that many expressions have in common: who has a vote, what a majority says, what is told elsewhere.

Gauges are read through a window of three minutes, so that one failed scrape is neither a recovery nor a gap.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import indent
from typing import Final

LOGIN: Final = 'probe=~"imap|pop3|smtp"'
THROTTLED: Final = "rate_limited|sending_limit_reached|greylisted"
MX: Final = 'policy="mx"'
WIDE: Final = "domain|host|provider"


def block(text: str) -> str:
    """In parentheses, indented."""
    return f"(\n{indent(text, '  ')}\n)"


def without(expr: str, *others: str) -> str:
    """All but those for which one of `others` (each beginning with `on (…)`) is there."""
    return "\n".join([expr, *(f"unless {other}" for other in others)])


def online(series: str) -> str:
    """A replica without a network has no vote."""
    return without(series, "on (job, $replica) max_over_time(mailprobe_vantage_up[3m]) == 0")


def success(matchers: str = "") -> str:
    """The share of the replicas that find a probe working. One whose runs can tell nothing has no vote."""
    return "avg without ($replica) " + block(
        without(
            f"max_over_time(mailprobe_probe_success{_braces(matchers)}[3m])",
            "on (job, $replica, target, probe) min_over_time(mailprobe_probe_inconclusive[3m]) == 1",
        )
    )


def failing(matchers: str = "") -> str:
    """Probes that most replicas find failing."""
    return f"{success(matchers)} < 0.5"


def failing_for(reason: str, matchers: str) -> str:
    """Probes that most replicas find failing, and one of them for such a reason (matchers of failure_info)."""
    return (
        "max without ($replica, phase, reason, layer) (\n"
        f"  max_over_time(mailprobe_probe_failure_info{_braces(matchers, reason)}[3m])\n"
        ")\n"
        f"and on (job, target, probe) {failing(matchers)}"
    )


def rejected() -> str:
    """Mailboxes whose login most replicas find failing, and one of them refused."""
    return "max without (probe) " + block(failing_for('layer="auth"', LOGIN))


def wider(scopes: str = WIDE) -> str:
    """For `without`: what fails for a wider cause is told once, by the alert of that cause."""
    return f'on (job, target) max_over_time(mailprobe_root_cause_info{{scope=~"{scopes}"}}[3m])'


def not_delivery() -> str:
    """For `without`: a round trip that fails before a mail could be delivered says nothing about delivery."""
    return 'on (job, target) max_over_time(mailprobe_probe_failure_info{probe="roundtrip",layer!="delivery"}[3m])'


def delivery(expr: str) -> str:
    """An alert about delivery, silent where something below it is the cause."""
    return without(expr, not_delivery(), wider())


def dns_failing() -> str:
    """Domains whose MX, or their addresses, most replicas cannot look up."""
    vote = online('max_over_time(mailprobe_dns_lookup_success{record_type=~"mx|a"}[3m])')
    return f"min without (record_type) {block(f'avg without ($replica) {block(vote)}')} < 0.5"


def policy_invalid(matcher: str) -> str:
    """Policies of a domain that most replicas find wrong."""
    vote = online(f"max_over_time(mailprobe_dns_policy_valid{{{matcher}}}[3m])")
    return f"avg without ($replica) {block(vote)} < 0.5"


def any_of(exprs: Iterable[str], on: str = "") -> str:
    """The union."""
    return f"\nor{f' {on}' if on else ''}\n".join(exprs)


def _braces(*matchers: str) -> str:
    given = ",".join(each for each in matchers if each)
    return f"{{{given}}}" if given else ""
