"""Runs the commands of docs/install.md on each Debian release, started by systemd. Needs root and the network."""

from __future__ import annotations

import subprocess
import time
import urllib.error
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.install.machine import RELEASES, Machine
from tests.install.mailserver import ADDRESS, HOST, mail_server
from tests.install.page import blocks, commands
from tests.servers.monitoring import get
from tests.servers.process import accepts, wait_until

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "install.md"
SOURCE = "/srv/mailprobe.git"
SECRET = "canary-of-the-installation"
NEXT_SECRET = "another-canary"
PORT = 9826

pytestmark = [pytest.mark.install, pytest.mark.timeout(1200)]

NO_RESOLVER = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"

EDITOR = """\
#!/bin/sh
# Types what /srv/typed holds under the name of the file.
exec cp "/srv/typed/$(basename "$1")" "$1"
"""


@pytest.fixture(scope="module", params=RELEASES)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A machine and the mail server of the page, with this checkout as the repository to clone."""
    assert not accepts(PORT), f"port {PORT} of this machine must be free"
    with Machine(request.param) as made:
        authority = made.root / "usr/local/share/ca-certificates/example.crt"
        authority.parent.mkdir(parents=True, exist_ok=True)
        with mail_server("sales@example.com", SECRET, authority):
            with (made.root / "etc/hosts").open("a") as hosts:
                hosts.write(f"{ADDRESS} {HOST}\n")
            made.write("/usr/local/bin/editor", EDITOR, 0o755)
            made.write("/srv/typed/sales", SECRET + "\n")
            made.write("/srv/typed/config.yaml", mailbox())
            repository(made.root / SOURCE.lstrip("/"))
            yield made


def mailbox() -> str:
    """The configuration that the page shows."""
    (shown,) = (text for language, text in blocks(PAGE)["Watch a mailbox"] if language == "yaml")
    return shown


def repository(folder: Path) -> None:
    """Return a git repository with the files of this checkout, including uncommitted changes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
            target.chmod((ROOT / name).stat().st_mode & 0o777)
    commit(folder, "init", "--quiet", "--initial-branch=main")


