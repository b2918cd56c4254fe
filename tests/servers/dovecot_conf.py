"""What the tests' dovecot is configured with: the parts that every version has, and where each version writes its own.

Dovecot 2.3 (Debian 12) refuses the configuration of 2.4 (Debian 13), and the other way round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

# Mail to alice+junk@ goes where a spam filter would put it.
JUNK = """require ["fileinto", "envelope", "subaddress"];
if envelope :detail "to" "junk" { fileinto "Junk"; }
"""


@dataclass(frozen=True, slots=True)
class Templates:
    """The files of one version, for str.format: `me` is the `Dovecot`, `url` the one that says whose a token is."""

    main: str
    certificate: str  # for one address: `address`, `pem`
    files: Mapping[str, str]  # by name
    tokens: str  # appended where access tokens are taken
    token_files: Mapping[str, str]  # by name, where access tokens are taken
    quota: Callable[[str, int], dict[str, str]]  # fields of an account that limit its mail: storage, messages (0: any)
    account: Callable[[Mapping[str, str]], str]  # the text of an account's file
