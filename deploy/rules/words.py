"""Parts of the texts that are queried when an alert fires: reason, last success, targets. None of them is ever a label.

The reason is the one seen most in the last five minutes by all replicas together, so that a failed scrape does not lose
it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

_TARGET: Final = r"job=%q,target=%q"
_PROBE: Final = r"job=%q,target=%q,probe=%q"
TARGET_ARGS: Final = "$labels.job $labels.target"
PROBE_ARGS: Final = "$labels.job $labels.target $labels.probe"


def why(matchers: str, args: str, *, zh: bool = False, and_on: str = "") -> str:
    """Return `: wrong_password in phase login`, as a template. It gives nothing if the reason is unknown."""
    counted = f"count_over_time(mailprobe_probe_failure_info{{{matchers}}}[5m])"
    asked = f'printf "topk(1, sum by (phase, reason) ({counted}{and_on}))" {args} | query'
    said = (
        "：{{ .Labels.reason }}（{{ .Labels.phase }} 阶段）"
        if zh
        else ": {{ .Labels.reason }} in phase {{ .Labels.phase }}"
    )
    return f"{{{{ range {asked} }}}}{said}{{{{ end }}}}"


def since(matchers: str, args: str, *, zh: bool = False) -> str:
    """Return ` Last worked 12m 3s ago.`, as a template. It gives nothing if there was no success within a day."""
    latest = f"max(max_over_time(mailprobe_probe_last_success_timestamp_seconds{{{matchers}}}[1d]))"
    asked = f'printf "time() - {latest}" {args} | query'
    ago = "{{ . | first | value | humanizeDuration }}"
    said = f"最后一次正常在 {ago} 前。" if zh else f" Last worked {ago} ago."
    return f"{{{{ with {asked} }}}}{said}{{{{ end }}}}"


def probe_why(*, zh: bool = False) -> str:
    """Return the reason of the alert's target and probe."""
    return why(_PROBE, PROBE_ARGS, zh=zh)


def probe_since(*, zh: bool = False) -> str:
    return since(_PROBE, PROBE_ARGS, zh=zh)


def target_why(more: str = "", *, zh: bool = False) -> str:
    """Return the reason of any probe of the alert's target that matches `more`."""
    return why(_TARGET + more, TARGET_ARGS, zh=zh)


def target_since(more: str = "", *, zh: bool = False) -> str:
    return since(_TARGET + more, TARGET_ARGS, zh=zh)


def domain_why(*, zh: bool = False) -> str:
    return why(r"job=%q,domain=%q,probe=\"dns\"", "$labels.job $labels.domain", zh=zh)


def domain_since(*, zh: bool = False) -> str:
    return since(r"job=%q,domain=%q,probe=\"dns\"", "$labels.job $labels.domain", zh=zh)


def endpoint_why(*, zh: bool = False) -> str:
    """Return the reason of the alert's server and port, from the tls probe of any target that has them."""
    known = r" and on (job, target) last_over_time(mailprobe_endpoint_info{job=%q,server=%q,port=%q}[5m])"
    args = "$labels.job $labels.job $labels.server $labels.port"
    return why(r"job=%q,probe=\"tls\"", args, zh=zh, and_on=known)


def each(query: str, args: str, label: str, said: str) -> str:
    """Return ` a, b, c` for the result of a query, sorted by a label. `said` is the template for one `$each`."""
    asked = f'printf "{query}" {args} | query | sortByLabel "{label}"'
    return f"{{{{ range $index, $each := {asked} }}}}{{{{ if $index }}}},{{{{ end }}}} {said}{{{{ end }}}}"


def of_scope(scope: str, matchers: str, args: str, *, zh: bool = False) -> str:
    """Return up to five targets of one wide cause, with the reason of each."""
    info = rf"last_over_time(mailprobe_root_cause_info{{scope=\"{scope}\",{matchers}}}[3m])"
    query = f"topk(5, max by (target, reason) ({info}))"
    reason = "{{ $each.Labels.reason }}"
    said = "{{ $each.Labels.target }}" + (f"（{reason}）" if zh else f" ({reason})")
    return each(query, args, "target", said)


def reasons_of(scope: str, matchers: str, args: str) -> str:
    """Return up to three reasons of one wide cause."""
    info = rf"last_over_time(mailprobe_root_cause_info{{scope=\"{scope}\",{matchers}}}[3m])"
    return each(f"topk(3, count by (reason) ({info}))", args, "reason", "{{ $each.Labels.reason }}")
