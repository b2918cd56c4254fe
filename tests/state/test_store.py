"""Tests of the state: what survives a restart, the effect of a full disk, and errors of the folder."""

from __future__ import annotations

import logging
import sqlite3
import stat

import pytest

from exporter.state import in_flight
from exporter.state.store import (
    APPLICATION_ID,
    FILE,
    MIGRATIONS,
    SCHEMA,
    InFlight,
    Mailbag,
    State,
    StateError,
    StateLocked,
)


@pytest.fixture
async def state(tmp_path):
    opened = await State.open(tmp_path / "data")
    yield opened
    await opened.close()


async def reopen(state: State) -> State:
    await state.close()
    return await State.open(state.path.parent)


def fill_disk(state: State):
    return state._worker.submit(lambda: state._db.execute("PRAGMA max_page_count = 1")).result()


async def test_the_folder_and_the_file_are_for_their_owner_only(state):
    assert stat.S_IMODE(state.path.parent.stat().st_mode) == 0o700
    for file in state.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


async def test_the_signing_key_is_made_once(tmp_path):
    first = await State.open(tmp_path / "a")
    other = await State.open(tmp_path / "b")
    key = first.signing_key
    assert len(key) == 32
    assert key != other.signing_key
    again = await reopen(first)
    assert again.signing_key == key
    await again.close()
    await other.close()


async def test_mails_in_flight_survive_a_restart(state):
    mail = InFlight("t1", "a-b", 2e9, watermarks=(("INBOX", 7, 40), ("&V4NXPpCuTvY-\udcff", 8, 1)))
    await state.mailbag.add(mail)
    await state.mailbag.add(InFlight("t0", "a-b", 1.9e9))
    await state.mailbag.add(InFlight("t2", "other", 2e9))
    await state.mailbag.mark_late("t0")
    again = await reopen(state)
    assert await again.mailbag.in_flight("a-b") == (InFlight("t0", "a-b", 1.9e9, late=True), mail)
    await again.close()


async def test_a_settled_mail_is_known_as_such_after_a_restart(state):
    await state.mailbag.add(InFlight("t1", "a-b", 2e9))
    await state.mailbag.settle("t1")
    again = await reopen(state)
    assert await again.mailbag.in_flight("a-b") == ()
    assert await again.mailbag.settled_before("a-b", "t1")
    assert not await again.mailbag.settled_before("b-a", "t1")
    assert not await again.mailbag.settled_before("a-b", "t2")
    await again.close()


async def test_settled_tokens_are_forgotten_by_age_and_by_number(state, monkeypatch):
    monkeypatch.setattr(in_flight, "MAX_ROWS", 3)
    now = 1e9
    bag = Mailbag(state.write, now=lambda: now)
    for number in range(5):
        await bag.add(InFlight(f"t{number}", "r", now))
        await bag.settle(f"t{number}")
    assert [await bag.settled_before("r", f"t{number}") for number in range(5)] == [False, False, True, True, True]
    now += in_flight.MAX_AGE + 1
    await bag.add(InFlight("new", "r", now))
    await bag.settle("new")
    assert not await bag.settled_before("r", "t4")
    assert await bag.settled_before("r", "new")


async def test_a_note_knows_when_it_last_changed(state):
    notes = state.notes
    assert await notes.changed("example.com", "mx", "10 a.", 100.0) == 0.0
    assert await notes.changed("example.com", "mx", "10 a.", 200.0) == 0.0
    assert await notes.changed("example.com", "mx", "10 b.", 300.0) == 300.0
    again = await reopen(state)
    assert await again.notes.changed("example.com", "mx", "10 b.", 400.0) == 300.0
    assert await again.notes.get("example.com", "mx") == "10 b."
    await again.notes.put("example.com", "provider", "qq")
    assert await again.notes.get("example.com", "provider") == "qq"
    assert await again.notes.get("example.com", "nothing") is None
    await again.close()


