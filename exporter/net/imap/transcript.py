"""What of an IMAP dialogue is written down: lines with every secret masked, and neither literals nor message bodies."""

from __future__ import annotations

from exporter.model.text import MAX_TEXT, clean
from exporter.model.trace import Trace
from exporter.net.imap.reader import Response
from exporter.net.mask import Mask
from exporter.net.text import decode

MAX_SHOWN = 16384  # bytes of a line that are decoded; more than an access token has, so that none is cut


class MaskedTranscript:
    """Writes into a run's trace. `mask` learns the secrets before they are sent."""

    def __init__(self, trace: Trace, mask: Mask) -> None:
        self._trace = trace
        self._mask = mask

    def asked(self, line: bytes) -> None:
        """A line of ours. Names that the server made may be in it."""
        self._trace.said(">", self._mask.keep(line.rstrip()))

    def whole_lines(self, data: bytes, count: int) -> bool:
        """Write so many lines of the server's down as they came. False where each needs a look, for its content."""
        if b" BODY[" in data or len(data) > MAX_TEXT * count or self._mask.keep(data) is not data:
            return False
        return self._trace.heard(data, count)

    def response(self, response: Response) -> None:
        line = response[0]
        if len(response) > 1 or b" BODY[" in line:
            # Literals and bodies are other people's mail: neither is written down.
            line = b"".join(response[::2]).split(b" BODY[")[0]
        self.heard(line)

    def heard(self, line: bytes) -> None:
        # Looking at thousands of lines for a transcript that is full would cost more than reading them.
        if not self._trace.full:
            self._trace.said("<", self._mask.keep(line[:MAX_SHOWN]))

    def shown(self, line: bytes) -> str:
        """A line of the server's as it may be quoted."""
        return clean(self._mask.hide(decode(line[:MAX_SHOWN]).strip()))
