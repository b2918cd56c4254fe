"""The table of all metrics: name, type, help, labels, and the fact that feeds it.

docs/metrics.md is generated from it. To add a metric for a fact that is a number, add a row here and update the golden
files in tests/outputs/metrics/golden. Error messages and other free text must never become label values.
"""

from __future__ import annotations

import sys

from exporter.model import FactName, ProbeName
from exporter.outputs.metrics.family import BASE_LABELS, MetricFamily, Shape, Subject

LAST = "Value of the last finished run."


_G, _C, _I, _H = Shape.GAUGE, Shape.COUNTER, Shape.INFO, Shape.HISTOGRAM
_T, _R, _E, _D = Subject.TARGET, Subject.ROUTE, Subject.ENDPOINT, Subject.DOMAIN
_P, _O, _S = Subject.PROVIDER, Subject.OUTAGE, Subject.SELF
_PROBE, _ROOT, _FOLDER, _TYPE = ("probe",), ("quota_root",), ("folder",), ("record_type",)
_ENDS = ("from", "to")
_IMAP, _SMTP, _DNS, _TLS, _TRIP = ProbeName.IMAP, ProbeName.SMTP, ProbeName.DNS, ProbeName.TLS, ProbeName.ROUNDTRIP
_LATENCY = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 30.0)
_DELIVERY = (1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)
_LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

TARGET_INFO = MetricFamily("target_info", _I, _T, "A target, with all its configured labels.", standing=True)
ENDPOINT_INFO = MetricFamily(
    "endpoint_info", _I, _T, "A server that the target uses, as configured.", ("protocol", "server", "port"),
    standing=True,
)  # fmt: skip
PROBE_SUCCESS = MetricFamily(
    "probe_success", _G, _T,
    "Whether the last conclusive run succeeded (1) or failed (0). For a route: the last settled probe mail.", _PROBE,
)  # fmt: skip
PROBE_INCONCLUSIVE = MetricFamily(
    "probe_inconclusive", _G, _T, f"Whether the run gave no information about the mail service (1). {LAST}", _PROBE
)
PROBES = MetricFamily("probes_total", _C, _T, "Total number of finished runs, including inconclusive ones.", _PROBE)
PROBE_FAILURES = MetricFamily("probe_failures_total", _C, _T, "Total number of finished runs that failed.", _PROBE)
PROBES_INCONCLUSIVE = MetricFamily(
    "probes_inconclusive_total", _C, _T, "Total number of finished runs that were inconclusive.", _PROBE
)
PROBE_FAILURE = MetricFamily(
    "probe_failure_info", _I, _T,
    "Where and why the last conclusive run failed (1). Absent while the target does not fail.",
    ("probe", "phase", "reason", "layer"),
)  # fmt: skip
ROOT_CAUSE = MetricFamily(
    "root_cause_info", _I, _T,
    "The root cause of the failure and its scope (1). The label server is set if the scope is a host.",
    ("layer", "reason", "scope", "server"),
)  # fmt: skip
PROBE_DURATION = MetricFamily("probe_duration_seconds", _G, _T, f"Duration of the whole run in seconds. {LAST}", _PROBE)
PHASE_DURATION = MetricFamily(
    "probe_phase_duration_seconds", _G, _T, f"Duration of one phase of the run in seconds. {LAST}", ("probe", "phase")
)
LAST_RUN = MetricFamily(
    "probe_last_run_timestamp_seconds", _G, _T, "Unix time at which the last finished run started.", _PROBE,
    standing=True,
)  # fmt: skip
LAST_SUCCESS = MetricFamily(
    "probe_last_success_timestamp_seconds", _G, _T, "Unix time at which the last successful run started.", _PROBE,
    standing=True,
)  # fmt: skip
FAILURE_START = MetricFamily(
    "probe_failure_start_timestamp_seconds", _G, _T,
    "Unix time at which the first run of the latest failure started. A failure that returns within 5 minutes goes on.",
    _PROBE, standing=True,
)  # fmt: skip
FAILURE_END = MetricFamily(
    "probe_failure_end_timestamp_seconds", _G, _T,
    "Unix time at which the first successful run after the latest failure started. Absent while the target fails.",
    _PROBE, standing=True, fleeting=True,
)  # fmt: skip
LOGIN_FAILURE_START = MetricFamily(
    "login_failure_start_timestamp_seconds", _G, _T,
    "Unix time at which the first run started in which the server answered and the login, or what followed, failed. "
    "Runs that did not reach the server tell nothing about it.",
    _PROBE, standing=True, fleeting=True,
)  # fmt: skip
LOGIN_FAILURE_END = MetricFamily(
    "login_failure_end_timestamp_seconds", _G, _T,
    "Unix time at which the first successful run after such a failure started. Absent while it lasts.",
    _PROBE, standing=True, fleeting=True,
)  # fmt: skip
PROBE_INTERVAL = MetricFamily(
    "probe_interval_seconds", _G, _T, "Interval in effect between two runs, in seconds.", _PROBE, standing=True
)
LOGIN_SUSPENDED = MetricFamily(
    "login_suspended", _G, _T, f"Whether the login guard prevented a login (1). {LAST}", _PROBE
)
LOGIN_NEXT_ATTEMPT = MetricFamily(
    "login_next_attempt_timestamp_seconds", _G, _T,
    "Unix time from which the login guard allows a login again. 0 if logins are not suspended.", _PROBE,
)  # fmt: skip
LOGIN_ATTEMPTS = MetricFamily(
    "login_attempts_total", _C, _T, "Total number of runs in which a password was sent.", _PROBE
)
LOGIN_REFUSED = MetricFamily(
    "login_refused_total", _C, _T, "Total number of runs in which a password was sent and refused.", _PROBE
)

