"""Tests of a mailbox that is on another server: the result names that server, and no password is sent there."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, cast

import pytest

from exporter.model import Endpoint, FactName, Kind, Login, Phase, ProbeName, Result, Secret, Security, Service, Target
from exporter.model.errors import ProbeError
from exporter.model.reasons import Reason
from exporter.model.trace import Trace
from exporter.net.dns.resolver import Resolver
from exporter.probes import imap
from exporter.probes.context import Context
from exporter.run.runner import Runner
from tests.servers.dns import Authoritative, Zone


class Given:
    """A password that nobody may ask for."""

    async def read(self) -> Secret:
        raise AssertionError("the password is read")


def target(host: str) -> Target:
    endpoint = Endpoint(host, 993, Security.TLS, Service.IMAP)
    settings = imap.Settings(endpoint, Login("a", "sales@acme.test", Given()))
    return Target("sales", Kind.MAILBOX, ProbeName.IMAP, settings, 300.0, 5.0, 5.0, domain="acme.test")


async def fail(host: str, resolver: str, error: Callable[[], Exception]) -> Result:
    """One run that ends in this error, in a world whose only part is the resolver."""

    async def probe(_: object, __: Context, trace: Trace, /) -> None:
        with trace.phase(Phase.LOGIN):
            raise error()

    nothing = cast("Any", None)
    world = Context(
        Resolver([resolver], timeout=0.5), nothing, nothing, nothing, nothing, nothing, b"", now=lambda: 1.7e9
    )
    return await Runner(world, {ProbeName.IMAP: probe}).run(target(host))


def wrong_server() -> Exception:
    return ProbeError(Reason.WRONG_SERVER, "NO ERR.LOGIN.DOMAINNOTEXIST")


async def test_the_first_line_names_the_cluster_on_which_the_domain_lives(authoritative: Authoritative, resolver: str):
    authoritative.add("acme.test", Zone(["@ MX 5 hzmx01.mxmail.netease.com."]))
    result = await fail("imap.qiye.163.com", resolver, wrong_server)
    assert result.failure is not None
    assert result.failure.reason is Reason.WRONG_SERVER
    assert result.failure.text.splitlines() == [
        "wrong cluster: this domain lives on imaphz.qiye.163.com (its MX is hzmx01.mxmail.netease.com)",
        "NO ERR.LOGIN.DOMAINNOTEXIST",
    ]
    assert result.fact(FactName.BETTER_HOST) == "imaphz.qiye.163.com"


@pytest.mark.parametrize("host", ["imaphz.qiye.163.com", "imap.qiye.163.com"])
async def test_where_nothing_better_is_known_the_servers_words_stand_alone(resolver: str, host):
    """The DNS does not answer for this domain."""
    result = await fail(host, resolver, wrong_server)
    assert result.failure is not None
    assert result.failure.text == "NO ERR.LOGIN.DOMAINNOTEXIST"
    assert result.fact(FactName.BETTER_HOST) is None


async def test_a_certificate_of_another_name_is_explained_where_the_host_is_an_alias(
    authoritative: Authoritative, resolver: str
):
    authoritative.add("acme.test", Zone(["imap CNAME imap.qiye.163.com."]))

    def mismatch() -> Exception:
        error = ssl.SSLCertVerificationError(1, "Hostname mismatch")
        error.verify_code, error.verify_message = 62, "Hostname mismatch"
        return error

    result = await fail("imap.acme.test", resolver, mismatch)
    assert result.failure is not None
    assert result.failure.reason is Reason.CERTIFICATE_NAME_MISMATCH
    assert result.failure.text.startswith("imap.acme.test is only an alias (CNAME) of imap.qiye.163.com: ")


async def test_other_failures_are_looked_up_nowhere():
    result = await fail("imap.acme.test", "127.0.0.1:1", lambda: ProbeError(Reason.WRONG_PASSWORD, "no"))
    assert result.failure is not None
    assert result.failure.text == "no"
