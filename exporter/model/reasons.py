"""The reasons why a run can fail: a closed list, each with layer, owner and remedy in `about`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from exporter.model.advice import Advice
from exporter.model.phrases import Phrases


class Reason(StrEnum):
    """The cause of a failure: the label `reason`. Adding one is fine, renaming one breaks users' alerts and queries."""

    # vantage
    VANTAGE_OFFLINE = "vantage_offline"
    PORT_BLOCKED = "port_blocked"
    CLOCK_WRONG = "clock_wrong"
    # dns
    HOST_NOT_FOUND = "host_not_found"
    DNS_TIMEOUT = "dns_timeout"
    DNS_SERVER_FAILURE = "dns_server_failure"
    DNSSEC_BOGUS = "dnssec_bogus"
    RECORD_MISSING = "record_missing"
    RECORD_INVALID = "record_invalid"
    RECORD_MULTIPLE = "record_multiple"
    RECORD_MISMATCH = "record_mismatch"
    TOO_MANY_LOOKUPS = "too_many_lookups"
    DOMAIN_EXPIRING = "domain_expiring"
    RDNS_MISSING = "rdns_missing"
    # transport
    TIMEOUT = "timeout"
    CONNECTION_REFUSED = "connection_refused"
    HOST_UNREACHABLE = "host_unreachable"
    CONNECTION_RESET = "connection_reset"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_NAME_MISMATCH = "certificate_name_mismatch"
    CERTIFICATE_UNTRUSTED = "certificate_untrusted"
    TLS_FAILED = "tls_failed"
    STARTTLS_UNAVAILABLE = "starttls_unavailable"
    WRONG_PROTOCOL = "wrong_protocol"
    PROTOCOL_ERROR = "protocol_error"
    COMMAND_REJECTED = "command_rejected"
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    IDLE_DISCONNECT = "idle_disconnect"
    PROVIDER_ALERT = "provider_alert"
    HTTP_STATUS = "http_status"
    # auth
    WRONG_PASSWORD = "wrong_password"
    AUTH_CODE_REQUIRED = "auth_code_required"
    APP_PASSWORD_REQUIRED = "app_password_required"
    PASSWORD_EXPIRED = "password_expired"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_EXPIRED = "account_expired"
    ACCOUNT_MISSING = "account_missing"
    PROTOCOL_DISABLED = "protocol_disabled"
    OAUTH_REQUIRED = "oauth_required"
    OAUTH_TOKEN_EXPIRED = "oauth_token_expired"
    OAUTH_TOKEN_REJECTED = "oauth_token_rejected"
    LOGIN_FROM_NEW_LOCATION_BLOCKED = "login_from_new_location_blocked"
    CLIENT_ID_REQUIRED = "client_id_required"
    WRONG_SERVER = "wrong_server"
    AUTH_UNAVAILABLE = "auth_unavailable"
    AUTH_MISSING = "auth_missing"
    TLS_REQUIRED = "tls_required"
    AMBIGUOUS_LOGIN_REFUSED = "ambiguous_login_refused"
    LOGIN_SUSPENDED = "login_suspended"
    # capacity
    RATE_LIMITED = "rate_limited"
    SENDING_LIMIT_REACHED = "sending_limit_reached"
    MAILBOX_OVER_QUOTA = "mailbox_over_quota"
    MAILBOX_NEAR_QUOTA = "mailbox_near_quota"
    MAILBOX_IN_USE = "mailbox_in_use"
    # delivery
    GREYLISTED = "greylisted"
    RELAY_DENIED = "relay_denied"
    SENDER_REJECTED = "sender_rejected"
    RECIPIENT_UNKNOWN = "recipient_unknown"
    RECIPIENT_DISABLED = "recipient_disabled"
    RECIPIENT_OVER_QUOTA = "recipient_over_quota"
    RECIPIENT_DOMAIN_BAD = "recipient_domain_bad"
    SPF_FAIL = "spf_fail"
    DKIM_FAIL = "dkim_fail"
    DMARC_REJECT = "dmarc_reject"
    IP_BLOCKLISTED = "ip_blocklisted"
    CONTENT_REJECTED_SPAM = "content_rejected_spam"
    CONTENT_MALFORMED = "content_malformed"
    ATTACHMENT_REJECTED = "attachment_rejected"
    MESSAGE_TOO_LARGE = "message_too_large"
    POLICY_REJECTED = "policy_rejected"
    ROUTING_LOOP = "routing_loop"
    REMOTE_UNREACHABLE = "remote_unreachable"
    SUBMISSION_UNCERTAIN = "submission_uncertain"
    MESSAGE_LATE = "message_late"
    MESSAGE_LOST = "message_lost"
    MESSAGE_IN_JUNK = "message_in_junk"
    MESSAGE_ALTERED = "message_altered"
    MESSAGE_DUPLICATED = "message_duplicated"
    BOUNCED = "bounced"
    # mailbox
    FOLDER_MISSING = "folder_missing"
    FOLDER_EXISTS = "folder_exists"
    MESSAGE_MISSING = "message_missing"
    NO_PERMISSION = "no_permission"
    UNSUPPORTED_OPERATION = "unsupported_operation"
    REPLIES_OVERDUE = "replies_overdue"
    # exporter
    CONFIG = "config"
    LOCAL_ERROR = "local_error"
    UNKNOWN = "unknown"
    BUG = "bug"


