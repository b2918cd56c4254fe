"""The Result of a run: facts, at most one Failure, and the transcript. Frozen.

The runner creates it, and the outputs, incidents and web pages read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from exporter.model.advice import Advice
from exporter.model.names import Outcome, Phase, Service
from exporter.model.reasons import Reason
from exporter.model.target import Target


class FactName(StrEnum):
    """The facts that a probe can find. A number becomes a metric, a text is shown to people.

    The comment after each gives the unit of the value and the labels of the fact.
    """

    # about a connection
    ADDRESS = "address"  # text, the peer's IP address
    FAMILY = "family"  # text, ipv4 or ipv6
    SOURCE_ADDRESS = "source_address"  # text, our own IP address
    BETTER_HOST = "better_host"  # text, the server that the domain's MX points to, if it is not the configured one
    GREETING = "greeting"  # text, the server's greeting
    PROVIDER_ALERT = "provider_alert"  # text that the server marked with [ALERT]: the user must see it
    CAPABILITIES = "capabilities"  # text, space separated (POP3: lines, comma separated)
    MECHANISM = "mechanism"  # text, the SASL mechanism (or LOGIN) that was used
    TLS_VERSION = "tls_version"  # text, as OpenSSL names it: TLSv1.3
    TLS_CIPHER = "tls_cipher"  # text
    CERT_VALID = "cert_valid"  # 1 or 0: chain and name verify
    CERT_NOT_BEFORE = "cert_not_before"  # Unix time, seconds, of the leaf
    CERT_NOT_AFTER = "cert_not_after"  # Unix time, seconds, of the leaf
    CHAIN_NOT_AFTER = "chain_not_after"  # Unix time, seconds, the earliest of the chain
    CERT_SUBJECT = "cert_subject"  # text
    CERT_ISSUER = "cert_issuer"  # text
    CERT_NAMES = "cert_names"  # text, subjectAltName DNS names, space separated, at most 20
    CERT_FINGERPRINT = "cert_fingerprint"  # text, SHA-256, hex
    # about a mailbox
    OAUTH_EXPIRY = "oauth_expiry"  # Unix time, seconds, at which the access token expires
    SMTP_SIZE_LIMIT = "smtp_size_limit"  # bytes
    QUOTA_USED_BYTES = "quota_used_bytes"  # bytes · quota_root
    QUOTA_LIMIT_BYTES = "quota_limit_bytes"  # bytes · quota_root
    QUOTA_USED_MESSAGES = "quota_used_messages"  # messages · quota_root
    QUOTA_LIMIT_MESSAGES = "quota_limit_messages"  # messages · quota_root
    FOLDER_NAME = "folder_name"  # text, the server's name, decoded · folder
    FOLDER_MESSAGES = "folder_messages"  # messages · folder
    FOLDER_UNSEEN = "folder_unseen"  # messages · folder
    FOLDER_NEWEST = "folder_newest"  # Unix time, seconds (INTERNALDATE) · folder
    MAILDROP_MESSAGES = "maildrop_messages"  # messages (POP3 STAT); no metric
    MAILDROP_BYTES = "maildrop_bytes"  # bytes (POP3 STAT); no metric
    # about a web page
    HTTP_STATUS = "http_status"  # status code; no metric
    HTTP_LOCATION = "http_location"  # text, the target of a redirect, without its query
    # about a domain
    DNS_LOOKUP = "dns_lookup"  # 1: a definite answer, also "none"; 0: SERVFAIL, timeout, bogus, refused · record_type
    DNS_LOOKUP_SECONDS = "dns_lookup_seconds"  # seconds · record_type
    DNS_RECORDS = "dns_records"  # records · record_type
    DNS_TEXT = "dns_text"  # text, the records as published, one per line, truncated to 512 characters · record_type
    DNS_LAST_CHANGE = "dns_last_change"  # Unix time, seconds; 0 until a change was seen · record_type
    DNS_POLICY_VALID = "dns_policy_valid"  # 1 or 0; absent if unknown · policy
    DKIM_KEY_BITS = "dkim_key_bits"  # bits · selector, algorithm
    # about a route (one fact per event or state)
    ROUNDTRIP_SENT = "roundtrip_sent"  # 1 per message submitted
    ROUNDTRIP_RECEIVED = "roundtrip_received"  # seconds from submission until the mail is visible, one per message
    ROUNDTRIP_PRECISION = "roundtrip_precision"  # seconds by which the mail may have been visible before it was found
    ROUNDTRIP_LATE = "roundtrip_late"  # 1 per message that became late
    ROUNDTRIP_CAME_LATE = "roundtrip_came_late"  # seconds from submission, of a mail that an earlier run called late
    ROUNDTRIP_LOST = "roundtrip_lost"  # 1 per message given up
    ROUNDTRIP_DUPLICATED = "roundtrip_duplicated"  # 1 per duplicate copy
    ROUNDTRIP_MISFILED = "roundtrip_misfiled"  # 1 per message found in junk
    ROUNDTRIP_ALTERED = "roundtrip_altered"  # 1 per message whose body changed on the way
    ROUNDTRIP_BOUNCED = "roundtrip_bounced"  # 1 per delivery status notification about a probe mail
    ROUNDTRIP_IN_FLIGHT = "roundtrip_in_flight"  # messages
    ROUNDTRIP_OLDEST_IN_FLIGHT = "roundtrip_oldest_in_flight"  # Unix time, seconds; 0 when none
    ROUNDTRIP_HOP_DELAY = "roundtrip_hop_delay"  # seconds · hop (sender, relay, receiver)
    ROUNDTRIP_AUTHENTICATION = "roundtrip_authentication"  # 1 pass, 0 not · method (spf, dkim, dmarc, dkim_verified)


class Fact(NamedTuple):
    """A number or short text found during a run, with the label values that its name declares."""

    name: FactName
    value: float | str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Where and why a run failed. `text` is for pages, logs and annotations; it must never become a label."""

    phase: Phase | None
    reason: Reason
    text: str = ""
    # The rule that decided: "exception:ConnectionRefusedError", "signature:qq.five_causes",
    # "rfc5530:AUTHENTICATIONFAILED" …
    rule: str = ""
    ambiguous: tuple[Reason, ...] = ()  # the possible causes if the server's text has several; at most six
    quoted: bool = False  # the text is the server's reply, unchanged
    answer_to: Service | None = None  # protocol of the login that was refused, if an earlier refusal still applies
    advice: Advice | None = None  # the case, if it is known more exactly than its reason


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """What the login guard noted of a run's logins."""

    attempted: bool = False  # a password was sent
    refused: bool = False  # and refused


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript. `direction` is `>` (sent), `<` (received) or `#` (a remark)."""

    at: float  # seconds since the start of the run
    direction: str
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found. The only thing that leaves the runner."""

    target: Target
    probe_id: str  # 12 hex digits; exemplar and key of /logs?id=
    started: float  # Unix time, seconds
    duration: float  # seconds
    outcome: Outcome
    phases: tuple[tuple[Phase, float], ...] = ()  # seconds; each phase once, in order of first use
    facts: tuple[Fact, ...] = ()
    failure: Failure | None = None
    transcript: Sequence[Line] = ()
    login_attempted: bool = False
    login_refused: bool = False
    login_suspended: bool = False
    login_next_attempt: float = 0.0  # Unix time, seconds; 0 if logins are not paused

    @property
    def words_of(self) -> Service | None:
        """The protocol whose server said the failure's words, if it is another one than this probe's."""
        said_to = self.failure.answer_to if self.failure is not None else None
        return said_to if said_to is not None and str(said_to) != str(self.target.probe) else None

    def fact(self, name: FactName, *labels: str) -> float | str | None:
        """Return the last value of a fact, or None."""
        found = None
        for fact in self.facts:
            if fact.name is name and fact.labels == labels:
                found = fact.value
        return found
