"""The exceptions that probes and the net package raise. Only the package diagnosis turns them into a Failure.

Messages must never contain a credential.
"""

from __future__ import annotations

import ssl

from exporter.model import Command, Failure, Service
from exporter.model.advice import Advice
from exporter.model.reasons import Reason


class ProbeError(Exception):
    """A failure whose reason is already known where it is raised."""

    def __init__(self, reason: Reason, text: str = "") -> None:
        super().__init__(text or reason.value)
        self.reason = reason
        self.text = text


class Inconclusive(Exception):
    """The run says nothing about the mail service."""

    def __init__(self, reason: Reason, text: str = "") -> None:
        super().__init__(text or reason.value)
        self.reason = reason
        self.text = text


class Suspended(Exception):
    """The login guard does not allow a login now. Carries the reason for which it paused the logins.

    `answer_to` is the protocol whose server sent `text`; None if the text is mailprobe's own. `advice` is set if the
    cause of the pause is not a refusal.
    """

    def __init__(
        self,
        reason: Reason,
        text: str,
        next_attempt: float,
        answer_to: Service | None = None,
        advice: Advice | None = None,
    ) -> None:
        super().__init__(text or reason.value)
        self.reason = reason
        self.text = text
        self.next_attempt = next_attempt  # Unix time, seconds
        self.answer_to = answer_to
        self.advice = advice


class Refusal(Exception):
    """The server refused a command. `text` is its complete reply, unchanged; `code` is the first word or number.

    IMAP: code is "NO", "BAD", "BYE", or "NO" with a response code, e.g. text "NO [AUTHENTICATIONFAILED] …". SMTP: code
    is the three digits, text all lines with their codes, joined by line feeds; `command` is what it answers, if known.
    """

    def __init__(self, protocol: Service, code: str, text: str, command: Command | None = None) -> None:
        super().__init__(text)
        self.command = command
        self.protocol = protocol
        self.code = code
        self.text = text
        self.failure: Failure | None = None  # diagnosis by the login guard, if this answered a login


class TokenRefusal(Refusal):
    """The token endpoint refuses an access token. `code` is its error (RFC 6749 section 5.2), "" if there was none."""

    def __init__(self, status: int, error: str, text: str) -> None:
        super().__init__(Service.HTTPS, error, text)
        self.status = status


class ServerClosed(ConnectionError):
    """The server closed the connection. `text` holds its last lines (a BYE, a 421, an unfinished line) or is empty."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text or "the server closed the connection without a message")
        self.text = text
        self.failure: Failure | None = None  # diagnosis by the login guard, if this answered a login


class NoAnswer(TimeoutError):
    """The time for an answer is over. `text` holds what the server said meanwhile: untagged NO or BAD lines."""

    def __init__(self, text: str) -> None:
        super().__init__(f"no answer in time, only: {text}")
        self.text = text


class Garbage(Exception):
    """The bytes are not the expected protocol, or exceed one of our limits. `text` is their start, cleaned.

    `wrong_protocol` is set if another protocol was recognised (TLS on a plain port, HTTP, SSH …), `advice` if it is
    known what to do.
    """

    def __init__(self, text: str, *, wrong_protocol: bool = False, advice: Advice | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.wrong_protocol = wrong_protocol
        self.advice = advice


class CertificateFault(ssl.SSLCertVerificationError):
    """A certificate that does not verify, and its chain tells more than OpenSSL does: `advice` is the case."""

    def __init__(self, advice: Advice, text: str, verify_code: int) -> None:
        super().__init__(1, text)
        self.advice = advice
        self.verify_code = verify_code
        self.verify_message = text


class StartTlsUnavailable(Exception):
    """STARTTLS is configured, but the server does not offer it or refuses it. No credential was sent.

    `quoted`: the text is the server's reply, unchanged.
    """

    def __init__(self, text: str = "", *, quoted: bool = False) -> None:
        super().__init__(text or "the server does not offer STARTTLS")
        self.text = text
        self.quoted = quoted


class DnsFailure(Exception):
    """A name could not be resolved. `kind` is nxdomain, no_data, servfail, refused, timeout or bogus."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
