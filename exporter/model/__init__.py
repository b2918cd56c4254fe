"""The nouns of mailprobe: frozen values that flow from the configuration to the outputs, without I/O."""

from exporter.model.names import Family, Flow, Kind, Outcome, Phase, ProbeName, Scope, Security, Service, Wait
from exporter.model.result import Fact, FactName, Failure, Line, Result
from exporter.model.secret import Secret, SecretSource
from exporter.model.target import AccessToken, Endpoint, Labels, Login, Target, TokenSource

__all__ = [
    "AccessToken",
    "Endpoint",
    "Fact",
    "FactName",
    "Failure",
    "Family",
    "Flow",
    "Kind",
    "Labels",
    "Line",
    "Login",
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
    "TokenSource",
    "Wait",
]
