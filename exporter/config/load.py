"""Loads the configuration: reads the files, follows `include`, validates, and reports all problems at once.

In: the path of config.yaml. Out: a frozen Config, or ConfigError with every Problem found (file, line, key, message).
First step of the flow: config → targets. This package must not import the runtime (sockets, aiohttp).
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from exporter.config import cross_checks, ehlo_name
from exporter.config import problems as errors
from exporter.config.file_checks import Audit, Doubt
from exporter.config.likely_slips import comment_slip
from exporter.config.messages import explain
from exporter.config.odd_characters import odd_characters
from exporter.config.problems import ConfigError, Problem, dotted, fold
from exporter.config.schema import daemon, notify
from exporter.config.schema import targets as shape
from exporter.config.schema.fields import host_and_port
from exporter.config.yaml_reader import BadYamlError, Document, UnusableError, mapping, parse, read_bytes
from exporter.credentials.sources import FileSecret
from exporter.model.settings import (
    Alertmanager,
    BridgeSettings,
    GuardSettings,
    IncidentSettings,
    Limits,
    PushSettings,
    Reference,
    VantageSettings,
)

MAX_FILES = 10_000


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The targets of one file. `defaults` are those of the main file, overridden by the file's own."""

    file: Path
    labels: Mapping[str, str]
    defaults: daemon.Defaults
    mailboxes: tuple[shape.Mailbox, ...]
    domains: tuple[shape.Domain, ...]
    endpoints: tuple[shape.Endpoint, ...]
    routes: tuple[shape.Route, ...]

    def problems(self, found: Iterable[tuple[errors.KeyPath, str]]) -> Iterator[Problem]:
        """Turn (key path, message) into Problems of this file.

        Finding the lines reads the file again: only for errors.
        """
        try:
            document = parse(self.file.read_bytes())
        except (OSError, BadYamlError):
            document = Document()
        for path, message in found:
            line = document.line(path) if document.marks else 0
            yield Problem(str(self.file), line, dotted(path), message)


@dataclass(frozen=True, slots=True)
class Config:
    """A usable configuration."""

    path: Path
    parts: tuple[ConfigFile, ...]  # one per file, the main file's first
    resolvers: tuple[str, ...]
    limits: Limits
    login_guard: GuardSettings
    vantage: VantageSettings
    incidents: IncidentSettings
    alertmanager: PushSettings | None
    bridges: tuple[BridgeSettings, ...]
    alert_labels: tuple[str, ...]
    hash: str  # SHA-256 over the files, hex
    warnings: tuple[Problem, ...]  # to log; problems that break a probe are among them
    broken: tuple[Problem, ...] = field(default=(), repr=False)

    def problems(self) -> tuple[Problem, ...]:
        """Problems that make a probe fail but not the daemon: `--config.check` fails, the daemon warns and starts."""
        return self.broken

    def hash_now(self) -> str:
        """Return the `hash` of the files as they are now, another value if they cannot be read. Blocks, like `load`."""
        loader = _Loader()
        loader.read_all(self.path, validate=False)
        broken = "".join(map(str, loader.problems))
        return f"{loader.sum.hexdigest()} {broken}".strip()


def load(path: Path | str) -> Config:
    """Load the configuration. Blocks: call it in a thread. Raises ConfigError with every problem found."""
    loader = _Loader()
    main = loader.read_all(Path(path))
    return loader.config(Path(path), main)


M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Shaped(Generic[M]):
    """A single file with its own schema, such as the file of --web.config.file."""

    value: M
    document: Document


def shaped(path: Path, model: type[M]) -> Shaped[M]:
    """Read another file with the same reader and the same messages. Blocks. Raises ConfigError."""
    return _Loader(next(iter(model.model_fields))).only(path, model)


@dataclass(slots=True)
class _File:
    path: Path
    document: Document
    shaped: shape.Main | shape.Included | None = None  # None if it is invalid


