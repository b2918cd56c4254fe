"""DMARC policy records (RFC 9989, before that RFC 7489): what receivers are to do with mail that only claims a domain.

    _dmarc.example.com.  TXT  "v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com"

`p` is the wish for mail that passes neither an aligned SPF nor an aligned DKIM check: none (only report), quarantine
(junk folder), reject. `sp` is the same for subdomains, `np` for names that do not exist. `rua` and `ruf` say where
reports go. `adkim` and `aspf` are r (relaxed: the organization's domain must match) or s (strict). A domain without a
record of its own is covered by its parent's. RFC 9989 dropped pct, rf and ri; they still occur and do no harm.
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
    reports: tuple[str, ...]  # the URIs of rua
    testing: bool  # t=y: receivers apply one step less


def is_dmarc(text: str) -> bool:
    """Whether a TXT record claims to be a DMARC record: `v=DMARC1` comes first; the rest are other people's texts."""
    name, _, value = text.partition(";")[0].partition("=")
    return name.strip() == "v" and value.strip() == "DMARC1"


def parse(text: str) -> Dmarc:
    """Read a policy record. Raises RecordError.

    A record without `p` is an error here: RFC 9989 takes it for p=none, but receivers of RFC 7489 drop it.
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
