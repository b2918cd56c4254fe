"""The shape of config.yaml. Descriptions end up in docs/configuration.md and in the JSON schema.

A key is here only when it works. `LATER` names keys that the documentation reserves, so that the error can say so.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from exporter.config import fields
from exporter.model import Family, Flow, Security
from exporter.robots import Kind

OFF = ("off", "false", "no")
ON = ("on", "true", "yes")


class Shape(BaseModel):
    """A mapping of the file. A key without a value is as if it were not written."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)
    LATER: ClassVar[frozenset[str]] = frozenset({"proxy"})

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, data: Any) -> Any:
        if isinstance(data, dict) and None in data.values():
            known = {field.alias or name for name, field in cls.model_fields.items()}
            return {key: value for key, value in data.items() if value is not None or key not in known}
        return data


class Intervals(Shape):
    """How often each kind of probe runs."""

    login: fields.Interval = Field(default=300.0, description="imap and smtp of a mailbox: every run is a login")
    tls: fields.Interval = Field(default=60.0, description="every distinct server of a mailbox, and endpoints")
    dns: fields.Interval = Field(default=600.0, description="the mailboxes' domains, and domains")
    roundtrip: fields.Interval = Field(default=600.0, description="one mail per route")


class Defaults(Shape):
    """What holds where a target says nothing else."""

    interval: Intervals = Field(default_factory=Intervals, description="how often each kind of probe runs")
    timeout: fields.Timeout = Field(
        default=20.0, description="for a whole run; of a round trip, for one step on the network"
    )
    recheck: fields.Recheck = Field(
        default=20.0, description="a fresh failure is looked at again after this time, twice; a refused login is not"
    )
    family: Family = Field(default=Family.ANY, description="which addresses of a host may be used")
    source_address: fields.IpAddress | None = Field(default=None, description="our own IP address to connect from")
    ca_file: fields.LocalPath | None = Field(default=None, description="PEM file of trusted CAs; default: the system's")

    def over(self, base: Defaults) -> Defaults:
        """These where they were written, else the others'."""
        own = {name: getattr(self, name) for name in self.model_fields_set - {"interval"}}
        interval = {name: getattr(self.interval, name) for name in self.interval.model_fields_set}
        return base.model_copy(update={**own, "interval": base.interval.model_copy(update=interval)})

    def clash(self) -> str:
        """What is wrong between family and source_address, or nothing."""
        wanted = {Family.IPV4: 4, Family.IPV6: 6}.get(self.family)
        if self.source_address and wanted and ipaddress.ip_address(self.source_address).version != wanted:
            return f"is not an address of family {self.family}"
        return ""


class Limits(Shape):
    """What we may burden ourselves and the servers with. Intervals stretch to fit."""

    in_flight: fields.Whole = Field(default=200, ge=1, le=10_000, description="probes under way at once")
    per_host: fields.Whole = Field(default=4, ge=1, le=1_000, description="of them, to one server")
    logins_per_host_per_minute: fields.Whole = Field(default=60, ge=1, le=100_000, description="logins to one server")


class LoginGuard(Shape):
    """When a password is no longer sent, so that a monitor never locks an account."""

    failures: fields.Whole = Field(default=2, ge=1, le=100, description="refusals in a row before the pause")
    refusals_per_day: fields.Whole = Field(default=6, ge=1, le=1_000, description="never more refusals in 24 hours")
    first_pause: fields.Days = Field(default=1800.0, description="the first pause; each next is twice as long")
    longest_pause: fields.Days = Field(default=86400.0, description="but not longer than this")

    @model_validator(mode="after")
    def _in_order(self) -> LoginGuard:
        if self.longest_pause < self.first_pause:
            raise ValueError("longest_pause is shorter than first_pause")
        return self


