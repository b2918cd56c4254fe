"""Tests of passwords: who may log in, the cost, and that unknown users cost as much time as known ones."""

from __future__ import annotations

import asyncio
import base64
import threading

import bcrypt
import pytest

from exporter.model import Secret
from exporter.web.config import users as module
from exporter.web.config.users import Busy, Users, credentials
from tests.web.config.material import PASSWORD, hashed

OPS = {"ops": Secret(hashed())}
RIGHT = PASSWORD.encode()


@pytest.fixture
def doors():
    made = Users()
    yield made
    made.close()


@pytest.fixture
def compared(monkeypatch):
    """The hashes that passwords were compared with."""
    seen: list[str] = []
    real = bcrypt.checkpw

    def checkpw(password: bytes, hash_: bytes) -> bool:
        seen.append(hash_.decode())
        return real(password, hash_)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return seen


def header(text: str | bytes) -> str:
    return "Basic " + base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (header("ops:secret"), ("ops", b"secret")),
        (header("ops:se:cr:et"), ("ops", b"se:cr:et")),
        (header("ops:"), ("ops", b"")),
        (header(":secret"), ("", b"secret")),
        (header("运维:密码"), ("运维", "密码".encode())),
        (header("ops:x").replace("Basic", "bASIC"), ("ops", b"x")),
        (header(b"ops:\xff"), ("ops", b"\xff")),
        (header(b"\xff:x"), None),
        (header("ops"), None),
        ("Basic !!!", None),
        ("Basic", None),
        ("Bearer abc", None),
        ("", None),
    ],
)
def test_the_header_is_read_as_rfc_7617_says(given, found):
    assert credentials(given) == found


async def test_the_right_password_is_let_in_and_compared_once(doors, compared):
    assert await doors.allowed(OPS, "ops", RIGHT)
    assert await doors.allowed(OPS, "ops", RIGHT)
    assert compared == [OPS["ops"].reveal()]


async def test_a_wrong_password_is_compared_each_time(doors, compared):
    for _ in range(3):
        assert not await doors.allowed(OPS, "ops", b"wrong")
    assert len(compared) == 3


async def test_an_unknown_user_costs_a_comparison_of_the_same_cost(doors, compared):
    users = {"ops": Secret(hashed(cost=5))}
    assert not await doors.allowed(users, "nobody", RIGHT)
    assert not await doors.allowed(users, "nobody", RIGHT)
    assert len(compared) == 2
    assert {each[:7] for each in compared} == {"$2b$05$"}
    assert users["ops"].reveal() not in compared


async def test_of_several_costs_a_name_always_gets_the_same(doors):
    users = {"cheap": Secret(hashed(cost=4)), "dear": Secret(hashed(cost=6))}
    costs = {name: doors.decoy(users, name)[4:6] for name in map(str, range(50))}
    assert {doors.decoy(users, name)[4:6] for name in ("17", "17", "17")} == {costs["17"]}
    assert set(costs.values()) == {"04", "06"}


async def test_who_knows_the_decoys_password_is_still_a_stranger(doors, monkeypatch):
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: True)
    assert not await doors.allowed(OPS, "nobody", b"anything")
    assert not await doors.allowed(OPS, "nobody", b"anything")


async def test_a_changed_hash_forgets_the_old_password(doors):
    assert await doors.allowed(OPS, "ops", RIGHT)
    changed = {"ops": Secret(hashed("another"))}
    assert not await doors.allowed(changed, "ops", RIGHT)
    assert await doors.allowed(changed, "ops", b"another")
    assert not await doors.allowed({"dev": OPS["ops"]}, "ops", RIGHT)


async def test_what_is_remembered_is_bounded_and_is_no_password(doors, monkeypatch):
    monkeypatch.setattr(module, "REMEMBERED", 3)
    users = {str(number): Secret(hashed(str(number))) for number in range(6)}
    for name in users:
        assert await doors.allowed(users, name, name.encode())
    remembered = list(doors._accepted)
    assert len(remembered) == 3
    assert {len(each) for each in remembered} == {32}


async def test_wrong_passwords_push_nobody_out(doors, compared):
    assert await doors.allowed(OPS, "ops", RIGHT)
    for number in range(120):
        await doors.allowed(OPS, f"stranger{number}", b"x")
    before = len(compared)
    assert await doors.allowed(OPS, "ops", RIGHT)
    assert len(compared) == before


async def test_a_long_password_is_cut_where_bcrypt_cuts_it(doors):
    users = {"ops": Secret(hashed("x" * 72))}
    assert await doors.allowed(users, "ops", b"x" * 200)
    assert not await doors.allowed(users, "ops", b"x" * 71)


async def test_one_password_is_compared_at_a_time_and_off_the_event_loop(doors, monkeypatch):
    loop_thread, at_once, most = threading.get_ident(), 0, 0
    go = threading.Event()

    def slow(*_: bytes) -> bool:
        nonlocal at_once, most
        assert threading.get_ident() != loop_thread
        at_once += 1
        most = max(most, at_once)
        go.wait(10)
        at_once -= 1
        return True

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    tasks = [asyncio.create_task(doors.allowed(OPS, "ops", str(number).encode())) for number in range(4)]
    await asyncio.sleep(0)
    go.set()
    assert all(await asyncio.gather(*tasks))
    assert most == 1


async def test_the_same_login_at_once_is_compared_once(doors, compared):
    assert all(await asyncio.gather(*(doors.allowed(OPS, "ops", RIGHT) for _ in range(5))))
    assert len(compared) == 1


async def test_too_many_at_once_are_not_begun(doors, monkeypatch):
    monkeypatch.setattr(module, "WAITING", 2)
    go = threading.Event()
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: go.wait(10))
    tasks = [asyncio.create_task(doors.allowed(OPS, "ops", each)) for each in (b"a", b"b")]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await doors.allowed(OPS, "ops", b"c")
    go.set()
    assert all(await asyncio.gather(*tasks))


async def test_who_hangs_up_does_not_end_it_for_others(doors, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: go.wait(10))
    first, second = (asyncio.create_task(doors.allowed(OPS, "ops", b"a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    go.set()
    assert await second
