"""The shape of config.yaml. Descriptions end up in docs/configuration.md and in the JSON schema."""

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
    """A mailbox's server. What is not written comes from the provider's preset."""

    host: fields.Host | None = Field(default=None, description="name or IP address; default: the provider's")
    port: fields.Whole | None = Field(default=None, ge=1, le=65535, description="default: the provider's, else usual")
    security: Security | None = Field(
        default=None, description="TLS at once, after STARTTLS, or not at all; default: the provider's, else by port"
    )
    auth: Literal["auto", "plain", "login", "scram-sha-256", "xoauth2", "oauthbearer"] = Field(
        default="auto",
        description="the one mechanism of a run; auto: with oauth2 XOAUTH2 or OAUTHBEARER, else PLAIN inside TLS where "
        "offered, else LOGIN",
    )
    server_name: fields.Host | None = Field(default=None, description="the certificate's name; default: host")
    ca_file: fields.LocalPath | None = Field(default=None, description="trusted CAs (PEM); default: defaults.ca_file")
    interval: fields.Interval | None = Field(default=None, description="default: defaults.interval.login")
    timeout: fields.Timeout | None = Field(default=None, description="default: defaults.timeout")


class ImapServer(Server):
    """How the mailbox is read."""

    folders: tuple[fields.Folder, ...] = Field(
        default=("INBOX",), min_length=1, max_length=8, description="folders that must be there and are counted"
    )


class Pop3Server(Server):
    """How the mailbox is read by POP3."""


class SmtpServer(Server):
    """How the mailbox sends."""


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
    """What a switch looks like in the JSON schema: `off` where pydantic has null."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        mapping, _ = handler(core)["anyOf"]
        return {"anyOf": [mapping, {"enum": ["off", False]}]}


class OAuth2(Shape):
    """Where access tokens come from. What is not written comes from the provider's preset (Google, Microsoft)."""

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
        description="where mailprobe oauth NAME puts the refresh token; replaced ones are kept in the state",
    )
    key_file: fields.LocalPath | None = Field(
        default=None, description="service account's key: Google's JSON, or PEM with client_id as its issuer"
    )
    scope: fields.Scope | None = Field(default=None, description="what is asked for; default: the provider's")
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
            raise ValueError(f"{' and '.join(missing)} missing: the flow {self.flow} needs it")
        takes = {*needs[self.flow], *(("client_secret_file",) if self.flow is Flow.REFRESH_TOKEN else ())}
        for key in ("client_secret_file", "refresh_token_file", "key_file"):
            if getattr(self, key) is not None and key not in takes:
                raise ValueError(f"{key} is nothing that the flow {self.flow} uses")
        return self


class Mailbox(Shape):
    """One account. Its servers and its domain are watched without asking."""

    LATER = Shape.LATER | {"replies"}

    name: fields.Title | None = Field(default=None, description="the label `target`; default: the address")
    address: fields.Address = Field(description="the mail address")
    provider: fields.Provider | None = Field(
        default=None, description="id of a preset; default: by the address, then its MX"
    )
    username: fields.Text | None = Field(default=None, description="for the login; default: the address")
    password_file: fields.LocalPath | None = Field(default=None, description="file with the password")
    password_env: fields.Word | None = Field(default=None, description="environment variable with the password")
    password_command: tuple[str, ...] | None = Field(
        default=None, min_length=1, max_length=64, description="program and arguments that print the password; no shell"
    )
    password_credential: fields.Word | None = Field(default=None, description="name of a systemd credential")
    password: fields.HiddenText | None = Field(default=None, description="the password itself; warns: prefer a file")
    oauth2: OAuth2 | None = Field(default=None, description="log in with access tokens, in place of a password")
    imap: Annotated[ImapServer | None, BeforeValidator(_switch), _OrOff()] = Field(
        default_factory=ImapServer, description="how the mailbox is read, or off"
    )
    pop3: Annotated[Pop3Server | None, BeforeValidator(_switch), _OrOff()] = Field(
        default=None, description="how the mailbox is read by POP3; default: off"
    )
    smtp: Annotated[SmtpServer | None, BeforeValidator(_switch), _OrOff()] = Field(
        default_factory=SmtpServer, description="how the mailbox sends, or off"
    )
    labels: fields.Labels = Field(default_factory=dict, description="on mailprobe_target_info; see alert_labels")

    @property
    def title(self) -> str:
        """The name of its targets."""
        return self.name or self.address


