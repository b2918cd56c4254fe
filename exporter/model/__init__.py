"""The nouns of mailprobe: frozen values that flow from the config to the outputs, with no I/O in them.

`Phase`, `ProbeName`, `Kind` and the other enums are closed lists: each of them becomes a label value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol, final

from exporter.model.reasons import Reason


class Kind(StrEnum):
    """What a target is."""

    MAILBOX = "mailbox"
    DOMAIN = "domain"
    ENDPOINT = "endpoint"
    ROUTE = "route"


class ProbeName(StrEnum):
    """What is done to a target. File name = config key = label value."""

    DNS = "dns"
    TLS = "tls"
    IMAP = "imap"
    POP3 = "pop3"
    SMTP = "smtp"
    ROUNDTRIP = "roundtrip"
    WEBMAIL = "webmail"


class Phase(StrEnum):
    """A step of a run, in the order in which the story is told."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    STARTTLS = "starttls"
    GREETING = "greeting"
    CAPABILITY = "capability"
    TOKEN = "token"
    LOGIN = "login"
    ID = "id"
    SELECT = "select"
    FOLDERS = "folders"
    QUOTA = "quota"
    SUBMIT = "submit"
    ARRIVE = "arrive"
    FETCH = "fetch"
    CLEANUP = "cleanup"
    LOGOUT = "logout"
    HTTP = "http"


class Service(StrEnum):
    """The application protocol spoken on an endpoint: the label `protocol` (`typing.Protocol` has the plain name)."""

    IMAP = "imap"
    POP3 = "pop3"
    SMTP = "smtp"
    HTTPS = "https"


class Security(StrEnum):
    """How a connection is protected: TLS from the first byte, upgraded by STARTTLS (RFC 3207, 3501, 2595), or not."""

    TLS = "tls"
    STARTTLS = "starttls"
    PLAIN = "plain"


class Family(StrEnum):
    """Which addresses of a host may be used; `any` takes them in the resolver's order."""

    ANY = "any"
    IPV4 = "ipv4"
    IPV6 = "ipv6"


class Outcome(StrEnum):
    """The verdict of a run. `inconclusive` says nothing about the mail service."""

    OK = "ok"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class Scope(StrEnum):
    """How far a root cause reaches."""

    TARGET = "target"
    DOMAIN = "domain"
    HOST = "host"
    PROVIDER = "provider"
    VANTAGE = "vantage"


class Wait(StrEnum):
    """How long a round trip waits for its mail."""

    LATE = "late"  # until it is late: the beat
    SETTLED = "settled"  # until it has come or is lost: `check`
    NOT = "not"  # one look; a mail that is not there yet makes the run inconclusive: `check --no-wait`


class FactName(StrEnum):
    """What a probe may learn on the way. A number is one metric row, a word is for people.

    The comment after each gives the value's unit and the fact's labels.
    """

    # about a connection
    ADDRESS = "address"  # text, the peer's IP address
    FAMILY = "family"  # text, ipv4 or ipv6
    SOURCE_ADDRESS = "source_address"  # text, our own IP address
    BETTER_HOST = "better_host"  # text, where the mailbox's domain lives, by its MX, if that is another server
    GREETING = "greeting"  # text, the server's first words
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
    OAUTH_EXPIRY = "oauth_expiry"  # Unix time, seconds, at which the access token that was used ends
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
    HTTP_LOCATION = "http_location"  # text, where a redirect leads, without its query
    # about a domain
    DNS_LOOKUP = "dns_lookup"  # 1: any definite answer, also "none"; 0: SERVFAIL, timeout, bogus, refused · record_type
    DNS_LOOKUP_SECONDS = "dns_lookup_seconds"  # seconds · record_type
    DNS_RECORDS = "dns_records"  # records · record_type
    DNS_TEXT = "dns_text"  # text, the records as published, one per line, truncated to 512 characters · record_type
    DNS_LAST_CHANGE = "dns_last_change"  # Unix time, seconds; 0 until a change was seen · record_type
    DNS_POLICY_VALID = "dns_policy_valid"  # 1 or 0; absent: cannot know · policy
    DKIM_KEY_BITS = "dkim_key_bits"  # bits · selector, algorithm
    # about a route (one fact per event or state)
    ROUNDTRIP_SENT = "roundtrip_sent"  # 1 per message submitted
    ROUNDTRIP_RECEIVED = "roundtrip_received"  # seconds from submission to being visible, one per message
    ROUNDTRIP_LATE = "roundtrip_late"  # 1 per message that became late
    ROUNDTRIP_LOST = "roundtrip_lost"  # 1 per message given up
    ROUNDTRIP_DUPLICATED = "roundtrip_duplicated"  # 1 per surplus copy
    ROUNDTRIP_MISFILED = "roundtrip_misfiled"  # 1 per message found in junk
    ROUNDTRIP_ALTERED = "roundtrip_altered"  # 1 per message whose body changed on the way
    ROUNDTRIP_BOUNCED = "roundtrip_bounced"  # 1 per delivery status notification about a probe mail
    ROUNDTRIP_IN_FLIGHT = "roundtrip_in_flight"  # messages
    ROUNDTRIP_OLDEST_IN_FLIGHT = "roundtrip_oldest_in_flight"  # Unix time, seconds; 0 when none
    ROUNDTRIP_HOP_DELAY = "roundtrip_hop_delay"  # seconds · hop (sender, relay, receiver)
    ROUNDTRIP_AUTHENTICATION = "roundtrip_authentication"  # 1 pass, 0 not · method (spf, dkim, dmarc, dkim_verified)


