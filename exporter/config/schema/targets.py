"""Schema of what is monitored: mailboxes, domains, endpoints, routes; and of the main file and included files.

The docstrings and descriptions of the models are also the text of docs/configuration.md and of the JSON schema.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from exporter.config.schema import fields
from exporter.config.schema.daemon import Defaults, Incidents, Limits, LoginGuard, Vantage
from exporter.config.schema.mapping import Shape
from exporter.config.schema.notify import Bridge, Push
from exporter.model import Flow, Security

OFF = ("off", "false", "no")
ON = ("on", "true", "yes")


class Server(Shape):
    """A server of a mailbox. Missing keys are filled in from the provider's preset."""

    host: fields.Host | None = Field(default=None, description="host name or IP address; default: the provider's")
    port: fields.Whole | None = Field(
        default=None, ge=1, le=65535, description="default: the provider's, else the standard port"
    )
    security: Security | None = Field(
        default=None, description="TLS from the start, after STARTTLS, or none; default: the provider's, else by port"
    )
    auth: Literal["auto", "plain", "login", "scram-sha-256", "xoauth2", "oauthbearer"] = Field(
        default="auto",
        description="the login mechanism; auto: with oauth2 XOAUTH2 or OAUTHBEARER, else PLAIN inside TLS where "
        "offered, else LOGIN",
    )
    server_name: fields.Host | None = Field(
        default=None, description="host name to expect in the certificate; default: host"
    )
    ca_file: fields.LocalPath | None = Field(
        default=None, description="PEM file with trusted CAs; default: defaults.ca_file"
    )
    interval: fields.Interval | None = Field(default=None, description="default: defaults.interval.login")
    timeout: fields.Timeout | None = Field(default=None, description="default: defaults.timeout")


class ImapServer(Server):
    """The server from which mail is read by IMAP."""

    folders: tuple[fields.Folder, ...] = Field(
        default=("INBOX",),
        min_length=1,
        max_length=8,
        description="folders that must exist; their messages are counted",
    )


class Pop3Server(Server):
    """The server from which mail is read by POP3."""


class SmtpServer(Server):
    """The server through which the mailbox sends."""


