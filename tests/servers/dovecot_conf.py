"""The configuration of the tests' dovecot: the parts that are equal in every version, and the type for the others.

Dovecot 2.3 (Debian 12) rejects the configuration of 2.4 (Debian 13), and 2.4 that of 2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

# Mail to alice+junk@ is put where a spam filter would put it.
JUNK = """require ["fileinto", "envelope", "subaddress"];
if envelope :detail "to" "junk" { fileinto "Junk"; }
"""


@dataclass(frozen=True, slots=True)
class Templates:
    """The files of one version, for str.format:

    `me` is the `Dovecot`, `url` the endpoint that returns the owner of a token.
    """

    main: str
    certificate: str  # for one address: `address`, `pem`
    files: Mapping[str, str]  # by name
    tokens: str  # appended if access tokens are accepted
    token_files: Mapping[str, str]  # by name, if access tokens are accepted
    # fields of an account that limit its mail: storage, messages (0: no limit)
    quota: Callable[[str, int], dict[str, str]]
    account: Callable[[Mapping[str, str]], str]  # the text of an account's file
