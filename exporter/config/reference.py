"""Generates docs/configuration.md and the JSON schema from the models of config.yaml.

`python -m tests.docs.generate_configuration` writes docs/configuration.md; a test compares it with this code.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator
from enum import EnumMeta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from exporter.config.schema import daemon, mapping, notify, targets
from exporter.credentials.sources import COMMAND_CACHE, COMMAND_DEADLINE
from exporter.model import Secret, durations
from exporter.model.names import RESERVED_LABELS

DIALECT = "https://json-schema.org/draft/2020-12/schema"

SECTIONS: tuple[tuple[str, type[mapping.Shape]], ...] = (
    ("The main file", targets.Main),
    ("defaults", daemon.Defaults),
    ("defaults.interval", daemon.Intervals),
    ("limits", daemon.Limits),
    ("login_guard", daemon.LoginGuard),
    ("vantage", daemon.Vantage),
    ("vantage.references[]", daemon.Reference),
    ("incidents", daemon.Incidents),
    ("alertmanager", notify.Push),
    ("alertmanager.targets[]", notify.Alertmanager),
    ("bridges[]", notify.Bridge),
    ("alertmanager.targets[].basic_auth", notify.BasicAuth),
    ("mailboxes[]", targets.Mailbox),
    ("mailboxes[].oauth2", targets.OAuth2),
    ("mailboxes[].imap", targets.ImapServer),
    ("mailboxes[].pop3", targets.Pop3Server),
    ("mailboxes[].smtp", targets.SmtpServer),
    ("domains[]", targets.Domain),
    ("endpoints[]", targets.Endpoint),
    ("routes[]", targets.Route),
    ("Included files", targets.Included),
)

INTRODUCTION = f"""\
# Configuration

<!-- Generated from the code by `python -m tests.docs.generate_configuration`; a test compares the two. Do not edit. -->

`mailprobe` reads one YAML file (`--config.file`, default `config.yaml`) and the files that it includes. Everything is
optional: an empty file is valid. `mailprobe --config.check` reports all problems at once, each with file, line, key and
a suggested fix; `mailprobe schema` prints a JSON schema for editors. A running daemon reads the files again on
SIGHUP or `POST /-/reload`; invalid files are rejected and the old configuration stays in use. Only targets that have
changed are restarted.

## How values are written

