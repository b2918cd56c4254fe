"""The list of faults for the end-to-end tests: what breaks on a real server, and which alert reports it.

docs/alerts.md lists them next to the alerts. `making.py` makes each fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `says` is part of the description in both languages; `labels` are some labels of the alert."""

    id: str
    layer: str  # layer of the fault
    made: str
    alert: str
    severity: str
    says: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        return self.id

    @property
    def test(self) -> str:
        """The name of the test in pytest."""
        return f"tests/walk/test_walk.py::test_a_fault_is_told_in_both_languages[{self.id}]"


FAULTS = (
    Fault(
        "network", "vantage", "the only reference of a mailprobe is gone",
        "MailprobeAllVantagesOffline", "critical", (), {"job": "offline"},
    ),
    Fault(
        "resolver", "dns", "a domain's name servers refuse, so that the resolver says SERVFAIL",
        "MailDNSFailing", "critical", ("dead.test", "dns_server_failure"), {"domain": "dead.test"},
    ),
    Fault(
        "no-mx", "dns", "a domain's MX record is taken away",
        "MailDNSRecordMissing", "critical", ("nomx.test",), {"domain": "nomx.test"},
    ),
    Fault(
        "no-spf", "dns", "a domain's SPF record is taken away",
        "MailDNSPolicyInvalid", "warning", ("nospf.test", "SPF"), {"domain": "nospf.test", "policy": "spf"},
    ),
    Fault(
        "server", "transport", "a dovecot with two mailboxes is stopped",
        "MailHostOutage", "critical", ("host.walk.test", "connection_refused"), {"server": "host.walk.test"},
    ),
    Fault(
        "port", "transport", "the same dovecot's POP3 port, known by a name of its own",
        "MailEndpointDown", "critical", ("port.walk.test", "connection_refused"),
        {"server": "port.walk.test", "protocol": "pop3"},
    ),
    Fault(
        "expired", "transport", "a server's name leads to one whose certificate has expired",
        "MailCertificateExpired", "critical", ("expired.walk.test",), {"server": "expired.walk.test"},
    ),
    Fault(
        "untrusted", "transport", "a server's name leads to one with a self-signed certificate",
        "MailCertificateInvalid", "critical", ("untrusted.walk.test", "certificate_untrusted"),
        {"server": "untrusted.walk.test"},
    ),
    Fault(
        "expiring", "transport", "a server's name leads to one whose certificate has three days left",
        "MailCertificateExpiringSoon", "critical", ("expiring.walk.test",), {"server": "expiring.walk.test"},
    ),
    Fault(
        "refused", "auth", "a mailbox's password is changed on dovecot",
        "MailLoginRejected", "critical", ("refused", "wrong_password"), {"mailbox": "refused"},
    ),
    Fault(
        "folder", "mailbox", "a folder that must be there is deleted",
        "MailLoginFailing", "critical", ("folder", "folder_missing"), {"mailbox": "folder", "probe": "imap"},
    ),
    Fault(
        "full", "capacity", "a mailbox's quota is lowered to little more than it holds",
        "MailQuotaAlmostFull", "critical", ("full", "%"), {"mailbox": "full"},
    ),
    Fault(
        "throttled", "capacity", "dovecot turns logins away: rate limit exceeded",
        "MailSubmissionThrottled", "warning", ("throttled", "rate_limited"), {"mailbox": "throttled"},
    ),
    Fault(
        "late", "delivery", "sieve discards the mail: it is overdue",
        "MailRoundTripOverdue", "critical", ("to-late",), {"target": "to-late", "mailbox": "sender", "to": "late"},
    ),
    Fault(
        "lost", "delivery", "the same mail, given up",
        "MailRoundTripLost", "warning", ("to-late",), {"target": "to-late", "mailbox": "sender"},
    ),
    Fault(
        "junk", "delivery", "sieve files the mail in the junk folder",
        "MailRoundTripMisfiled", "warning", ("to-junk",), {"target": "to-junk", "from": "sender"},
    ),
    Fault(
        "altered", "delivery", "a filter in postfix adds a line to the mail",
        "MailRoundTripAltered", "warning", ("to-altered",), {"target": "to-altered"},
    ),
    Fault(
        "twice", "delivery", "an alias in postfix delivers the mail twice",
        "MailRoundTripDuplicated", "warning", ("to-twice",), {"target": "to-twice"},
    ),
    Fault(
        "unreadable", "exporter", "a mailbox's password file is gone",
        "MailprobeInconclusive", "warning", ("unreadable",), {"mailbox": "unreadable"},
    ),
    Fault(
        "config", "exporter", "config.yaml is broken, and mailprobe is told to reload it",
        "MailprobeConfigReloadFailed", "warning", (), {"job": "spoilt"},
    ),
    Fault(
        "state", "exporter", "the state file cannot be written: somebody else holds its lock",
        "MailprobeStateNotWritable", "warning", (), {"job": "offline"},
    ),
    Fault(
        "push", "exporter", "the Alertmanager to which a mailprobe pushes is gone",
        "MailprobeNotificationsFailing", "critical", (), {"job": "spoilt"},
    ),
)  # fmt: skip
STOPPED = Fault(
    "stopped", "exporter", "mailprobe itself is stopped", "MailprobeDown", "critical", (), {"job": "mailprobe"}
)
EVERY = (*FAULTS, STOPPED)
