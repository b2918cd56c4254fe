"""DMARC policy records (RFC 9989, earlier RFC 7489): what receivers do with mail that only claims to be from a domain.

    _dmarc.example.com.  TXT  "v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com"

`p` is the policy for mail that passes neither an aligned SPF nor an aligned DKIM check: none (only report), quarantine
(junk folder), reject. `sp` is the same for subdomains, `np` for names that do not exist. `rua` and `ruf` are the
addresses for reports. `adkim` and `aspf` are r (relaxed: the organizational domain must match) or s (strict). A domain
without its own record is covered by the record of its parent. RFC 9989 removed pct, rf and ri; they still occur and are
ignored.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from exporter.probes.records import tags
from exporter.probes.records.errors import RecordError, shown

_SECTION = "RFC 9989 section 4.7"
POLICIES = ("none", "quarantine", "reject")
_CHOICES = {
    "sp": POLICIES,
    "np": POLICIES,
    "adkim": ("r", "s"),
    "aspf": ("r", "s"),
    "psd": ("y", "n", "u"),
    "t": ("y", "n"),
}


@dataclass(frozen=True, slots=True)
class Dmarc:
    """One policy record."""

    policy: str
    reports: tuple[str, ...]  # URIs of rua
    testing: bool  # t=y: receivers apply the next weaker policy


def is_dmarc(text: str) -> bool:
    """Tell whether a TXT record is meant as a DMARC record: it starts with `v=DMARC1`.

    Other TXT records are ignored.
    """
    name, _, value = text.partition(";")[0].partition("=")
    return name.strip() == "v" and value.strip() == "DMARC1"


def parse(text: str) -> Dmarc:
    """Parse a policy record. Raises RecordError.

    A record without `p` is an error here: RFC 9989 reads it as p=none, but receivers of RFC 7489 ignore the record.
    """
    if not is_dmarc(text):
        raise RecordError(_SECTION, f"{shown(text)} does not begin with v=DMARC1")
    found = tags.parse(text, "RFC 9989 section 4.8")
    policy = found.get("p", "").lower()
    if not policy:
        raise RecordError("RFC 7489 section 6.3", "the policy is missing: no tag p")
    if policy not in POLICIES:
        raise RecordError(_SECTION, f"p={shown(policy)}: it must be {', '.join(POLICIES)}")
    for name, choices in _CHOICES.items():
        if name in found and found[name].lower() not in choices:
            raise RecordError(_SECTION, f"{name}={shown(found[name])}: it must be one of {', '.join(choices)}")
    for name in ("rua", "ruf"):
        for uri in _uris(found.get(name, "")):
            _check_uri(name, uri)
    return Dmarc(policy, _uris(found.get("rua", "")), found.get("t", "n").lower() == "y")


def _uris(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _check_uri(name: str, uri: str) -> None:
    try:
        parts = urlsplit(uri)
    except ValueError as exc:
        raise RecordError(_SECTION, f"{name}={shown(uri)}: {exc}") from exc
    if not parts.scheme:
        raise RecordError(_SECTION, f"{name}={shown(uri)} is not a URI; write mailto:{uri[:40]}")
    if parts.scheme == "mailto" and "@" not in parts.path:
        raise RecordError(_SECTION, f"{name}={shown(uri)} has no mail address")