ROUNDTRIP_SECONDS = MetricFamily(
    "roundtrip_seconds", _H, _R,
    "Time from submission of a probe mail until it was found in the receiving mailbox, in seconds.",
    _ENDS,
    fact=FactName.ROUNDTRIP_RECEIVED, probe=_TRIP, buckets=_DELIVERY,
)  # fmt: skip
ROUNDTRIP_DEADLINE = MetricFamily(
    "roundtrip_deadline_seconds", _G, _R, "Time in seconds after which a probe mail is late (late_after).", _ENDS,
    probe=_TRIP, standing=True,
)  # fmt: skip

ENDPOINT_UP = MetricFamily(
    "endpoint_up", _G, _E,
    "Whether the last conclusive run of the tls probe reached the service (1), even if the certificate was invalid.",
    probe=_TLS,
)  # fmt: skip
TLS_INFO = MetricFamily(
    "tls_info", _I, _E, f"Negotiated TLS version and cipher. {LAST}", ("version", "cipher"), probe=_TLS
)

FAILURE_REASONS = MetricFamily(
    "failure_reasons_total", _C, _P,
    "Total number of failed runs by reason. A series appears when its reason first occurs.", ("reason",),
)  # fmt: skip
PROBE_LATENCY = MetricFamily(
    "probe_latency_seconds", _H, _P, "Duration of successful runs in seconds.", buckets=_LATENCY
)

DNS_FAILURE_START = MetricFamily(
    "dns_failure_start_timestamp_seconds", _G, _D,
    "Unix time at which the first of the latest runs started in which nobody could send mail to the domain: its MX, or "
    "the addresses of its servers, could not be looked up, or there was no valid MX.",
    probe=_DNS, standing=True, fleeting=True,
)  # fmt: skip
DNS_FAILURE_END = MetricFamily(
    "dns_failure_end_timestamp_seconds", _G, _D,
    "Unix time at which the first run after such a failure started. Absent while it lasts.",
    probe=_DNS, standing=True, fleeting=True,
)  # fmt: skip

OUTAGE_TARGETS = MetricFamily(
    "outage_targets", _G, _O,
    "Number of targets that fail for one cause of this scope (domain, host, provider, vantage). 0 for 10 minutes after "
    "its end.",
)  # fmt: skip
OUTAGE_START = MetricFamily(
    "outage_start_timestamp_seconds", _G, _O, "Unix time at which the first run that the outage failed started."
)
OUTAGE_END = MetricFamily(
    "outage_end_timestamp_seconds", _G, _O,
    "Unix time at which the last of its targets was found to work again. Absent while the outage lasts.",
)  # fmt: skip

