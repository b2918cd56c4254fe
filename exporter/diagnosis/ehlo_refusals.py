"""Finds out whether an SMTP server refuses the name that we gave in EHLO: then another name is the remedy.

Some servers refuse it as the answer to EHLO itself, others (Postfix by default) only when a mail is sent.
"""

from __future__ import annotations

import re

from exporter.model import Phase
from exporter.model.reasons import Reason

# The command as a word of its own, and not as part of a host name or an address of a page.
_COMMAND = re.compile(r"(?<![\w./@-])(?:HELO|EHLO)(?![\w-]|\.\w)", re.IGNORECASE)
_CODE = re.compile(r"\s*([45]\d\d)(?:[ -]|$)", re.MULTILINE)
# These are about the command or the order of the commands: "503 send EHLO first", "502 EHLO not implemented".
_NOT_THE_NAME = frozenset({"500", "502", "503"})
_PARAMETER = frozenset({"501", "504"})  # the only parameter of EHLO is the name
_CAUSES = frozenset({Reason.RDNS_MISSING, Reason.COMMAND_REJECTED, Reason.POLICY_REJECTED})


def is_about_our_name(reason: Reason, text: str, phase: Phase | None) -> bool:
    """Tell whether this refusal, of which `reason` is known, is about our name in EHLO. `text` is SMTP's reply."""
    if reason not in _CAUSES:
        return False
    code = _CODE.match(text)
    if code is None or code[1] in _NOT_THE_NAME:
        return False
    return bool(_COMMAND.search(text)) or (phase is Phase.CAPABILITY and code[1] in _PARAMETER)