@final
class Secret:
    """A password or token: the only way one travels. Shows nothing but itself to `reveal()`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not serialised")


class SecretSource(Protocol):
    """Where a password lies. Implementations are frozen and comparable, so that a reload sees a change."""

    async def read(self) -> Secret:
        """The secret as it is now. Raises `ProbeError(Reason.LOCAL_ERROR)` that names the source, never its content."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server socket and how to speak to it."""

    host: str
    port: int
    security: Security
    protocol: Service
    server_name: str | None = None  # for SNI and the certificate's name; default: host
    ca_file: Path | None = None
    family: Family = Family.ANY
    source_address: str | None = None

    @property
    def name(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Flow(StrEnum):
    """How an access token is obtained."""

    REFRESH_TOKEN = "refresh_token"  # RFC 6749 section 6: the mailbox's owner signed in once
    CLIENT_CREDENTIALS = "client_credentials"  # RFC 6749 section 4.4: the application itself may read the mailbox
    JWT_BEARER = "jwt_bearer"  # RFC 7523: a service account's key signs for the mailbox


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Where a login's access tokens come from (OAuth 2.0). Equal ones share their tokens."""

    name: str  # which credential this is: the guard counts refusals by the token endpoint under it
    flow: Flow
    token_url: str
    client_id: str
    scope: str
    seed: SecretSource  # the refresh token, the client's secret, or the key, as configured
    client_secret: SecretSource | None = None  # beside a refresh token
    subject: str = ""  # the mailbox, where the token is for one alone (jwt_bearer)
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What is sent in a password's place, for an hour or so."""

    secret: Secret
    expires: float  # Unix time, seconds
    fetched: float  # `Clock.now()`
    spoil: Callable[[], None]  # a mail server has refused it: the next login asks for another


@dataclass(frozen=True, slots=True)
class Login:
    """A credential: one user name and one secret. `account` is the key under which the guard counts refusals."""

    account: str
    username: str
    source: SecretSource  # with `oauth`: its seed, by which the guard knows the credential
    # Exactly one mechanism a run: auto, plain, login, scram-sha-256, xoauth2, oauthbearer, or oauth (either of the two)
    auth: str = "auto"
    oauth: TokenSource | None = None
    leads: bool = True  # of a mailbox's logins the one whose access token's end is told
    families: tuple[str, ...] = ()  # whose texts its server answers with: see `signatures`


Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Target:
    """All that one run needs. (name, probe) is its key everywhere; a reload restarts only what `!=`."""

    name: str
    kind: Kind
    probe: ProbeName
    settings: object  # the probe's own frozen Settings
    interval: float  # seconds, as configured
    timeout: float  # seconds, for one network step of a round trip, for the whole run of any other probe
    deadline: float  # seconds, after which the runner cancels the run
    recheck: float = 20.0  # seconds until a fresh failure is looked at again
    provider: str = ""  # "" = not recognised
    domain: str = ""
    labels: Labels = ()  # every configured label, sorted
    servers: tuple[str, ...] = ()  # host:port of each server that a run talks to, for the per-host limit
    logins: tuple[str, ...] = ()  # host of each password login of a run, for the login budget
    route: tuple[str, str] | None = None  # (from, to)
    families: tuple[str, ...] = ()  # whose texts its server answers with (`signatures`); of a route the sender's
    receiving: tuple[str, ...] = ()  # of a route: the receiver's families

    @property
    def key(self) -> tuple[str, ProbeName]:
        return self.name, self.probe

    def families_of(self, protocol: Service | None) -> tuple[str, ...]:
        """The signature families of the server that speaks this protocol in a run."""
        return self.receiving if self.route and protocol is Service.IMAP else self.families


class Fact(NamedTuple):
    """A number or short word learned on the way, with the label values its name declares."""

    name: FactName
    value: float | str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Where and why. `text` is for page, log and annotation; never a label."""

    phase: Phase | None
    reason: Reason
    text: str = ""
    # What decided: "exception:ConnectionRefusedError", "signature:qq.five_causes", "rfc5530:AUTHENTICATIONFAILED" …
    rule: str = ""
    ambiguous: tuple[Reason, ...] = ()  # the causes, where the words have several; at most six
    quoted: bool = False  # the text is a server's literal words, not ours
    answer_to: Service | None = None  # whose login got them, where an earlier one's verdict stands


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript. `direction` is `>` (we), `<` (the server) or `#` (a remark)."""

    at: float  # seconds since the run's start
    direction: str
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found. The one thing that leaves the runner."""

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
    login_next_attempt: float = 0.0  # Unix time, seconds; 0 = not suspended

    def fact(self, name: FactName, *labels: str) -> float | str | None:
        """The last value of a fact, or None."""
        found = None
        for fact in self.facts:
            if fact.name is name and fact.labels == labels:
                found = fact.value
        return found