BUILD_INFO = MetricFamily(
    "build_info", _I, _S, "Version and source revision of mailprobe, and version of Python.",
    ("version", "revision", "pythonversion"),
)  # fmt: skip
WEB_INFO = MetricFamily(
    "web_info", _I, _S, "URL of the pages: --web.external-url, else derived from the listen address.",
    ("external_url",),
)  # fmt: skip
RELOAD_SUCCESSFUL = MetricFamily(
    "config_last_reload_successful", _G, _S, "Whether the last load of the configuration succeeded (1)."
)
RELOAD_TIME = MetricFamily(
    "config_last_reload_success_timestamp_seconds",
    _G,
    _S,
    "Unix time of the last successful load of the configuration.",
)
CONFIG_HASH = MetricFamily(
    "config_hash", _G, _S, "Hash of the configuration in use. Equal on replicas with the same configuration."
)
IN_PROGRESS = MetricFamily("probes_in_progress", _G, _S, "Number of runs in progress.", _PROBE)
SCHEDULER_DELAY = MetricFamily(
    "scheduler_delay_seconds", _H, _S, "Delay between the planned and the actual start of a run, in seconds.",
    buckets=(*_LAG, 60.0, 120.0),
)  # fmt: skip
LOOP_LAG = MetricFamily(
    "event_loop_lag_seconds", _H, _S, "Delay with which the event loop ran a timer, in seconds.", buckets=_LAG
)
VANTAGE_UP = MetricFamily(
    "vantage_up",
    _G,
    _S,
    "Whether mailprobe's own network works (1): enough references answer. Always 1 if there are no references.",
)
TOTAL_SHARDS = MetricFamily("total_shards", _G, _S, "Number of daemons that share the targets (--total-shards).")
SHARD_ORDINAL = MetricFamily(
    "shard_ordinal", _G, _S, "Number of this shard, starting from 0 (--shard). Also in the label shard_ordinal.",
    ("shard_ordinal",),
)  # fmt: skip
PROBES_SKIPPED = MetricFamily(
    "probes_skipped_total", _C, _S,
    "Total number of scheduled runs that did not happen, or that gave no result because mailprobe was offline.",
    ("probe", "reason"),
)  # fmt: skip
STATE_WRITE_FAILURES = MetricFamily(
    "state_write_failures_total", _C, _S, "Total number of failed writes to the state file."
)
LOG_MESSAGES = MetricFamily("log_messages_total", _C, _S, "Total number of log messages.", ("level",))
NOTIFICATIONS = MetricFamily(
    "notifications_total", _C, _S, "Total number of alerts in requests to Alertmanager, including failed requests.",
    ("alertmanager",),
)  # fmt: skip
NOTIFICATIONS_FAILED = MetricFamily(
    "notifications_failed_total", _C, _S, "Total number of alerts in failed requests to Alertmanager.",
    ("alertmanager",),
)  # fmt: skip
NOTIFICATIONS_DROPPED = MetricFamily(
    "notifications_dropped_total", _C, _S, "Total number of alerts dropped because the queue was full.",
    ("alertmanager",),
)  # fmt: skip