class Layer(StrEnum):
    """What a reason is about: the label `layer`.

    Lower layers come first, because they explain failures of later ones.
    """

    VANTAGE = "vantage"
    DNS = "dns"
    TRANSPORT = "transport"
    AUTH = "auth"
    CAPACITY = "capacity"
    DELIVERY = "delivery"
    MAILBOX = "mailbox"
    EXPORTER = "exporter"


class Owner(StrEnum):
    """Who can fix it: `you` (on duty, with config and webmail), the mail or DNS `admin`, `provider` or `network`."""

    YOU = "you"
    ADMIN = "admin"
    PROVIDER = "provider"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class About:
    """What is known about a reason: its layer, who fixes it, whether waiting helps, and the next step."""

    reason: Reason
    layer: Layer
    owner: Owner
    waiting_helps: bool
    reserved: bool  # no probe reports it yet

    def remedy(self, language: str, advice: Advice | None = None) -> str:
        """What to do: the next step, for the person on duty. `advice`: the case, if it is known more exactly."""
        return Phrases(language)(f"advice.{advice}" if advice else f"remedies.{self.reason}")

    def whose_job(self, language: str) -> str:
        """Who mends it, and whether it may pass by itself, in two sentences."""
        say = Phrases(language)
        waiting = say("waiting_helps" if self.waiting_helps else "waiting_does_not_help")
        told = say("owner_and_waiting", owner=say(f"owners.{self.owner}"), waiting=waiting)
        return say.labelled("whose_job", told)

    def remedies(self, advice: Advice | None = None) -> dict[str, str]:
        """`remedy` of the JSON interface: always these two languages."""
        return {language: self.remedy(language, advice) for language in ("en", "zh")}


