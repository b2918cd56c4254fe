"""The shape of what holds for the daemon as a whole: how often, how patiently, how cautiously, from where."""

from __future__ import annotations

import ipaddress

from pydantic import Field, model_validator

from exporter.config.schema import fields
from exporter.config.schema.mapping import Shape
from exporter.model import AddressFamily


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
    family: AddressFamily = Field(default=AddressFamily.ANY, description="which addresses of a host may be used")
    source_address: fields.IpAddress | None = Field(default=None, description="our own IP address to connect from")
    ca_file: fields.LocalPath | None = Field(default=None, description="PEM file of trusted CAs; default: the system's")

    def over(self, base: Defaults) -> Defaults:
        """These where they were written, else the others'."""
        own = {name: getattr(self, name) for name in self.model_fields_set - {"interval"}}
        interval = {name: getattr(self.interval, name) for name in self.interval.model_fields_set}
        return base.model_copy(update={**own, "interval": base.interval.model_copy(update=interval)})

    def clash(self) -> str:
        """What is wrong between family and source_address, or nothing."""
        wanted = {AddressFamily.IPV4: 4, AddressFamily.IPV6: 6}.get(self.family)
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