BRIDGE_MESSAGES = MetricFamily(
    "bridge_messages_total", _C, _S, "Total number of messages sent to a group robot, including failed ones.",
    ("bridge",),
)  # fmt: skip
BRIDGE_FAILED = MetricFamily(
    "bridge_messages_failed_total", _C, _S, "Total number of messages to a group robot that failed.", ("bridge",)
)
BRIDGE_DROPPED = MetricFamily(
    "bridge_messages_dropped_total", _C, _S,
    "Total number of notifications rejected so that Alertmanager retries: rate limit reached, or queue full.",
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
    """Return the family for the old name of a renamed metric. Both names are exported for one release."""
    text = f"Deprecated and removed in the next release. Use mailprobe_{new_name} instead."
    return MetricFamily(name, _G, fed[0], text, labels, fact=fact, probe=fed[1], replaced_by=new_name)


def _event(name: str, fact: FactName, text: str) -> MetricFamily:
    return MetricFamily(f"roundtrip_messages_{name}_total", _C, _R, text, _ENDS, fact=fact, probe=_TRIP)


# fmt: off
FAMILIES: tuple[MetricFamily, ...] = (
    TARGET_INFO, ENDPOINT_INFO,
    PROBE_SUCCESS, PROBE_INCONCLUSIVE, PROBES, PROBE_FAILURES, PROBES_INCONCLUSIVE, PROBE_FAILURE, ROOT_CAUSE,
    PROBE_DURATION, PHASE_DURATION, LAST_RUN, LAST_SUCCESS, FAILURE_START, FAILURE_END, PROBE_INTERVAL,
    LOGIN_SUSPENDED, LOGIN_NEXT_ATTEMPT, LOGIN_ATTEMPTS, LOGIN_REFUSED, LOGIN_FAILURE_START, LOGIN_FAILURE_END,
    # a mailbox
    MetricFamily("oauth_access_token_expiry_timestamp_seconds", _G, _T,
           f"Unix time at which the access token in use expires. {LAST}", fact=FactName.OAUTH_EXPIRY),
    _fact("smtp_size_limit_bytes", (_T, _SMTP), FactName.SMTP_SIZE_LIMIT,
          "Largest message that the server accepts, in bytes (RFC 1870 SIZE)."),
    _fact("quota_used_bytes", (_T, _IMAP), FactName.QUOTA_USED_BYTES,
          "Storage used in bytes (RFC 9208 STORAGE, converted from KiB).", _ROOT),
    _fact("quota_limit_bytes", (_T, _IMAP), FactName.QUOTA_LIMIT_BYTES,
          "Storage limit in bytes (RFC 9208 STORAGE, converted from KiB).", _ROOT),
    _fact("quota_used_messages", (_T, _IMAP), FactName.QUOTA_USED_MESSAGES,
          "Number of messages stored (RFC 9208 MESSAGE).", _ROOT),
    _fact("quota_limit_messages", (_T, _IMAP), FactName.QUOTA_LIMIT_MESSAGES,
          "Limit of the number of messages (RFC 9208 MESSAGE).", _ROOT),
    _fact("folder_messages", (_T, _IMAP), FactName.FOLDER_MESSAGES,
          "Number of messages in the folder (STATUS MESSAGES).", _FOLDER),
    _fact("folder_unseen_messages", (_T, _IMAP), FactName.FOLDER_UNSEEN,
          "Number of unread messages in the folder (STATUS UNSEEN).", _FOLDER),
    _fact("folder_newest_message_timestamp_seconds", (_T, _IMAP), FactName.FOLDER_NEWEST,
          "Unix time at which the newest message arrived (INTERNALDATE).", _FOLDER),
    # a route
    ROUNDTRIP_SECONDS,
    MetricFamily("roundtrip_last_seconds", _G, _R,
           "Delivery time of the probe mail that arrived last, in seconds.", _ENDS,
           fact=FactName.ROUNDTRIP_RECEIVED, probe=_TRIP, kept=True),
    MetricFamily("roundtrip_precision_seconds", _G, _R,
           "Time by which the delivery time of the last probe mail may be too long, in seconds. 0 if it was announced.",
           _ENDS, fact=FactName.ROUNDTRIP_PRECISION, probe=_TRIP, kept=True),
    ROUNDTRIP_DEADLINE,
    _fact("roundtrip_messages_in_flight", (_R, _TRIP), FactName.ROUNDTRIP_IN_FLIGHT,
          "Number of probe mails in flight.", _ENDS),
    _fact("roundtrip_oldest_in_flight_timestamp_seconds", (_R, _TRIP), FactName.ROUNDTRIP_OLDEST_IN_FLIGHT,
          "Unix time at which the oldest probe mail in flight was submitted. 0 if there is none.", _ENDS),
    _event("sent", FactName.ROUNDTRIP_SENT, "Total number of probe mails that the sending server accepted."),
    _event("received", FactName.ROUNDTRIP_RECEIVED, "Total number of probe mails that arrived."),
    _event("late", FactName.ROUNDTRIP_LATE, "Total number of probe mails that had not arrived after late_after."),
    _event("lost", FactName.ROUNDTRIP_LOST, "Total number of probe mails that had not arrived after lost_after."),
    _event("duplicated", FactName.ROUNDTRIP_DUPLICATED, "Total number of duplicate copies of probe mails."),
    _event("misfiled", FactName.ROUNDTRIP_MISFILED, "Total number of probe mails that arrived in the junk folder."),
    _event("altered", FactName.ROUNDTRIP_ALTERED, "Total number of probe mails whose body was changed on the way."),
    _event("bounced", FactName.ROUNDTRIP_BOUNCED,
           "Total number of probe mails that were returned with a delivery status notification."),
    MetricFamily("roundtrip_hop_delay_seconds", _G, _R,
           "Delay between two Received lines of the last probe mail in seconds, by the servers' own clocks.",
           (*_ENDS, "hop"), fact=FactName.ROUNDTRIP_HOP_DELAY, probe=_TRIP, kept=True),
    MetricFamily("roundtrip_authentication_pass", _G, _R,
           "Whether the last probe mail passed the check (1) by the receiving server, or by mailprobe (dkim_verified).",
           (*_ENDS, "method"), fact=FactName.ROUNDTRIP_AUTHENTICATION, probe=_TRIP, kept=True),
    # an endpoint
    ENDPOINT_UP,
    _fact("tls_certificate_valid", (_E, _TLS), FactName.CERT_VALID,
          "Whether the certificate's chain and host name are valid (1)."),
    _fact("tls_certificate_not_after_timestamp_seconds", (_E, _TLS), FactName.CERT_NOT_AFTER,
          "Unix time at which the server's certificate expires."),
    _fact("tls_chain_not_after_timestamp_seconds", (_E, _TLS), FactName.CHAIN_NOT_AFTER,
          "Unix time at which the first certificate of the chain expires."),
    TLS_INFO,
    # a domain
    _fact("dns_lookup_success", (_D, _DNS), FactName.DNS_LOOKUP,
          "Whether the lookup got a definite answer, even an empty one (1). 0: SERVFAIL, REFUSED, bogus or timeout.",
          _TYPE),
    _fact("dns_lookup_duration_seconds", (_D, _DNS), FactName.DNS_LOOKUP_SECONDS,
          "Duration of the lookup in seconds.", _TYPE),
    _fact("dns_records", (_D, _DNS), FactName.DNS_RECORDS, "Number of records found.", _TYPE),
    _fact("dns_last_change_timestamp_seconds", (_D, _DNS), FactName.DNS_LAST_CHANGE,
          "Unix time at which mailprobe last saw the records change. 0 if it has not seen a change.", _TYPE),
    _fact("dns_policy_valid", (_D, _DNS), FactName.DNS_POLICY_VALID,
          "Whether the policy is published and valid (1) or not (0). Absent if unknown.", ("policy",)),
    _fact("dkim_key_length", (Subject.RECORD, _DNS), FactName.DKIM_KEY_BITS,
          "Length of the published DKIM key in bits.", ("selector", "algorithm")),
    _deprecated("dkim_key_bits", "dkim_key_length", (Subject.RECORD, _DNS), FactName.DKIM_KEY_BITS,
                ("selector", "algorithm")),
    DNS_FAILURE_START, DNS_FAILURE_END,
    # what many targets have in common
    OUTAGE_TARGETS, OUTAGE_START, OUTAGE_END,
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
"""Labels whose values come from servers. The number and length of these values are limited."""


def document() -> str:
    """Return the content of docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "This page is generated from the table in `exporter/outputs/metrics/families.py` by",
        "`python -m exporter.outputs.metrics.families`; a test compares the two.",
        "",
        "- A gauge has the value of the last finished run. It disappears when that run is older than",
        "  max(5 × interval, 10 min), and does not exist before the first run.",
        "- Counters are 0 once the configuration is loaded.",
        "- Every metric with the label `target` also has `kind`, `provider`, `domain` and the configured",
        "  `alert_labels`.",
        "- An inconclusive run does not change `mailprobe_probe_success` and the metrics of servers and domains.",
        "- The usual metrics of Python and of the process (`python_*`, `process_*`) are exported, too.",
        "- A metric that ends in `_info` has the value 1. Its type is info in OpenMetrics, and gauge in the text",
        "  format, which has no type info.",
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
