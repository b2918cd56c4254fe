"""A selected folder as one IMAP client sees it: sequence numbers are valid until the client is told otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.demo.mailstore import Folder, Message


class View:
    """`messages` are in the order of their sequence numbers, from 1. Some may already be deleted from the folder."""

    def __init__(self, folder: Folder, *, read_only: bool) -> None:
        self.folder = folder
        self.read_only = read_only
        self.messages = folder.messages.copy()

    def news(self) -> list[str]:
        """Return what has changed since the last call. Not used in answers to FETCH and STORE (section 7.4.1)."""
        told: list[str] = []
        there = set(self.folder.messages)
        for number in range(len(self.messages), 0, -1):
            if self.messages[number - 1] not in there:
                del self.messages[number - 1]
                told.append(f"* {number} EXPUNGE")
        known = set(self.messages)
        fresh = [message for message in self.folder.messages if message not in known]
        if fresh:
            self.messages += fresh
            told.append(f"* {len(self.messages)} EXISTS")
        return told

    def expunge(self, messages: Iterable[Message]) -> None:
        """Remove those messages that are marked as deleted."""
        self.folder.remove([message for message in messages if "\\Deleted" in message.flags])