async def test_a_long_note_is_kept_as_its_digest(state):
    notes = state.notes
    assert await notes.changed("d", "txt", "x" * 100_000, 1.0) == 0.0
    assert await notes.changed("d", "txt", "x" * 100_000, 2.0) == 0.0
    assert await notes.changed("d", "txt", "x" * 99_999 + "y", 3.0) == 3.0
    assert len(await notes.get("d", "txt") or "") < 100


async def test_a_full_disk_is_counted_logged_once_and_does_not_stop_anything(state, caplog):
    fill_disk(state)
    big = "x" * 2000
    for number in range(20):
        await state.notes.changed("s", f"{number}", big, 1.0)
    await state.mailbag.add(InFlight("t1", "r", 2e9))
    assert state.write_failures > 0
    assert state.write_error == "database or disk is full"
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1
    assert str(state.path) in caplog.text
    assert [mail.token for mail in await state.mailbag.in_flight("r")] == ["t1"]


async def test_what_a_full_disk_refused_is_written_when_there_is_room_again(state):
    fill_disk(state)
    for number in range(20):
        await state.mailbag.add(InFlight(f"t{number}", "r" * 2000, 2e9))
    assert state.write_failures
    state._worker.submit(lambda: state._db.execute("PRAGMA max_page_count = 100000")).result()
    again = await reopen(state)
    assert len(await again.mailbag.in_flight("r" * 2000)) == 20
    await again.close()


async def test_a_second_daemon_is_told_who_holds_the_folder(state):
    with pytest.raises(StateLocked, match=r"data is in use by another mailprobe \(process \d+\)"):
        await State.open(state.path.parent)


async def test_the_lock_goes_with_its_holder(state):
    again = await reopen(state)
    await again.close()


async def test_incidents_survive_a_restart_until_they_are_forgotten(state):
    await state.save_incident("host:a", "one")
    await state.save_incident("host:a", "two", durable=True)
    await state.save_incident("host:b", "three")
    await state.save_incident("host:b", None)
    again = await reopen(state)
    assert again.incidents == {"host:a": "two"}
    await again.close()


async def test_a_file_of_the_first_version_is_brought_up_to_date_and_loses_nothing(tmp_path):
    (tmp_path / "data").mkdir()
    with sqlite3.connect(tmp_path / "data" / FILE) as db:
        db.executescript(f"{MIGRATIONS[0]} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;")
        db.execute("INSERT INTO notes VALUES ('example.com', 'mx', 'mx1', 7)")
    db.close()
    state = await State.open(tmp_path / "data")
    assert await state.notes.get("example.com", "mx") == "mx1"
    assert state.incidents == {}
    assert await state.save_incident("k", "r")
    await state.close()


async def test_a_newer_file_is_not_touched(state):
    await state.close()
    with sqlite3.connect(state.path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 2}")
    db.close()
    before = state.path.read_bytes()
    said = rf"{FILE} was written by a newer mailprobe \(schema {SCHEMA + 2}, this one knows {SCHEMA}\)"
    with pytest.raises(StateError, match=said):
        await State.open(state.path.parent)
    assert state.path.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
async def test_a_damaged_file_is_refused_with_advice_and_left_where_it_is(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StateError, match=r"mailprobe\.db is damaged .*: move it"):
        await State.open(tmp_path)
    assert (tmp_path / FILE).read_bytes() == content


async def test_a_database_of_something_else_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("CREATE TABLE cookies (a)")
    db.close()
    with pytest.raises(StateError, match="another program"):
        await State.open(tmp_path)


async def test_a_storage_path_that_cannot_be_a_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"the storage path .*file is not a folder"):
        await State.open(tmp_path / "file")
    with pytest.raises(
        StateError, match=r"cannot create the storage folder .*below: Not a directory; .*--storage\.path"
    ):
        await State.open(tmp_path / "file" / "below")


async def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    """By a fault from the system, since the tests may run as root, whom no permission stops."""

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(StateError, match=r"cannot write to the storage folder .*: Permission denied"):
        await State.open(tmp_path)


async def test_writing_after_the_end_fails_without_noise(state):
    await state.close()
    assert await state.write("DELETE FROM notes", ()) is False
    assert state.write_failures == 1
