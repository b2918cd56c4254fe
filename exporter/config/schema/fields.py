"""The value types of config keys: each checks and normalises a value and describes it for the JSON schema.

In: the text from the file. Out: the normalised value, or ValueError with a message that says what is allowed. A message
never quotes a secret.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from exporter.config import ehlo_name, provider_aliases
from exporter.config.problems import nearest
from exporter.model import Secret, durations
from exporter.model.names import RESERVED_LABELS
from exporter.net import urls

MAX_TEXT = 200
MAX_URL = 2000

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_DNS_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:{_DNS_LABEL}\.)*{_DNS_LABEL}")
_LOCAL_PART = re.compile(r"[^\s@\x00-\x1f\x7f\"(),:;<>\[\]\\]{1,64}")
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,120}")


def text(value: str) -> str:
    """A name or label value: printable, limited length, no spaces at the ends."""
    if not value or value != value.strip() or not value.isprintable():
        raise ValueError("must be printable text without blanks around it")
    if len(value) > MAX_TEXT:
        raise ValueError(f"is longer than {MAX_TEXT} characters")
    return value


def title(value: str) -> str:
    """The name of a target, which is also part of the address of its page."""
    if value in (".", ".."):
        raise ValueError(f"must not be {value}, which leads elsewhere in an address; write a name, or leave name out")
    return text(value)


@lru_cache(maxsize=4096)  # thousands of mailboxes use few servers
def host(value: str) -> str:
    """A host name in lower case, without trailing dot, international names as A-labels; or an IP address."""
    if "://" in value:
        raise ValueError("write only the host, without scheme:// and path")
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    name, colon, port = value.rpartition(":")
    if colon and port.isdecimal() and ":" not in name:
        raise ValueError(f"the port has its own key; write port: {port[:5]}")
    return domain(value)


@lru_cache(maxsize=4096)
def domain(value: str) -> str:
    """A domain name in lower case, without trailing dot, international names as A-labels."""
    name = value.rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError("is too long for DNS") from None
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise ValueError("is not a host or domain name")
    if name.rpartition(".")[2].isdecimal():
        raise ValueError("is neither a domain name nor a complete IP address")
    return name


def address(value: str) -> str:
    """A mail address: local-part@domain, without display name."""
    local, at, name = value.rpartition("@")
    if not at or not _LOCAL_PART.fullmatch(local):
        raise ValueError("is not a mail address such as sales@example.com")
    try:
        domain(name)
    except ValueError as exc:
        raise ValueError(f"is not a mail address: what follows @ {exc}") from None
    return value


def domain_of(mail_address: str) -> str:
    """Return the domain of a checked address, in the form used for lookups."""
    return domain(mail_address.rpartition("@")[2])


@lru_cache(maxsize=256)
def label_name(value: str) -> str:
    if not _LABEL_NAME.fullmatch(value) or value.startswith("__"):
        raise ValueError("is not a Prometheus label name: letters, digits and _, not beginning with a digit or __")
    if value in RESERVED_LABELS:
        raise ValueError("is reserved: mailprobe, Prometheus or Alertmanager set this label themselves")
    return value


def labels(value: Mapping[str, str]) -> Mapping[str, str]:
    if len(value) > 20:
        raise ValueError("at most 20 labels")
    for name, content in value.items():
        try:
            label_name(name)
            text(content)
        except ValueError as exc:
            raise ValueError(f"{name[:MAX_TEXT]} {exc}") from None
    return value


def resolver(value: str) -> str:
    """`system`, or an IP address with or without a port (IPv6 in brackets before a port)."""
    if value == "system":
        return value
    head, _, tail = value.rpartition(":")
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d{1,5}))?", value)
    ip, port = bracketed.groups() if bracketed else (head, tail) if value.count(":") == 1 else (value, None)
    try:
        found = ipaddress.ip_address(ip)
    except ValueError:
        hint = nearest(value, ["system"])
        raise ValueError(
            f"is neither system nor an IP address such as 9.9.9.9, 127.0.0.1:5353 or [::1]:53{hint}"
        ) from None
    if port is not None and not (port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("has a port that is not between 1 and 65535")
    shown = f"[{found}]" if found.version == 6 else str(found)
    return f"{shown}:{port or 53}"


def page_url(value: str) -> str:
    """The URL of a web page: https, without user name, password and fragment."""
    if len(value) > MAX_URL or not value.isprintable() or " " in value:
        raise ValueError("is not a URL such as https://mail.example.com/")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL such as https://mail.example.com/") from None
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("must begin with https:// and a host")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or a password: mailprobe never logs in to a web page")
    if port == 0:
        raise ValueError("has a port that is not between 1 and 65535")
    name = host(parts.hostname)
    shown = f"[{name}]" if ":" in name else name
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/?%:@!$&'()*+,;=~-._")
    return f"https://{shown}{f':{port}' if port not in (None, 443) else ''}{path}{f'?{query}' if query else ''}"


def service_url(value: str) -> str:
    """The URL of one of the user's own services: http or https, host, optional port and path, nothing secret."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL such as http://127.0.0.1:9093") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not value.isprintable() or " " in value:
        raise ValueError("is not a URL such as http://127.0.0.1:9093")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or a password: use the keys for them")
    if parts.query or parts.fragment or port == 0 or len(value) > MAX_URL:
        raise ValueError("may have only a host, a port and a path")
    name = host(parts.hostname)
    shown = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def host_and_port(value: str) -> tuple[str, int]:
    """`host:port`, or `[address]:port` for IPv6."""
    head, colon, port = value.rpartition(":")
    if not colon or not (port.isdecimal() and 0 < int(port) < 65536) or (":" in head and not head.startswith("[")):
        raise ValueError("must be host:port, such as 1.1.1.1:443 or [2606:4700::1111]:443")
    return host(head), int(port)


