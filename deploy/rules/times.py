"""When the fault of an alert began and ended, as annotations: by what mailprobe saw, not by when an alert was raised.

In the queries, `%[1]q` is the first of the labels that the alert is about.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Final

from deploy.rules.rule import WINDOW, Times

OUTAGE_HELD: Final = 300  # seconds; the end of an outage that has come back is known two minutes later

_RECENT: Final = 600  # seconds; a failure that ended before is not the one that the alert is about
_CLOCK: Final = '{{ (. | first | value | toTime).Local.Format "2006-01-02 15:04:05 UTC-07:00" }}'


def _times(start: str, end: str, args: str, held: int = WINDOW) -> Times:
    """Return the texts, from two queries of one Unix time. `args` are the labels that they name."""

    def asked(query: str) -> str:
        return f'printf "{query}" {args} | query'

    def told(query: str, said: str) -> str:
        return f"{{{{ with {asked(query)} }}}}{said}{{{{ end }}}}"

    return Times(
        since=told(start, _CLOCK),
        until=told(end, _CLOCK),
        lasted=told(f"({end}) - ({start})", "{{ . | first | value | humanizeDuration }}"),
        held=held,
        over=asked(end),
        when=_CLOCK,
    )


def _of_probes(matchers: str, args: str, joined: str = "", failure: str = "probe") -> Times:
    """Return the times of the probes that these matchers select.

    `joined`: by whose labels job and target they are narrowed. `failure`: of the probe, or of its login.
    """
    starts, ends = (f"mailprobe_{failure}_failure_{each}_timestamp_seconds" for each in ("start", "end"))
    narrowed = f" and on (job, target) {joined}" if joined else ""
    begun = f"min by (job, target, probe) (last_over_time({starts}{{{matchers}}}[3m]){narrowed})"
    start = f"min({begun} unless max by (job, target, probe) ({ends}{{{matchers}}}) < time() - {_RECENT})"
    works = f"min(mailprobe_probe_success{{{matchers}}}{narrowed}) == 1"
    return _times(start, f"max({ends}{{{matchers}}}{narrowed}) and on () {works}", args)


def of_outage(scope: str, matchers: str, args: str) -> Times:
    """Return the times of an outage of this scope."""
    of = rf"{{scope=\"{scope}\",{matchers}}}"
    start = f"min(last_over_time(mailprobe_outage_start_timestamp_seconds{of}[3m]))"
    end = f"max(mailprobe_outage_end_timestamp_seconds{of}) and on () max(mailprobe_outage_targets{of}) == 0"
    return _times(start, end, args, OUTAGE_HELD)


_DOMAIN: Final = "job=%[1]q,domain=%[2]q"
_LOOKUPS: Final = rf"mailprobe_dns_lookup_success{{record_type=~\"mx|a\",{_DOMAIN}}}"

OF_DOMAIN: Final = _times(
    f"min(last_over_time(mailprobe_dns_failure_start_timestamp_seconds{{{_DOMAIN}}}[3m]))",
    f"max(mailprobe_dns_failure_end_timestamp_seconds{{{_DOMAIN}}}) and on () min({_LOOKUPS}) == 1",
    "$labels.job $labels.domain",
)
OF_TARGET: Final = _of_probes("job=%[1]q,target=%[2]q", "$labels.job $labels.target")
OF_LOGINS: Final = _of_probes(
    r"job=%[1]q,target=%[2]q,probe=~\"imap|pop3|smtp\"", "$labels.job $labels.target", failure="login"
)
OF_PROBE: Final = _of_probes("job=%[1]q,target=%[2]q,probe=%[3]q", "$labels.job $labels.target $labels.probe")
OF_ENDPOINT: Final = _of_probes(
    r"job=%[1]q,probe=\"tls\"",
    "$labels.job $labels.server $labels.port",
    "last_over_time(mailprobe_endpoint_info{job=%[1]q,server=%[2]q,port=%[3]q}[5m])",
)
