"""The faults that are made on real servers, and the results that must be reported.

`python -m tests.system.faults` writes docs/faults.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from exporter.model import Phase, ProbeName
from exporter.model.advice import Advice
from exporter.model.reasons import Reason, about

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
HEAD = """\
# Faults · 故障表

The tests cause these faults on real servers (dovecot, postfix, unbound in front of knot), and check what a run of the
real probe reports. This page is generated from `tests/system/faults.py` by `python -m tests.system.faults`; each row
is one case of `tests/system/test_faults.py`. More error texts of servers are in [signatures.md](signatures.md), what
to do in [reasons.md](reasons.md).

测试在真实服务器上制造的故障，以及真实探测给出的结果。
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One case. `id` identifies the function in test_faults.py that makes it."""

    id: str
    server: str
    made: str
    probe: ProbeName
    phase: Phase
    reason: Reason
    advice: Advice | None = None  # the case, where it is told more exactly than the reason

    def __str__(self) -> str:
        return self.id


def _dovecot() -> Iterator[Fault]:
    def row(
        name: str, made: str, reason: Reason, phase: Phase = Phase.LOGIN, probe: ProbeName = ProbeName.IMAP
    ) -> Fault:
        return Fault(name, "dovecot", made, probe, phase, reason)

    pop3 = ProbeName.POP3
    yield row("imap-wrong-password", "a wrong password", Reason.WRONG_PASSWORD)
    yield row("pop3-wrong-password", "a wrong password", Reason.WRONG_PASSWORD, probe=pop3)
    yield row("imap-unknown-user", "a user that does not exist (dovecot does not tell)", Reason.WRONG_PASSWORD)
    yield row("imap-disabled", "`nologin`, reason: Account disabled by the administrator", Reason.ACCOUNT_DISABLED)
    yield row("pop3-disabled", "the same over POP3", Reason.ACCOUNT_DISABLED, probe=pop3)
    yield row("imap-locked", "`nologin`, reason: Account is locked", Reason.ACCOUNT_LOCKED)
    yield row("imap-suspended", "`nologin`, reason: Account suspended", Reason.ACCOUNT_SUSPENDED)
    yield row("imap-expired", "`nologin`, reason: Password expired", Reason.PASSWORD_EXPIRED)
    yield row("pop3-expired", "the same over POP3", Reason.PASSWORD_EXPIRED, probe=pop3)
    yield row("imap-maintenance", "`nologin`, reason: Down for maintenance", Reason.TEMPORARILY_UNAVAILABLE)
    yield row("imap-chinese", "`nologin`, reason: 邮箱已被停用，请联系管理员", Reason.ACCOUNT_DISABLED)
    yield row("imap-no-words", "`nologin` with words that say nothing: its code CONTACTADMIN", Reason.ACCOUNT_DISABLED)
    yield row("imap-plain-text", "a login without TLS where dovecot wants it", Reason.TLS_REQUIRED)
    yield row("imap-connections", "`mail_max_userip_connections` reached", Reason.RATE_LIMITED)
    yield row("pop3-connections", "the same over POP3", Reason.RATE_LIMITED, probe=pop3)
    yield row("imap-quota", "an APPEND to a mailbox that is full", Reason.MAILBOX_OVER_QUOTA, Phase.SUBMIT)
    yield row("imap-folder", "a folder that is not there", Reason.FOLDER_MISSING, Phase.SELECT)
    tls = Phase.TLS
    yield row("tls-expired", "an expired certificate", Reason.CERTIFICATE_EXPIRED, tls)
    yield row("tls-not-yet", "a certificate of tomorrow", Reason.CERTIFICATE_NOT_YET_VALID, tls)
    yield row("tls-wrong-name", "a certificate for another name", Reason.CERTIFICATE_NAME_MISMATCH, tls)
    yield row("tls-self-signed", "a self-signed certificate", Reason.CERTIFICATE_UNTRUSTED, tls)
    yield row("tls-chainless", "a certificate without its intermediate", Reason.CERTIFICATE_UNTRUSTED, tls)
    mixed_up = row("tls-on-plain-port", "`security: tls` on the STARTTLS port", Reason.WRONG_PROTOCOL, tls)
    yield replace(mixed_up, advice=Advice.PLAIN_AT_FIRST)
    yield row("refused", "a port where nothing listens", Reason.CONNECTION_REFUSED, Phase.CONNECT)


def _postfix() -> Iterator[Fault]:
    login = (ProbeName.SMTP, Phase.LOGIN)
    yield Fault("smtp-wrong-password", "postfix", "a wrong password", *login, Reason.WRONG_PASSWORD)
    yield Fault(
        "smtp-mx-port", "postfix", "submission on the MX's port, which offers no AUTH", *login, Reason.AUTH_MISSING
    )
    for word, made, reason in (
        ("unknown", "an unknown recipient", Reason.RECIPIENT_UNKNOWN),
        ("disabled", "a disabled recipient", Reason.RECIPIENT_DISABLED),
        ("full", "a recipient over quota", Reason.RECIPIENT_OVER_QUOTA),
        ("nowhere", "a recipient domain that does not exist", Reason.RECIPIENT_DOMAIN_BAD),
        ("greylisted", "greylisting", Reason.GREYLISTED),
        ("relay", "relaying is denied", Reason.RELAY_DENIED),
        ("sender", "a sender address that is not the user's", Reason.SENDER_REJECTED),
        ("blocklist", "our address is on a blocklist", Reason.IP_BLOCKLISTED),
        ("ptr", "our address has no reverse name", Reason.RDNS_MISSING),
        ("spf", "SPF fails", Reason.SPF_FAIL),
        ("dkim", "DKIM fails", Reason.DKIM_FAIL),
        ("dmarc", "DMARC fails", Reason.DMARC_REJECT),
        ("spam", "the content is taken for spam", Reason.CONTENT_REJECTED_SPAM),
        ("virus", "the content is taken for a virus", Reason.ATTACHMENT_REJECTED),
        ("large", "the message is too large", Reason.MESSAGE_TOO_LARGE),
        ("policy", "a policy forbids it", Reason.POLICY_REJECTED),
        ("loop", "a mail loop", Reason.ROUTING_LOOP),
        ("toomany", "too many recipients", Reason.SENDING_LIMIT_REACHED),
        ("quickly", "too many mails in a short time", Reason.RATE_LIMITED),
        ("defer", "a temporary failure", Reason.TEMPORARILY_UNAVAILABLE),
        ("odd", "words that nobody knows: never a guess", Reason.UNKNOWN),
    ):
        yield Fault(f"submit-{word}", "postfix", made, ProbeName.ROUNDTRIP, Phase.SUBMIT, reason)


def _dns() -> Iterator[Fault]:
    for host, made, reason in (
        ("nowhere.example.test", "NXDOMAIN", Reason.HOST_NOT_FOUND),
        ("no-such-zone.test", "SERVFAIL", Reason.DNS_SERVER_FAILURE),
        ("a.refused.test", "REFUSED", Reason.DNS_SERVER_FAILURE),
        ("mail.bogus.test", "DNSSEC signatures that do not verify", Reason.DNSSEC_BOGUS),
        ("a.silent.test", "no answer", Reason.DNS_TIMEOUT),
    ):
        yield Fault(f"dns-{host}", "unbound", f"{made} for the server's name", ProbeName.IMAP, Phase.RESOLVE, reason)


FAULTS = (*_dovecot(), *_postfix(), *_dns())


def page() -> str:
    """Return the page in Markdown."""
    parts = [HEAD, "\n| server | fault made | probe | reported | what to do | test |\n" + "| --- " * 6 + "|\n"]
    for fault in FAULTS:
        remedy = about(fault.reason).remedy("en", fault.advice)
        parts.append(
            f"| {fault.server} | {fault.made} | {fault.probe} | `{fault.reason}` in {fault.phase} | {remedy} "
            f"| `{fault.id}` |\n"
        )
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