class _Loader:
    def __init__(self, example: str = "mailboxes") -> None:
        self.example = example  # an example key for messages
        self.files: list[_File] = []
        self.problems: list[Problem] = []
        self.complete = True  # False if a file could not be read
        self.sum = hashlib.sha256()

    def read_all(self, path: Path, *, validate: bool = True) -> _File | None:
        """Read the main file and all files that it includes, and collect the problems. Returns the main file."""
        main = self._read(path, missing=errors.NO_FILE)
        files = [self._read(each) for each in self._included(main)] if main else []
        for file in [main, *files] if validate else []:
            if file is not None:
                self._validate(file, shape.Main if file is main else shape.Included)
        return main

    def _read(self, path: Path, missing: str = "") -> _File | None:
        """`missing`: what to say where there is no such file."""
        try:
            data = read_bytes(path)
            document = mapping(parse(data), self.example)
        except (OSError, UnusableError, BadYamlError) as exc:
            line = exc.line if isinstance(exc, BadYamlError) else 0
            why = exc.strerror if isinstance(exc, OSError) else str(exc)
            if isinstance(exc, FileNotFoundError) and missing:
                why = missing
            self.problems.append(Problem(str(path), line, "", why or "cannot be read"))
            self.complete = False
            return None
        self.sum.update(len(data).to_bytes(8, "big") + data)
        file = _File(path, document)
        self.files.append(file)
        for key, line, first in document.duplicates:
            self.problems.append(Problem(str(path), line, dotted(key), f"this key is in line {first} already"))
        return file

    def _validate(self, file: _File, model: type[shape.Main | shape.Included]) -> None:
        file.shaped = self._shaped(file, model)

    def _refused(self, order: Mapping[str, int]) -> ConfigError:
        """Return the problems in the order of the files, with the odd characters of the files that have problems."""
        found = list(self.problems)
        for name in {each.file for each in self.problems if each.line}:
            with contextlib.suppress(OSError, UnusableError):
                found += [Problem(name, line, "", why) for line, why in odd_characters(read_bytes(Path(name)))]
        return ConfigError(sorted(found, key=lambda each: (order.get(each.file, -1), each.line)))

    def only(self, path: Path, model: type[M]) -> Shaped[M]:
        """Raises ConfigError."""
        file = self._read(path)
        value = self._shaped(file, model) if file is not None else None
        if file is None or value is None or self.problems:
            raise self._refused({})
        return Shaped(value, file.document)

    def _shaped(self, file: _File, model: type[M]) -> M | None:
        try:
            return model.model_validate(file.document.root, context={"folder": file.path.parent})
        except ValidationError as exc:
            for error in exc.errors(include_url=False):
                if error["type"] == "too_short" and error["input"]:
                    continue  # only because its items are invalid, which is reported for them
                self.problems.append(self._at(file, *explain(model, error)))
        return None

    def _at(self, file: _File, key: errors.KeyPath, message: str) -> Problem:
        return Problem(str(file.path), file.document.line(key), dotted(key), message)

    def _included(self, main: _File) -> Iterator[Path]:
        """Return the files that `include` names, each once, sorted within a pattern."""
        patterns = main.document.root.get("include")
        folder, seen = main.path.parent, {main.path}
        for index, pattern in enumerate(patterns if isinstance(patterns, list) else ()):
            if not isinstance(pattern, str) or not pattern:
                continue
            # Not Path.glob, which does not accept absolute patterns.
            found = sorted(glob.glob(pattern, root_dir=folder))  # noqa: PTH207
            if not found and not glob.has_magic(pattern):
                self.problems.append(self._at(main, ("include", index), "no such file"))
                self.complete = False
            for name in found:
                if folder / name not in seen and len(seen) <= MAX_FILES:
                    seen.add(folder / name)
                    yield folder / name
            if len(seen) > MAX_FILES:
                self.problems.append(self._at(main, ("include", index), f"more than {MAX_FILES:,} files"))
                return

    def config(self, path: Path, main: _File | None) -> Config:
        """Raises ConfigError."""
        roots = [file.document.root for file in self.files]
        for index, key, message in cross_checks.check(roots, self._place, complete=self.complete):
            self.problems.append(self._at(self.files[index], key, message))
        parts = [] if self.problems else list(self._parts())
        if self.problems or main is None or not isinstance(main.shaped, shape.Main):
            order = {str(file.path): index for index, file in enumerate(self.files)}
            raise self._refused(order)
        doubts = list(self._doubts(parts))
        guard = main.shaped.login_guard
        return Config(
            path=path,
            parts=tuple(parts),
            resolvers=main.shaped.resolvers,
            limits=Limits(**main.shaped.limits.model_dump()),
            login_guard=GuardSettings(**dict(guard)),
            vantage=_vantage(main.shaped.vantage),
            incidents=IncidentSettings(**main.shaped.incidents.model_dump()),
            alertmanager=_push(main.shaped.alertmanager),
            bridges=tuple(_bridge(each) for each in main.shaped.bridges),
            alert_labels=main.shaped.alert_labels,
            hash=self.sum.hexdigest(),
            warnings=fold(problem for problem, _ in doubts),
            broken=tuple(problem for problem, broken in doubts if broken),
        )

    def _place(self, index: int, key: errors.KeyPath) -> str:
        file = self.files[index]
        return f"{file.path}:{file.document.line(key)}"

    def _parts(self) -> Iterator[ConfigFile]:
        base: daemon.Defaults | None = None
        our_name = ehlo_name.of_this_machine()
        for file in self.files:
            shaped = file.shaped
            if shaped is None:
                continue
            defaults = shaped.defaults if base is None else shaped.defaults.over(base)
            base = base or defaults
            clash = defaults.clash()
            if clash:
                self.problems.append(self._at(file, ("defaults", "source_address"), clash))
            if defaults.ehlo_name is None:
                defaults = defaults.model_copy(update={"ehlo_name": our_name})
            labels = shaped.labels if isinstance(shaped, shape.Included) else {}
            yield ConfigFile(
                file.path, labels, defaults, shaped.mailboxes, shaped.domains, shaped.endpoints, shaped.routes
            )

    def _doubts(self, parts: list[ConfigFile]) -> Iterator[tuple[Problem, bool]]:
        audit = Audit(os.environ)
        for file, part in zip(self.files, parts, strict=True):
            found = list(audit.defaults(file.shaped.defaults)) if file.shaped else []
            for index, mailbox in enumerate(part.mailboxes):
                found += audit.mailbox(index, mailbox, part.file.parent)
            found += _cut_passwords(file, part)
            for index, endpoint in enumerate(part.endpoints):
                found += audit.endpoint(index, endpoint)
            if isinstance(file.shaped, shape.Main) and file.shaped.alertmanager is not None:
                found += audit.push(file.shaped.alertmanager)
            if isinstance(file.shaped, shape.Main):
                found += audit.bridges(file.shaped.bridges)
            for doubt in found:
                yield self._at(file, doubt.path, doubt.message), doubt.broken


