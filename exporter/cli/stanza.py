"""Writes the entry of a mailbox for config.yaml: only the keys that the provider's preset does not fill in."""

from __future__ import annotations

from exporter.config import presets
from exporter.config.presets import NoServerError, Preset, ServerRow
from exporter.model import Security, Service
from exporter.model.phrases import Phrases

_USUAL = {Service.IMAP: 993, Service.SMTP: 465}
_REGION = "us-east-1"


def stanza(preset: Preset | None, address: str, mx: str = "", language: str = "en") -> str:
    """Return the entry for config.yaml. `preset` None: the provider is unknown, and the servers are guessed."""
    local, _, domain = address.partition("@")
    lines = ["mailboxes:", f"  - address: {address}"]
    if preset is not None:
        preset = presets.current(preset)
        lines.append(f"    provider: {quoted(preset.id)}")
    if preset is not None and preset.login == "oauth2_only" and preset.oauth2 is not None:
        token = f"{{client_id: YOUR-APPLICATION, refresh_token_file: secrets/{local}.token}}"
        lines.append(f"    oauth2: {token}   # {_remark('oauth', language)} mailprobe oauth {address}")
    else:
        lines.append(f"    password_file: secrets/{local}   # chmod 600")
    servers = {service: _server(service, preset, domain, mx, language) for service in (Service.IMAP, Service.SMTP)}
    if preset is not None and servers[Service.IMAP].startswith("off") and preset.pop3:
        lines.append(f"    pop3: {_server(Service.POP3, preset, domain, mx, language) or 'on'}")
    lines += [f"    {service}: {text}" for service, text in servers.items() if text]
    return "\n".join(lines) + "\n"


def quoted(name: str) -> str:
    """Quote the text if YAML needs it: an id with only digits would be a number."""
    return f'"{name}"' if name.isdigit() else name


def _server(service: Service, preset: Preset | None, domain: str, mx: str, language: str) -> str:
    """Return the lines for a server; none if the preset already has it."""
    if preset is None:
        host = f"{service}.{domain}"
        return f"{{host: {host}, port: {_USUAL[service]}, security: tls}}   # {_remark('guess', language)}"
    try:
        said = presets.choose(service, preset, domain, host=None, port=None, security=None, mx=mx)
    except NoServerError:
        return _unsaid(service, preset, domain, mx, language)
    try:
        if presets.choose(service, preset, domain, host=None, port=None, security=None) == said:
            return ""
    except NoServerError:
        pass  # only the MX showed the provider; when `provider` is written, the MX is not looked up
    host, port, security = said
    return f"{{host: {host}, port: {port}, security: {security}}}"


def _unsaid(service: Service, preset: Preset, domain: str, mx: str, language: str) -> str:
    known = presets.candidates(service, preset, domain, mx)
    if known:
        row = min(known, key=lambda row: _security(row) is not Security.TLS)
        said = f"{{host: {row.host}, port: {row.port}, security: {_security(row)}}}"
        return f"{said}   # {_remark('unverified', language)}"
    if preset.decided_by_mx:
        return ""
    for row in preset.rows(service):
        if "<region>" in row.host:
            host = row.host.replace("<region>", _REGION)
            security = row.security or _security(row)
            return f"{{host: {host}, port: {row.port}, security: {security}}}   # {_remark('region', language)}"
    if any(preset.rows(other) for other in (Service.IMAP, Service.POP3, Service.SMTP)):
        return f"off   # {_remark('none', language)}"
    return _server(service, None, domain, mx, language)


def _security(row: ServerRow) -> Security:
    """Return the usual security of the port. It is never `plain`; some value must be written."""
    return row.security or presets.WELL_KNOWN.get(row.port, (Service.IMAP, Security.STARTTLS))[1]


def _remark(key: str, language: str) -> str:
    return Phrases(language, "stanza")(key)
