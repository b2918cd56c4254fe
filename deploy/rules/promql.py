"""PromQL parts that many expressions share: the majority of the replicas, and which wider causes suppress an alert.

A gauge is read as its last value within three minutes, so that one failed scrape neither resolves an alert nor leaves a
gap.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import indent
from typing import Final

from deploy.rules.rule import WINDOW

LOGIN: Final = 'probe=~"imap|pop3|smtp"'
THROTTLED: Final = "rate_limited|sending_limit_reached|greylisted"
MX: Final = 'policy="mx"'
WIDE: Final = "domain|host|provider"


def block(text: str) -> str:
    """Put an expression in parentheses, indented."""
    return f"(\n{indent(text, '  ')}\n)"


def without(expr: str, *others: str) -> str:
    """Return the series of an expression for which none of `others` (each begins with `on (…)`) has a series."""
    return "\n".join([expr, *(f"unless {other}" for other in others)])


def online(series: str) -> str:
    """Keep only replicas that have a network. Others are not counted."""
    return without(series, "on (job, $replica) last_over_time(mailprobe_vantage_up[3m]) == 0")


def success(matchers: str = "") -> str:
    """Return the share of replicas for which a probe works. A replica whose runs are inconclusive is not counted."""
    return "avg without ($replica) " + block(
        without(
            f"last_over_time(mailprobe_probe_success{_braces(matchers)}[3m])",
            "on (job, $replica, target, probe) min_over_time(mailprobe_probe_inconclusive[3m]) == 1",
        )
    )


def failing(matchers: str = "") -> str:
    """Return the probes that fail on most replicas."""
    return f"{success(matchers)} < 0.5"


def failed_lately() -> str:
    """Return the probes that have failed within the window on most replicas, also if they work again."""
    return (
        "avg without ($replica) "
        + block(
            without(
                "min_over_time(mailprobe_probe_success[3m])",
                "on (job, $replica, target, probe) min_over_time(mailprobe_probe_inconclusive[3m]) == 1",
            )
        )
        + " < 0.5"
    )


def failing_for(reason: str, matchers: str) -> str:
    """Return the probes that fail on most replicas, on one of them for such a reason (matchers of failure_info)."""
    return (
        "max without ($replica, phase, reason, layer) (\n"
        f"  max_over_time(mailprobe_probe_failure_info{_braces(matchers, reason)}[3m])\n"
        ")\n"
        f"and on (job, target, probe) {failing(matchers)}"
    )


def rejected() -> str:
    """Return the mailboxes whose login fails on most replicas and is refused on one of them."""
    return "max without (probe) " + block(failing_for('layer="auth"', LOGIN))


def wider(scopes: str = WIDE) -> str:
    """For `without`: failures with a wider cause. The alert of that cause reports them.

    Also for a while after its end, unless the target has a cause of its own by then.
    """
    wide = f'max_over_time(mailprobe_root_cause_info{{scope=~"{scopes}"}}[3m])'
    own = 'on (job, $replica, target) last_over_time(mailprobe_root_cause_info{scope="target"}[1m])'
    return f"on (job, target) {block(without(wide, own))}"


def not_delivery() -> str:
    """For `without`: a round trip that fails before a mail could be delivered shows nothing about delivery."""
    return 'on (job, target) max_over_time(mailprobe_probe_failure_info{probe="roundtrip",layer!="delivery"}[3m])'


def delivery(expr: str) -> str:
    """Return an alert expression about delivery that is silent if something on a lower layer is the cause."""
    return without(expr, not_delivery(), wider())


def dns_failing() -> str:
    """Return the domains whose MX, or its addresses, cannot be looked up by most replicas."""
    vote = online('last_over_time(mailprobe_dns_lookup_success{record_type=~"mx|a"}[3m])')
    return f"min without (record_type) {block(f'avg without ($replica) {block(vote)}')} < 0.5"


def policy_invalid(matcher: str) -> str:
    """Return the policies of a domain that most replicas find wrong."""
    vote = online(f"last_over_time(mailprobe_dns_policy_valid{{{matcher}}}[3m])")
    return f"avg without ($replica) {block(vote)} < 0.5"


def firing(alert: str) -> str:
    return f'ALERTS{{alertname="{alert}",alertstate="firing"}}'


def ended(alert: str, on: str, end: str, within: int = WINDOW) -> str:
    """Return what this alert fires for and what has ended within so many seconds, from the times of the end.

    Joined to the alert's expression by `or`, it makes Prometheus evaluate the texts after the end, which they then
    tell. `on`: the labels that the alert and the times have in common.
    """
    recent = f"{end} > time() - {within}"
    return block(f"{recent}\nand on ({on}) {firing(alert)}")


def failure_end(matchers: str) -> str:
    """Return the Unix time at which the latest failure of each probe ended."""
    end = f"last_over_time(mailprobe_probe_failure_end_timestamp_seconds{_braces(matchers)}[3m])"
    return f"max without ($replica) ({end})"


def login_failure_end() -> str:
    """Return the Unix time at which the latest failed login of each mailbox worked again."""
    end = f"last_over_time(mailprobe_login_failure_end_timestamp_seconds{_braces(LOGIN)}[3m])"
    return f"max without ($replica, probe) ({end})"


def any_of(exprs: Iterable[str], on: str = "") -> str:
    """Return the union of the expressions."""
    return f"\nor{f' {on}' if on else ''}\n".join(exprs)


def _braces(*matchers: str) -> str:
    given = ",".join(each for each in matchers if each)
    return f"{{{given}}}" if given else ""