def commit(folder: Path, *first: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    for argv in (first, ("add", "--all"), ("commit", "--quiet", "--allow-empty", "--message=as it is")):
        if argv:
            subprocess.run(["git", *who, *argv], cwd=folder, check=True)


def series(begin: str) -> float:
    """Return the value of the one series that begins with this text; -1 if there is none yet."""
    found = [line for line in get(f"http://127.0.0.1:{PORT}/metrics").decode().splitlines() if line.startswith(begin)]
    return float(found[0].rsplit(" ", 1)[1]) if found else -1.0


def succeeds(begin: str) -> bool:
    return series(begin) == 1


def main_process(machine: Machine) -> str:
    return machine.run("systemctl show --property=MainPID --value mailprobe").strip()


def active(machine: Machine) -> bool:
    time.sleep(0.3)
    return machine.run("systemctl is-active mailprobe", check=False).strip() == "active"


# The tests below depend on each other and run in this order.


def test_it_installs_in_one_go(machine: Machine):
    machine.run(commands(PAGE, "Install").replace("REPOSITORY", SOURCE))
    machine.run("update-ca-certificates")  # the authority of the mail server, which a real server would not need
    assert machine.run("systemctl is-active mailprobe").strip() == "active"
    assert machine.run("systemctl is-enabled mailprobe").strip() == "enabled"
    assert machine.run("mailprobe healthcheck") == ""
    assert "watching 0 targets" in machine.run("systemctl show --property=StatusText mailprobe")
    assert machine.run("stat --format=%a:%U /etc/mailprobe/credentials").strip() == "700:root"


def test_a_mailbox_is_watched(machine: Machine):
    machine.write("/etc/resolv.conf", NO_RESOLVER)  # nothing leaves this machine
    said = machine.run(commands(PAGE, "Watch a mailbox"))
    for probe in ("imap", "smtp"):
        line = (
            f'mailprobe_probe_success{{target="sales",kind="mailbox",provider="",domain="example.com",probe="{probe}"'
        )
        wait_until(partial(succeeds, line), 30, f"{probe} succeeds")
    assert "sales" in said
    assert "watching" in machine.run("systemctl show --property=StatusText mailprobe")


def test_the_process_is_shut_in(machine: Machine):
    pid = main_process(machine)
    status = dict(line.split(":\t", 1) for line in machine.run(f"cat /proc/{pid}/status").splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"  # a filter: memory both writable and executable, and calls beyond @system-service
    assert set(status["CapBnd"] + status["CapEff"]) == {"0"}
    assert "0" not in status["Uid"].split()
    machine.fails("getent passwd mailprobe && getent passwd mailprobe | grep --quiet /etc/passwd")
    assert machine.run("stat --format=%a /var/lib/private/mailprobe").strip() == "700"
    machine.run("systemd-analyze security --no-pager --threshold=15 mailprobe")
    # ProcSubset=pid would break this check.
    assert series("process_resident_memory_bytes") > 1e6
    # The secret is in no file that others can read, and nowhere in what was said.
    assert SECRET not in machine.run(f"journalctl --no-pager; cat /proc/{pid}/cmdline /proc/{pid}/environ")


def test_memory_that_is_written_is_not_executed(machine: Machine):
    attempt = "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)"
    run = f"/opt/mailprobe/bin/python -c '{attempt}'"
    machine.run(run)
    machine.fails(f"systemd-run --quiet --pipe --wait --property=MemoryDenyWriteExecute=yes {run}")


def test_a_wrong_configuration_is_refused_and_the_old_one_runs_on(machine: Machine):
    pid = main_process(machine)
    machine.write("/etc/mailprobe/config.yaml", mailbox() + "mailboxs: []\n")
    machine.fails("systemctl reload mailprobe")
    assert main_process(machine) == pid
    assert "mailboxs" in machine.run("journalctl --no-pager --unit=mailprobe")
    assert series("mailprobe_config_last_reload_successful") == 1


def test_a_good_configuration_is_taken_without_a_restart(machine: Machine):
    pid = main_process(machine)
    machine.write("/etc/mailprobe/config.yaml", mailbox() + "login_guard: {failures: 3}\n")
    before = series("mailprobe_config_hash")
    machine.run(commands(PAGE, "Change something"))
    wait_until(lambda: series("mailprobe_config_hash") != before, 20, "the configuration is another")
    assert main_process(machine) == pid


def test_a_daemon_that_stands_still_is_started_again(machine: Machine):
    machine.write(
        "/etc/systemd/system/mailprobe.service.d/quick.conf",
        "[Service]\nWatchdogSec=15s\nTimeoutAbortSec=2s\nRestartSec=1s\n",
    )
    machine.run("systemctl daemon-reload && systemctl restart mailprobe")
    pid = main_process(machine)
    # It lives for twice the watchdog's time, so it has sent WATCHDOG=1.
    time.sleep(30)
    assert main_process(machine) == pid
    machine.run(f"kill -STOP {pid}")
    wait_until(lambda: active(machine) and main_process(machine) != pid, 60, "a new process")
    assert "Watchdog timeout" in machine.run("journalctl --no-pager --unit=mailprobe")
    machine.run("rm -r /etc/systemd/system/mailprobe.service.d && systemctl daemon-reload")


def test_a_wrong_configuration_does_not_start_again_and_again(machine: Machine):
    machine.write("/etc/mailprobe/config.yaml", "mailboxs: []\n")
    machine.fails("systemctl restart mailprobe")
    shown = machine.run("systemctl show --property=ActiveState,ExecMainStatus,NRestarts mailprobe")
    assert shown.split() == ["NRestarts=0", "ExecMainStatus=2", "ActiveState=failed"]
    machine.write("/etc/mailprobe/config.yaml", mailbox())
    machine.run("systemctl restart mailprobe")


def test_a_user_that_stays_reads_secrets_of_its_own(machine: Machine):
    machine.run(commands(PAGE, "A user that stays"))
    machine.run(commands(PAGE, "Passwords as files of the service's own"))
    machine.write(
        "/etc/mailprobe/config.yaml",
        mailbox().replace("password_credential: mailbox_sales", "password_file: secrets/sales"),
    )
    machine.run("systemctl reload mailprobe && mailprobe --config.check")
    owner = machine.run(f"stat --format=%U /proc/{main_process(machine)}").strip()
    assert owner == "mailprobe"
    wait_until(lambda: "sales" in machine.run("mailprobe check sales --probe imap --json", check=False), 30, "a result")
    # The dynamic user's state went over to this one. As the service sees it: with systemd 257 it belongs to `nobody` on
    # disk, and is mapped to the service's user in the mount namespace of the service.
    inside = f"nsenter --target={main_process(machine)} --mount"
    assert machine.run(f"{inside} stat --format=%U --dereference /var/lib/mailprobe").strip() == "mailprobe"
    machine.write("/etc/mailprobe/config.yaml", mailbox())
    machine.run("systemctl restart mailprobe")


def test_the_page_may_want_a_password(machine: Machine):
    shown = dict(blocks(PAGE)["Users and TLS for the page"])
    machine.write("/srv/typed/web.yml", shown["yaml"])
    machine.write("/srv/typed/mailprobe", shown["ini"])
    machine.run(commands(PAGE, "Users and TLS for the page"))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        series("mailprobe_build_info")
    machine.run("mailprobe healthcheck && systemctl reload mailprobe")
    # The command line of root goes past it, to the daemon that runs.
    assert "401" not in machine.run("mailprobe check sales --probe imap", check=False)
    machine.run("rm /etc/default/mailprobe && systemctl restart mailprobe")
    assert series("mailprobe_build_info") == 1


def test_it_upgrades_and_keeps_what_it_knows(machine: Machine):
    folder = machine.root / SOURCE.lstrip("/")
    version = folder / "exporter" / "__init__.py"
    text = version.read_text()
    old = next(line for line in text.splitlines() if line.startswith("__version__"))
    version.write_text(text.replace(old, '__version__ = "99.0"'))
    commit(folder)
    machine.write("/etc/resolv.conf", Path("/etc/resolv.conf").read_text())  # for pip
    pid = main_process(machine)
    machine.write("/etc/default/mailprobe", 'ARGS="--log.level=debug"\n')
    said = machine.run(commands(PAGE, "Upgrade"))
    assert "version 99.0" in said
    assert main_process(machine) not in {pid, "0"}
    assert series('mailprobe_build_info{pythonversion="' + RELEASES[machine.release]) == 1
    assert b'version="99.0"' in get(f"http://127.0.0.1:{PORT}/metrics")
    assert machine.run("cat /etc/mailprobe/config.yaml") == mailbox()
    assert "--log.level=debug" in machine.run(f"tr '\\0' ' ' </proc/{main_process(machine)}/cmdline")


def test_an_upgrade_that_refuses_the_configuration_leaves_what_runs(machine: Machine):
    pid = main_process(machine)
    machine.write("/etc/mailprobe/config.yaml", "mailboxs: []\n")
    said = machine.fails(commands(PAGE, "Upgrade"))
    assert "mailboxs" in said
    assert main_process(machine) == pid
    machine.write("/etc/mailprobe/config.yaml", mailbox())


def test_it_goes_and_leaves_only_what_is_the_users(machine: Machine):
    machine.run(commands(PAGE, "Uninstall"))
    assert machine.run("systemctl is-active mailprobe", check=False).strip() == "inactive"
    machine.run("test ! -e /opt/mailprobe && test ! -e /usr/local/bin/mailprobe")
    assert machine.run("cat /etc/mailprobe/config.yaml") == mailbox()
    machine.run(f"{commands(PAGE, 'Uninstall').strip()} --purge")
    machine.run("test ! -e /etc/mailprobe && test ! -e /var/lib/private/mailprobe && test ! -e /etc/default/mailprobe")
