"""Checks that span several keys or files: duplicate names, routes to unknown mailboxes, missing or double passwords.

In: the plain values of all files, not validated models, so that these mistakes are reported together with all others.
Out: (file, key path, message).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.config.problems import KeyPath, nearest
from exporter.config.schema import targets

PASSWORDS = ("password_file", "password_env", "password_command", "password_credential", "password")

TOKEN_AUTH = ("xoauth2", "oauthbearer")

Found = tuple[int, KeyPath, str]
"""Index of the file, key path, message."""


@dataclass(slots=True)
class _Names:
    """The names used in all files."""

    place: Callable[[int, KeyPath], str]
    taken: dict[str, tuple[str, str]] = field(default_factory=dict)  # name → kind of thing, where it is defined
    domains: dict[str, str] = field(default_factory=dict)
    mailboxes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    labels: set[str] = field(default_factory=set)

    def take(self, name: str, what: str, file: int, path: KeyPath) -> Iterator[Found]:
        if name in self.taken:
            other, where = self.taken[name]
            yield file, path, f"the name {name[:200]} is taken by the {other} at {where}"
        else:
            self.taken[name] = (what, self.place(file, path))


def check(roots: list[Any], place: Callable[[int, KeyPath], str], *, complete: bool) -> Iterator[Found]:
    """Return everything that is wrong between the parts of the files.

    `complete` is False if a file could not be read: a name that is not found may be in that file.
    """
    names = _Names(place)
    for file, root in enumerate(roots):
        names.labels |= set(_mapping(root, "labels"))
        for index, mailbox in _items(root, "mailboxes"):
            yield from _mailbox(names, file, index, mailbox)
        for index, domain in _items(root, "domains"):
            yield from _domain(names, file, index, domain)
        for index, endpoint in _items(root, "endpoints"):
            name = _text(endpoint, "name") or _text(endpoint, "url") or f"{endpoint.get('host')}:{endpoint.get('port')}"
            yield from names.take(name, "endpoint", file, ("endpoints", index))
    for file, root in enumerate(roots):
        for index, route in _items(root, "routes"):
            yield from _route(names, file, index, route, complete=complete)
    if complete and roots:
        yield from _alert_labels(names, roots[0])


def _mailbox(names: _Names, file: int, index: int, mailbox: Mapping[str, Any]) -> Iterator[Found]:
    path = ("mailboxes", index)
    name = _text(mailbox, "name") or _text(mailbox, "address")
    if name:
        yield from names.take(name, "mailbox", file, path)
        names.mailboxes.setdefault(name, mailbox)
    names.labels |= set(_mapping(mailbox, "labels"))
    written = [key for key in mailbox if key in PASSWORDS and mailbox[key] is not None]
    tokens = mailbox.get("oauth2") is not None
    if not written and not tokens:
        yield file, path, f"no password: one of {', '.join(PASSWORDS[:-1])} is required, or oauth2"
    for key in written[1:]:
        yield file, (*path, key), f"a second password: {written[0]} is there already"
    if written and tokens:
        yield file, (*path, "oauth2"), f"oauth2 takes the place of a password: {written[0]} is there already"
    for service in ("imap", "pop3", "smtp"):
        auth = _text(_mapping(mailbox, service), "auth")
        if auth in TOKEN_AUTH and not tokens:
            yield file, (*path, service, "auth"), f"{auth} needs an access token: oauth2 is missing"
        elif auth not in ("", "auto", *TOKEN_AUTH) and tokens:
            yield file, (*path, service, "auth"), f"{auth} needs a password, and this mailbox has oauth2"
    if _is_off(mailbox, "imap") and _is_off(mailbox, "smtp") and _is_off(mailbox, "pop3", absent=True):
        text = "imap, smtp and pop3 are all off: nothing is left to log in to; list its domain under domains"
        yield file, path, text


def _domain(names: _Names, file: int, index: int, domain: Mapping[str, Any]) -> Iterator[Found]:
    name = _text(domain, "name").lower().rstrip(".")
    path = ("domains", index, "name")
    if name in names.domains:
        yield file, path, f"the domain {name[:200]} is listed at {names.domains[name]} already"
    elif name:
        names.domains[name] = names.place(file, path)


def _route(names: _Names, file: int, index: int, route: Mapping[str, Any], *, complete: bool) -> Iterator[Found]:
    path = ("routes", index)
    for key, side, does in (("from", "smtp", "sends"), ("to", "imap", "is read")):
        wanted = _text(route, key)
        mailbox = names.mailboxes.get(wanted)
        if mailbox is None:
            if complete and wanted:
                yield file, (*path, key), f"no mailbox has this name{nearest(wanted, names.mailboxes)}"
        elif _is_off(mailbox, side):
            yield file, (*path, key), f"{side} of this mailbox is off, but a route {does} through it"
    name = _text(route, "name") or f"{_text(route, 'from')}-to-{_text(route, 'to')}"
    yield from names.take(name, "route", file, path)


def _alert_labels(names: _Names, main: Any) -> Iterator[Found]:
    wanted = main.get("alert_labels") if isinstance(main, dict) else None
    for index, label in enumerate(wanted if isinstance(wanted, list) else ()):
        if isinstance(label, str) and label not in names.labels:
            hint = nearest(label, names.labels)
            yield 0, ("alert_labels", index), f"no mailbox and no included file has a label of this name{hint}"


def _items(root: Any, key: str) -> Iterable[tuple[int, Mapping[str, Any]]]:
    items = root.get(key) if isinstance(root, dict) else None
    return ((i, each) for i, each in enumerate(items if isinstance(items, list) else ()) if isinstance(each, dict))


def _mapping(root: Any, key: str) -> Mapping[str, Any]:
    found = root.get(key) if isinstance(root, dict) else None
    return found if isinstance(found, dict) else {}


def _text(item: Mapping[str, Any], key: str) -> str:
    found = item.get(key)
    return found if isinstance(found, str) else ""


def _is_off(item: Mapping[str, Any], key: str, *, absent: bool = False) -> bool:
    """Tell whether a switch is off. `absent`: the result for a missing key."""
    return absent if item.get(key) is None else _text(item, key).lower() in targets.OFF
