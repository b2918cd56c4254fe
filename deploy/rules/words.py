"""Parts of the texts that are queried when an alert fires: reason, last success, targets. None of them is ever a label.

The reason is the one seen most in the last five minutes by all replicas together, so that a failed scrape does not lose
it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

_TARGET: Final = r"job=%q,target=%q"
_PROBE: Final = r"job=%q,target=%q,probe=%q"
_REASON: Final = "{{ $each.Labels.reason }}"
_PORT: Final = "{{ $each.Labels.port }}"
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


def mailboxes_of(scope: str, matchers: str, args: str, *, zh: bool = False) -> str:
    """Return ` for 6 mailboxes: a, b, c, d, e and 1 more`, of one wide cause. It gives nothing if there are none.

    One query gives the number and the names, so that they agree.
    """
    info = rf"last_over_time(mailprobe_root_cause_info{{kind=\"mailbox\",scope=\"{scope}\",{matchers}}}[3m])"
    asked = f'printf "group by (target) ({info})" {args} | query | sortByLabel "target"'
    comma = "、" if zh else ", "
    some = (
        "{{ range $index, $each := . }}{{ if lt $index 5 }}"
        f"{{{{ if $index }}}}{comma}{{{{ end }}}}{{{{ $each.Labels.target }}}}{{{{ end }}}}{{{{ end }}}}"
    )
    left = "等" if zh else " and {{ len (slice . 5) }} more"
    count = "，{{ len . }} 个邮箱受影响：" if zh else " for {{ len . }} mailbox{{ if gt (len .) 1 }}es{{ end }}: "
    return f"{{{{ with {asked} }}}}{count}{some}{{{{ if gt (len .) 5 }}}}{left}{{{{ end }}}}{{{{ end }}}}"


def reasons_of(scope: str, matchers: str, args: str, *, zh: bool = False) -> str:
    """Return ` (timeout, connection_refused)`: up to three reasons of one wide cause, the most frequent ones."""
    info = rf"last_over_time(mailprobe_root_cause_info{{scope=\"{scope}\",{matchers}}}[3m])"
    asked = f'printf "topk(3, count by (reason) ({info}))" {args} | query | sortByLabel "reason"'
    comma = "、" if zh else ", "
    some = f"{{{{ range $index, $each := . }}}}{{{{ if $index }}}}{comma}{{{{ end }}}}{_REASON}{{{{ end }}}}"
    start, end = ("（", "）") if zh else (" (", ")")
    return f"{{{{ with {asked} }}}}{start}{some}{end}{{{{ end }}}}"


def ports_of(matchers: str, args: str, *, zh: bool = False) -> str:
    """Return ` on port 465, 993`: the ports of a server whose own probe fails. It gives nothing if there are none."""
    down = rf"last_over_time(mailprobe_root_cause_info{{kind=\"endpoint\",scope=\"host\",{matchers}}}[3m])"
    known = f"last_over_time(mailprobe_endpoint_info{{{matchers}}}[5m]) and on (job, target) {down}"
    asked = f'printf "group by (port) ({known})" {args} | query | sortByLabel "port"'
    comma = "、" if zh else ", "
    some = f"{{{{ range $index, $each := . }}}}{{{{ if $index }}}}{comma}{{{{ end }}}}{_PORT}{{{{ end }}}}"
    return f"{{{{ with {asked} }}}}{' 端口 ' if zh else ' on port '}{some}{{{{ end }}}}"