class Domain(Shape):
    """A domain whose MX, SPF, DKIM and DMARC records are watched."""

    LATER = Shape.LATER | {"expect", "dnsbl"}

    name: fields.Domain = Field(description="the domain")
    dkim_selectors: tuple[fields.Word, ...] = Field(
        default=(), max_length=20, description="selectors whose keys must be there"
    )
    interval: fields.Interval | None = Field(default=None, description="default: defaults.interval.dns")


class Endpoint(Shape):
    """A server that is connected to, without a login: TLS, certificate, greeting; or a web page, by its url alone."""

    name: fields.Title | None = Field(default=None, description="the label `target`; default: host:port, or the url")
    url: fields.PageUrl | None = Field(default=None, description="https:// address of a web page such as a webmail")
    expect_status: tuple[fields.Status, ...] = Field(
        default=(200,), min_length=1, max_length=20, description="status codes of the page that are good"
    )
    host: fields.Host | None = Field(default=None, description="name or IP address; required without url")
    port: fields.Whole | None = Field(default=None, ge=1, le=65535, description="its port; required without url")
    security: Security | None = Field(
        default=None, description="TLS at once, after STARTTLS, or not at all; default: by port"
    )
    protocol: Literal["imap", "pop3", "smtp", "https"] | None = Field(
        default=None, description="what is spoken; default: by port"
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
            raise ValueError("expect_status is about a web page: url is missing")
        missing = [key for key, value in (("host", self.host), ("port", self.port)) if value is None]
        if missing:
            verb = "are" if missing[1:] else "is"
            raise ValueError(f"{' and '.join(missing)} {verb} missing, and required; or a url")
        if self.protocol == "https" and self.security not in (None, Security.TLS):
            raise ValueError("https is spoken inside TLS: security: tls")
        return self


class Route(Shape):
    """A way that mail takes: one small mail is sent by one mailbox and looked for in another (or the same)."""

    LATER = Shape.LATER | {"attachment_size"}

    name: fields.Title | None = Field(default=None, description="the label `target`; default: FROM-to-TO")
    sender: str = Field(alias="from", description="name of the mailbox that sends; its smtp is on")
    receiver: str = Field(alias="to", description="name of the mailbox that receives; its imap is on")
    rcpt: fields.Address | None = Field(
        default=None, description="address to send to, such as an alias or a list; default: the receiver's"
    )
    interval: fields.Interval | None = Field(default=None, description="default: defaults.interval.roundtrip")
    late_after: fields.Wait = Field(default=60.0, description="a mail that took longer is late: a failure")
    lost_after: fields.Days = Field(default=900.0, description="after this time it is given up as lost")

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
    """What the main file and included files have in common."""

    defaults: Defaults = Field(default_factory=Defaults, description="what holds where a target says nothing else")
    mailboxes: tuple[Mailbox, ...] = Field(default=(), description="accounts that are logged in to")
    domains: tuple[Domain, ...] = Field(default=(), description="more domains, or their DKIM selectors")
    endpoints: tuple[Endpoint, ...] = Field(default=(), description="more servers, without a login")
    routes: tuple[Route, ...] = Field(default=(), description="round trips: send a mail and look for it")


class Main(Targets):
    """What `--config.file` names."""

    resolvers: tuple[fields.Resolver, ...] = Field(
        default=("system",),
        min_length=1,
        max_length=8,
        description="`system` (honours /etc/hosts) or IP addresses, with port or not",
    )
    limits: Limits = Field(default_factory=Limits, description="what we may burden ourselves and the servers with")
    vantage: Vantage = Field(default_factory=Vantage, description="is our own network down?")
    login_guard: LoginGuard = Field(default_factory=LoginGuard, description="when a password is no longer sent")
    incidents: Incidents = Field(default_factory=Incidents, description="when failing becomes an incident")
    alertmanager: Push | None = Field(default=None, description="where incidents are pushed to; default: nowhere")
    bridges: tuple[Bridge, ...] = Field(
        default=(), max_length=20, description="group robots that get Alertmanager's notifications through us"
    )
    include: tuple[str, ...] = Field(
        default=(),
        max_length=100,
        description="more files: names or patterns such as conf.d/*.yaml, relative to this file",
    )
    alert_labels: tuple[fields.LabelName, ...] = Field(
        default=(), max_length=10, description="configured labels that go on every metric that has the label target"
    )

    @model_validator(mode="after")
    def _distinct_bridges(self) -> Main:
        names = [each.name for each in self.bridges]
        if len(set(names)) < len(names):
            raise ValueError("bridges has a name twice")
        return self


class Included(Targets):
    """What `include` of the main file names."""

    labels: fields.Labels = Field(default_factory=dict, description="for all targets of this file")
