"""Keeps what a server marks with [ALERT]: it must be shown to the user, whatever the outcome (RFC 3501 section 7.1)."""

from __future__ import annotations

from exporter.model import FactName
from exporter.model.text import clean
from exporter.model.trace import Trace
from exporter.net.mask import Mask
from exporter.net.text import decode

MAX_ALERTS = 5  # of a run
MAX_ALERT = 400  # bytes of a line that are kept


class Alerts:
    """The notices of one run: each once, as one fact."""

    def __init__(self, trace: Trace, mask: Mask) -> None:
        self._trace = trace
        self._mask = mask
        self._texts: list[str] = []

    def note(self, line: bytes) -> None:
        """Keep the words after [ALERT], if the line has it."""
        _, found, words = line[:MAX_ALERT].partition(b"[ALERT]")
        if not found:
            return
        text = clean(self._mask.hide(decode(words)), MAX_ALERT).strip()
        if text and text not in self._texts and len(self._texts) < MAX_ALERTS:
            self._texts.append(text)
            self._trace.fact(FactName.PROVIDER_ALERT, " / ".join(self._texts))
