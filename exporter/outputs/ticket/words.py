"""The texts of a support ticket in one language."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from exporter.model.phrases import Phrases
from exporter.model.zones import in_zone
from exporter.outputs.ticket.evidence import Statement


class TicketWords(Phrases):
    """The texts of one language. `zone` is the time zone of local times; None is the one of this machine."""

    def __init__(self, language: str, zone: tzinfo | None = None) -> None:
        super().__init__(language, "ticket")
        self._zone = zone

    @property
    def colon(self) -> str:
        """The separator between a label and its value."""
        return self("common.colon")

    def sentence(self, statement: Statement) -> str:
        places = dict(statement.words)
        if "reason" in places:
            places["reason"] = self.reason(places["reason"])
        if statement.at:
            places["at"] = self.local(statement.at)
        return self(f"statements.{statement.says}", **places)

    def local(self, at: float) -> str:
        """Return a local time such as 2026-01-31 09:30:00 +08:00 CST, with the zone's name if it has one."""
        moment = in_zone(at, self._zone)
        offset = moment.isoformat(timespec="seconds")[19:]
        if not moment.utcoffset():
            return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
        name = moment.tzname() or ""
        return f"{moment:%Y-%m-%d %H:%M:%S} {offset}" + (f" {name}" if name.isalpha() else "")

    def both(self, at: float) -> str:
        """Return the local time and UTC; only one if they are the same."""
        local, universal = self.local(at), f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return local if local == universal else f"{local} = {universal}"


def utc(at: float) -> str:
    """Return UTC in the format of RFC 3339, with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
