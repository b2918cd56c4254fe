"""The names of a run's facts in one language."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.model import FactName
from exporter.model.phrases import Phrases

TOLD_WITH_OTHERS = frozenset(
    {
        FactName.FAMILY,
        FactName.TLS_VERSION,
        FactName.TLS_CIPHER,
        FactName.QUOTA_LIMIT_BYTES,
        FactName.QUOTA_LIMIT_MESSAGES,
        FactName.MAILDROP_BYTES,
        FactName.FOLDER_NAME,
        FactName.FOLDER_MESSAGES,
        FactName.FOLDER_UNSEEN,
        FactName.FOLDER_NEWEST,
        FactName.DNS_LOOKUP,
        FactName.DNS_LOOKUP_SECONDS,
        FactName.DNS_RECORDS,
        FactName.DNS_TEXT,
        FactName.DNS_LAST_CHANGE,
        FactName.DNS_POLICY_VALID,
        FactName.DKIM_KEY_BITS,
        FactName.ROUNDTRIP_OLDEST_IN_FLIGHT,
        FactName.ROUNDTRIP_HOP_DELAY,
        FactName.ROUNDTRIP_AUTHENTICATION,
    }
)
"""Facts without a name of their own: they are in the row of another fact, or their label is the name of the row."""

_RECORDS: Mapping[str, str] = {"mta_sts": "MTA-STS", "tls_rpt": "TLS-RPT"}


class FactWords(Phrases):
    """The names of facts in one language."""

    dot = " · "

    def __init__(self, language: str) -> None:
        super().__init__(language, "facts")

    @property
    def comma(self) -> str:
        return self("common.comma")

    def name(self, fact: FactName) -> str:
        """Return the name of a fact."""
        return self(f"fact_names.{fact}")

    def folder(self, role: str) -> str:
        return self.find(f"folders.{role}") or self("folders.other")

    def hop(self, hop: str) -> str:
        return self.find(f"hops.{hop}") or hop

    def record(self, kind: str) -> str:
        """Return the name of a record type or policy: SPF, MX, MTA-STS."""
        return _RECORDS.get(kind, kind.upper())

    def method(self, method: str) -> str:
        """Return the name of an authentication method. The receiving server checks, except for dkim_verified."""
        if method == "dkim_verified":
            return self("method_of_ours")
        return self("method_of_theirs", kind=self.record(method))
