"""Turns pydantic's errors into messages for users: the key, what it must be, and the spelling probably meant."""

from __future__ import annotations

import types
from collections.abc import Iterator
from enum import EnumMeta
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from exporter.config.problems import KeyPath, nearest
from exporter.config.schema import mapping, targets

# Key names of other mail programs that people write by habit.
_USUAL = {
    "ssl": "security",
    "tls": "security",
    "encryption": "security",
    "starttls": "security",
    "server": "host",
    "hostname": "host",
    "user": "username",
    "login": "username",
    "email": "address",
    "mail": "address",
    "passwd": "password",
    "pass": "password",
    "secret": "password_file",
    "passwordfile": "password_file",
    "accounts": "mailboxes",
    "dns_servers": "resolvers",
    "selectors": "dkim_selectors",
    "sender": "from",
    "recipient": "rcpt",
}
_PLAIN = {
    "missing": "is missing but required",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "tuple_type": "must be a list: [ … ], or lines that begin with -",
    "mapping_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
}


def explain(root: type[BaseModel], error: ErrorDetails) -> tuple[KeyPath, str]:
    """Return the key path as in the file, and a message.

    A value is quoted only if the key has a closed list of values.
    """
    path = tuple(step for step in error["loc"] if step != "[key]")
    kind, ctx = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return path, _unknown(_model_at(root, path[:-1]), str(path[-1]))
    if kind in ("enum", "literal_error"):
        field = _field_at(root, path)
        choices = [str(each) for each in _choices(field)]
        return path, _choice(str(error["input"]), choices)
    if kind in ("value_error", "assertion_error"):
        return path, str(ctx.get("error", error["msg"]))
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = "at least" if kind.startswith("greater") else "at most"
        return path, f"must be {bound} {ctx.get('ge', ctx.get('le'))}"
    if kind == "too_long":
        return path, f"has more than {ctx['max_length']} items"
    if kind == "too_short":
        return path, "is an empty list: leave the key out"
    return path, _PLAIN.get(kind, error["msg"])


def _unknown(model: type[BaseModel] | None, key: str) -> str:
    if model is None or not issubclass(model, mapping.Shape):
        return "unknown key"
    if key in model.LATER:
        return "not supported yet: reserved for a later version"
    if model is targets.Included and key in _keys(targets.Main):
        return "unknown key in an included file: it belongs in the main file"
    if model is targets.Main and key == "labels":
        return "unknown key in the main file: labels belong to a mailbox, or to an included file"
    if ":" in key or "=" in key:
        return "unknown key: a blank after its colon is missing"
    known = list(_keys(model))
    hint = nearest(key, known)
    if not hint:
        below = [name for name, inner in _inner(model) if key in _keys(inner)]
        if below:
            return f"unknown key; it belongs under {' or '.join(f'{name}:' for name in below)}"
        usual = _USUAL.get(key.lower().replace("-", "_"), "")
        hint = f"; did you mean {usual}?" if usual in known else f"; known: {', '.join(known)}"
    return f"unknown key{hint}"


def _choice(value: str, choices: list[str]) -> str:
    usual = {"ssl": "tls", "implicit_tls": "tls", "ssl/tls": "tls", "none": "plain", "yes": "tls", "v4": "ipv4"}
    meant = usual.get(value.lower(), "")
    hint = f"; did you mean {meant}?" if meant in choices else nearest(value, choices)
    return f"must be one of {', '.join(choices)}{hint}"


def _keys(model: type[BaseModel]) -> Iterator[str]:
    return (field.alias or name for name, field in model.model_fields.items())


def _inner(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Return the mappings (not the lists of mappings) directly inside a model."""
    for name, field in model.model_fields.items():
        inner = None if get_origin(field.annotation) is tuple else _model_of(field.annotation)
        if inner is not None:
            yield field.alias or name, inner


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the model in X, X | None, tuple[X, ...] or Annotated[X, …]."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = _model_of(inner)
        if found is not None:
            return found
    return None


def _model_at(root: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    model: type[BaseModel] | None = root
    for step in path:
        if isinstance(step, str) and model is not None:
            model = next(
                (_model_of(f.annotation) for n, f in model.model_fields.items() if step == (f.alias or n)), None
            )
    return model


def _field_at(root: type[BaseModel], path: KeyPath) -> Any:
    model = _model_at(root, path[:-1])
    if model is None:
        return None
    return next((f.annotation for n, f in model.model_fields.items() if path[-1] == (f.alias or n)), None)


def _choices(annotation: Any) -> list[Any]:
    """Return the closed list of a Literal[…] or an enum, with or without | None."""
    if isinstance(annotation, EnumMeta):
        return list(annotation)
    inner = get_args(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return [choice for each in inner for choice in _choices(each)]
    return [each for each in inner if isinstance(each, str)]
