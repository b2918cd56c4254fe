"""Schema of the web configuration: keys and values of exporter-toolkit.

Those that Python cannot support are rejected.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from exporter.config.problems import nearest
from exporter.config.schema import fields
from exporter.config.schema.mapping import Shape
from exporter.model import Secret, durations
from exporter.web.config.go_names import CIPHERS, CURVES, TLS13_CIPHERS

# The boolean values of the YAML library that exporter-toolkit uses.
_TRUTH = {**dict.fromkeys(("y", "yes", "true", "on"), True), **dict.fromkeys(("n", "no", "false", "off"), False)}
_BCRYPT = re.compile(r"\$2[abxy]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_WITHOUT_AUTHORITY = {
    "RequestClientCert": "checks no certificate, so it gives no protection; "
    "write NoClientCert or VerifyClientCertIfGiven",
    "RequireAnyClientCert": "accepts any certificate, so it gives no protection, and Python's TLS always verifies a "
    "certificate that it requests; write RequireAndVerifyClientCert",
}
_WITHOUT_AUTHORITY["RequireClientCert"] = _WITHOUT_AUTHORITY["RequireAnyClientCert"]  # the old name


def _truth(value: object) -> object:
    if not isinstance(value, str) or value.lower() not in _TRUTH:
        raise ValueError("must be true or false")
    return _TRUTH[value.lower()]


def _client_auth(value: object) -> object:
    if value == "":
        return "NoClientCert"
    if isinstance(value, str) and value in _WITHOUT_AUTHORITY:
        raise ValueError(f"{value} is not supported: it {_WITHOUT_AUTHORITY[value]}")
    return value


def _cipher(value: str) -> str:
    if value in CIPHERS or value in TLS13_CIPHERS:
        return value
    found = [go for go, openssl in CIPHERS.items() if openssl == value.upper()]
    found = found or difflib.get_close_matches(value.upper()[:100], CIPHERS, n=1, cutoff=0.8)
    hint = f"; did you mean {found[0]}?" if found else ""
    raise ValueError(f"is not the Go name of a secure cipher suite{hint}")


def _curve(value: str) -> str:
    if value not in CURVES:
        raise ValueError(f"must be one of {', '.join(CURVES)}{nearest(value, CURVES)}")
    return value


def _user(value: str) -> str:
    if ":" in value or not (value.isprintable() or not value):
        raise ValueError("a user name must not contain a colon or a control character (RFC 7617)")
    return value


def _bcrypt(value: Secret) -> Secret:
    if not _BCRYPT.fullmatch(value.reveal()):
        raise ValueError("is not a bcrypt hash, which begins with $2y$10$; make one with: htpasswd -nBC 10 ''")
    return value


def _header(value: str) -> str:
    if not value.isascii() or (value and not value.isprintable()):
        raise ValueError("must be printable ASCII")
    return value


def _interval(value: object) -> float:
    return 0.0 if value in ("0", "0s") else durations.parse(value)


Truth = Annotated[bool, BeforeValidator(_truth)]
Header = Annotated[str, AfterValidator(_header)]
Version = Literal["TLS10", "TLS11", "TLS12", "TLS13"]
ClientAuth = Literal["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"]


class Part(Shape):
    """A mapping of web.config."""

    LATER: ClassVar[frozenset[str]] = frozenset()


class TlsServer(Part):
    """The server's certificate, and which client certificates are trusted."""

    cert: str | None = Field(default=None, description="the certificate and its chain (PEM)")
    cert_file: fields.LocalPath | None = Field(default=None, description="file with them")
    key: fields.HiddenText | None = Field(default=None, description="its private key (PEM)")
    key_file: fields.LocalPath | None = Field(default=None, description="file with it")
    client_ca: str | None = Field(default=None, description="authorities of client certificates (PEM)")
    client_ca_file: fields.LocalPath | None = Field(default=None, description="file with them")
    client_auth_type: Annotated[ClientAuth, BeforeValidator(_client_auth)] = Field(
        default="NoClientCert", description="whether clients must show a certificate"
    )
    client_allowed_sans: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="of the certificates, only those with one of these names"
    )
    min_version: Version = Field(default="TLS12", description="oldest version of TLS")
    max_version: Version = Field(default="TLS13", description="newest version of TLS")
    cipher_suites: tuple[Annotated[str, AfterValidator(_cipher)], ...] = Field(
        default=(), description="Go's names, for TLS 1.2"
    )
    prefer_server_cipher_suites: Truth = Field(default=True, description="our order of them, not the client's")
    curve_preferences: tuple[Annotated[str, AfterValidator(_curve)], ...] = Field(default=(), description="Go's names")


class Headers(Part):
    """Response headers. An empty value removes the header that mailprobe would send."""

    content_security_policy: Header | None = Field(default=None, alias="Content-Security-Policy")
    x_frame_options: Literal["deny", "sameorigin"] | None = Field(default=None, alias="X-Frame-Options")
    x_content_type_options: Literal["nosniff"] | None = Field(default=None, alias="X-Content-Type-Options")
    x_xss_protection: Header | None = Field(default=None, alias="X-XSS-Protection")
    strict_transport_security: Header | None = Field(default=None, alias="Strict-Transport-Security")


class HttpServer(Part):
    """Settings of the HTTP protocol."""

    http2: Truth = Field(default=True, description="taken, but HTTP/1.1 is what is spoken")
    headers: Headers = Field(default_factory=Headers, description="response headers")


class RateLimit(Part):
    """A token bucket over all requests."""

    interval: Annotated[float, BeforeValidator(_interval)] = Field(default=0.0, description="time a request; 0 = off")
    burst: fields.Whole = Field(default=0, ge=0, le=1_000_000, description="so many at once")

    @model_validator(mode="after")
    def _something_passes(self) -> RateLimit:
        if self.interval and not self.burst:
            raise ValueError("burst is missing: without it no request would ever be answered")
        return self


class WebConfig(Part):
    """The whole file."""

    tls_server_config: TlsServer = Field(default_factory=TlsServer)
    http_server_config: HttpServer = Field(default_factory=HttpServer)
    basic_auth_users: dict[
        Annotated[str, AfterValidator(_user)], Annotated[fields.HiddenText, AfterValidator(_bcrypt)]
    ] = Field(default_factory=dict, description="user name → bcrypt hash")
    rate_limit: RateLimit = Field(default_factory=RateLimit)
