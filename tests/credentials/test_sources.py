from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from exporter.credentials.sources import (
    COMMAND_CACHE,
    MAX_BYTES,
    CommandSecret,
    CredentialSecret,
    EnvSecret,
    FileSecret,
    InlineSecret,
)
from exporter.model import Secret, SecretSource
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason

HERE = Path()


def command(script: str, *arguments: str, folder: Path = HERE, deadline: float = 10.0) -> CommandSecret:
    return CommandSecret((sys.executable, "-S", "-c", script, *arguments), folder, deadline)


async def why(source: SecretSource) -> str:
    with pytest.raises(ProbeError) as caught:
        await source.read()
    assert caught.value.reason is Reason.LOCAL_ERROR
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "an exception's own words may quote the secret"
    return caught.value.text


@pytest.mark.parametrize(
    ("content", "secret"),
    [(b"hunter2\n", "hunter2"), (b"hunter2\r\n", "hunter2"), (b" blank \t", " blank \t"), ("密码\n".encode(), "密码")],
)
async def test_only_line_ends_are_cut_off(tmp_path, content, secret):
    (tmp_path / "s").write_bytes(content)
    assert (await FileSecret(tmp_path / "s").read()).reveal() == secret


async def test_a_file_is_read_each_time(tmp_path):
    source = FileSecret(tmp_path / "s")
    for secret in ("one", "two"):
        (tmp_path / "s").write_text(secret)
        assert await source.read() == Secret(secret)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        (b"", "empty"),
        (b"\n", "empty"),
        (b"hunter2\nhunter3", "more than one line"),
        (b"hunter2\xff", "not UTF-8 text"),
        (b"hunter2\0", "not UTF-8 text"),
        (b"x" * (MAX_BYTES + 1), "longer than 64 KiB"),
    ],
)
async def test_a_file_that_holds_no_secret_is_named_but_not_quoted(tmp_path, content, said):
    path = tmp_path / "s"
    if content is not None:
        path.write_bytes(content)
    assert await why(FileSecret(path)) == f"password_file {path}: {said}"


async def test_a_variable_is_read(monkeypatch):
    monkeypatch.setenv("SALES", "hunter2")
    assert await EnvSecret("SALES").read() == Secret("hunter2")
    monkeypatch.setenv("SALES", "")
    assert await why(EnvSecret("SALES")) == "password_env SALES: empty"
    monkeypatch.delenv("SALES")
    assert await why(EnvSecret("SALES")) == "password_env SALES: not set"


async def test_a_systemd_credential_is_read(monkeypatch, tmp_path):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert await why(CredentialSecret("sales")) == "password_credential sales: No such file or directory"
    (tmp_path / "sales").write_text("hunter2\n")
    assert await CredentialSecret("sales").read() == Secret("hunter2")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert "CREDENTIALS_DIRECTORY is not set" in await why(CredentialSecret("sales"))


async def test_an_inline_secret_is_itself_and_shows_nothing():
    source = InlineSecret(Secret("hunter2"))
    assert await source.read() == Secret("hunter2")
    assert "hunter2" not in repr(source)
    with pytest.raises(TypeError):
        pickle.dumps(source)


def test_sources_are_compared_by_what_the_config_says():
    assert CommandSecret(("pass", "x"), HERE) == CommandSecret(("pass", "x"), HERE)
    assert CommandSecret(("pass", "x"), HERE) != CommandSecret(("pass", "y"), HERE)
    assert InlineSecret(Secret("a")) != InlineSecret(Secret("b"))
    assert hash(FileSecret(Path("a"))) == hash(FileSecret(Path("a")))


async def test_a_program_runs_in_its_files_folder_and_without_a_shell(tmp_path):
    source = command("import os, sys; print(os.getcwd() + sys.argv[1])", "$HOME; *", folder=tmp_path)
    assert (await source.read()).reveal() == f"{tmp_path.resolve()}$HOME; *"


async def test_a_program_beside_the_config_may_be_named_relatively(tmp_path):
    program = tmp_path / "say"
    program.write_text("#!/bin/sh\necho hunter2\n")
    program.chmod(0o700)
    assert await CommandSecret(("./say",), tmp_path).read() == Secret("hunter2")


async def test_what_a_program_printed_is_kept_for_a_while(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("exporter.credentials.sources.time.monotonic", lambda: now[0])
    count = tmp_path / "count"
    source = command(
        f"import pathlib; p = pathlib.Path({str(count)!r}); p.open('a').write('x'); print(len(p.read_text()))"
    )
    assert {(await source.read()).reveal() for _ in range(3)} == {"1"}
    assert {each.reveal() for each in await asyncio.gather(*(source.read() for _ in range(5)))} == {"1"}
    now[0] += COMMAND_CACHE
    assert (await source.read()).reveal() == "2"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import sys; print('hunter2'); sys.exit(3)", "exit status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "ended by signal 15"),
        ("import sys; sys.stderr.write('hunter2')", "empty"),
        ("print('x' * 100_000)", "longer than 64 KiB"),
        ("while True: print('x' * 100_000)", "longer than 64 KiB"),
        ("print('one'); print('two')", "more than one line"),
    ],
)
async def test_a_program_that_fails_is_named_without_its_output(script, said, capfd):
    assert await why(command(script, "hunter2")) == f"password_command {sys.executable}: {said}"
    assert capfd.readouterr() == ("", "")


