"""The verb `providers`: recognises the provider of an address or server and prints an entry for config.yaml."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.cli.stanza import quoted, stanza
from exporter.config import ConfigError, load, provider_aliases
from exporter.config import presets as providers
from exporter.config.presets import Preset, ServerRow, presets
from exporter.config.schema.fields import domain_of
from exporter.daemon.options import Options
from exporter.model import Service
from exporter.model.phrases import Phrases
from exporter.net.dns.resolver import Resolver
from exporter.targets.provider_lookup import Lookup, RecognisedBy, Recognition, Seen, by_cname, by_mx, look_up

LOOK_UP = 10.0  # seconds for all DNS queries
SERVICES = (Service.IMAP, Service.POP3, Service.SMTP)
_LABELS = frozenset(("imap", "pop", "pop3", "smtp", "mail", "mx", "webmail", "autodiscover"))


@dataclass(frozen=True, slots=True)
class Found:
    """The result of one question."""

    address: str  # for the entry in config.yaml
    recognition: Recognition | None = None
    unclear: str = ""  # why DNS gave no answer; then only the name was used
    hosts: tuple[str, ...] = ()  # of its MX


async def show(options: Options, what: str, *, as_json: bool, language: str) -> int:
    """Print what is known. Exit code: 0 known, 1 unknown."""
    if not what:
        _print_list(presets().values(), Phrases(language), as_json=as_json)
        return 0
    several = _by_words(what)
    if len(several) > 1:
        _print_list(several, Phrases(language), as_json=as_json)
        return 0
    what = several[0].id if several else what
    lookup = (await asyncio.to_thread(_resolver, options)).lookup
    found = await recognise(what, lookup)
    if as_json:
        print(json.dumps(_object(found, language), ensure_ascii=False, indent=2))
    else:
        print("\n".join(_text(found, what, language)))
    return 0 if found.recognition else 1


def _by_words(what: str) -> Sequence[Preset]:
    """Return the presets that such words find: not for an id, an address, a domain or a host."""
    if what.strip() in presets() or "@" in what or "." in what:
        return ()
    return provider_aliases.search(what)


def _resolver(options: Options) -> Resolver:
    """Return the resolver of the configuration, or of the system if there is no valid configuration."""
    try:
        return Resolver(load(options.config_file).resolvers)
    except ConfigError:
        return Resolver()


async def recognise(what: str, lookup: Lookup) -> Found:
    """Recognise an address, a domain, a host or a preset's id: by name if possible, else by DNS."""
    what = what.strip()
    name = what.rpartition("@")[2].lower().removesuffix(".")
    if what in presets():
        preset = presets()[what]
        return Found(f"sales@{_example(preset)}", Recognition(preset.id, RecognisedBy.ID, what))
    try:
        domain = domain_of(f"x@{name}")
    except ValueError:
        return Found("sales@example.com")
    address = what if "@" in what else f"sales@{domain}"
    if "@" not in what:
        known = _server(domain)
        if known is not None:
            return Found(f"sales@{_example(known.preset)}", known)
    own = providers.recognise(domain)
    if own is not None:
        return Found(address, Recognition(own.id, RecognisedBy.DOMAIN, domain))
    return await _ask(domain, address, lookup, is_host="@" not in what)


def _server(host: str) -> Recognition | None:
    """Return the preset if this is a server, a mail exchanger or a former server of a provider."""
    known = providers.at_host(host)
    if known is not None:
        return Recognition(known.id, RecognisedBy.HOST, host)
    exchanger = by_mx([host])
    return Recognition(exchanger.provider, RecognisedBy.HOST, host) if exchanger else None


async def _ask(domain: str, address: str, lookup: Lookup, *, is_host: bool) -> Found:
    """Ask DNS. `is_host`: the name may be a server in its own domain, such as mail.example.com."""
    label, _, above = domain.partition(".")
    try:
        async with asyncio.timeout(LOOK_UP):
            if is_host and label in _LABELS and "." in above:
                for target in (await lookup(domain, "CNAME")).records:
                    alias = by_cname(target)
                    if alias is not None:
                        return Found(f"sales@{above}", alias)
                domain, address = above, f"sales@{above}"
            seen = await look_up(domain, lookup)
    except TimeoutError:
        seen = Seen(unclear=f"no answer within {LOOK_UP:g} s")
    return Found(address, seen.found, seen.unclear, seen.hosts)


def _example(preset: Preset) -> str:
    return preset.domains[0] if preset.domains else "example.com"


# -- output -----------------------------------------------------------------------------------------------------------


