"""The rows about the operation of mailprobe: whether its runs start in time, and the resources that it uses.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from deploy import thresholds
from grafana.generator.marks import DELAY, PLAIN
from grafana.generator.promql import counted, foreign, quantile, series
from grafana.generator.spec import Filled, Lines, Query, Row, Stat

_SELF = "job, instance"


def _lines(
    title: str, shows: str, bad: str, alerts: tuple[str, ...], *queries: Query, unit: str = "short", width: int = 8,
    none: str = "no data",
) -> Lines:  # fmt: skip
    return Lines(
        title=title,
        shows=shows,
        bad=bad,
        alerts=alerts,
        queries=queries,
        unit=unit,
        width=width,
        height=8,
        none=none,
    )


def pace() -> Row:
    delay = thresholds.SCHEDULER_DELAY_SECONDS
    skipped = counted("probes_skipped_total", "job, probe, reason", "1h")
    return Row(
        "Does it keep up?",
        (
            Lines(
                title="Scheduler delay (p50, p95)",
                shows="How much later than planned runs began in the last 10 minutes.",
                bad=Filled("A p95 above {} s: too many targets, or limits that are too low.", delay),
                alerts=("MailprobeSchedulerOverloaded",),
                queries=(
                    Query(quantile("scheduler_delay_seconds", _SELF, 0.5, "10m"), "{{instance}} p50"),
                    Query(quantile("scheduler_delay_seconds", _SELF, 0.95, "10m"), "{{instance}} p95"),
                ),
                unit="s",
                width=8,
                height=8,
                steps=DELAY,
            ),
            _lines(
                "Event loop lag (p99)",
                "How much later than asked the event loop woke a sleeper.",
                "More than some hundredths of a second: latencies are measured too long.",
                ("MailprobeSchedulerOverloaded",),
                Query(quantile("event_loop_lag_seconds", _SELF, 0.99, "$__rate_interval"), "{{instance}}"),
                unit="s",
            ),
            _lines(
                "Runs under way",
                "Runs at the moment of the scrape, by probe.",
                "A probe that stays at its limit.",
                (),
                Query(f"sum by (job, probe) ({series('probes_in_progress')})", "{{probe}}"),
            ),
            _lines(
                "Runs within a minute",
                "Finished runs, by probe, over all replicas.",
                "A fall that no change of the config explains.",
                ("MailprobeProbesStalled",),
                Query(f"sum by (job, probe) (rate({series('probes_total')}[$__rate_interval])) * 60", "{{probe}}"),
            ),
            _lines(
                "Beats without a run",
                "Within each hour, by reason: the run before was not over, a server's limit, the login guard, our "
                "network.",
                "overlap or host_limit that grows: intervals are too short.",
                ("MailprobeSchedulerOverloaded",),
                Query(f"{skipped} > 0", "{{probe}} {{reason}}"),
                none="no beat was left out",
            ),
            _lines(
                "Warnings and errors in the log",
                "Log messages within each hour.",
                "Any error: read the log.",
                (),
                Query(
                    counted("log_messages_total", "job, instance, level", "1h", level="~warn|error"),
                    "{{instance}} {{level}}",
                ),
            ),
        ),
    )


def means() -> Row:
    return Row(
        "What does it use?",
        (
            _lines(
                "Memory",
                "Resident memory of the process.",
                "Growth that does not end.",
                (),
                Query(f"max by ({_SELF}) ({foreign('process_resident_memory_bytes')})", "{{instance}}"),
                unit="bytes",
                width=6,
            ),
            _lines(
                "CPU",
                "Processor time, as a share of one core.",
                "Near 100 %: one mailprobe uses one core at most.",
                (),
                Query(
                    f"max by ({_SELF}) (rate({foreign('process_cpu_seconds_total')}[$__rate_interval]))", "{{instance}}"
                ),
                unit="percentunit",
                width=6,
            ),
            _lines(
                "Open files",
                "File descriptors in use, as a share of how many are allowed.",
                "Near 100 %: connections will fail.",
                (),
                Query(
                    f"max by ({_SELF}) ({foreign('process_open_fds')} / {foreign('process_max_fds')})", "{{instance}}"
                ),
                unit="percentunit",
                width=6,
            ),
            _lines(
                "Scrape: duration",
                "How long Prometheus took to scrape.",
                "Near the scrape's timeout.",
                (),
                Query(f"max by ({_SELF}) ({foreign('scrape_duration_seconds')})", "{{instance}}"),
                unit="s",
                width=6,
            ),
            _lines(
                "Scrape: samples",
                "Samples of a scrape: what mailprobe costs Prometheus.",
                "Growth that no new target explains.",
                (),
                Query(f"max by ({_SELF}) ({foreign('scrape_samples_scraped')})", "{{instance}}"),
                width=8,
            ),
            _lines(
                "Notifications",
                "Alerts that mailprobe itself pushes to Alertmanager within each hour: sent, in vain, dropped.",
                "In vain or dropped: nobody was called.",
                ("MailprobeNotificationsFailing",),
                Query(counted("notifications_total", _SELF, "1h"), "{{instance}} sent"),
                Query(counted("notifications_failed_total", _SELF, "1h"), "{{instance}} in vain"),
                Query(counted("notifications_dropped_total", _SELF, "1h"), "{{instance}} dropped"),
                none="mailprobe pushes nothing: Prometheus does",
            ),
            Stat(
                title="Running since",
                shows="When each process began.",
                bad="A few minutes, again and again: it is restarted.",
                alerts=(),
                queries=(
                    Query(
                        f"max by ({_SELF}) ({foreign('process_start_time_seconds')}) * 1000",
                        "{{instance}}",
                        instant=True,
                    ),
                ),
                unit="dateTimeFromNow",
                width=8,
                height=8,
                steps=PLAIN,
                names=True,
                fills=False,
            ),
        ),
    )
