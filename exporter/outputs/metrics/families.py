"""The table of metrics: every family's name, type, help, labels and source. docs/metrics.md is printed from it.

To add a metric, add a row here (a fact that is a number needs nothing else) and update the golden files.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.model import FactName, ProbeName

LAST = "Value of the last finished run."


class Shape(StrEnum):
    """The metric type, as TYPE names it in OpenMetrics."""

    GAUGE = "gauge"
    COUNTER = "counter"
    INFO = "info"
    HISTOGRAM = "histogram"


class Subject(StrEnum):
    """What a series is about, which decides its first labels."""

    TARGET = "target"
    ROUTE = "route"
    ENDPOINT = "endpoint"
    DOMAIN = "domain"
    RECORD = "record"
    PROVIDER = "provider"
    SELF = "self"


BASE_LABELS: dict[Subject, tuple[str, ...]] = {
    Subject.TARGET: ("target", "kind", "provider", "domain"),  # then the alert_labels
    Subject.ROUTE: ("target", "kind", "provider", "domain"),  # then the alert_labels, from, to
    Subject.ENDPOINT: ("protocol", "server", "port", "family", "provider"),
    Subject.DOMAIN: ("domain", "provider"),
    Subject.RECORD: ("domain",),
    Subject.PROVIDER: ("probe", "provider"),
    Subject.SELF: (),
}


@dataclass(frozen=True, slots=True, eq=False)
class MetricFamily:
    """One row. Identity is the row itself, so that a family is a cheap dictionary key."""

    name: str  # without the prefix, with the suffix (_total, _info) that its samples carry
    shape: Shape
    subject: Subject
    help: str
    labels: tuple[str, ...] = ()  # after those of the subject
    fact: FactName | None = None  # the fact that is its value
    probe: ProbeName | None = None  # the only probe that feeds it; None = any
    standing: bool = False  # a gauge that says nothing about a run: there from load, never withdrawn
    kept: bool = False  # the fact's last value stays when a run brings none
    replaced_by: str = ""  # deprecated: kept for one release beside the metric of this name, which has its values
    buckets: tuple[float, ...] = ()
    full_name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "full_name", f"mailprobe_{self.name}")

    @property
    def withdrawn(self) -> bool:
        """Whether its series go away when the last result is too old."""
        return self.shape in (Shape.GAUGE, Shape.INFO) and not self.standing and self.subject is not Subject.SELF


_G, _C, _I, _H = Shape.GAUGE, Shape.COUNTER, Shape.INFO, Shape.HISTOGRAM
_T, _R, _E, _D = Subject.TARGET, Subject.ROUTE, Subject.ENDPOINT, Subject.DOMAIN
_P, _S = Subject.PROVIDER, Subject.SELF
_PROBE, _ROOT, _FOLDER, _TYPE = ("probe",), ("quota_root",), ("folder",), ("record_type",)
_ENDS = ("from", "to")
_IMAP, _SMTP, _DNS, _TLS, _TRIP = ProbeName.IMAP, ProbeName.SMTP, ProbeName.DNS, ProbeName.TLS, ProbeName.ROUNDTRIP
_LATENCY = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 30.0)
_DELIVERY = (1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
_LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

TARGET_INFO = MetricFamily("target_info", _I, _T, "The target with all of its configured labels.", standing=True)
ENDPOINT_INFO = MetricFamily(
    "endpoint_info",
    _I,
    _T,
    "A server that the target uses, as configured.",
    ("protocol", "server", "port"),
    standing=True,
)
PROBE_SUCCESS = MetricFamily(
    "probe_success", _G, _T,
    "1 if the last conclusive run succeeded, 0 if it failed; for a route, about the last settled message.", _PROBE,
)  # fmt: skip
PROBE_INCONCLUSIVE = MetricFamily(
    "probe_inconclusive", _G, _T, f"1 if the run could not tell anything about the mail service. {LAST}", _PROBE
)
PROBES = MetricFamily("probes_total", _C, _T, "Finished runs, inconclusive ones too.", _PROBE)
PROBE_FAILURES = MetricFamily("probe_failures_total", _C, _T, "Finished runs that failed.", _PROBE)
PROBES_INCONCLUSIVE = MetricFamily("probes_inconclusive_total", _C, _T, "Finished runs without a verdict.", _PROBE)
PROBE_FAILURE = MetricFamily(
    "probe_failure_info", _I, _T,
    "1 while failing: where and why the last conclusive run failed.", ("probe", "phase", "reason", "layer"),
)  # fmt: skip
ROOT_CAUSE = MetricFamily(
    "root_cause_info", _I, _T,
    "1 while failing: the one cause of it, and how far that reaches; server where the scope is a host.",
    ("layer", "reason", "scope", "server"),
)  # fmt: skip
PROBE_DURATION = MetricFamily("probe_duration_seconds", _G, _T, f"Duration of the whole run. {LAST}", _PROBE)
PHASE_DURATION = MetricFamily(
    "probe_phase_duration_seconds", _G, _T, f"Duration of one step of the run. {LAST}", ("probe", "phase")
)
LAST_RUN = MetricFamily(
    "probe_last_run_timestamp_seconds", _G, _T, "Unix time at which the last finished run began.", _PROBE, standing=True
)
LAST_SUCCESS = MetricFamily(
    "probe_last_success_timestamp_seconds", _G, _T, "Unix time at which the last successful run began.", _PROBE,
    standing=True,
)  # fmt: skip
PROBE_INTERVAL = MetricFamily(
    "probe_interval_seconds", _G, _T, "Seconds between two runs, as they are in effect.", _PROBE, standing=True
)
LOGIN_SUSPENDED = MetricFamily("login_suspended", _G, _T, f"1 if the login guard did not allow a login. {LAST}", _PROBE)
LOGIN_NEXT_ATTEMPT = MetricFamily(
    "login_next_attempt_timestamp_seconds", _G, _T,
    "Unix time from which the login guard allows a login again; 0 while it is not suspended.", _PROBE,
)  # fmt: skip
LOGIN_ATTEMPTS = MetricFamily("login_attempts_total", _C, _T, "Runs in which a password was sent.", _PROBE)
LOGIN_REFUSED = MetricFamily("login_refused_total", _C, _T, "Runs in which a password was sent and refused.", _PROBE)

ROUNDTRIP_SECONDS = MetricFamily(
    "roundtrip_seconds", _H, _R, "From submission until a probe mail was seen in the receiving mailbox.", _ENDS,
    fact=FactName.ROUNDTRIP_RECEIVED, probe=_TRIP, buckets=_DELIVERY,
)  # fmt: skip
ROUNDTRIP_DEADLINE = MetricFamily(
    "roundtrip_deadline_seconds", _G, _R, "Seconds after which a probe mail is late (late_after).", _ENDS,
    probe=_TRIP, standing=True,
)  # fmt: skip

ENDPOINT_UP = MetricFamily(
    "endpoint_up", _G, _E,
    "1 if the last conclusive run of the tls probe reached the service; also if only its certificate is wrong.",
    probe=_TLS,
)  # fmt: skip
TLS_INFO = MetricFamily(
    "tls_info", _I, _E, f"TLS version and cipher that were negotiated. {LAST}", ("version", "cipher"), probe=_TLS
)

FAILURE_REASONS = MetricFamily(
    "failure_reasons_total",
    _C,
    _P,
    "Failed runs by reason; a series is made on the first use of its reason.",
    ("reason",),
)
PROBE_LATENCY = MetricFamily("probe_latency_seconds", _H, _P, "Duration of successful runs.", buckets=_LATENCY)

BUILD_INFO = MetricFamily(
    "build_info",
    _I,
    _S,
    "Version and git commit of mailprobe.",
    ("version", "revision", "pythonversion"),
)
WEB_INFO = MetricFamily(
    "web_info", _I, _S, "Where the pages are: --web.external-url, else what the listen address tells.",
    ("external_url",),
)  # fmt: skip
RELOAD_SUCCESSFUL = MetricFamily("config_last_reload_successful", _G, _S, "1 if the last load of the config succeeded.")
RELOAD_TIME = MetricFamily(
    "config_last_reload_success_timestamp_seconds", _G, _S, "Unix time of the last successful load of the config."
)
CONFIG_HASH = MetricFamily(
    "config_hash", _G, _S, "Hash of the config in use, as a number: equal on replicas that agree."
)
IN_PROGRESS = MetricFamily("probes_in_progress", _G, _S, "Runs under way.", _PROBE)
SCHEDULER_DELAY = MetricFamily(
    "scheduler_delay_seconds", _H, _S, "How much later than planned a run began.", buckets=(*_LAG, 60.0, 120.0)
)
LOOP_LAG = MetricFamily(
    "event_loop_lag_seconds", _H, _S, "How much later than asked the event loop woke a sleeper.", buckets=_LAG
)
VANTAGE_UP = MetricFamily(
    "vantage_up", _G, _S, "1 while enough references answer, so that our own network works; 1 without references."
)
TOTAL_SHARDS = MetricFamily("total_shards", _G, _S, "So many daemons share the targets (--total-shards).")
SHARD_ORDINAL = MetricFamily(
    "shard_ordinal", _G, _S, "Which of them this one is, from 0 (--shard); in the label too.", ("shard_ordinal",)
)
PROBES_SKIPPED = MetricFamily(
    "probes_skipped_total", _C, _S,
    "Beats that passed without a run; vantage_offline: whose run could tell nothing because our network was down.",
    ("probe", "reason"),
)  # fmt: skip
STATE_WRITE_FAILURES = MetricFamily("state_write_failures_total", _C, _S, "Writes to the state file that failed.")
LOG_MESSAGES = MetricFamily("log_messages_total", _C, _S, "Log messages.", ("level",))
NOTIFICATIONS = MetricFamily(
    "notifications_total", _C, _S, "Alerts in requests to Alertmanager, those in vain too.", ("alertmanager",)
)
NOTIFICATIONS_FAILED = MetricFamily(
    "notifications_failed_total", _C, _S, "Alerts in requests to Alertmanager that were in vain.", ("alertmanager",)
)
NOTIFICATIONS_DROPPED = MetricFamily(
    "notifications_dropped_total", _C, _S, "Alerts never sent because too many waited.", ("alertmanager",)
)

BRIDGE_MESSAGES = MetricFamily(
    "bridge_messages_total", _C, _S, "Messages sent to a group robot, those in vain too.", ("bridge",)
)
BRIDGE_FAILED = MetricFamily(
    "bridge_messages_failed_total", _C, _S, "Messages to a group robot that were in vain.", ("bridge",)
)
BRIDGE_DROPPED = MetricFamily(
    "bridge_messages_dropped_total", _C, _S,
    "Notifications turned away, for Alertmanager to come again: the robot had asked for a rest, or too many waited.",
    ("bridge",),
)  # fmt: skip

SKIP_REASONS = ("overlap", "host_limit", "login_guard", "vantage_offline", "shutdown")
LOG_LEVELS = ("debug", "info", "warn", "error")


def _fact(
    name: str, fed: tuple[Subject, ProbeName], fact: FactName, text: str, labels: tuple[str, ...] = ()
) -> MetricFamily:
    return MetricFamily(name, _G, fed[0], f"{text} {LAST}", labels, fact=fact, probe=fed[1])


def _deprecated(
    name: str, new_name: str, fed: tuple[Subject, ProbeName], fact: FactName, labels: tuple[str, ...]
) -> MetricFamily:
    """The old name of a metric that was renamed."""
    text = f"Deprecated, the next release removes it: use mailprobe_{new_name}."
    return MetricFamily(name, _G, fed[0], text, labels, fact=fact, probe=fed[1], replaced_by=new_name)


def _event(name: str, fact: FactName, text: str) -> MetricFamily:
    return MetricFamily(f"roundtrip_messages_{name}_total", _C, _R, text, _ENDS, fact=fact, probe=_TRIP)


# fmt: off
FAMILIES: tuple[MetricFamily, ...] = (
    TARGET_INFO, ENDPOINT_INFO,
    PROBE_SUCCESS, PROBE_INCONCLUSIVE, PROBES, PROBE_FAILURES, PROBES_INCONCLUSIVE, PROBE_FAILURE, ROOT_CAUSE,
    PROBE_DURATION, PHASE_DURATION, LAST_RUN, LAST_SUCCESS, PROBE_INTERVAL,
    LOGIN_SUSPENDED, LOGIN_NEXT_ATTEMPT, LOGIN_ATTEMPTS, LOGIN_REFUSED,
    # a mailbox
    MetricFamily("oauth_access_token_expiry_timestamp_seconds", _G, _T,
           f"Unix time at which the access token that was used ends. {LAST}", fact=FactName.OAUTH_EXPIRY),
    _fact("smtp_size_limit_bytes", (_T, _SMTP), FactName.SMTP_SIZE_LIMIT,
          "Largest message that the server takes (RFC 1870 SIZE)."),
    _fact("quota_used_bytes", (_T, _IMAP), FactName.QUOTA_USED_BYTES,
          "Storage used (RFC 9208 STORAGE, converted from KiB).", _ROOT),
    _fact("quota_limit_bytes", (_T, _IMAP), FactName.QUOTA_LIMIT_BYTES,
          "Storage allowed (RFC 9208 STORAGE, converted from KiB).", _ROOT),
    _fact("quota_used_messages", (_T, _IMAP), FactName.QUOTA_USED_MESSAGES,
          "Messages stored (RFC 9208 MESSAGE).", _ROOT),
    _fact("quota_limit_messages", (_T, _IMAP), FactName.QUOTA_LIMIT_MESSAGES,
          "Messages allowed (RFC 9208 MESSAGE).", _ROOT),
    _fact("folder_messages", (_T, _IMAP), FactName.FOLDER_MESSAGES,
          "Messages in the folder (STATUS MESSAGES).", _FOLDER),
    _fact("folder_unseen_messages", (_T, _IMAP), FactName.FOLDER_UNSEEN,
          "Unread messages in the folder (STATUS UNSEEN).", _FOLDER),
    _fact("folder_newest_message_timestamp_seconds", (_T, _IMAP), FactName.FOLDER_NEWEST,
          "Unix time at which the newest message came in (INTERNALDATE).", _FOLDER),
    # a route
    ROUNDTRIP_SECONDS,
    MetricFamily("roundtrip_last_seconds", _G, _R, "How long the probe mail took that arrived last.", _ENDS,
           fact=FactName.ROUNDTRIP_RECEIVED, probe=_TRIP, kept=True),
    ROUNDTRIP_DEADLINE,
    _fact("roundtrip_messages_in_flight", (_R, _TRIP), FactName.ROUNDTRIP_IN_FLIGHT,
          "Probe mails on their way.", _ENDS),
    _fact("roundtrip_oldest_in_flight_timestamp_seconds", (_R, _TRIP), FactName.ROUNDTRIP_OLDEST_IN_FLIGHT,
          "Unix time at which the oldest probe mail on its way was submitted; 0 when there is none.", _ENDS),
    _event("sent", FactName.ROUNDTRIP_SENT, "Probe mails that the sending server accepted."),
    _event("received", FactName.ROUNDTRIP_RECEIVED, "Probe mails that arrived."),
    _event("late", FactName.ROUNDTRIP_LATE, "Probe mails that were not there after late_after."),
    _event("lost", FactName.ROUNDTRIP_LOST, "Probe mails that were not there after lost_after."),
    _event("duplicated", FactName.ROUNDTRIP_DUPLICATED, "Surplus copies of probe mails."),
    _event("misfiled", FactName.ROUNDTRIP_MISFILED, "Probe mails that arrived in the junk folder."),
    _event("altered", FactName.ROUNDTRIP_ALTERED, "Probe mails whose body was changed on the way."),
    _event("bounced", FactName.ROUNDTRIP_BOUNCED, "Delivery status notifications about probe mails."),
    MetricFamily("roundtrip_hop_delay_seconds", _G, _R,
           "Time between two Received lines of the probe mail that arrived last, by the servers' own clocks.",
           (*_ENDS, "hop"), fact=FactName.ROUNDTRIP_HOP_DELAY, probe=_TRIP, kept=True),
    MetricFamily("roundtrip_authentication_pass", _G, _R,
           "1 if the receiving server (dkim_verified: we) found the probe mail that arrived last authentic.",
           (*_ENDS, "method"), fact=FactName.ROUNDTRIP_AUTHENTICATION, probe=_TRIP, kept=True),
    # an endpoint
    ENDPOINT_UP,
    _fact("tls_certificate_valid", (_E, _TLS), FactName.CERT_VALID, "1 if chain and name of the certificate verify."),
    _fact("tls_certificate_not_after_timestamp_seconds", (_E, _TLS), FactName.CERT_NOT_AFTER,
          "Unix time at which the server's certificate expires."),
    _fact("tls_chain_not_after_timestamp_seconds", (_E, _TLS), FactName.CHAIN_NOT_AFTER,
          "Unix time at which the first certificate of the chain expires."),
    TLS_INFO,
    # a domain
    _fact("dns_lookup_success", (_D, _DNS), FactName.DNS_LOOKUP,
          "1 for any definite answer, none too; 0 for SERVFAIL, timeout, bogus, refused.", _TYPE),
    _fact("dns_lookup_duration_seconds", (_D, _DNS), FactName.DNS_LOOKUP_SECONDS, "Duration of the lookup.", _TYPE),
    _fact("dns_records", (_D, _DNS), FactName.DNS_RECORDS, "Records found.", _TYPE),
    _fact("dns_last_change_timestamp_seconds", (_D, _DNS), FactName.DNS_LAST_CHANGE,
          "Unix time at which the records were last seen to change; 0 until a change was seen.", _TYPE),
    _fact("dns_policy_valid", (_D, _DNS), FactName.DNS_POLICY_VALID,
          "1 if the policy is published and right, 0 if not, absent if that cannot be known.", ("policy",)),
    _fact("dkim_key_length", (Subject.RECORD, _DNS), FactName.DKIM_KEY_BITS,
          "Length of the published DKIM key in bits.", ("selector", "algorithm")),
    _deprecated("dkim_key_bits", "dkim_key_length", (Subject.RECORD, _DNS), FactName.DKIM_KEY_BITS,
                ("selector", "algorithm")),
    # providers
    FAILURE_REASONS, PROBE_LATENCY,
    # mailprobe itself
    BUILD_INFO, WEB_INFO, RELOAD_SUCCESSFUL, RELOAD_TIME, CONFIG_HASH, VANTAGE_UP, TOTAL_SHARDS, SHARD_ORDINAL,
    IN_PROGRESS, SCHEDULER_DELAY, LOOP_LAG,
    PROBES_SKIPPED, STATE_WRITE_FAILURES, LOG_MESSAGES,
    NOTIFICATIONS, NOTIFICATIONS_FAILED, NOTIFICATIONS_DROPPED,
    BRIDGE_MESSAGES, BRIDGE_FAILED, BRIDGE_DROPPED,
)
# fmt: on


SERVER_WORDS: frozenset[str] = frozenset({"folder", "quota_root", "selector", "algorithm"})
"""Labels whose values come from servers, and which are therefore bounded."""


def document() -> str:
    """docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Printed from the table in `exporter/outputs/metrics/families.py` by",
        "`python -m exporter.outputs.metrics.families`; a test compares them.",
        "",
        "- A gauge shows the last finished run and goes away when that is older than max(5 × interval, 10 min).",
        "  There is none before the first run. Counters stand at 0 from the load of the config.",
        "- Every metric with `target` carries `kind`, `provider`, `domain` and the configured `alert_labels` too.",
        "- An inconclusive run leaves `mailprobe_probe_success`, and what is known of servers and domains, as it was.",
        "- Python's and the process's own metrics (`python_*`, `process_*`) are there as well.",
        "- What ends in `_info` has the value 1 and the type info in OpenMetrics. The text format has no such type:",
        "  there it is a gauge.",
        "",
        "| metric | type | labels | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for family in FAMILIES:
        labels = ", ".join((*BASE_LABELS[family.subject], *family.labels)) or "–"
        lines.append(f"| `{family.full_name}` | {family.shape} | {labels} | {family.help} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
