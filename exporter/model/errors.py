"""What a probe and the wire layer may raise. `diagnosis` turns each into a Failure; nobody else interprets them."""

from __future__ import annotations

from exporter.model import Failure, Service
from exporter.model.reasons import Reason


class ProbeError(Exception):
    """Raised where the reason is known on the spot."""

    def __init__(self, reason: Reason, text: str = "") -> None:
        super().__init__(text or reason.value)
        self.reason = reason
        self.text = text


class Inconclusive(Exception):
    """Nothing can be said about the mail service."""

    def __init__(self, reason: Reason, text: str = "") -> None:
        super().__init__(text or reason.value)
        self.reason = reason
        self.text = text


class Suspended(Exception):
    """The guard does not allow a login now. Carries the standing verdict that paused it.

    `answer_to` is the protocol whose server said `text`; None where the words are ours.
    """

    def __init__(self, reason: Reason, text: str, next_attempt: float, answer_to: Service | None = None) -> None:
        super().__init__(text or reason.value)
        self.reason = reason
        self.text = text
        self.next_attempt = next_attempt  # Unix time, seconds
        self.answer_to = answer_to


class Refusal(Exception):
    r"""The server said no. `text` is its reply, complete and literal; `code` its first word or number.

    IMAP: code is "NO", "BAD", "BYE", or "NO" with a response code, e.g. text "NO [AUTHENTICATIONFAILED] …".
    SMTP: code is the three digits, text all lines with their codes, joined by "\n".
    """

    def __init__(self, protocol: Service, code: str, text: str) -> None:
        super().__init__(text)
        self.protocol = protocol
        self.code = code
        self.text = text
        self.failure: Failure | None = None  # the login guard's diagnosis, where this answered a login


class TokenRefusal(Refusal):
    """The token endpoint gives no access token. `code` is its error (RFC 6749 section 5.2), "" where it named none."""

    def __init__(self, status: int, error: str, text: str) -> None:
        super().__init__(Service.HTTPS, error, text)
        self.status = status


class ServerClosed(ConnectionError):
    """The server hung up. `text` holds its last words (a BYE, a 421, an unfinished line), or is empty."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text or "the server closed the connection without a word")
        self.text = text
        self.failure: Failure | None = None  # the login guard's diagnosis, where this answered a login


class Garbage(Exception):
    """What came is not the protocol, or breaks one of our bounds. `text` is the start of it, cleaned.

    `wrong_protocol` is set where it is recognisably another one (TLS on a plain port, HTTP, SSH …).
    """

    def __init__(self, text: str, *, wrong_protocol: bool = False) -> None:
        super().__init__(text)
        self.text = text
        self.wrong_protocol = wrong_protocol


class StartTlsUnavailable(Exception):
    """STARTTLS is configured and the server does not offer it, or refuses it. No credential has been sent.

    `quoted`: the text is the server's refusal, literally.
    """

    def __init__(self, text: str = "", *, quoted: bool = False) -> None:
        super().__init__(text or "the server does not offer STARTTLS")
        self.text = text
        self.quoted = quoted


class DnsFailure(Exception):
    """A name could not be looked up. `kind` tells how: nxdomain, no_data, servfail, refused, timeout, bogus."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text
