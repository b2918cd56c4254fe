"""SPF records (RFC 7208): which hosts may send mail in a domain's name.

    example.com.  TXT  "v=spf1 ip4:192.0.2.0/24 include:_spf.example.net mx -all"

A receiver evaluates the terms from left to right and stops at the first that matches the sender's address: `+` (the
default) means pass, `-` fail, `~` softfail, `?` neutral. `include` evaluates another domain's record, `redirect=`
continues with it. A receiver makes at most ten DNS lookups for all of this; a record that needs more is invalid. A
domain publishes exactly one SPF record: two are an error, and so is one syntax error anywhere in it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from exporter.model import bounds
from exporter.probes.records.errors import RecordError, shown

MAX_LOOKUPS = 10
MAX_LENGTH = 65535
_LOOKUPS = frozenset(("include", "a", "mx", "ptr", "exists", "redirect"))
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)\Z", re.DOTALL)
_MECHANISM = re.compile(r"([+?~-]?)([A-Za-z][A-Za-z0-9_.-]*)(.*)\Z", re.DOTALL)
_DUAL_CIDR = re.compile(r"(?:/(0|[1-9][0-9]{0,2}))?(?://(0|[1-9][0-9]{0,2}))?\Z")
_CIDR = re.compile(r"(0|[1-9][0-9]{0,2})\Z")
_MACRO = re.compile(r"%(?:[%_-]|\{[slodiphcrtvSLODIPHCRTV][0-9]*[rR]?[-.+,/_=]*\})")
_VISIBLE = re.compile(r"[\x21-\x24\x26-\x7e]*\Z")  # all printable characters except the percent sign
_TOP_LABEL = re.compile(r"(?=[^.]*[A-Za-z-])[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism, or the modifier `redirect` or `exp`."""

    name: str  # lower case
    qualifier: str  # + - ~ ? ; "" for a modifier
    value: str  # text after the colon (slash included) or after the equals sign


@dataclass(frozen=True, slots=True)
class Spf:
    """One record: its terms in order, without unknown modifiers."""

    terms: tuple[Term, ...]

    @property
    def lookups(self) -> int:
        """The number of DNS lookups that this record itself needs, without those of included records."""
        return sum(1 for term in self.terms if term.name in _LOOKUPS)


def is_spf(text: str) -> bool:
    """Tell whether a TXT record is an SPF record (section 4.5): `v=spf1`, then a space or the end."""
    return text[:7].lower().rstrip(" ") == "v=spf1"


def parse(text: str) -> Spf:
    """Parse a record. Raises RecordError; a receiver would report `permerror`."""
    if not is_spf(text):
        raise RecordError("RFC 7208 section 4.5", f"{shown(text)} does not begin with 'v=spf1 '")
    if len(text) > MAX_LENGTH:
        raise RecordError("RFC 7208 section 3.4", f"it is longer than {MAX_LENGTH} bytes")
    if not text.isascii() or not text.isprintable():
        raise RecordError("RFC 7208 section 3.1", "it has a character that is not printable ASCII")
    terms: list[Term] = []
    words = text[6:].split()
    if len(words) > bounds.SPF_TERMS:
        raise RecordError("RFC 7208 section 11.1", f"it has more than {bounds.SPF_TERMS} terms")
    for word in words:
        modifier = _MODIFIER.match(word)
        term = _modifier(modifier[1].lower(), modifier[2]) if modifier else _mechanism(word)
        if term is None:
            continue
        if not term.qualifier and any(each.name == term.name and not each.qualifier for each in terms):
            raise RecordError("RFC 7208 section 6", f"the modifier {term.name}= occurs twice")
        terms.append(term)
    return Spf(tuple(terms))


def _modifier(name: str, value: str) -> Term | None:
    if name not in ("redirect", "exp"):
        _check_macros(name, value)
        return None  # section 6: unknown modifiers are ignored if their syntax is valid
    _check_domain(f"{name}=", value)
    return Term(name, "", value)


def _mechanism(word: str) -> Term:
    found = _MECHANISM.match(word)
    if not found:
        raise RecordError("RFC 7208 section 4.6.1", f"{shown(word)} is no mechanism or modifier")
    qualifier, name, value = found[1] or "+", found[2].lower(), found[3]
    match name:
        case "all":
            if value:
                raise RecordError("RFC 7208 section 5.1", f"{shown(word)}: nothing may follow all")
        case "include" | "exists":
            _check_domain(name, _after_colon(word, value, "5.2" if name == "include" else "5.7"))
        case "a" | "mx":
            _check_host(word, name, value)
        case "ptr":
            if value:
                _check_domain(name, _after_colon(word, value, "5.5"))
        case "ip4" | "ip6":
            _check_network(word, name, _after_colon(word, value, "5.6"))
        case _:
            raise RecordError("RFC 7208 section 4.6.1", f"{shown(word)} is no mechanism that exists")
    return Term(name, qualifier, value.removeprefix(":"))


def _after_colon(word: str, value: str, section: str) -> str:
    if not value.startswith(":") or len(value) < 2:
        raise RecordError(f"RFC 7208 section {section}", f"{shown(word)}: a colon and a value are missing")
    return value[1:]


def _check_host(word: str, name: str, value: str) -> None:
    """Check `a`, `a:domain`, `a/24`, `a:domain/24//64`. A slash may also stand inside the braces of a macro."""
    section = "RFC 7208 section 5.3" if name == "a" else "RFC 7208 section 5.4"
    slash = value.find("/", value.rfind("}") + 1)
    domain, cidr = (value, "") if slash < 0 else (value[:slash], value[slash:])
    if domain:
        if not domain.startswith(":"):
            raise RecordError(section, f"{shown(word)}: a colon is missing")
        _check_domain(name, domain[1:])
    lengths = _DUAL_CIDR.match(cidr)
    if not lengths or int(lengths[1] or 0) > 32 or int(lengths[2] or 0) > 128:
        raise RecordError(section, f"{shown(word)}: {shown(cidr)} is no prefix length")


def _check_network(word: str, name: str, value: str) -> None:
    address, slash, length = value.partition("/")
    size = 32 if name == "ip4" else 128
    if slash and (not _CIDR.match(length) or int(length) > size):
        raise RecordError("RFC 7208 section 5.6", f"{shown(word)}: {shown(length)} is no prefix length")
    try:
        if name == "ip4":
            ipaddress.IPv4Address(address)
        else:
            ipaddress.IPv6Address("" if "%" in address else address)  # Python accepts a zone index, SPF does not
    except ValueError as exc:
        kind = "IPv4" if name == "ip4" else "IPv6"
        raise RecordError("RFC 7208 section 5.6", f"{shown(word)}: {shown(address)} is no {kind} address") from exc


def _check_macros(name: str, value: str) -> None:
    if not _VISIBLE.match(_MACRO.sub("", value)):
        raise RecordError("RFC 7208 section 7.1", f"{name}: {shown(value)} has a wrong macro")


def _check_domain(name: str, value: str) -> None:
    _check_macros(name, value)
    if value.endswith("}"):
        return  # the last label comes from a macro
    label = value.removesuffix(".").rpartition(".")[2]
    if "." not in value.removesuffix(".") or not _TOP_LABEL.match(label):
        raise RecordError("RFC 7208 section 7.1", f"{name}: {shown(value)} is no domain name")