def _cut_passwords(file: _File, part: ConfigFile) -> Iterator[Doubt]:
    """Look for comments behind passwords that stand in the file itself."""
    inline = [index for index, mailbox in enumerate(part.mailboxes) if mailbox.password is not None]
    if not inline:
        return
    with contextlib.suppress(OSError, UnusableError):
        lines = read_bytes(file.path).splitlines()
        for index in inline:
            path: errors.KeyPath = ("mailboxes", index, "password")
            number = file.document.line(path)
            if number <= len(lines) and (slip := comment_slip(lines[number - 1])):
                yield Doubt(path, slip)


def _push(push: notify.Push | None) -> PushSettings | None:
    if push is None:
        return None
    targets = []
    for each in push.targets:
        basic, token = each.basic_auth, each.bearer_token_file
        targets.append(
            Alertmanager(
                url=each.url,
                username=basic.username if basic else "",
                password=FileSecret(basic.password_file) if basic else None,
                bearer_token=FileSecret(token, "bearer_token_file") if token else None,
                ca_file=each.ca_file,
            )
        )
    return PushSettings(tuple(targets), tuple(sorted(push.labels.items())), push.resend)


def _bridge(shaped: notify.Bridge) -> BridgeSettings:
    return BridgeSettings(
        name=shaped.name,
        kind=shaped.kind,
        url=FileSecret(shaped.url_file, "url_file"),
        secret=FileSecret(shaped.secret_file, "secret_file") if shaped.secret_file else None,
        token=FileSecret(shaped.token_file, "token_file"),
        language=shaped.lang,
    )


def _vantage(shaped: daemon.Vantage) -> VantageSettings:
    cross_checks = (
        Reference(*host_and_port(each.tcp)) if each.tcp is not None else Reference(each.dns or "")
        for each in shaped.references
    )
    return VantageSettings(tuple(cross_checks), shaped.quorum)