def _print_list(every: Collection[Preset], say: Phrases, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([_preset_object(preset) for preset in every], ensure_ascii=False, indent=2))
        return
    width = max(len(preset.id) for preset in every)
    for preset in every:
        server = next(iter((*preset.imap, *preset.pop3)), None)
        about = ", ".join(preset.domains) or (server.host if server else "–")
        print(f"{preset.id:{width}}  {_name(preset, say)}  ({about})")


def _object(found: Found, language: str) -> dict[str, Any]:
    """Return the object of the JSON interface. Values are null or empty if nothing was recognised."""
    recognition = found.recognition
    made: dict[str, Any] = dict.fromkeys(("id", "name", "family", "recognised_by", "login"))
    made |= {"imap": [], "pop3": [], "smtp": [], "quirks": [], "folders": {}}
    if recognition is not None:
        domain = found.address.partition("@")[2]
        made = _preset_object(recognition.preset, domain, recognition.mx)
        made |= {"recognised_by": str(recognition.by), "evidence": recognition.evidence}
    made["stanza"] = _stanza(found, language)
    made["dns"] = found.unclear or None
    return made


def _preset_object(preset: Preset, domain: str = "", mx: str = "") -> dict[str, Any]:
    return {
        "id": preset.id,
        "name": preset.name,
        "family": preset.signature_families[0] if preset.signature_families else None,
        "recognised_by": None,
        **{str(service): [_row_object(row) for row in _rows(service, preset, domain, mx)] for service in SERVICES},
        "login": preset.login or None,
        "quirks": list(preset.quirks),
        "folders": {role: list(names) for role, names in preset.folders},
        "flags": _flags(preset),
        "help_url": preset.help_url or None,
    }


def _row_object(row: ServerRow) -> dict[str, Any]:
    return {"host": row.host, "port": row.port, "security": row.security}


def _rows(service: Service, preset: Preset, domain: str, mx: str) -> tuple[ServerRow, ...]:
    """Return the servers with complete host names, most likely first; if none, the rows with their placeholders."""
    return tuple(providers.candidates(service, preset, domain, mx)) or preset.rows(service)


def _flags(preset: Preset) -> list[str]:
    return sorted(flag for flag in providers.FLAGS if getattr(preset, flag))


def _stanza(found: Found, language: str) -> str:
    recognition = found.recognition
    if recognition is None:
        return stanza(None, found.address, language=language)
    return stanza(recognition.preset, found.address, recognition.mx, language)


def _text(found: Found, what: str, language: str) -> Iterator[str]:
    say = Phrases(language, "providers")
    recognition = found.recognition
    if recognition is None:
        yield say("unknown", what=what)
        if found.unclear:
            yield say("silent", why=found.unclear)
        else:
            yield say("mx_is", hosts=", ".join(found.hosts[:5])) if found.hosts else say("mx_none")
    else:
        yield from _about(recognition, found.address.partition("@")[2], language)
    yield ""
    yield say("stanza")
    yield ""
    yield _stanza(found, language).rstrip()


def _about(recognition: Recognition, domain: str, language: str) -> Iterator[str]:
    preset, say = recognition.preset, Phrases(language, "providers")
    yield f"{_name(preset, say)} ({quoted(preset.id)})"
    yield ""
    yield from _line(say("by"), say(f"by_{recognition.by}", evidence=recognition.evidence))
    current = providers.current(preset)
    if current is not preset:
        yield from _line(say("successor"), f"{_name(current, say)} ({quoted(current.id)})")
    for service in SERVICES:
        rows = _rows(service, preset, domain, recognition.mx)
        yield from _line(service.upper(), " · ".join(_shown(row, say) for row in rows))
    yield from _line(say("password"), say.find(f"logins.{preset.login}") or "")
    yield from _line(say("made_at"), providers.code_made_at(preset, language))
    yield from _line(say("help"), preset.help_url)
    told = [say(f"flags.{flag}") for flag in _flags(preset)]
    if preset.idle_timeout:
        told.append(say("idle_timeout", seconds=preset.idle_timeout))
    if preset.visible_after:
        told.append(say("visible_after", seconds=preset.visible_after))
    for index, text in enumerate((*told, *preset.quirks)):
        yield from _line("" if index else say("quirks"), f"- {text}")


def _line(title: str, text: str) -> Iterator[str]:
    if text:
        wide = sum(2 if ord(each) > 0x2E80 else 1 for each in title)
        yield f"{title}{' ' * max(1, 16 - wide)}{text}"


def _shown(row: ServerRow, say: Phrases) -> str:
    return f"{row.host}:{row.port} {row.security.upper() if row.security else say('unverified')}"


def _name(preset: Preset, say: Phrases) -> str:
    """Return the name in English and Chinese: users may know only one of them."""
    chinese = providers.provider_name(preset.id, say.language if say.like == "zh" else "zh")
    return preset.name if chinese == preset.name else f"{preset.name} {chinese}"
