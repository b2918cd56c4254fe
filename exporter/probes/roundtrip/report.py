"""Delivery status notifications (RFC 3464), which anybody can send to a watched mailbox: read in linear time.

`email.parser` recurses into nested parts and compares each line with each open boundary; one mail made for it would
stop the event loop. A report (RFC 6522) needs none of that: the parts that matter stand directly in the message. So
only the outermost boundary is looked for, nested parts are never opened, and every count is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from exporter.model import bounds
from exporter.probes.roundtrip.headers import ContentType, content_type, fields, split, transfer_decoded

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_BLANK_LINE = re.compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says: whether delivery has failed for good, why, and the header of the message it is about."""

    failed: bool
    text: str  # the first diagnostic, or status
    original: bytes  # header fields


def may_be_report(headers: bytes) -> bool:
    """Whether the Content-Type is that of a delivery status notification."""
    kind = _kind(fields(headers))
    return kind.name == "multipart/report" and "delivery-status" in kind.parameters.get("report-type", "").lower()


def read(message: bytes) -> Report | None:
    """Read a report, of which the end may be missing. None where it is none. Never raises, never recurses."""
    head, body = split(message)
    kind = _kind(fields(head))
    boundary = kind.parameters.get("boundary", "")
    if kind.name != "multipart/report" or not 1 <= len(boundary) <= 200:
        return None
    status: tuple[bool, str] | None = None
    original: bytes | None = None
    for part in _parts(body, boundary.encode("utf-8", "replace")):
        part_head, content = split(part)
        part_fields = fields(part_head)
        name = _kind(part_fields).name
        if status is None and name in ("message/delivery-status", "message/global-delivery-status"):
            status = _status(content)
        elif original is None and name in ("message/rfc822", "message/global"):
            original = split(content)[0]
        elif original is None and name in ("text/rfc822-headers", "message/global-headers"):
            encoding = next((value for name, value in part_fields if name == "content-transfer-encoding"), b"")
            original = transfer_decoded(content, encoding)
    if status is None:
        return None
    return Report(status[0], status[1], original or b"")


def _kind(found: list[tuple[str, bytes]]) -> ContentType:
    return content_type(next((value for name, value in found if name == "content-type"), b""))


def _parts(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """The parts between the lines with this boundary (RFC 2046 section 5.1.1), each cut to the bound."""
    begin: int | None = None  # of the part that is open
    count = 0
    for start, end, last in _delimiters(body, b"--" + boundary):
        if begin is not None:
            yield body[begin : min(start, begin + bounds.REPORT_PART)]
            count += 1
        begin = end
        if last or count >= bounds.REPORT_PARTS:
            return
    if begin is not None:
        yield body[begin : begin + bounds.REPORT_PART]  # the message is cut off


def _delimiters(body: bytes, mark: bytes) -> Iterator[tuple[int, int, bool]]:
    """Where such a line begins and ends, and whether it is the last one. Lines that only begin like it are none."""
    at = 0 if body.startswith(mark) else body.find(b"\n" + mark) + 1 or -1
    for _ in range(bounds.REPORT_DELIMITERS):
        if at < 0:
            return
        end = body.find(b"\n", at)
        end = len(body) if end < 0 else end
        rest = body[at + len(mark) : end][:80].strip()
        if rest in (b"", b"--"):
            yield at, end + 1, rest == b"--"
        at = body.find(b"\n" + mark, end) + 1 or -1


def _status(content: bytes) -> tuple[bool, str]:
    """Whether it has failed for one of the recipients, and the first words on that (RFC 3464 section 2.3)."""
    failed, text = False, ""
    for block in _BLANK_LINE.split(content, maxsplit=bounds.REPORT_BLOCKS)[: bounds.REPORT_BLOCKS]:
        found: dict[str, str] = {}
        for name, value in fields(block):
            found.setdefault(name, value[: bounds.FIELD].decode("utf-8", "replace"))
        if found.get("action", "").strip().lower() != "failed":
            continue
        failed = True
        status = _STATUS.search(found.get("status", ""))
        said = " ".join(found.get("diagnostic-code", "").split()).partition(";")[2].strip()
        text = text or said or (status[0] if status else "")
    return failed, text