def _switch(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else None
    if isinstance(value, str):
        if value.lower() in OFF:
            return None
        if value.lower() in ON:
            return {}
        raise ValueError("must be off, or a mapping with host, port, security …")
    return value


class _OrOff:
    """How a switch looks in the JSON schema: `off` where pydantic has null."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        mapping, _ = handler(core)["anyOf"]
        return {"anyOf": [mapping, {"enum": ["off", False]}]}


class OAuth2(Shape):
    """Where access tokens come from. Missing keys are filled in from the provider's preset (Google, Microsoft)."""

    flow: Flow = Field(
        default=Flow.REFRESH_TOKEN,
        description="refresh_token: somebody signed in once (mailprobe oauth NAME); client_credentials: the "
        "application itself, Microsoft 365; jwt_bearer: a service account's key, Google Workspace",
    )
    token_url: fields.SecretUrl | None = Field(default=None, description="token endpoint; default: the provider's")
    client_id: fields.Text | None = Field(
        default=None, description="of the application; required but for jwt_bearer with a JSON key_file"
    )
    client_secret_file: fields.LocalPath | None = Field(default=None, description="file with the client's secret")
    refresh_token_file: fields.LocalPath | None = Field(
        default=None,
        description="file to which mailprobe oauth NAME writes the refresh token; replacements are kept in the state",
    )
    key_file: fields.LocalPath | None = Field(
        default=None, description="service account's key: Google's JSON, or PEM with client_id as its issuer"
    )
    scope: fields.Scope | None = Field(default=None, description="requested scopes; default: the provider's")
    device_url: fields.SecretUrl | None = Field(
        default=None, description="for mailprobe oauth: device authorization endpoint; default: the provider's"
    )
    authorize_url: fields.SecretUrl | None = Field(
        default=None, description="for mailprobe oauth: authorization endpoint; default: the provider's"
    )
    redirect_url: fields.SecretUrl | None = Field(
        default=None,
        description="for mailprobe oauth: registered page that shows the code to paste; default: this machine",
    )

    @model_validator(mode="after")
    def _complete(self) -> OAuth2:
        needs = {
            Flow.REFRESH_TOKEN: ("client_id", "refresh_token_file"),
            Flow.CLIENT_CREDENTIALS: ("client_id", "client_secret_file"),
            Flow.JWT_BEARER: ("key_file",),
        }
        missing = [key for key in needs[self.flow] if getattr(self, key) is None]
        if missing:
            raise ValueError(f"{' and '.join(missing)} missing: the flow {self.flow} requires it")
        takes = {*needs[self.flow], *(("client_secret_file",) if self.flow is Flow.REFRESH_TOKEN else ())}
        for key in ("client_secret_file", "refresh_token_file", "key_file"):
            if getattr(self, key) is not None and key not in takes:
                raise ValueError(f"{key} is not used by the flow {self.flow}")
        return self


class Mailbox(Shape):
    """One account. Its servers and its domain are monitored automatically."""

    LATER = Shape.LATER | {"replies"}

    name: fields.Title | None = Field(default=None, description="the label `target`; default: the address")
    address: fields.Address = Field(description="the mail address")
    provider: fields.Provider | None = Field(
        default=None, description="id or name of a preset; default: recognised by the address, then by its MX"
    )
    username: fields.Text | None = Field(default=None, description="user name for the login; default: the address")
    password_file: fields.LocalPath | None = Field(default=None, description="file with the password")
    password_env: fields.Word | None = Field(default=None, description="environment variable with the password")
    password_command: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="program and arguments that print the password; run without a shell",
    )
    password_credential: fields.Word | None = Field(default=None, description="name of a systemd credential")
    password: fields.HiddenText | None = Field(
        default=None, description="the password itself; gives a warning: prefer a file"
    )
    oauth2: OAuth2 | None = Field(default=None, description="log in with access tokens instead of a password")
    imap: Annotated[ImapServer | None, BeforeValidator(_switch), _OrOff()] = Field(
        default_factory=ImapServer, description="IMAP server, or off"
    )
    pop3: Annotated[Pop3Server | None, BeforeValidator(_switch), _OrOff()] = Field(
        default=None, description="POP3 server; default: off"
    )
    smtp: Annotated[SmtpServer | None, BeforeValidator(_switch), _OrOff()] = Field(
        default_factory=SmtpServer, description="SMTP server, or off"
    )
    labels: fields.Labels = Field(default_factory=dict, description="labels on mailprobe_target_info; see alert_labels")

    @property
    def title(self) -> str:
        """The name of its targets."""
        return self.name or self.address


class Domain(Shape):
    """A domain whose MX, SPF, DKIM and DMARC records are monitored."""

    LATER = Shape.LATER | {"expect", "dnsbl"}

    name: fields.Domain = Field(description="the domain")
    dkim_selectors: tuple[fields.Word, ...] = Field(
        default=(), max_length=20, description="selectors whose DKIM keys must exist"
    )
    interval: fields.Interval | None = Field(default=None, description="default: defaults.interval.dns")


