"""Builds the responses of the demo's IMAP server about folders and messages (RFC 3501 section 7). No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from exporter.demo.imap_syntax import BadCommand, Command, Token, chosen, internal_date, quoted, words
from exporter.demo.mailstore import Folder, Mailbox, Message
from exporter.net import utf7

_SECTION = re.compile(
    r"BODY(?P<peek>\.PEEK)?\[(?P<what>[^\]]*)\](?:<(?P<start>\d{1,9})\.(?P<length>\d{1,9})>)?\Z", re.IGNORECASE
)
_FIELDS = re.compile(r"HEADER\.FIELDS \((?P<names>[^()]*)\)\Z", re.IGNORECASE)


def listed(folders: Iterable[Folder], reference: str, pattern: str) -> list[str]:
    """LIST, with the attributes of SPECIAL-USE (RFC 6154). Folders are not nested, so `%` means the same as `*`."""
    if not pattern:
        return ['* LIST (\\Noselect) "/" ""']
    asked = utf7.decode(reference + pattern[:200])
    wanted = re.compile("".join(".*" if char in "*%" else re.escape(char) for char in re.sub(r"[*%]+", "*", asked)))
    return [
        f'* LIST (\\HasNoChildren{folder.flag and " " + folder.flag}) "/" {quoted(utf7.encode(folder.name))}'
        for folder in folders
        if wanted.fullmatch(folder.name)
    ]


def status(folder: Folder, items: Token) -> str:
    known = {
        "MESSAGES": len(folder.messages),
        "RECENT": 0,
        "UIDNEXT": folder.uidnext,
        "UIDVALIDITY": folder.uidvalidity,
        "UNSEEN": sum("\\Seen" not in message.flags for message in folder.messages),
    }
    asked = [item.upper() for item in words(items)]
    if not asked or not set(asked) <= set(known):
        raise BadCommand("not an item of STATUS")
    told = " ".join(f"{item} {known[item]}" for item in asked)
    return f"* STATUS {quoted(utf7.encode(folder.name))} ({told})"


def quota(mailbox: Mailbox) -> str:
    """QUOTA (RFC 9208): STORAGE counts units of 1,024 bytes."""
    return f'* QUOTA "user" (STORAGE {-(-mailbox.used // 1024)} {mailbox.quota // 1024})'


def opened(folder: Folder, *, read_only: bool) -> list[str]:
    """The responses of SELECT and EXAMINE before the tagged line."""
    permanent = "" if read_only else "\\Seen \\Answered \\Flagged \\Deleted"
    return [
        "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)",
        f"* OK [PERMANENTFLAGS ({permanent})] what is kept",
        f"* {len(folder.messages)} EXISTS",
        "* 0 RECENT",
        f"* OK [UIDVALIDITY {folder.uidvalidity}] UIDs are valid",
        f"* OK [UIDNEXT {folder.uidnext}] the next UID",
    ]


def pick(command: Command, view: Sequence[Message]) -> tuple[list[tuple[int, Message]], tuple[Token, ...]]:
    """Return (sequence number, message) for the set in the first argument, and the other arguments."""
    match command.args:
        case (str(numbers), *rest):
            uids = command.name.startswith("UID")
            known = [message.uid for message in view] if uids else list(range(1, len(view) + 1))
            wanted = chosen(numbers, known)
            return [(n, m) for n, m in enumerate(view, 1) if (m.uid if uids else n) in wanted], tuple(rest)
    raise BadCommand("a sequence set is expected")


def item_names(command: Command, rest: Sequence[Token]) -> list[str]:
    """Return the item names of FETCH. UID FETCH always returns the UID (section 6.4.8)."""
    if len(rest) != 1:
        raise BadCommand("FETCH takes a set and a list")
    names = list(dict.fromkeys(words(rest[0])))
    if command.name.startswith("UID") and "UID" not in (name.upper() for name in names):
        names.insert(0, "UID")
    return names


def item(name: str, message: Message, *, read_only: bool) -> bytes:
    """Return one data item of FETCH. BODY without PEEK marks the message as seen."""
    match name.upper():
        case "UID":
            return b"UID %d" % message.uid
        case "FLAGS":
            return flags(message)
        case "INTERNALDATE":
            return f"INTERNALDATE {internal_date(message.at)}".encode()
        case "RFC822.SIZE":
            return b"RFC822.SIZE %d" % len(message.raw)
    section = _SECTION.match(name)
    if section is None:
        raise BadCommand("not an item of FETCH that is known here")
    fields, at = _FIELDS.match(section["what"]), ""
    if fields:
        data = message.header(fields["names"].split())
    elif section["what"].upper() == "HEADER":
        head, gap, _ = message.raw.partition(b"\r\n\r\n")
        data = head + gap
    elif not section["what"]:
        data = message.raw
    else:
        raise BadCommand("not a section that is known here")
    if section["start"] is not None:
        start = int(section["start"])
        data, at = data[start : start + int(section["length"])], f"<{start}>"
    if section["peek"] is None and not read_only:
        message.flags.add("\\Seen")
    return f"BODY[{section['what']}]{at} {{{len(data)}}}\r\n".encode() + data


def flags(message: Message) -> bytes:
    return f"FLAGS ({' '.join(sorted(message.flags))})".encode()


def change_flags(message: Message, action: str, changed: set[str]) -> None:
    """Apply the change of STORE: +FLAGS, -FLAGS or FLAGS."""
    match action:
        case "+FLAGS":
            message.flags |= changed
        case "-FLAGS":
            message.flags -= changed
        case "FLAGS":
            message.flags = set(changed)
        case _:
            raise BadCommand("not an item of STORE")
