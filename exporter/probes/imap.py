"""The imap probe: logs in once and reads folders, message counts, the newest message and the quota.

In: a mailbox's IMAP server, credential and expected folders. Out: facts per folder and quota. It reads only and changes
nothing in the mailbox (EXAMINE, STATUS, BODY.PEEK).
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from exporter.model import Endpoint, FactName, Login, Phase
from exporter.model.errors import ProbeError, Refusal
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.dial import dial
from exporter.net.imap import folders as roles
from exporter.net.imap.folders import Folder
from exporter.net.imap.session import ImapSession
from exporter.probes.context import Context
from exporter.probes.login import enter_imap

T = TypeVar("T")

INBOX = Folder("INBOX", "INBOX")
MAX_OTHER = 8  # configured folders in addition to those with a role; each one is a label value
MAX_NAMED = 30  # folders listed in the message when a configured one is missing


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run."""

    endpoint: Endpoint
    login: Login
    folders: tuple[str, ...] = ("INBOX",)  # must exist and open; decoded, or as the server writes them
    needs_id: bool = False  # the provider wants an ID (RFC 2971) after the login
    folder_names: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (role, names) of the provider's preset


async def probe(settings: Settings, context: Context, trace: Trace, /) -> None:
    """Log in with exactly one mechanism, inspect INBOX and the folders without changing anything, and log out."""
    async with await dial(settings.endpoint, context.resolver, context.contexts, trace) as wire:
        session = await enter_imap(wire, settings.endpoint, settings.login, context, trace, needs_id=settings.needs_id)
        await _look(session, settings, trace)
        if "QUOTA" in session.capabilities or any(name.startswith("QUOTA=") for name in session.capabilities):
            await _quota(session, trace)
        with trace.phase(Phase.LOGOUT):
            await session.logout()


async def _look(session: ImapSession, settings: Settings, trace: Trace) -> None:
    """Check that the expected folders exist; write their counts and the date of the newest message."""
    with trace.phase(Phase.FOLDERS):
        listed = await session.list()
        named = roles.by_role(listed, settings.folder_names) | {"inbox": INBOX}
        wanted = {name: roles.find(listed, name) for name in settings.folders if name.upper() != "INBOX"}
        others = dict.fromkeys(folder for folder in wanted.values() if folder and folder not in named.values())
        for number, folder in enumerate(list(others)[:MAX_OTHER], 1):
            named[f"other{number}"] = folder
        # STATUS must not be used for a selected folder (RFC 3501 section 6.3.10), so the counts come first.
        await _count(session, named, trace)
    with trace.phase(Phase.SELECT):
        await session.examine("INBOX")
    with trace.phase(Phase.FOLDERS):
        newest = await _optional(session.newest(), trace)
    if newest is not None:
        trace.fact(FactName.FOLDER_NEWEST, newest, "inbox")
    for name, found in wanted.items():
        with trace.phase(Phase.SELECT):
            if found is None:
                have = ", ".join(each.decoded for each in listed[:MAX_NAMED])
                raise ProbeError(Reason.FOLDER_MISSING, f"there is no folder {name!r}; the server has: {have}")
            await _open(session, found)


async def _open(session: ImapSession, folder: Folder) -> None:
    try:
        await session.examine(folder.name)
    except Refusal as exc:
        if "[NONEXISTENT]" in exc.text.upper() or not folder.selectable:
            raise ProbeError(Reason.FOLDER_MISSING, f"{folder.decoded}: {exc.text}") from exc
        raise


async def _count(session: ImapSession, named: Mapping[str, Folder], trace: Trace) -> None:
    """Write total and unseen messages by role: with one command if the server supports it, else one by one."""
    told = await _optional(session.statuses([folder.name for folder in named.values()]), trace) or {}
    for role, folder in named.items():
        trace.fact(FactName.FOLDER_NAME, folder.decoded, role)
        status = told.get(folder.name) or await _optional(session.status(folder.name), trace)
        if status is not None and status.messages is not None:
            trace.fact(FactName.FOLDER_MESSAGES, status.messages, role)
        if status is not None and status.unseen is not None:
            trace.fact(FactName.FOLDER_UNSEEN, status.unseen, role)


async def _quota(session: ImapSession, trace: Trace) -> None:
    with trace.phase(Phase.QUOTA):
        for quota in await _optional(session.quota(), trace) or ():
            for name, value in (
                (FactName.QUOTA_USED_BYTES, quota.used_bytes),
                (FactName.QUOTA_LIMIT_BYTES, quota.limit_bytes),
                (FactName.QUOTA_USED_MESSAGES, quota.used_messages),
                (FactName.QUOTA_LIMIT_MESSAGES, quota.limit_messages),
            ):
                if value is not None:
                    trace.fact(name, value, quota.root)


async def _optional(step: Awaitable[T], trace: Trace) -> T | None:
    """Return the step's result, or None if the server refuses: optional information is not a failure."""
    try:
        return await step
    except Refusal as exc:
        if exc.code == "BYE":
            raise
        trace.said("#", f"not told: {exc.text}")
        return None
