"""The data types of mailprobe: targets, results, reasons, settings and errors.

Frozen values without I/O. Every other package imports them; this package imports none. The way through the program:
configuration → Target → run → Result → outputs, incidents and web pages.
"""

from exporter.model.names import AddressFamily, Flow, Kind, Outcome, Phase, ProbeName, Scope, Security, Service, Wait
from exporter.model.result import Fact, FactName, Failure, Line, LoginRecord, Result
from exporter.model.secret import Secret, SecretSource
from exporter.model.target import AccessToken, Endpoint, Labels, Login, Target, TargetKey, TokenSource

__all__ = [
    "AccessToken",
    "AddressFamily",
    "Endpoint",
    "Fact",
    "FactName",
    "Failure",
    "Flow",
    "Kind",
    "Labels",
    "Line",
    "Login",
    "LoginRecord",
    "Outcome",
    "Phase",
    "ProbeName",
    "Result",
    "Scope",
    "Secret",
    "SecretSource",
    "Security",
    "Service",
    "Target",
    "TargetKey",
    "TokenSource",
    "Wait",
]