async def test_a_program_that_is_not_there_is_named(tmp_path):
    assert (
        await why(CommandSecret(("./gone", "hunter2"), tmp_path))
        == "password_command ./gone: No such file or directory"
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for another process. The test's own timeout limits it."""
    while not condition():  # noqa: ASYNC110 - nothing in this process signals it
        await asyncio.sleep(0.01)


def has_ended(pid: Path) -> bool:
    stat = Path(f"/proc/{pid.read_text()}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def children() -> set[int]:
    """Return the child processes that still exist, including zombies."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                found.add(int(stat.parent.name))
    return found


WITH_CHILD = """
import os, subprocess, sys, time
child = subprocess.Popen(["sleep", "600"])
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(child.pid))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""


async def test_a_program_that_hangs_is_killed_with_its_children(tmp_path):
    source = command(WITH_CHILD, str(tmp_path / "pid"), deadline=1.0)
    assert await why(source) == f"password_command {sys.executable}: no end within 1 s"
    if (tmp_path / "pid").exists():  # otherwise the machine was too slow to start the child
        await until(lambda: has_ended(tmp_path / "pid"))


async def test_children_that_outlive_a_program_and_hold_its_output_are_killed(tmp_path):
    pid = tmp_path / "pid"
    source = command(WITH_CHILD.replace("time.sleep(600)", "sys.exit()"), str(pid), deadline=1.0)
    assert "no end within 1 s" in await why(source)
    if pid.exists():
        await until(lambda: has_ended(pid))


async def test_a_program_that_leaves_a_helper_behind_is_done_when_it_ends(tmp_path):
    """For example, gpg starts its agent. The helper is not stopped."""
    pid = tmp_path / "pid"
    script = WITH_CHILD.replace('["sleep", "600"]', '["sleep", "600"], stdout=subprocess.DEVNULL')
    source = command(script.replace("time.sleep(600)", "print('hunter2')"), str(pid))
    assert await source.read() == Secret("hunter2")
    assert not has_ended(pid)
    os.kill(int(pid.read_text()), signal.SIGKILL)


async def test_a_nul_character_in_an_argument_is_told():
    assert await why(command("print(1)", "hunter2\0")) == (
        f"password_command {sys.executable}: a NUL character in its arguments"
    )


def test_programs_run_on_the_daemons_event_loop_too(tmp_path):
    async def walk() -> None:
        pid = tmp_path / "pid"
        assert await command("print('hunter2')").read() == Secret("hunter2")
        assert "exit status 3" in await why(command("import sys; sys.exit(3)"))
        assert "ended by signal 15" in await why(command("import os; os.kill(os.getpid(), 15)"))
        assert "longer than 64 KiB" in await why(command("while True: print('x' * 100_000)"))
        assert "No such file or directory" in await why(CommandSecret(("./gone",), tmp_path))
        assert "a NUL character" in await why(command("print(1)", "hunter2\0"))
        assert "no end within 1 s" in await why(command("import time; time.sleep(600)", deadline=1.0))
        before = children()
        task = asyncio.create_task(command(WITH_CHILD, str(pid), deadline=600.0).read())
        await until(pid.exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: has_ended(pid))
        assert children() <= before

    uvloop.run(walk())


async def test_a_program_that_closes_its_output_and_stays_is_killed():
    source = command("import os, time; os.close(1); time.sleep(600)", deadline=1.0)
    assert "no end within 1 s" in await why(source)


async def test_a_cancelled_read_kills_the_program(tmp_path):
    pid = tmp_path / "pid"
    task = asyncio.create_task(command(WITH_CHILD, str(pid), deadline=600.0).read())
    await until(pid.exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: has_ended(pid))


async def test_a_read_that_is_cancelled_while_the_program_starts_leaves_none_behind(tmp_path):
    pid = tmp_path / "pid"
    task = asyncio.create_task(command(WITH_CHILD, str(pid), deadline=600.0).read())
    before = children()
    await until(lambda: children() > before)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: children() <= before)
    if pid.exists():
        await until(lambda: has_ended(pid))


async def test_one_that_waits_for_a_run_that_is_cancelled_starts_its_own(tmp_path):
    begun = tmp_path / "begun"
    script = """
import pathlib, sys, time
begun = pathlib.Path(sys.argv[1])
if not begun.exists():
    begun.touch()
    time.sleep(600)
print("hunter2")
"""
    source = command(script, str(begun))
    first = asyncio.create_task(source.read())
    await until(begun.exists)
    second = asyncio.create_task(source.read())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == Secret("hunter2")


async def test_no_zombie_is_left():
    before = children()
    await command("print('hunter2')").read()
    await why(command("while True: print('x' * 100_000)"))
    await why(command("import time; time.sleep(600)", deadline=0.2))
    assert children() <= before


async def test_four_programs_run_at_once(tmp_path):
    """A start with hundreds of mailboxes must not start hundreds of processes."""
    gate = tmp_path / "gate"
    script = """
import os, pathlib, sys, time
here = pathlib.Path(sys.argv[1])
(here / f"up-{os.getpid()}").touch()
while not (here / "gate").exists():
    time.sleep(0.01)
print(len(list(here.glob("up-*"))))
(here / f"up-{os.getpid()}").unlink()
"""
    reading = [asyncio.create_task(command(script, str(tmp_path)).read()) for _ in range(6)]
    await until(lambda: len(list(tmp_path.glob("up-*"))) == 4)
    gate.touch()
    assert max(int(each.reveal()) for each in await asyncio.gather(*reading)) == 4


async def test_the_event_loop_is_not_held_up_by_a_program(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    task = asyncio.create_task(command("import sys; print(open(sys.argv[1]).read())", str(fifo)).read())
    await asyncio.to_thread(fifo.write_text, "hunter2")
    assert await task == Secret("hunter2")
