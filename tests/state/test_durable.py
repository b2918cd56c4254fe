"""A write whose loss would break a promise tells its caller that it failed, whatever SQLite says, and is repeated."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable

import pytest

from exporter.state.store import InFlight, State
from tests.state.faults import FAULTS, STEPS, break_disk, mend

MAIL = InFlight("t1", "r", 2e9, uncertain=True)
OLD = InFlight("t0", "r", 1.9e9)


async def keep_breaker(state: State) -> bool:
    return await state.save_breaker("a", "00" * 16, "{}", durable=True)


async def add_mail(state: State) -> bool:
    return await state.mailbag.add(MAIL)


async def settle_mail(state: State) -> bool:
    return await state.mailbag.settle(OLD.token)


async def keep_incident(state: State) -> bool:
    return await state.save_incident("k", "r", durable=True)


WRITES = [keep_breaker, add_mail, settle_mail, keep_incident]


async def rows(state: State) -> object:
    bag = state.mailbag
    return state.breakers, await bag.in_flight("r"), await bag.settled_before("r", OLD.token), state.incidents


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_write_that_fails_is_told_and_done_later(
    tmp_path, fault: str, step: str, write: Callable[[State], Awaitable[bool]]
):
    state = await State.open(tmp_path / "written")
    await state.mailbag.add(OLD)
    assert await write(state)
    await state.close()
    wanted = await rows(await reopened(tmp_path / "written"))

    state = await State.open(tmp_path / "failed")
    await state.mailbag.add(OLD)
    before = await rows(await reopened_copy(state, tmp_path / "copy"))
    disk = break_disk(state, fault, step)
    assert not await write(state)
    assert state.write_error == str(FAULTS[fault])
    assert await rows(await reopened_copy(state, tmp_path / "copy")) == before  # what a kill now would leave
    mend(disk)
    assert await state.write("DELETE FROM notes", ())
    assert state.write_error == ""
    await state.close()
    assert await rows(await reopened(tmp_path / "failed")) == wanted


async def reopened(folder) -> State:
    state = await State.open(folder)
    await state.close()
    return state


async def reopened_copy(state: State, folder) -> State:
    """What another process would read after a kill of this one."""
    folder.mkdir(exist_ok=True)
    for file in state.path.parent.glob(f"{state.path.name}*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return await reopened(folder)


async def test_a_write_that_sqlite_cannot_hold_fails_alone(tmp_path):
    state = await State.open(tmp_path)
    disk = break_disk(state)
    kept = state.save_incident("k", "r")
    wrong = state.write("INSERT INTO notes VALUES (?, ?, ?, ?)", ("s", "k", {}, 0))
    large = state.write("INSERT INTO notes VALUES (?, ?, ?, ?)", ("s", "k", 2**70, 0))
    assert [await kept, await wrong, await large] == [False, False, False]
    mend(disk)
    assert await state.save_incident("l", "r")
    assert not await state.write("INSERT INTO notes VALUES (?, ?, ?, ?)", ("s", "k", {}, 0))
    assert state.write_error == ""
    await state.close()
    assert (await reopened(tmp_path)).incidents == {"k": "r", "l": "r"}


async def test_a_locked_file_is_waited_for_once(tmp_path):
    """Else each of a thousand writes would wait for it, and probes with them."""
    state = await State.open(tmp_path)
    timeouts = [state._worker.submit(state._busy_timeout).result()]
    disk = break_disk(state, "locked")
    assert not await state.save_incident("k", "r")
    timeouts.append(state._worker.submit(state._busy_timeout).result())
    mend(disk)
    assert await state.save_incident("k", "r")
    timeouts.append(state._worker.submit(state._busy_timeout).result())
    await state.close()
    assert timeouts == [1000, 0, 1000]


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("guard", "fingerprint", "no hex"),
        ("guard", "fingerprint", "00"),
        ("guard", "record", b"\xff"),
        ("in_flight", "watermarks", "[[1]]"),
        ("in_flight", "watermarks", "{"),
        ("in_flight", "watermarks", "7"),
        ("in_flight", "sent_at", "9 o'clock"),
        ("settled", "at", "z"),
        ("notes", "changed", "z"),
        ("incidents", "record", b""),
    ],
)
async def test_a_damaged_row_is_told_and_set_aside(tmp_path, caplog, table: str, column: str, value: object):
    state = await State.open(tmp_path)
    await state.save_breaker("a", "00" * 16, "{}")
    await add_mail(state)
    await state.mailbag.add(OLD)
    await settle_mail(state)
    await keep_incident(state)
    await state.notes.put("s", "k", "v")
    await state.close()
    with sqlite3.connect(state.path) as db:
        db.execute(f"UPDATE {table} SET {column} = ?", (value,))
    db.close()
    again = await reopened(tmp_path)
    assert f"a row of table {table} is damaged" in caplog.text
    kept = (again.breakers, await again.mailbag.in_flight("r"), again.incidents, await again.notes.get("s", "k"))
    assert sum(not each for each in kept) == (table != "settled")
    caplog.clear()
    await reopened(tmp_path)
    assert caplog.text == ""  # once is enough
    with sqlite3.connect(state.path) as db:
        assert [row[0] for row in db.execute("SELECT source FROM damaged")] == [table]
    db.close()
