"""Tests of the probe mail: how it is built, recognised and checked for changes, and how a bounce is parsed."""

import email
import email.policy
import re

import pytest

from exporter.probes.roundtrip import message
from exporter.probes.roundtrip.message import altered, build, new_token, read_bounce, recognise, short_id
from exporter.probes.roundtrip.report import may_be_report

KEY = b"k" * 32
ROUTE = "sales-to-backup"
NOW = 1_760_000_000.0
SENDER, RECIPIENT = "a@example.test", "b@example.test"


def mail_of(token: str) -> bytes:
    return build(SENDER, RECIPIENT, token, NOW)


def head_of(mail: bytes, *names: str) -> bytes:
    """What a server answers for HEADER.FIELDS."""
    parsed = email.message_from_bytes(mail)
    return b"".join(f"{name}: {parsed[name]}\r\n".encode() for name in names) + b"\r\n"


# -- the token --------------------------------------------------------------------------------------------------------


def test_a_mail_is_recognised_by_its_header_or_by_its_message_id_alone():
    token = new_token(KEY, ROUTE)
    mail = mail_of(token)
    assert recognise(mail, KEY, ROUTE) == token
    assert recognise(head_of(mail, message.HEADER), KEY, ROUTE) == token
    assert recognise(head_of(mail, "Message-ID"), KEY, ROUTE) == token


def test_a_folded_and_recased_header_is_still_recognised():
    token = new_token(KEY, ROUTE)
    assert recognise(f"x-mailprobe-TOKEN:\r\n {token}\r\n\r\n".encode(), KEY, ROUTE) == token


def test_a_forged_token_is_not_ours():
    token = new_token(KEY, ROUTE)
    forged = token[:-1] + ("0" if token[-1] != "0" else "1")
    for other in (forged, new_token(b"x" * 32, ROUTE), new_token(KEY, "other"), token[:-4], "v1.x.y.z", ""):
        assert recognise(f"{message.HEADER}: {other}\r\nMessage-ID: <{other}@x>\r\n\r\n".encode(), KEY, ROUTE) is None


def test_a_reply_that_quotes_our_message_id_is_not_our_mail():
    token = new_token(KEY, ROUTE)
    for name in ("In-Reply-To", "References", "Subject", "X-Other"):
        assert recognise(f"{name}: <{token}@example.test>\r\n\r\n".encode(), KEY, ROUTE) is None


def test_a_token_in_the_body_counts_for_nothing():
    token = new_token(KEY, ROUTE)
    assert recognise(f"Subject: x\r\n\r\n{message.HEADER}: {token}\r\n".encode(), KEY, ROUTE) is None


def test_tokens_are_fresh_and_fit_a_local_part():
    tokens = {new_token(KEY, ROUTE) for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) <= 64 and re.fullmatch(r"[a-z0-9.]+", token) for token in tokens)


# -- building ---------------------------------------------------------------------------------------------------------


def test_the_mail_is_small_seven_bit_marked_as_automatic_and_well_formed():
    token = new_token(KEY, ROUTE)
    raw = mail_of(token)
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert len(raw) < 2000
    assert max(raw) < 128
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert not parsed.defects
    assert (parsed["From"], parsed["To"]) == (SENDER, RECIPIENT)
    assert parsed["Subject"] == f"mailprobe round trip {short_id(token)}"
    assert parsed["Message-ID"] == f"<{token}@example.test>"
    assert b"Message-ID: <" in raw  # not folded
    assert max(map(len, raw.partition(b"\r\n\r\n")[2].splitlines())) <= 76  # quoted-printable, RFC 2045 6.7
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["X-Auto-Response-Suppress"] == "All"
    assert parsed["Date"].datetime.timestamp() == NOW
    assert parsed.get_content_type() == "text/plain"


def test_an_address_with_a_line_break_is_refused():
    with pytest.raises(ValueError, match=r"[\r\n]|newline|linefeed"):
        build("a@example.test\r\nBcc: x@example.test", RECIPIENT, new_token(KEY, ROUTE), NOW)


def test_an_address_beyond_ascii_is_kept():
    raw = build("销售@example.test", RECIPIENT, new_token(KEY, ROUTE), NOW)
    assert "From: 销售@example.test".encode() in raw


# -- altered ----------------------------------------------------------------------------------------------------------


def parts_of(raw: bytes) -> tuple[bytes, str]:
    head, _, _ = raw.partition(b"\r\n\r\n")
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    return head, parsed.get_content()


