"""Builds targets and results for tests of the code that uses them."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.incidents.incident import Incident
from exporter.model import (
    Endpoint,
    Fact,
    FactName,
    Failure,
    Kind,
    Line,
    Outcome,
    Phase,
    ProbeName,
    Result,
    Scope,
    Security,
    Service,
    Target,
)
from exporter.model.reasons import Layer, Reason

START = 1_700_000_000.0
IMAP_SERVER = Endpoint("imap.example.com", 993, Security.TLS, Service.IMAP)
SMTP_SERVER = Endpoint("smtp.example.com", 587, Security.STARTTLS, Service.SMTP)


@dataclass(frozen=True)
class EndpointSettings:
    endpoint: Endpoint


@dataclass(frozen=True)
class RouteSettings:
    late_after: float = 60.0


def mailbox(name: str = "sales", probe: ProbeName = ProbeName.IMAP, **changes: object) -> Target:
    endpoint = IMAP_SERVER if probe is ProbeName.IMAP else SMTP_SERVER
    values: dict[str, object] = {
        "name": name,
        "kind": Kind.MAILBOX,
        "probe": probe,
        "settings": EndpointSettings(endpoint),
        "interval": 300.0,
        "timeout": 20.0,
        "deadline": 20.0,
        "provider": "dovecot",
        "domain": "example.com",
        "labels": (("team", "export"), ("tenant", "acme")),
        "servers": (endpoint.name,),
        "logins": (endpoint.host,),
    }
    return Target(**{**values, **changes})  # type: ignore[arg-type]  # a test sets only the fields it is about


def server(name: str = "imap.example.com:993", endpoint: Endpoint = IMAP_SERVER) -> Target:
    return Target(
        name, Kind.ENDPOINT, ProbeName.TLS, EndpointSettings(endpoint), 60.0, 20.0, 20.0, provider="dovecot", domain=""
    )


def domain(name: str = "example.com") -> Target:
    return Target(name, Kind.DOMAIN, ProbeName.DNS, None, 600.0, 20.0, 20.0, domain=name)


def route(name: str = "sales-to-backup") -> Target:
    return Target(
        name, Kind.ROUTE, ProbeName.ROUNDTRIP, RouteSettings(), 600.0, 20.0, 120.0,
        provider="dovecot", domain="example.com", route=("sales", "backup"),
    )  # fmt: skip


def ok(target: Target, *facts: Fact, started: float = START, duration: float = 0.25, **changes: object) -> Result:
    values: dict[str, object] = {
        "target": target,
        "probe_id": "0123456789ab",
        "started": started,
        "duration": duration,
        "outcome": Outcome.OK,
        "phases": ((Phase.CONNECT, 0.0125), (Phase.TLS, 0.05)),
        "facts": facts,
    }
    return Result(**{**values, **changes})  # type: ignore[arg-type]  # a test sets only the fields it is about


def failed(
    target: Target,
    reason: Reason = Reason.WRONG_PASSWORD,
    phase: Phase | None = Phase.LOGIN,
    text: str = "NO [AUTHENTICATIONFAILED] Authentication failed.",
    **changes: object,
) -> Result:
    failure = Failure(phase, reason, text, "rfc5530:AUTHENTICATIONFAILED")
    transcript = (
        Line(0.012, "#", "connected to 192.0.2.1"),
        Line(0.062, "<", "* OK ready"),
        Line(0.063, ">", "A1 LOGIN sales <secret>"),
        Line(0.170, "<", f"A1 {text}"),
    )
    return ok(target, **{"outcome": Outcome.FAILED, "failure": failure, "transcript": transcript, **changes})  # type: ignore[arg-type]  # as above


def fact(name: FactName, value: float | str, *labels: str) -> Fact:
    return Fact(name, value, labels)


def incident(**changes: object) -> Incident:
    """Return an incident: an unreachable host with two targets."""
    values: dict[str, object] = {
        "key": "host:imap.example.com:transport",
        "scope": Scope.HOST,
        "layer": Layer.TRANSPORT,
        "reason": Reason.CONNECTION_REFUSED,
        "text": "connection refused",
        "advice": None,
        "told": ("The server fails.", "服务器失败。"),
        "server": "imap.example.com",
        "provider": "",
        "domain": "",
        "targets": ("sales", "info"),
        "labels": (("alertname", "MailHostOutage"), ("severity", "critical")),
        "since": START,
        "opened": START + 100,
        "interval": 60.0,
    }
    return Incident(**{**values, **changes})  # type: ignore[arg-type]  # a test sets only the fields it is about
