"""Tests with faults on real servers: the real probe reports the reason and the remedy of faults.md."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from exporter.model import Endpoint, Kind, Login, Phase, ProbeName, Secret, Security, Service, Target
from exporter.model.reasons import about
from exporter.model.trace import Trace
from exporter.net.dial import dial
from exporter.net.dns.resolver import Resolver
from exporter.outputs.json_objects import result_object
from exporter.probes import PROBES, imap, pop3, smtp
from exporter.probes.context import Context
from exporter.probes.login import enter_imap
from exporter.probes.roundtrip import trip
from exporter.run.runner import Runner
from exporter.state.store import State
from tests.context import context_over
from tests.servers import dovecot as addresses
from tests.servers.certs import Authority
from tests.servers.dovecot import Dovecot, User
from tests.servers.postfix import Postfix
from tests.servers.process import free_port
from tests.servers.world import ALICE, BOB, DOMAIN
from tests.system.faults import FAULTS, PAGE, Fault, page

LIMITED = "protocol imap {\n mail_max_userip_connections = 1\n}\nprotocol pop3 {\n mail_max_userip_connections = 1\n}\n"
NOLOGIN = {
    "imap-disabled": "Account disabled by the administrator",
    "pop3-disabled": "Account disabled by the administrator",
    "imap-locked": "Account is locked",
    "imap-suspended": "Account suspended",
    "imap-expired": "Password expired",
    "pop3-expired": "Password expired",
    "imap-maintenance": "Down for maintenance",
    "imap-chinese": "邮箱已被停用，请联系管理员",
    "imap-no-words": "Computer says no",
}
CERTIFICATES = {
    "tls-expired": addresses.EXPIRED,
    "tls-not-yet": addresses.NOT_YET_VALID,
    "tls-wrong-name": addresses.WRONG_NAME,
    "tls-self-signed": addresses.SELF_SIGNED,
    "tls-chainless": addresses.CHAINLESS,
}


@dataclass(frozen=True)
class Given:
    word: str

    async def read(self) -> Secret:
        return Secret(self.word)


@pytest.fixture
async def world(tmp_path) -> AsyncIterator[Context]:
    state = await State.open(tmp_path)
    yield context_over(state)
    await state.close()


def endpoint(dovecot: Dovecot, service: Service, host: str = addresses.GOOD, **changes: Any) -> Endpoint:
    port = dovecot.imaps if service is Service.IMAP else dovecot.pop3s
    made = Endpoint(host, port, Security.TLS, service, ca_file=dovecot.authority.ca_file)
    return replace(made, **changes)


def target(fault: Fault, settings: object, deadline: float = 20.0) -> Target:
    kind = Kind.ROUTE if fault.probe is ProbeName.ROUNDTRIP else Kind.MAILBOX
    return Target("sales", kind, fault.probe, settings, 300.0, deadline, deadline, domain=DOMAIN)


async def check(fault: Fault, world: Context, settings: object, **probes: Any) -> None:
    deadline = 1.5 if fault.id == "dns-a.silent.test" else 20.0
    runner = Runner(world, {**PROBES, **{ProbeName(name): probe for name, probe in probes.items()}})
    told = result_object(await runner.run(target(fault, settings, deadline)))
    assert (told["phase"], told["reason"]) == (fault.phase, fault.reason), told["text"]
    known = about(fault.reason)
    assert told["remedy"] == {language: known.remedy(language, fault.advice) for language in ("en", "zh")}


def faults(server: str, *starts: str) -> list[Any]:
    found = [fault for fault in FAULTS if fault.server == server and fault.id.startswith(starts or ("",))]
    return [pytest.param(fault, id=fault.id) for fault in found]


def login_settings(fault: Fault, dovecot: Dovecot, login: Login) -> object:
    if fault.probe is ProbeName.POP3:
        return pop3.Settings(endpoint(dovecot, Service.POP3), login)
    end = endpoint(dovecot, Service.IMAP)
    if fault.id in CERTIFICATES:
        end = replace(end, host=CERTIFICATES[fault.id], server_name=addresses.HOST)
    match fault.id:
        case "imap-plain-text":
            end = replace(end, host=addresses.SECURE_ONLY, port=dovecot.imap, security=Security.PLAIN)
        case "tls-on-plain-port":
            end = replace(end, port=dovecot.imap)
        case "refused":
            end = replace(end, port=free_port())
    folders = ("INBOX", "no such folder") if fault.id == "imap-folder" else ("INBOX",)
    return imap.Settings(end, login, folders)


DOVECOT = [each for each in faults("dovecot") if "connections" not in each.id and each.id != "imap-quota"]


@pytest.mark.parametrize("fault", DOVECOT)
async def test_a_fault_of_dovecot(fault: Fault, dovecot: Dovecot, world: Context):
    user, word = ("nobody@example.test", "x") if fault.id == "imap-unknown-user" else (BOB, dovecot.users[BOB].password)
    if fault.id in NOLOGIN:
        dovecot.refuse(BOB, NOLOGIN[fault.id])
    if fault.id.endswith("wrong-password"):
        word = "not-the-password"
    await check(fault, world, login_settings(fault, dovecot, Login(user, user, Given(word))))


async def test_a_full_mailbox(dovecot: Dovecot, world: Context):
    """Nothing that mailprobe does fills a mailbox, so the test appends what dovecot must refuse."""
    fault = next(fault for fault in FAULTS if fault.id == "imap-quota")
    dovecot.set_quota(BOB, "1K")
    given = imap.Settings(endpoint(dovecot, Service.IMAP), Login(BOB, BOB, Given(dovecot.users[BOB].password)))

    async def appends(settings: Any, world: Context, trace: Trace, /) -> None:
        async with await dial(settings.endpoint, world.resolver, world.contexts, trace) as wire:
            session = await enter_imap(wire, settings.endpoint, settings.login, world, trace)
            with trace.phase(Phase.SUBMIT):
                await session._ask("APPEND", "INBOX", b"Subject: x\r\n\r\n" + b"y" * 5000)

    await check(fault, world, given, imap=appends)


@contextmanager
def held(dovecot: Dovecot, fault: Fault) -> Iterator[None]:
    """Another client is logged in."""
    port = dovecot.imap if fault.probe is ProbeName.IMAP else dovecot.pop3
    word = dovecot.users[ALICE].password
    said = f'a LOGIN {ALICE} "{word}"' if fault.probe is ProbeName.IMAP else f"USER {ALICE}\r\nPASS {word}"
    with socket.create_connection((addresses.GOOD, port), timeout=10) as other, other.makefile("rwb") as file:
        file.readline()
        file.write(said.encode() + b"\r\n")
        file.flush()
        while b"ogged in" not in (line := file.readline()):
            assert line
        yield


@pytest.fixture(scope="module")
def limited(authority: Authority) -> Iterator[Dovecot]:
    with Dovecot(authority, {ALICE: User()}, settings=LIMITED) as server:
        yield server


@pytest.mark.parametrize("fault", faults("dovecot", "imap-connections", "pop3-connections"))
async def test_too_many_connections(fault: Fault, limited: Dovecot, dovecot_server: Dovecot, world: Context):
    with held(limited, fault):
        await check(
            fault, world, login_settings(fault, limited, Login(ALICE, ALICE, Given(limited.users[ALICE].password)))
        )


@pytest.mark.parametrize("fault", faults("postfix", "smtp-"))
async def test_a_refused_submission_login(fault: Fault, postfix: Postfix, dovecot: Dovecot, world: Context):
    port = postfix.smtp if fault.id == "smtp-mx-port" else postfix.submission
    end = Endpoint(addresses.GOOD, port, Security.STARTTLS, Service.SMTP, ca_file=dovecot.authority.ca_file)
    await check(fault, world, smtp.Settings(end, Login(BOB, BOB, Given("not-the-password"))))


@pytest.mark.parametrize("fault", faults("postfix", "submit-"))
async def test_a_refused_mail(fault: Fault, postfix: Postfix, dovecot: Dovecot, world: Context):
    ca_file = dovecot.authority.ca_file
    out = Endpoint(addresses.GOOD, postfix.submissions, Security.TLS, Service.SMTP, ca_file=ca_file)
    local, _, domain = ALICE.partition("@")
    recipient = f"{local}+{fault.id.removeprefix('submit-')}@{domain}"
    login = Login(ALICE, ALICE, Given(dovecot.users[ALICE].password))
    end = endpoint(dovecot, Service.IMAP)
    await check(fault, world, trip.Settings("route", ALICE, recipient, out, login, end, login, 5, 60, 10))


@pytest.mark.parametrize("fault", faults("unbound"))
async def test_a_name_that_does_not_resolve(fault: Fault, resolver: str, world: Context):
    asking = replace(world, resolver=Resolver([resolver], timeout=1.0))
    end = Endpoint(fault.id.removeprefix("dns-"), 993, Security.TLS, Service.IMAP)
    await check(fault, asking, imap.Settings(end, Login("a", "a", Given("x"))))


def test_every_fault_is_made():
    made = [*DOVECOT, *faults("dovecot", "imap-connections", "pop3-connections", "imap-quota")]
    made += [*faults("postfix", "smtp-", "submit-"), *faults("unbound")]
    assert sorted(each.id for each in made) == sorted(fault.id for fault in FAULTS)


def test_the_documentation_is_what_the_table_says():
    """On failure: python -m tests.system.faults."""
    assert PAGE.read_text(encoding="utf-8") == page()
