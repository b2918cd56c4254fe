"""The data types of mailprobe: targets, results, reasons, settings and errors.

The values are frozen. This package imports no other package of mailprobe. It reads no files but the texts in
exporter/data/words, and opens no sockets.
"""

from exporter.model.names import (
    AddressFamily,
    Command,
    Flow,
    Kind,
    Outcome,
    Phase,
    ProbeName,
    Scope,
    Security,
    Service,
    Wait,
)
from exporter.model.result import Fact, FactName, Failure, Line, LoginRecord, Result
from exporter.model.secret import Secret, SecretSource
from exporter.model.target import AccessToken, Endpoint, Labels, Login, Target, TargetKey, TokenSource

__all__ = [
    "AccessToken",
    "AddressFamily",
    "Command",
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