def encoded(raw: bytes, how: str, charset: str = "utf-8") -> bytes:
    """The same mail in another transfer encoding, as a relay may make it."""
    parsed = email.message_from_bytes(raw, policy=email.policy.SMTP)
    text = parsed.get_content()
    parsed.set_content(text, cte=how, charset=charset)
    return parsed.as_bytes()


def test_an_untouched_mail_is_not_altered():
    assert not altered(mail_of(new_token(KEY, ROUTE)))


@pytest.mark.parametrize(("how", "charset"), [("base64", "utf-8"), ("8bit", "utf-8"), ("base64", "gb18030")])
def test_another_transfer_encoding_or_charset_alters_nothing(how, charset):
    assert not altered(encoded(mail_of(new_token(KEY, ROUTE)), how, charset))


def test_line_ends_and_spaces_at_the_end_alter_nothing():
    raw = mail_of(new_token(KEY, ROUTE))
    assert not altered(raw.replace(b"\r\n", b"\n"))
    assert not altered(raw + b"\r\n\r\n")
    assert not altered(raw.replace(b"deleted.\r\n", b"deleted.=20\r\n"))


def test_a_stripped_digest_header_alters_nothing_as_the_text_carries_it_too():
    raw = mail_of(new_token(KEY, ROUTE))
    assert not altered(re.sub(rb"X-Mailprobe-Digest: [^\r]*\r\n( [^\r]*\r\n)*", b"", raw))


def test_an_added_disclaimer_a_changed_word_and_a_changed_digest_are_alterations():
    raw = mail_of(new_token(KEY, ROUTE))
    assert altered(raw + b"CAUTION: this mail came from outside.\r\n")
    assert altered(raw.replace(b"how long", b"how short"))
    assert altered(re.sub(rb"Digest: sha256=3D.", b"Digest: sha256=3Dx", raw))
    assert altered(raw.replace(b"text/plain", b"text/html"))


def test_a_mail_that_was_wrapped_is_altered():
    raw = mail_of(new_token(KEY, ROUTE))
    head, text = parts_of(raw)
    wrapped = re.sub(rb"Content-Type: [^\r]*", b'Content-Type: multipart/mixed; boundary="b"', head)
    assert altered(wrapped + b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n" + text.encode() + b"\r\n--b--\r\n")


# -- bounces ----------------------------------------------------------------------------------------------------------

REPORT = """From: MAILER-DAEMON@example.test
To: a@example.test
Subject: Undelivered Mail
Content-Type: multipart/report; report-type=delivery-status;
 boundary="b"

--b
Content-Type: text/plain

I'm sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.test

Final-Recipient: rfc822; b@example.test
Action: {action}
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <b@example.test>: Recipient
    address rejected: User unknown

--b
Content-Type: {kind}

{original}
--b--
"""


def report(token: str, *, action: str = "failed", kind: str = "message/rfc822") -> bytes:
    original = mail_of(token).decode()
    if kind != "message/rfc822":
        original = original.partition("\r\n\r\n")[0] + "\r\n"
    return REPORT.format(action=action, kind=kind, original=original).encode()


@pytest.mark.parametrize("kind", ["message/rfc822", "text/rfc822-headers"])
def test_a_report_about_our_mail_gives_the_token_and_the_diagnostic(kind):
    token = new_token(KEY, ROUTE)
    found = read_bounce(report(token, kind=kind), KEY, ROUTE)
    assert found is not None
    assert found.token == token
    assert found.text == "550 5.1.1 <b@example.test>: Recipient address rejected: User unknown"


def test_a_report_without_a_diagnostic_gives_its_status():
    raw = re.sub(rb"Diagnostic-Code:.*\n.*\n", b"", report(new_token(KEY, ROUTE)))
    found = read_bounce(raw, KEY, ROUTE)
    assert found is not None
    assert found.text == "5.1.1"


def test_a_delay_or_a_report_about_another_mail_is_no_bounce_of_ours():
    assert read_bounce(report(new_token(KEY, ROUTE), action="delayed"), KEY, ROUTE) is None
    assert read_bounce(report(new_token(KEY, "other")), KEY, ROUTE) is None
    assert read_bounce(b"", KEY, ROUTE) is None
    assert read_bounce(mail_of(new_token(KEY, ROUTE)), KEY, ROUTE) is None


def test_a_report_is_told_by_its_content_type():
    assert may_be_report(report(new_token(KEY, ROUTE)))
    assert not may_be_report(b"Content-Type: multipart/report; report-type=disposition-notification\r\n\r\n")
    assert not may_be_report(b"Content-Type: text/plain\r\n\r\n")
    assert not may_be_report(b"")
