"""Tests of evidence that agrees, disagrees or is too weak: each rule on replies that no row of a provider holds."""

from __future__ import annotations

import pytest

from exporter.diagnosis.classify import Classification, classify
from exporter.model import Command, Phase, Service
from exporter.model.reasons import Reason

LOGIN, SUBMIT, SELECT = Phase.LOGIN, Phase.SUBMIT, Phase.SELECT
IMAP, POP3, SMTP = Service.IMAP, Service.POP3, Service.SMTP
R = Reason


def judged(protocol: Service, text: str, phase: Phase | None, command: Command | None = None) -> Classification:
    found = classify(protocol, "", text, phase, families=("nobody",), command=command)
    return found or Classification(Reason.UNKNOWN, "")


@pytest.mark.parametrize(
    ("protocol", "text", "phase", "reason"),
    [
        # a code that names a cause against "login failed", which names none
        (IMAP, "NO [UNAVAILABLE] Login failed", LOGIN, R.TEMPORARILY_UNAVAILABLE),
        (IMAP, "NO [AUTHORIZATIONFAILED] Login failed", LOGIN, R.ACCOUNT_DISABLED),
        (IMAP, "NO [SERVERBUG] Login failed", LOGIN, R.SERVER_ERROR),
        (IMAP, "NO [CONTACTADMIN] xyzzy", LOGIN, R.ACCOUNT_DISABLED),
        (IMAP, "NO [CONTACTADMIN] Rate limit exceeded, please slow down", LOGIN, R.RATE_LIMITED),
        (POP3, "-ERR [SYS/TEMP] Login failed", LOGIN, R.TEMPORARILY_UNAVAILABLE),
        (POP3, "-ERR [SYS/PERM] Login failed", LOGIN, R.SERVER_ERROR),
        (SMTP, "454 4.7.0 Authentication failed", LOGIN, R.TEMPORARILY_UNAVAILABLE),
        (SMTP, "421 4.7.0 Authentication failed", LOGIN, R.TEMPORARILY_UNAVAILABLE),
        # words that name a cause against a code that servers use for many
        (SMTP, "525 5.7.1 Unauthorized IP address", LOGIN, R.LOGIN_FROM_NEW_LOCATION_BLOCKED),
        (SMTP, "535 5.7.0 authentication rejected: your password is too simple", LOGIN, R.PASSWORD_EXPIRED),
        (SMTP, "552 5.1.1 Recipient overquota", SUBMIT, R.RECIPIENT_OVER_QUOTA),
        (SMTP, "550 5.7.1 DKIM signature is bad", SUBMIT, R.DKIM_FAIL),
        # a general reason gives way to a more exact one
        (SMTP, "550 5.7.1 Rejected by policy: the SPF check failed", SUBMIT, R.SPF_FAIL),
        (SMTP, "451 4.7.1 Service unavailable, greylisted", SUBMIT, R.GREYLISTED),
        (SMTP, "553 Sender address rejected: not logged in", SUBMIT, R.AUTH_MISSING),
        # longer words count, not the shorter ones inside them
        (IMAP, "NO too many failed logins", LOGIN, R.RATE_LIMITED),
        (SMTP, "550 Spamhaus lists you", SUBMIT, R.IP_BLOCKLISTED),
        # the standard first line of every 550
        (SMTP, "550-Requested action not taken: mailbox unavailable\n550 no DNS PTR record", SUBMIT, R.RDNS_MISSING),
        # words in addresses and in the paths of URLs are no words of the server
        (SMTP, "550 5.1.1 <spam.virus@example.com>: see https://example.com/dmarc/spf", SUBMIT, R.RECIPIENT_UNKNOWN),
    ],
)
def test_strong_evidence_decides(protocol: Service, text: str, phase: Phase, reason: Reason):
    assert judged(protocol, text, phase).reason is reason


@pytest.mark.parametrize(
    ("protocol", "text", "phase", "causes"),
    [
        (SMTP, "535 Error: authentication failed, system busy", LOGIN, {R.WRONG_PASSWORD, R.TEMPORARILY_UNAVAILABLE}),
        (POP3, "-ERR login failure or POP3 disabled", LOGIN, {R.WRONG_PASSWORD, R.PROTOCOL_DISABLED}),
        (SMTP, "454 4.7.0 Invalid user or password", LOGIN, {R.WRONG_PASSWORD, R.TEMPORARILY_UNAVAILABLE}),
        (SMTP, "554 5.7.1 It contains a virus or spam", SUBMIT, {R.ATTACHMENT_REJECTED, R.CONTENT_REJECTED_SPAM}),
        (SMTP, "550 5.1.1 Message too large", SUBMIT, {R.RECIPIENT_UNKNOWN, R.MESSAGE_TOO_LARGE}),
        (SMTP, "550 Domain not found", SUBMIT, {R.RECIPIENT_DOMAIN_BAD, R.SENDER_REJECTED}),
    ],
)
def test_evidence_that_disagrees_lists_all_causes(protocol: Service, text: str, phase: Phase, causes: set[Reason]):
    found = judged(protocol, text, phase)
    assert found.reason is (R.AMBIGUOUS_LOGIN_REFUSED if phase is LOGIN else R.UNKNOWN)
    assert causes <= set(found.ambiguous)
    assert found.rule, "what disagrees is named"


@pytest.mark.parametrize(
    ("protocol", "text", "phase", "reason"),
    [
        (SMTP, "535 5.7.0 This server allows only xyzzy apps", LOGIN, R.AMBIGUOUS_LOGIN_REFUSED),
        (IMAP, "NO [AUTHENTICATIONFAILED] plugh", LOGIN, R.AMBIGUOUS_LOGIN_REFUSED),
        (SMTP, "550 5.7.1 xyzzy", SUBMIT, R.UNKNOWN),
        (SMTP, "552 xyzzy", SUBMIT, R.UNKNOWN),
        (SMTP, "551 xyzzy", SUBMIT, R.UNKNOWN),
        (SMTP, "450 xyzzy", SUBMIT, R.UNKNOWN),
        (SMTP, "550 Service unavailable, try again later", SUBMIT, R.UNKNOWN),
    ],
)
def test_words_that_nothing_explains_take_the_weight_from_a_bare_code(
    protocol: Service, text: str, phase: Phase, reason: Reason
):
    found = judged(protocol, text, phase)
    assert (found.reason, found.ambiguous) == (reason, ())


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (Command.MAIL, R.SENDER_REJECTED),
        (Command.RCPT, R.RECIPIENT_DOMAIN_BAD),
        (Command.MESSAGE, R.UNKNOWN),
    ],
)
def test_the_command_tells_whose_domain_it_is(command: Command, reason: Reason):
    assert judged(SMTP, "550 Domain not found", None, command).reason is reason


def test_what_is_said_of_a_mailbox_in_the_answer_to_mail_from_is_about_the_sender():
    assert judged(SMTP, "550 5.1.1 User unknown", SUBMIT, Command.MAIL).reason is R.SENDER_REJECTED
    assert judged(SMTP, "550 5.1.1 User unknown", SUBMIT, Command.RCPT).reason is R.RECIPIENT_UNKNOWN