- **Unknown keys are errors.** Keys that are reserved for a later version say so.
- **A key without a value** (`port:`) counts as not written.
- **Text needs no quotes** even if it looks like a number or a boolean: user name `013800138000`, password `1e5` and
  label `no` are used as written. Quote text that begins with one of ``* & ! | > % @ ` " ' [ {{ #`` or that holds `: `.
- **Durations**: `500ms`, `30s`, `5m`, `1h30m`, `1d`. A number without a unit is an error.
- **Relative paths** are relative to the file that names them.
- Anchors, aliases and merge keys (`<<`) work; tags (`!`) do not.
- Files are UTF-8, not longer than 32 MiB, and must not be writable by everyone.

## Passwords

Each mailbox names exactly one source for its password, or has `oauth2` instead:

| key | where the password is | read |
| --- | --- | --- |
| `password_file` | in a file; gives a warning if others can read it | at each login |
| `password_env` | in an environment variable | at each login |
| `password_command` | in the output of a program: a list of program and arguments, run without a shell in the folder \
of the file that names it, for at most {COMMAND_DEADLINE:g} s | when the last output is older than {COMMAND_CACHE:g} s |
| `password_credential` | in a systemd credential, `$CREDENTIALS_DIRECTORY/NAME` (`LoadCredential=`) | at each login |
| `password` | in the configuration; gives a warning | with the configuration |

Line ends are removed, spaces are not; a space, an invisible or a full-width character at either end gives a warning. A
source that cannot be read makes the mailbox's runs inconclusive (`local_error`), gives a warning at startup, and is an
error of `--config.check`. Passwords are never logged or shown.

## Access tokens (OAuth 2)

A mailbox with `oauth2` logs in with an access token, by XOAUTH2 or OAUTHBEARER. Endpoints and scopes of Google,
Microsoft 365, its China cloud (21Vianet) and Outlook.com are known; for other providers write `token_url` and `scope`.

- `flow: refresh_token`: write `client_id` and `refresh_token_file`, then run `mailprobe oauth NAME` once. It shows
  what to do (a code to enter on a web page, or a page to open in a browser) and writes that file with mode 0600.
- `flow: client_credentials`: write `client_id` and `client_secret_file`. At Microsoft an administrator grants the
  application IMAP.AccessAsApp (POP.AccessAsApp, SMTP.SendAsApp) and access to the mailboxes.
- `flow: jwt_bearer`: write `key_file`, the JSON key of a Google service account with domain-wide delegation.

`token_url` must be https (http on this machine); redirects are not followed. A token is kept in memory until five
minutes before it expires, and requested only once for all probes that need it. If the provider replaces the refresh
token, the new one is stored in `tokens/` of the storage folder with mode 0600; the configured file is only the first
token, and when its content changes, it is used again. A refusal by the token endpoint counts as a refused login of
that credential (`login_guard`), and so does a mail server's refusal of any token. A token that a server calls expired
is replaced in the next run.

## What is monitored automatically

- Every distinct server of a mailbox becomes an endpoint named `host:port` with its own `tls` probe, and so does the
  server of a web page (`url`). An entry under `endpoints` with the same host and port replaces it.
- Every domain of a mailbox has a `dns` probe, except domains of mail providers (163.com, gmail.com …). An entry under
  `domains` replaces it.
- Servers, ports and quirks of known providers come from presets: named by `provider`, else recognised from the address
  or the name of a server, else (if no server is written) from the MX of the domain. The answer from DNS chooses the
  servers once and is stored; a different answer later only gives a warning. `mailprobe providers ADDRESS` shows what
  is known, and an entry to paste. What is written in the configuration always has priority.

## Labels

`labels` of a mailbox (and of an included file, for all its targets) are added to `mailprobe_target_info`; those named
in `alert_labels` are added to every metric that has `target`, so that rules can use them. A route has the labels of its
sender; a shared endpoint or domain has the labels that are equal for all its mailboxes. To keep mail addresses out of
metrics, give each mailbox a `name`.

These names are reserved: {", ".join(f"`{name}`" for name in sorted(RESERVED_LABELS))}.
"""


def markdown() -> str:
    """Return the text of docs/configuration.md."""
    return "\n".join([INTRODUCTION, *(line for title, model in SECTIONS for line in _section(title, model))])


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the main file."""
    found = targets.Main.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": DIALECT, **found, "title": "mailprobe config.yaml"}


def _section(title: str, model: type[mapping.Shape]) -> Iterator[str]:
    shown = title if " " in title else f"`{title}`"
    yield f"## {shown}\n"
    yield f"{inspect.cleandoc(model.__doc__ or '')}\n"
    yield "| key | value | default | meaning |"
    yield "| --- | --- | --- | --- |"
    inherited = set(targets.Targets.model_fields) if model is targets.Included else set()
    for name, field in model.model_fields.items():
        if name not in inherited:
            yield f"| `{field.alias or name}` | {_kind(field)} | {_default(field)} | {field.description} |"
    yield ""
    if model is targets.Included:
        yield "An included file may also have `defaults` (over those of the main file, for its own targets),"
        yield "`mailboxes`, `domains`, `endpoints` and `routes`, and nothing else."


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or isinstance(value, mapping.Shape) or value in ((), {}):
        return ""
    if _is_duration(field):
        return f"`{durations.show(value)}`"
    return f"`[{', '.join(map(str, value))}]`" if isinstance(value, tuple) else f"`{value}`"


def _is_duration(field: FieldInfo) -> bool:
    return "float" in str(field.annotation)


def _kind(field: FieldInfo) -> str:
    annotation = field.annotation
    if _is_duration(field):
        return "duration"
    if field.alias is None and field.annotation is Secret:
        return "text"
    shown = _words(annotation)
    return shown.removesuffix(" or off") + " or `off`" if shown.endswith(" or off") else shown


def _words(annotation: Any) -> str:
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [each for each in get_args(annotation) if each is not type(None)]
        return " or ".join(_words(each) for each in inner)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{each}`" for each in get_args(annotation))
    if isinstance(annotation, EnumMeta):
        return ", ".join(f"`{each}`" for each in list[Any](annotation))
    if get_origin(annotation) is tuple:
        return f"list of {_plural(get_args(annotation)[0])}"
    if hasattr(annotation, "__metadata__"):
        return _words(get_args(annotation)[0])
    if isinstance(annotation, type) and issubclass(annotation, targets.Server):
        return "mapping or `off`"
    if isinstance(annotation, type) and issubclass(annotation, mapping.Shape):
        return "mapping"
    return {int: "number", str: "text", Path: "path", Secret: "text"}.get(annotation, "mapping")


def _plural(annotation: Any) -> str:
    inner = get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation
    return {str: "texts", int: "numbers"}.get(inner, "mappings")
