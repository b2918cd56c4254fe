"""Writes docs/signatures.md from `data/signatures.yaml`: `python -m tests.docs.generate_signatures`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from exporter.diagnosis import signatures
from exporter.diagnosis.signatures import CONNECT, SASL, Signature
from tests.diagnosis.replay import LATER, protocol, step

PAGE = Path(__file__).parents[2] / "docs" / "signatures.md"
HEAD = """\
# Signatures · 错误文本特征

What mail servers really say, and what it means: the rows of `exporter/data/signatures.yaml`, where each has its pattern
and its source. This page is made by `python -m tests.docs.generate_signatures`.

*Replayed*: the row's example is said by a server to the real probe, as the answer to the login, to the mail (RCPT) or
to the opening of the mailbox (EXAMINE, STAT), and the run ends in the reason (`tests/diagnosis/test_replay.py`). What
is no reply of its protocol goes through the table alone (`tests/diagnosis/test_signatures.py`); the second list says
why.

邮件服务器的真实错误文本及其含义。“replayed” 表示该例句由测试服务器在真实会话中说出，结果必须是表中的原因。
"""


def NOT_REPLAYED() -> Mapping[str, str]:  # noqa: N802 - a constant that needs the table
    """The rows whose example is no reply, and why."""
    return {row.id: _why(row) for row in signatures.rows() if protocol(row) is None}


def page() -> str:
    """The whole page, in Markdown."""
    rows = signatures.rows()
    left_out = NOT_REPLAYED()
    parts = [HEAD, f"\n{len(rows)} rows, {len(rows) - len(left_out)} of them replayed.\n"]
    for scope in dict.fromkeys(row.provider for row in rows):
        parts.append(
            f"\n## {scope}\n\n| row | protocol | reason | replayed | example |\n| --- | --- | --- | --- | --- |\n"
        )
        parts.extend(_line(row) for row in rows if row.provider == scope)
    parts.append("\n## Through the table alone\n\n| row | why |\n| --- | --- |\n")
    parts.extend(f"| `{name}` | {why} |\n" for name, why in left_out.items())
    return "".join(parts)


def _line(row: Signature) -> str:
    spoken = protocol(row)
    when = "–" if spoken is None else f"{spoken}, {_STEPS[spoken.value] if step(row) == LATER else 'login'}"
    reasons = " ".join([f"`{row.reason}`", *(f"({cause})" for cause in row.causes)])
    return f"| `{row.id}` | {row.protocol} | {reasons} | {when} | {_cell(row.example)} |\n"


_STEPS = {"smtp": "mail", "imap": "mailbox", "pop3": "mailbox"}


def _cell(text: str, most: int = 110) -> str:
    one = " ⏎ ".join(text.split("\n"))
    cut = one if len(one) <= most else one[: most - 1] + "…"
    return f"`{cut.replace('|', '¦').replace('`', chr(39))}`"


def _why(row: Signature) -> str:
    if row.protocol == CONNECT:
        return "words of a client library, no server says them"
    if row.protocol == SASL:
        return "the JSON in a challenge, or from a token endpoint"
    if row.example.startswith(("OK", "* CAPABILITY")):
        return "stands in an answer that refuses nothing"
    return "its source gives the text without the reply's code"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