def _place(value: str) -> str:
    name, port = host_and_port(value)
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _secret_url(value: str) -> str:
    why = urls.fault(value)
    if why:
        raise ValueError(why)
    return value


def _ip(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("is not an IP address of this machine, such as 192.0.2.10") from None


def _word(value: str) -> str:
    if not _WORD.fullmatch(value) or value in (".", ".."):
        raise ValueError("may have letters, digits and _ . - only")
    return value


def _provider(value: str) -> str:
    return provider_aliases.resolve(value)


def _scope(value: str) -> str:
    if not value.isascii() or not value.isprintable() or len(value) > MAX_URL:
        raise ValueError("is not a list of scopes with blanks between them")
    return " ".join(value.split())


def _folder(value: str) -> str:
    if not value or not value.isprintable() or len(value) > MAX_TEXT:
        raise ValueError("is not the name of a folder")
    return value


def _local_path(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value or len(value) > 4096:
        raise ValueError("must be the path of a file")
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / value


def _whole(value: object) -> object:
    if isinstance(value, str) and not (value.isdecimal() and value.isascii() and len(value) < 19):
        raise ValueError("must be a whole number")
    return value


def _status(value: int) -> int:
    if not 100 <= value <= 599:
        raise ValueError("is not an HTTP status code")
    return value


def _secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("must be text and not empty")
    return Secret(value)


def _between(low: float, high: float) -> Callable[[float], float]:
    def check(seconds: float) -> float:
        if not low <= seconds <= high:
            raise ValueError(f"must be between {durations.show(low)} and {durations.show(high)}")
        return seconds

    return check


Duration = Annotated[
    float,
    BeforeValidator(durations.parse),
    PlainSerializer(durations.show, return_type=str),
    WithJsonSchema({"type": "string", "pattern": durations.PATTERN, "examples": ["30s", "5m", "1h30m", "1d"]}),
]
Interval = Annotated[Duration, AfterValidator(_between(1, 86_400))]
Timeout = Annotated[Duration, AfterValidator(_between(0.1, 600))]
Recheck = Annotated[Duration, AfterValidator(_between(0.1, 3_600))]
Wait = Annotated[Duration, AfterValidator(_between(1, 3_600))]
Days = Annotated[Duration, AfterValidator(_between(1, 7 * 86_400))]

Text = Annotated[str, AfterValidator(text)]
Title = Annotated[str, AfterValidator(title)]
ServiceUrl = Annotated[str, AfterValidator(service_url), WithJsonSchema({"type": "string", "format": "uri"})]
PageUrl = Annotated[str, AfterValidator(page_url), WithJsonSchema({"type": "string", "format": "uri"})]
SecretUrl = Annotated[str, AfterValidator(_secret_url), WithJsonSchema({"type": "string", "format": "uri"})]
Host = Annotated[str, AfterValidator(host)]
HostPort = Annotated[str, AfterValidator(_place)]
Domain = Annotated[str, AfterValidator(domain)]
Address = Annotated[str, AfterValidator(address), WithJsonSchema({"type": "string", "format": "email"})]
IpAddress = Annotated[str, AfterValidator(_ip)]
EhloName = Annotated[str, BeforeValidator(ehlo_name.checked)]
Resolver = Annotated[str, AfterValidator(resolver)]
LabelName = Annotated[str, AfterValidator(label_name)]
Labels = Annotated[Mapping[str, str], AfterValidator(labels)]
Word = Annotated[str, AfterValidator(_word)]
Provider = Annotated[str, AfterValidator(_provider)]
Scope = Annotated[str, AfterValidator(_scope)]
Folder = Annotated[str, AfterValidator(_folder)]
Whole = Annotated[int, BeforeValidator(_whole)]
Status = Annotated[int, BeforeValidator(_whole), AfterValidator(_status)]
LocalPath = Annotated[
    Path,
    BeforeValidator(_local_path),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "description": "relative to the file that names it"}),
]
HiddenText = Annotated[
    Secret,
    BeforeValidator(_secret),
    PlainSerializer(lambda _: "<secret>", return_type=str),
    WithJsonSchema({"type": "string", "writeOnly": True}),
]
