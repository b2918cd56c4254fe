"""Tests that the real dovecot behaves as the other tests need it."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
import ssl

import pytest

from tests.servers.certs import Authority
from tests.servers.dovecot import (
    CHAINLESS,
    EXPIRED,
    GOOD,
    NOT_YET_VALID,
    PASSWORD,
    SECURE_ONLY,
    SELF_SIGNED,
    WRONG_NAME,
    Dovecot,
)
from tests.servers.world import ALICE, BOB


def test_login_folders_and_quota(dovecot: Dovecot):
    with imaplib.IMAP4("127.0.0.1", dovecot.imap) as session:
        session.login(ALICE, PASSWORD)
        listed = b"".join(line for line in session.list()[1] if isinstance(line, bytes))
        assert all(use in listed for use in (rb"\Sent", rb"\Junk", rb"\Trash", rb"\Drafts"))
        assert b"STORAGE 0 102400" in session.getquotaroot("INBOX")[1][1][0]


def test_starttls_and_login_disabled_before_it(dovecot: Dovecot):
    context = ssl.create_default_context(cafile=str(dovecot.authority.ca_file))
    with imaplib.IMAP4(SECURE_ONLY, dovecot.imap) as session:
        assert "LOGINDISABLED" in session.capabilities
        session.starttls(context)
        assert "LOGINDISABLED" not in session.capabilities
        session.login(ALICE, PASSWORD)


def test_pop3_knows_the_same_accounts(dovecot: Dovecot):
    context = ssl.create_default_context(cafile=str(dovecot.authority.ca_file))
    dovecot.deliver(BOB, b"Subject: one\r\n\r\n")
    session = poplib.POP3_SSL("127.0.0.1", dovecot.pop3s, context=context)
    session.user(BOB)
    session.pass_(dovecot.users[BOB].password)
    assert session.stat()[0] == 1
    session.quit()


def test_changes_of_an_account_are_true_at_once(dovecot: Dovecot):
    def login(password: str) -> str:
        with imaplib.IMAP4("127.0.0.1", dovecot.imap) as session:
            try:
                session.login(ALICE, password)
            except imaplib.IMAP4.error as exc:
                return str(exc)
            return "in"

    assert login(PASSWORD) == "in"
    dovecot.set_password(ALICE, "another")
    assert "AUTHENTICATIONFAILED" in login(PASSWORD)
    assert login("another") == "in"
    dovecot.refuse(ALICE, "This account is locked, call us.")
    assert "This account is locked, call us." in login("another")


def test_each_test_finds_the_accounts_as_they_were_and_no_mail(dovecot: Dovecot):
    """Runs after the tests above, which changed both."""
    assert dovecot.users[ALICE].password == PASSWORD
    assert dovecot.count(BOB) == 0


def test_lmtp_refuses_what_does_not_fit_the_quota(dovecot: Dovecot):
    dovecot.set_quota(BOB, "1K")
    with smtplib.LMTP("127.0.0.1", dovecot.lmtp) as session, pytest.raises(smtplib.SMTPDataError) as refused:
        session.sendmail(ALICE, [BOB], "Subject: big\r\n\r\n" + "x" * 5000)
    assert refused.value.smtp_code == 552


def test_it_comes_back_after_a_stop_with_the_mail_it_had(dovecot: Dovecot):
    dovecot.deliver(ALICE, b"Subject: kept\r\n\r\n", "Junk")
    dovecot.stop()
    with pytest.raises(ConnectionRefusedError):
        imaplib.IMAP4("127.0.0.1", dovecot.imap)
    dovecot.start()
    assert dovecot.count(ALICE, "Junk") == 1


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (EXPIRED, "expired"),
        (WRONG_NAME, "not valid for"),
        (SELF_SIGNED, "self-signed certificate"),
        (NOT_YET_VALID, "not yet valid"),
        (CHAINLESS, "unable to get local issuer"),
    ],
)
def test_certificates_that_do_not_verify(dovecot: Dovecot, authority: Authority, address: str, words: str):
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    with pytest.raises(ssl.SSLCertVerificationError, match=words):
        imaplib.IMAP4_SSL(address, dovecot.imaps, ssl_context=context)


@pytest.mark.parametrize("address", [GOOD, SECURE_ONLY])
def test_certificates_that_verify(dovecot: Dovecot, authority: Authority, address: str):
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    imaplib.IMAP4_SSL(address, dovecot.imaps, ssl_context=context).logout()
