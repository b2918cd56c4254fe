"""The closed lists of names: every value that becomes a label or a keyword of the configuration.

Renaming a value breaks users' queries and configurations.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """The kind of a target."""

    MAILBOX = "mailbox"
    DOMAIN = "domain"
    ENDPOINT = "endpoint"
    ROUTE = "route"


class ProbeName(StrEnum):
    """The name of a probe: the same in file name, config key and label value."""

    DNS = "dns"
    TLS = "tls"
    IMAP = "imap"
    POP3 = "pop3"
    SMTP = "smtp"
    ROUNDTRIP = "roundtrip"
    WEBMAIL = "webmail"


class Phase(StrEnum):
    """A step of a run, in the order in which the steps happen."""

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


class Command(StrEnum):
    """The SMTP command that a reply answers, where it changes what the words mean."""

    AUTH = "auth"
    MAIL = "mail"  # MAIL FROM: the words are about the sender
    RCPT = "rcpt"
    DATA = "data"
    MESSAGE = "message"  # the final dot, after the whole message


class Service(StrEnum):
    """The application protocol of an endpoint: the label `protocol` (`typing.Protocol` already has that name)."""

    IMAP = "imap"
    POP3 = "pop3"
    SMTP = "smtp"
    HTTPS = "https"


class Security(StrEnum):
    """How a connection is protected: TLS from the first byte, STARTTLS (RFC 3207, 3501, 2595), or not at all."""

    TLS = "tls"
    STARTTLS = "starttls"
    PLAIN = "plain"


class AddressFamily(StrEnum):
    """Which addresses of a host may be used. `any` tries them in the resolver's order."""

    ANY = "any"
    IPV4 = "ipv4"
    IPV6 = "ipv6"


class Outcome(StrEnum):
    """The outcome of a run. `inconclusive` says nothing about the mail service."""

    OK = "ok"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class Scope(StrEnum):
    """How much a root cause affects."""

    TARGET = "target"
    DOMAIN = "domain"
    HOST = "host"
    PROVIDER = "provider"
    VANTAGE = "vantage"


class Wait(StrEnum):
    """How long a round trip waits for its mail."""

    LATE = "late"  # until it is late: scheduled runs
    SETTLED = "settled"  # until it has arrived or is lost: `check`
    NOT = "not"  # search once; a mail that has not arrived yet makes the run inconclusive: `check --no-wait`


class Flow(StrEnum):
    """How an access token is obtained."""

    REFRESH_TOKEN = "refresh_token"  # RFC 6749 section 6: the mailbox's owner signed in once
    CLIENT_CREDENTIALS = "client_credentials"  # RFC 6749 section 4.4: the application itself may read the mailbox
    JWT_BEARER = "jwt_bearer"  # RFC 7523: the key of a service account signs for the mailbox


RESERVED_LABELS = frozenset(
    {
        *("job", "instance", "le", "quantile", "target", "kind", "provider", "domain", "probe", "phase", "reason"),
        *("layer", "scope", "protocol", "server", "port", "family", "version", "cipher", "quota_root", "folder"),
        *("from", "to", "hop", "method", "record_type", "policy", "selector", "algorithm", "address", "zone"),
        *("shard_ordinal", "revision", "pythonversion", "level", "alertmanager", "mailbox", "module"),
        *("alertname", "severity", "probe_id"),
    }
)
"""Label names of our metrics, of Prometheus and of alerts: a configured label with the same name would hide them."""
