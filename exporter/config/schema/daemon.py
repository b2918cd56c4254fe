"""Schema of the settings for the whole daemon: intervals, defaults, limits, login guard, incidents, vantage.

The docstrings and descriptions of the models are also the text of docs/configuration.md and of the JSON schema.
"""

from __future__ import annotations

import ipaddress

from pydantic import Field, model_validator

from exporter.config.schema import fields
from exporter.config.schema.mapping import Shape
from exporter.model import AddressFamily


class Intervals(Shape):
    """How often each kind of probe runs."""

    login: fields.Interval = Field(default=300.0, description="imap and smtp of a mailbox; every run is a login")
    tls: fields.Interval = Field(default=60.0, description="every distinct server of a mailbox, and endpoints")
    dns: fields.Interval = Field(default=600.0, description="the mailboxes' domains, and domains")
    roundtrip: fields.Interval = Field(default=600.0, description="one mail per route")


class Defaults(Shape):
    """The values for targets that do not set their own."""

    interval: Intervals = Field(default_factory=Intervals, description="how often each kind of probe runs")
    timeout: fields.Timeout = Field(
        default=20.0, description="time limit of a whole run; for a round trip, of one network step"
    )
    recheck: fields.Recheck = Field(
        default=20.0, description="a new failure is checked again after this time, twice; a refused login is not"
    )
    family: AddressFamily = Field(default=AddressFamily.ANY, description="which addresses of a host may be used")
    source_address: fields.IpAddress | None = Field(default=None, description="local IP address to connect from")
    ehlo_name: fields.EhloName | None = Field(
        default=None,
        description="the name that we give to SMTP servers in EHLO: a host name with its domain, or an address literal "
        "such as `'[192.0.2.1]'`; default: the full name of this machine (its host name, or `/etc/hosts`) if it has a "
        "public one, else our address as a literal",
    )
    ca_file: fields.LocalPath | None = Field(
        default=None, description="PEM file with trusted CAs; default: the system's"
    )

    def over(self, base: Defaults) -> Defaults:
        """Return these values where they were written, else those of `base`."""
        own = {name: getattr(self, name) for name in self.model_fields_set - {"interval"}}
        interval = {name: getattr(self.interval, name) for name in self.interval.model_fields_set}
        return base.model_copy(update={**own, "interval": base.interval.model_copy(update=interval)})

    def clash(self) -> str:
        """Return what is wrong between family and source_address, or ""."""
        wanted = {AddressFamily.IPV4: 4, AddressFamily.IPV6: 6}.get(self.family)
        if self.source_address and wanted and ipaddress.ip_address(self.source_address).version != wanted:
            return f"is not an address of family {self.family}"
        return ""


class Limits(Shape):
    """Limits for the load on this machine and on the servers. Intervals become longer where needed."""

    in_flight: fields.Whole = Field(default=200, ge=1, le=10_000, description="probes that run at the same time")
    per_host: fields.Whole = Field(default=4, ge=1, le=1_000, description="the same, per server")
    logins_per_host_per_minute: fields.Whole = Field(
        default=60, ge=1, le=100_000, description="logins per minute to one server"
    )


class LoginGuard(Shape):
    """When mailprobe stops sending a password, so that monitoring never locks an account."""

    failures: fields.Whole = Field(default=2, ge=1, le=100, description="refused logins in a row before logins pause")
    refusals_per_day: fields.Whole = Field(default=6, ge=1, le=1_000, description="most refused logins in 24 hours")
    first_pause: fields.Days = Field(
        default=1800.0, description="length of the first pause; each further pause is twice as long"
    )
    longest_pause: fields.Days = Field(default=86400.0, description="longest pause")
    unsettled_per_day: fields.Whole = Field(
        default=48,
        ge=1,
        le=1_000,
        description="most logins in 24 hours whose answer leaves open whether the password is right: SMTP's 4xx, "
        "`[UNAVAILABLE]`, or no answer; the second half of them is spread over the day",
    )

    @model_validator(mode="after")
    def _in_order(self) -> LoginGuard:
        if self.longest_pause < self.first_pause:
            raise ValueError("longest_pause is shorter than first_pause")
        return self


class Incidents(Shape):
    """When failures become an incident, and when the incident ends. Inconclusive runs are not counted."""

    open_after: fields.Whole = Field(default=3, ge=1, le=100, description="failed runs of a target in a row")
    resolve_after: fields.Whole = Field(
        default=2,
        ge=1,
        le=100,
        description="successful runs in a row, after every target of the incident has run again",
    )


class Reference(Shape):
    """Something that answers as long as our own network works: `tcp` or `dns`."""

    tcp: fields.HostPort | None = Field(default=None, description="host:port that accepts connections")
    dns: fields.Host | None = Field(default=None, description="a name that the resolvers can resolve")

    @model_validator(mode="after")
    def _one(self) -> Reference:
        if (self.tcp is None) == (self.dns is None):
            raise ValueError("must have tcp: host:port or dns: name, and not both")
        return self


class Vantage(Shape):
    """How mailprobe detects that its own network is down. Without references it does not check."""

    references: tuple[Reference, ...] = Field(
        default=(), max_length=10, description="checked before a failure counts; do not use the monitored mail servers"
    )
    quorum: fields.Whole = Field(
        default=1, ge=1, le=10, description="number of references that must answer, otherwise mailprobe is offline"
    )

    @model_validator(mode="after")
    def _enough(self) -> Vantage:
        if self.references and self.quorum > len(self.references):
            raise ValueError("quorum is larger than the number of references")
        return self
