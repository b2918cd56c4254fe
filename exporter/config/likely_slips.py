"""Finds likely mistakes in valid values: a space at the end of a password, TLS on the port for STARTTLS.

In: a password, or a server as written. Out: a warning, or "". A password must never be quoted.
"""

from __future__ import annotations

import re
import unicodedata

from exporter.config.presets import GENERIC, WELL_KNOWN, presets, recognise
from exporter.model import Security, Service

# A plain value, blanks, and a comment. A value in quotes may hold #, and a key or a brace before it changes nothing.
_COMMENT = re.compile(rb"\bpassword:[ \t]+[^\s\"'#][^#\n]{0,1000}[ \t]#")

# The port that a service has for the other way of protection (RFC 8314).
_TLS_PORTS = {Service.IMAP: 993, Service.POP3: 995, Service.SMTP: 465}
_STARTTLS_PORTS = {Service.IMAP: 143, Service.POP3: 110, Service.SMTP: 587}


def password_slip(password: str) -> str:
    """Return what is unusual about the first or last character of a password, or ""."""
    for where, char in (("begins", password[:1]), ("ends", password[-1:])):
        if char.isspace():
            return f"the password {where} with a blank: take it away, unless the password really has it"
        if unicodedata.category(char or "x") == "Cf":
            return f"the password {where} with an invisible character, such as a byte order mark: write it anew"
        if "\uff01" <= char <= "\uff5e":
            return (
                f"the password {where} with a full-width character, as Chinese input methods make them: "
                "write the half-width one, unless the password really has it"
            )
    return ""


def comment_slip(line: bytes) -> str:
    """Return that a comment may be a part of the password, or "". `line` is the one with the key `password`."""
    if _COMMENT.search(line):
        return "what follows # is a comment: put the password in quotes if # belongs to it"
    return ""


def provider_slip(address: str, provider: str) -> str:
    """Return that an address at one provider has the preset of another, or ""."""
    domain = address.rpartition("@")[2]
    own = recognise(domain)
    if own is None or own.id == provider or provider not in presets():
        return ""
    theirs = presets()[provider]
    if domain in theirs.domains or provider in (own.superseded_by, GENERIC) or own.id == theirs.superseded_by:
        return ""
    return f"{domain} is a domain of {own.id}, not of {provider}: write provider: {own.id}, or leave it out"


def port_slip(service: Service | None, port: int | None, security: Security | None) -> str:
    """Return what does not fit together in a server as written, or "". `service` None: taken from the port."""
    if port is None or port not in WELL_KNOWN:
        return ""
    usual, protected = WELL_KNOWN[port]
    if service not in (None, usual):
        return f"port {port} is the usual one of {usual}, not of {service}"
    if security in (None, protected, Security.PLAIN) or usual not in _TLS_PORTS:
        return ""
    other = (_TLS_PORTS if security is Security.TLS else _STARTTLS_PORTS)[usual]
    return f"port {port} is for security: {protected}; write that, or port: {other} with security: {security}"
