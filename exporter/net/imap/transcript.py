"""Writes an IMAP session to the transcript, with every secret masked and without literals and message bodies."""

from __future__ import annotations

from exporter.model.text import MAX_TEXT, clean
from exporter.model.trace import Trace
from exporter.net.imap.reader import Response
from exporter.net.mask import Mask
from exporter.net.text import decode

MAX_SHOWN = 16384  # bytes of a line that are decoded; longer than any access token, so that none is cut


class MaskedTranscript:
    """Writes to the Trace of a run. `mask` learns the secrets before they are sent."""

    def __init__(self, trace: Trace, mask: Mask) -> None:
        self._trace = trace
        self._mask = mask

    def asked(self, line: bytes) -> None:
        """Write a line that mailprobe sends. It may contain names that the server chose."""
        self._trace.said(">", self._mask.keep(line.rstrip()))

    def whole_lines(self, data: bytes, count: int) -> bool:
        """Write whole lines of the server at once. Returns False if each line must be looked at for its content."""
        if b" BODY[" in data or len(data) > MAX_TEXT * count or self._mask.keep(data) is not data:
            return False
        return self._trace.heard(data, count)

    def response(self, response: Response) -> None:
        line = response[0]
        if len(response) > 1 or b" BODY[" in line:
            # Literals and bodies are other people's mail and must not be written to the transcript.
            line = b"".join(response[::2]).split(b" BODY[")[0]
        self.heard(line)

    def heard(self, line: bytes) -> None:
        # When the transcript is full, preparing thousands of lines for it would cost more than reading them.
        if not self._trace.full:
            self._trace.said("<", self._mask.keep(line[:MAX_SHOWN]))

    def shown(self, line: bytes) -> str:
        """Return a line of the server in a form that may be quoted."""
        return clean(self._mask.hide(decode(line[:MAX_SHOWN]).strip()))