_FACTS: Mapping[Reason, tuple[Layer, Owner, bool]] = {  # layer, owner, waiting helps
    # vantage
    Reason.VANTAGE_OFFLINE: (Layer.VANTAGE, Owner.NETWORK, False),
    Reason.PORT_BLOCKED: (Layer.VANTAGE, Owner.NETWORK, False),
    Reason.CLOCK_WRONG: (Layer.VANTAGE, Owner.YOU, False),
    # dns
    Reason.HOST_NOT_FOUND: (Layer.DNS, Owner.YOU, False),
    Reason.DNS_TIMEOUT: (Layer.DNS, Owner.NETWORK, True),
    Reason.DNS_SERVER_FAILURE: (Layer.DNS, Owner.ADMIN, True),
    Reason.DNSSEC_BOGUS: (Layer.DNS, Owner.ADMIN, False),
    Reason.RECORD_MISSING: (Layer.DNS, Owner.ADMIN, False),
    Reason.RECORD_INVALID: (Layer.DNS, Owner.ADMIN, False),
    Reason.RECORD_MULTIPLE: (Layer.DNS, Owner.ADMIN, False),
    Reason.RECORD_MISMATCH: (Layer.DNS, Owner.ADMIN, False),
    Reason.TOO_MANY_LOOKUPS: (Layer.DNS, Owner.ADMIN, False),
    Reason.DOMAIN_EXPIRING: (Layer.DNS, Owner.ADMIN, False),
    Reason.RDNS_MISSING: (Layer.DNS, Owner.PROVIDER, False),
    # transport
    Reason.TIMEOUT: (Layer.TRANSPORT, Owner.NETWORK, True),
    Reason.CONNECTION_REFUSED: (Layer.TRANSPORT, Owner.PROVIDER, False),
    Reason.HOST_UNREACHABLE: (Layer.TRANSPORT, Owner.NETWORK, False),
    Reason.CONNECTION_RESET: (Layer.TRANSPORT, Owner.NETWORK, True),
    Reason.CERTIFICATE_EXPIRED: (Layer.TRANSPORT, Owner.ADMIN, False),
    Reason.CERTIFICATE_NOT_YET_VALID: (Layer.TRANSPORT, Owner.YOU, False),
    Reason.CERTIFICATE_NAME_MISMATCH: (Layer.TRANSPORT, Owner.YOU, False),
    Reason.CERTIFICATE_UNTRUSTED: (Layer.TRANSPORT, Owner.ADMIN, False),
    Reason.TLS_FAILED: (Layer.TRANSPORT, Owner.ADMIN, False),
    Reason.STARTTLS_UNAVAILABLE: (Layer.TRANSPORT, Owner.YOU, False),
    Reason.WRONG_PROTOCOL: (Layer.TRANSPORT, Owner.YOU, False),
    Reason.PROTOCOL_ERROR: (Layer.TRANSPORT, Owner.ADMIN, False),
    Reason.COMMAND_REJECTED: (Layer.TRANSPORT, Owner.PROVIDER, False),
    Reason.SERVER_ERROR: (Layer.TRANSPORT, Owner.PROVIDER, False),
    Reason.TEMPORARILY_UNAVAILABLE: (Layer.TRANSPORT, Owner.PROVIDER, True),
    Reason.IDLE_DISCONNECT: (Layer.TRANSPORT, Owner.PROVIDER, True),
    Reason.PROVIDER_ALERT: (Layer.TRANSPORT, Owner.YOU, False),
    Reason.HTTP_STATUS: (Layer.TRANSPORT, Owner.ADMIN, False),
    # auth
    Reason.WRONG_PASSWORD: (Layer.AUTH, Owner.YOU, False),
    Reason.AUTH_CODE_REQUIRED: (Layer.AUTH, Owner.YOU, False),
    Reason.APP_PASSWORD_REQUIRED: (Layer.AUTH, Owner.YOU, False),
    Reason.PASSWORD_EXPIRED: (Layer.AUTH, Owner.YOU, False),
    Reason.ACCOUNT_LOCKED: (Layer.AUTH, Owner.YOU, True),
    Reason.ACCOUNT_DISABLED: (Layer.AUTH, Owner.ADMIN, False),
    Reason.ACCOUNT_SUSPENDED: (Layer.AUTH, Owner.PROVIDER, False),
    Reason.ACCOUNT_EXPIRED: (Layer.AUTH, Owner.ADMIN, False),
    Reason.ACCOUNT_MISSING: (Layer.AUTH, Owner.ADMIN, False),
    Reason.PROTOCOL_DISABLED: (Layer.AUTH, Owner.YOU, False),
    Reason.OAUTH_REQUIRED: (Layer.AUTH, Owner.YOU, False),
    Reason.OAUTH_TOKEN_EXPIRED: (Layer.AUTH, Owner.YOU, True),
    Reason.OAUTH_TOKEN_REJECTED: (Layer.AUTH, Owner.YOU, False),
    Reason.LOGIN_FROM_NEW_LOCATION_BLOCKED: (Layer.AUTH, Owner.YOU, False),
    Reason.CLIENT_ID_REQUIRED: (Layer.AUTH, Owner.YOU, False),
    Reason.WRONG_SERVER: (Layer.AUTH, Owner.YOU, False),
    Reason.AUTH_UNAVAILABLE: (Layer.AUTH, Owner.YOU, True),
    Reason.AUTH_MISSING: (Layer.AUTH, Owner.YOU, False),
    Reason.TLS_REQUIRED: (Layer.AUTH, Owner.YOU, False),
    Reason.AMBIGUOUS_LOGIN_REFUSED: (Layer.AUTH, Owner.YOU, False),
    Reason.LOGIN_SUSPENDED: (Layer.AUTH, Owner.YOU, False),
    # capacity
    Reason.RATE_LIMITED: (Layer.CAPACITY, Owner.YOU, True),
    Reason.SENDING_LIMIT_REACHED: (Layer.CAPACITY, Owner.YOU, True),
    Reason.MAILBOX_OVER_QUOTA: (Layer.CAPACITY, Owner.YOU, False),
    Reason.MAILBOX_NEAR_QUOTA: (Layer.CAPACITY, Owner.YOU, False),
    Reason.MAILBOX_IN_USE: (Layer.CAPACITY, Owner.YOU, True),
    # delivery
    Reason.GREYLISTED: (Layer.DELIVERY, Owner.PROVIDER, True),
    Reason.RELAY_DENIED: (Layer.DELIVERY, Owner.YOU, False),
    Reason.SENDER_REJECTED: (Layer.DELIVERY, Owner.YOU, False),
    Reason.RECIPIENT_UNKNOWN: (Layer.DELIVERY, Owner.YOU, False),
    Reason.RECIPIENT_DISABLED: (Layer.DELIVERY, Owner.ADMIN, False),
    Reason.RECIPIENT_OVER_QUOTA: (Layer.DELIVERY, Owner.YOU, False),
    Reason.RECIPIENT_DOMAIN_BAD: (Layer.DELIVERY, Owner.YOU, False),
    Reason.SPF_FAIL: (Layer.DELIVERY, Owner.ADMIN, False),
    Reason.DKIM_FAIL: (Layer.DELIVERY, Owner.ADMIN, False),
    Reason.DMARC_REJECT: (Layer.DELIVERY, Owner.ADMIN, False),
    Reason.IP_BLOCKLISTED: (Layer.DELIVERY, Owner.PROVIDER, False),
    Reason.CONTENT_REJECTED_SPAM: (Layer.DELIVERY, Owner.ADMIN, False),
    Reason.CONTENT_MALFORMED: (Layer.DELIVERY, Owner.ADMIN, False),
    Reason.ATTACHMENT_REJECTED: (Layer.DELIVERY, Owner.YOU, False),
    Reason.MESSAGE_TOO_LARGE: (Layer.DELIVERY, Owner.YOU, False),
    Reason.POLICY_REJECTED: (Layer.DELIVERY, Owner.PROVIDER, False),
    Reason.ROUTING_LOOP: (Layer.DELIVERY, Owner.ADMIN, False),
    Reason.REMOTE_UNREACHABLE: (Layer.DELIVERY, Owner.PROVIDER, True),
    Reason.SUBMISSION_UNCERTAIN: (Layer.DELIVERY, Owner.YOU, True),
    Reason.MESSAGE_LATE: (Layer.DELIVERY, Owner.PROVIDER, True),
    Reason.MESSAGE_LOST: (Layer.DELIVERY, Owner.PROVIDER, False),
    Reason.MESSAGE_IN_JUNK: (Layer.DELIVERY, Owner.YOU, False),
    Reason.MESSAGE_ALTERED: (Layer.DELIVERY, Owner.ADMIN, False),
    Reason.MESSAGE_DUPLICATED: (Layer.DELIVERY, Owner.ADMIN, False),
    Reason.BOUNCED: (Layer.DELIVERY, Owner.YOU, False),
    # mailbox
    Reason.FOLDER_MISSING: (Layer.MAILBOX, Owner.YOU, False),
    Reason.FOLDER_EXISTS: (Layer.MAILBOX, Owner.YOU, False),
    Reason.MESSAGE_MISSING: (Layer.MAILBOX, Owner.YOU, False),
    Reason.NO_PERMISSION: (Layer.MAILBOX, Owner.ADMIN, False),
    Reason.UNSUPPORTED_OPERATION: (Layer.MAILBOX, Owner.PROVIDER, False),
    Reason.REPLIES_OVERDUE: (Layer.MAILBOX, Owner.YOU, False),
    # exporter
    Reason.CONFIG: (Layer.EXPORTER, Owner.YOU, False),
    Reason.LOCAL_ERROR: (Layer.EXPORTER, Owner.YOU, False),
    Reason.UNKNOWN: (Layer.EXPORTER, Owner.YOU, False),
    Reason.BUG: (Layer.EXPORTER, Owner.YOU, False),
}

_RESERVED = frozenset(
    {
        Reason.RECORD_MISMATCH,
        Reason.DOMAIN_EXPIRING,
        Reason.LOGIN_SUSPENDED,  # a suspended run keeps the reason of the refusal
        Reason.MESSAGE_DUPLICATED,  # counted in mailprobe_roundtrip_messages_duplicated_total
        Reason.REPLIES_OVERDUE,
    }
)
"""The names are fixed, so that rules may use them; nothing reports them yet. A test compares this with the code."""

ABOUT: Mapping[Reason, About] = MappingProxyType(
    {reason: About(reason, *facts, reason in _RESERVED) for reason, facts in _FACTS.items()}
)


def about(reason: Reason) -> About:
    """Return what is known about a reason, and what to do."""
    return ABOUT[reason]