class Incidents(Shape):
    """When failing becomes an incident, and when that is over; in looks that told something."""

    open_after: fields.Whole = Field(default=3, ge=1, le=100, description="failures of a target, one after the other")
    resolve_after: fields.Whole = Field(
        default=2, ge=1, le=100, description="good looks, after every target of the incident has been looked at again"
    )


class BasicAuth(Shape):
    """User name and password for a service of ours."""

    username: fields.Text = Field(description="user name")
    password_file: fields.LocalPath = Field(description="file with the password, read at each use")


class Alertmanager(Shape):
    """One Alertmanager."""

    url: fields.ServiceUrl = Field(description="such as http://127.0.0.1:9093, without /api/v2/alerts")
    basic_auth: BasicAuth | None = Field(default=None, description="user name and password")
    bearer_token_file: fields.LocalPath | None = Field(default=None, description="file with a token, read at each use")
    ca_file: fields.LocalPath | None = Field(default=None, description="trusted CAs (PEM); default: the system's")

    @model_validator(mode="after")
    def _one_way_in(self) -> Alertmanager:
        if self.url.endswith("/api/v2/alerts"):
            raise ValueError("write url without /api/v2/alerts")
        if self.basic_auth and self.bearer_token_file:
            raise ValueError("basic_auth and bearer_token_file exclude each other")
        if self.ca_file and not self.url.startswith("https:"):
            raise ValueError("ca_file without https: nothing is verified")
        return self


class Push(Shape):
    """Incidents are pushed to every Alertmanager named here: instead of Prometheus and its rules, not beside them."""

    targets: tuple[Alertmanager, ...] = Field(
        min_length=1, max_length=20, description="each of a cluster, not a load balancer before it"
    )
    labels: fields.Labels = Field(default_factory=dict, description="for every alert, such as site: berlin")
    resend: fields.Wait = Field(default=60.0, description="what is wrong is said again after this time")

    @model_validator(mode="after")
    def _distinct(self) -> Push:
        if len({each.url for each in self.targets}) < len(self.targets):
            raise ValueError("targets names an Alertmanager twice")
        return self


class Bridge(Shape):
    """One robot of a chat group, to which POST /bridge/NAME brings Alertmanager's notifications."""

    name: fields.Word = Field(description="NAME in the address")
    kind: Kind = Field(description="whose robot: DingTalk, Feishu (Lark too), WeCom")
    url_file: fields.LocalPath = Field(description="file with the robot's URL, which holds its key; read at each use")
    secret_file: fields.LocalPath | None = Field(
        default=None, description="file with the secret of its signature, where it asks for one; WeCom has none"
    )
    token_file: fields.LocalPath = Field(
        description="file with the token that the caller shows: Authorization: Bearer …; read at each use"
    )
    lang: Literal["zh", "en"] = Field(default="zh", description="language of the messages")

    @model_validator(mode="after")
    def _signed_or_not(self) -> Bridge:
        if self.kind is Kind.WECOM and self.secret_file is not None:
            raise ValueError("secret_file: a WeCom robot has no signature, its key is in the URL")
        return self


class Reference(Shape):
    """Something that answers as long as our own network works: `tcp` or `dns`."""

    tcp: fields.HostPort | None = Field(default=None, description="host:port that takes connections")
    dns: fields.Host | None = Field(default=None, description="a name that the resolvers can look up")

    @model_validator(mode="after")
    def _one(self) -> Reference:
        if (self.tcp is None) == (self.dns is None):
            raise ValueError("must have tcp: host:port or dns: name, and not both")
        return self


class Vantage(Shape):
    """How we notice that it is our own network that is down. Without references: not at all."""

    references: tuple[Reference, ...] = Field(
        default=(), max_length=10, description="looked at before a failure counts; better none of the mail servers"
    )
    quorum: fields.Whole = Field(default=1, ge=1, le=10, description="so many of them must answer, else we are offline")

    @model_validator(mode="after")
    def _enough(self) -> Vantage:
        if self.references and self.quorum > len(self.references):
            raise ValueError("quorum is more than there are references")
        return self


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