class Endpoint(Shape):
    """A server to connect to without a login (TLS, certificate, greeting), or a web page given by its url."""

    name: fields.Title | None = Field(default=None, description="the label `target`; default: host:port, or the url")
    url: fields.PageUrl | None = Field(default=None, description="https:// address of a web page such as a webmail")
    expect_status: tuple[fields.Status, ...] = Field(
        default=(200,), min_length=1, max_length=20, description="status codes of the page that count as success"
    )
    host: fields.Host | None = Field(default=None, description="name or IP address; required without url")
    port: fields.Whole | None = Field(default=None, ge=1, le=65535, description="its port; required without url")
    security: Security | None = Field(
        default=None, description="TLS from the start, after STARTTLS, or none; default: by port"
    )
    protocol: Literal["imap", "pop3", "smtp", "https"] | None = Field(
        default=None, description="application protocol; default: by port"
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Endpoint:
        written = self.model_fields_set
        if self.url is not None:
            surplus = [key for key in ("host", "port", "security", "protocol") if key in written]
            if surplus:
                raise ValueError(f"{' and '.join(surplus)} beside url: the url says it all")
            return self
        if "expect_status" in written:
            raise ValueError("expect_status applies to a web page: url is missing")
        missing = [key for key, value in (("host", self.host), ("port", self.port)) if value is None]
        if missing:
            verb = "are" if missing[1:] else "is"
            raise ValueError(f"{' and '.join(missing)} {verb} missing; write it, or a url")
        if self.protocol == "https" and self.security not in (None, Security.TLS):
            raise ValueError("https needs security: tls")
        return self


class Route(Shape):
    """A route of mail: one small mail is sent by one mailbox and expected in another (or the same)."""

    LATER = Shape.LATER | {"attachment_size"}

    name: fields.Title | None = Field(default=None, description="the label `target`; default: FROM-to-TO")
    sender: str = Field(alias="from", description="name of the sending mailbox; its smtp must be on")
    receiver: str = Field(alias="to", description="name of the receiving mailbox; its imap must be on")
    rcpt: fields.Address | None = Field(
        default=None, description="recipient address, such as an alias or a list; default: the receiver's address"
    )
    interval: fields.Interval | None = Field(default=None, description="default: defaults.interval.roundtrip")
    late_after: fields.Wait = Field(default=60.0, description="a mail that takes longer is late, which is a failure")
    lost_after: fields.Days = Field(default=900.0, description="after this time a mail counts as lost")

    @model_validator(mode="after")
    def _in_order(self) -> Route:
        if self.lost_after < self.late_after:
            raise ValueError("lost_after is shorter than late_after")
        return self

    @property
    def title(self) -> str:
        """The name of its target."""
        return self.name or f"{self.sender}-to-{self.receiver}"


class Targets(Shape):
    """The keys that the main file and included files have in common."""

    defaults: Defaults = Field(default_factory=Defaults, description="values for targets that do not set their own")
    mailboxes: tuple[Mailbox, ...] = Field(default=(), description="accounts to log in to")
    domains: tuple[Domain, ...] = Field(default=(), description="additional domains, or their DKIM selectors")
    endpoints: tuple[Endpoint, ...] = Field(default=(), description="additional servers, without a login")
    routes: tuple[Route, ...] = Field(default=(), description="round trips: send a mail and wait for it")


class Main(Targets):
    """The file that `--config.file` names."""

    resolvers: tuple[fields.Resolver, ...] = Field(
        default=("system",),
        min_length=1,
        max_length=8,
        description="`system` (uses /etc/hosts too) or IP addresses, with or without a port",
    )
    limits: Limits = Field(default_factory=Limits, description="limits for the load on this machine and on the servers")
    vantage: Vantage = Field(default_factory=Vantage, description="detects that mailprobe's own network is down")
    login_guard: LoginGuard = Field(default_factory=LoginGuard, description="when mailprobe stops sending a password")
    incidents: Incidents = Field(default_factory=Incidents, description="when failures become an incident")
    alertmanager: Push | None = Field(default=None, description="Alertmanagers to push incidents to; default: none")
    bridges: tuple[Bridge, ...] = Field(
        default=(),
        max_length=20,
        description="robots of chat groups that receive Alertmanager's notifications through mailprobe",
    )
    include: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="additional files: names or patterns such as conf.d/*.yaml, relative to this file",
    )
    alert_labels: tuple[fields.LabelName, ...] = Field(
        default=(), max_length=10, description="configured labels to add to every metric that has the label target"
    )

    @model_validator(mode="after")
    def _distinct_bridges(self) -> Main:
        names = [each.name for each in self.bridges]
        if len(set(names)) < len(names):
            raise ValueError("bridges contains a name twice")
        return self


class Included(Targets):
    """A file that `include` of the main file names."""

    labels: fields.Labels = Field(default_factory=dict, description="labels for all targets of this file")
