"""Tests that the real postfix and opendkim behave as the other tests need it."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postfix import Postfix
from tests.servers.process import wait_until
from tests.servers.world import ALICE, BOB, MailWorld


@pytest.fixture
def session(postfix: Postfix, dovecot: Dovecot) -> Iterator[smtplib.SMTP]:
    context = ssl.create_default_context(cafile=str(dovecot.authority.ca_file))
    with smtplib.SMTP("localhost", postfix.submission) as session:
        session.starttls(context=context)
        session.login(ALICE, PASSWORD)
        yield session


def send(session: smtplib.SMTP, detail: str = "") -> None:
    to = BOB.replace("@", f"+{detail}@") if detail else BOB
    session.sendmail(ALICE, [to], f"From: {ALICE}\r\nTo: {to}\r\nSubject: test\r\n\r\nbody\r\n")


def arrived(dovecot: Dovecot, count: int, name: str = BOB, folder: str = "INBOX") -> str:
    wait_until(lambda: dovecot.count(name, folder) == count, 20, f"{count} messages of {name} in {folder}")
    return dovecot.messages(name, folder)


def test_a_submitted_mail_arrives_signed_and_verified(session: smtplib.SMTP, dovecot: Dovecot):
    send(session)
    text = arrived(dovecot, 1)
    assert "dkim=pass" in text
    assert text.count("Received: ") == 3


def test_so_do_many_that_are_submitted_at_once(postfix: Postfix, dovecot: Dovecot):
    context = ssl.create_default_context(cafile=str(dovecot.authority.ca_file))

    def submit(_: int) -> None:
        with smtplib.SMTP("localhost", postfix.submission) as session:
            session.starttls(context=context)
            session.login(ALICE, PASSWORD)
            for _ in range(20):
                send(session)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(submit, range(10)))
    assert arrived(dovecot, 200).count("dkim=pass") == 200


@pytest.mark.parametrize(("detail", "code"), [("unknown", 550), ("greylisted", 450), ("full", 552), ("spam", 554)])
def test_recipients_that_are_refused(session: smtplib.SMTP, detail: str, code: int):
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(session, detail)
    assert [answer[0] for answer in refused.value.recipients.values()] == [code]


def test_a_held_mail_arrives_when_it_is_released(session: smtplib.SMTP, postfix: Postfix, dovecot: Dovecot):
    send(session, "held")
    assert postfix.queue() == 1
    assert dovecot.count(BOB) == 0
    postfix.release()
    arrived(dovecot, 1)


def test_lost_bounced_duplicated_altered_and_misfiled(session: smtplib.SMTP, postfix: Postfix, dovecot: Dovecot):
    send(session, "lost")
    send(session, "bounced")
    assert "user unknown" in arrived(dovecot, 1, ALICE)
    send(session, "duplicate")
    arrived(dovecot, 2)
    send(session, "altered")
    assert "means well" in arrived(dovecot, 3)
    send(session, "junk")
    arrived(dovecot, 1, folder="Junk")
    assert postfix.queue() == 0
    assert dovecot.count(BOB) == 3


def test_no_login_outside_tls_and_none_with_a_wrong_password(postfix: Postfix, dovecot: Dovecot):
    context = ssl.create_default_context(cafile=str(dovecot.authority.ca_file))
    with smtplib.SMTP("localhost", postfix.submission) as plain:
        plain.ehlo()
        assert not plain.has_extn("auth")
    with smtplib.SMTP_SSL("localhost", postfix.submissions, context=context) as session:
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            session.login(ALICE, "wrong")
        assert refused.value.smtp_code == 535


def test_nothing_leaves_the_machine(session: smtplib.SMTP):
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        session.sendmail(ALICE, ["someone@elsewhere.test"], "Subject: out\r\n\r\n")


def test_the_mail_world_names_every_server(mail_world: MailWorld, dovecot: Dovecot, postfix: Postfix):
    assert (mail_world.imaps, mail_world.submission) == (dovecot.imaps, postfix.submission)
    assert mail_world.users[ALICE] == PASSWORD
    assert mail_world.ca_file.exists()


def test_a_login_after_a_restart_of_dovecot_asks_the_new_one(postfix: Postfix, dovecot: Dovecot):
    context = ssl.create_default_context(cafile=str(dovecot.authority.ca_file))

    def log_in() -> int:
        with smtplib.SMTP("localhost", postfix.submission) as session:
            session.starttls(context=context)
            session.ehlo()
            session.user, session.password = ALICE, PASSWORD
            return session.auth("PLAIN", session.auth_plain)[0]  # `login` retries by itself

    assert [log_in() for _ in range(4)] == [235] * 4
    dovecot.restart()
    assert not postfix.usable
    postfix.ensure_usable()
    assert [log_in() for _ in range(4)] == [235] * 4
