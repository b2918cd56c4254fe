"""Schema of the notifications that the daemon sends: Alertmanagers and robots of chat groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from exporter.config.schema import fields
from exporter.config.schema.mapping import Shape
from exporter.model.phrases import languages
from exporter.model.settings import RobotKind


class BasicAuth(Shape):
    """User name and password for one of the user's own services."""

    username: fields.Text = Field(description="user name")
    password_file: fields.LocalPath = Field(description="file with the password; read at each use")


class Alertmanager(Shape):
    """One Alertmanager."""

    url: fields.ServiceUrl = Field(description="such as http://127.0.0.1:9093, without /api/v2/alerts")
    basic_auth: BasicAuth | None = Field(default=None, description="user name and password")
    bearer_token_file: fields.LocalPath | None = Field(default=None, description="file with a token; read at each use")
    ca_file: fields.LocalPath | None = Field(
        default=None, description="PEM file with trusted CAs; default: the system's"
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Alertmanager:
        if self.url.endswith("/api/v2/alerts"):
            raise ValueError("write url without /api/v2/alerts")
        if self.basic_auth and self.bearer_token_file:
            raise ValueError("basic_auth and bearer_token_file exclude each other")
        if self.ca_file and not self.url.startswith("https:"):
            raise ValueError("ca_file has no effect without https")
        return self


class Push(Shape):
    """Push incidents to every Alertmanager listed here.

    Use this instead of mailprobe's rules in Prometheus, not with them.
    """

    targets: tuple[Alertmanager, ...] = Field(
        min_length=1, max_length=20, description="every member of a cluster, not a load balancer"
    )
    labels: fields.Labels = Field(default_factory=dict, description="added to every alert, such as site: berlin")
    resend: fields.Wait = Field(default=60.0, description="firing alerts are sent again after this time")

    @model_validator(mode="after")
    def _distinct(self) -> Push:
        if len({each.url for each in self.targets}) < len(self.targets):
            raise ValueError("targets lists an Alertmanager twice")
        return self


if TYPE_CHECKING:
    LanguageCode = str
else:
    LanguageCode = Literal[tuple(languages())]  # one for each file of data/words


class Bridge(Shape):
    """The robot of a chat group. POST /bridge/NAME sends Alertmanager's notifications to it."""

    name: fields.Word = Field(description="NAME in the URL")
    kind: RobotKind = Field(description="chat service: DingTalk, Feishu (also Lark), WeCom")
    url_file: fields.LocalPath = Field(
        description="file with the robot's URL, which contains its key; read at each use"
    )
    secret_file: fields.LocalPath | None = Field(
        default=None, description="file with the secret of the robot's signature, if it uses one; WeCom has none"
    )
    token_file: fields.LocalPath = Field(
        description="file with the token that the caller must send: Authorization: Bearer …; read at each use"
    )
    lang: LanguageCode = Field(default="zh", description="language of the messages")

    @model_validator(mode="after")
    def _signed_or_not(self) -> Bridge:
        if self.kind is RobotKind.WECOM and self.secret_file is not None:
            raise ValueError("secret_file: a WeCom robot has no signature, its key is in the URL")
        return self
