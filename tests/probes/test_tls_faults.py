"""Tests that a fault of TLS is told as exactly as the wire shows it: which certificate, and what the server wants.

Each case is one of `shared/field/logins.md`, "tls shapes", on a server of Python's ssl, whose chains can be made wrong.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from exporter.model import Endpoint, Failure, Kind, Login, Phase, ProbeName, Security, Service, Target
from exporter.model.advice import Advice
from exporter.model.reasons import Reason, about
from exporter.probes import imap
from exporter.run.runner import Runner
from exporter.state.store import State
from tests.canary import leaks
from tests.context import context_over
from tests.probes.login_scene import WORD, Given
from tests.servers.certs import Authority
from tests.servers.chains import Holder, issue, server, signed_with_sha1, trusted

NAME = "localhost"
OWN, ABOVE, OLD, NEW = "own", "R3", "Old Root", "New Root"


@contextlib.contextmanager
def serving(context: ssl.SSLContext) -> Iterator[int]:
    """An IMAP server that lets nobody in, so that a run which gets past TLS fails at the login.

    It has a thread, because a server of asyncio closes a failed handshake without sending the alert.
    """

    def serve() -> None:
        plain, _ = listener.accept()
        with plain, contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as tls:
            tls.sendall(b"* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready\r\n")
            while tls.recv(4096):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


async def failure_of(folder: Path, context: ssl.SSLContext, ca_file: Path) -> Failure:
    """Return why a run of the imap probe fails. No password may have been sent."""
    state = await State.open(folder)
    try:
        with serving(context) as port:
            endpoint = Endpoint(NAME, port, Security.TLS, Service.IMAP, ca_file=ca_file)
            settings = imap.Settings(endpoint, Login("a", "user", Given()))
            result = await Runner(context_over(state)).run(
                Target("a", Kind.MAILBOX, ProbeName.IMAP, settings, 60, 30, 30)
            )
    finally:
        await state.close()
    assert not result.login_attempted
    assert not leaks(WORD, [repr(result)])
    assert result.failure is not None
    return result.failure


def told(failure: Failure) -> tuple[Phase | None, Reason, Advice | None]:
    return failure.phase, failure.reason, failure.advice


def passed(failure: Failure) -> bool:
    """Whether the run got past TLS: this server refuses every login."""
    return failure.phase is Phase.LOGIN


def cross_signed(
    *, old: int = 90, cross: int = 90, above: int = 90, own: int = 90
) -> tuple[list[Holder], Holder, Holder]:
    """Return the chain of a server whose CA has a new root, signed by an old one; and both roots."""
    old_root = issue(OLD, days=old)
    new_root = issue(NEW)
    crossing = issue(NEW, old_root, key=new_root.key, days=cross)
    link = issue(ABOVE, new_root, days=above)
    leaf = issue(OWN, link, days=own, san=NAME, ca=False)
    return [leaf, link, crossing], old_root, new_root


async def test_an_expired_cross_sign_is_named_and_is_not_the_servers_own(tmp_path: Path):
    chain, old_root, _ = cross_signed(cross=-30)
    failure = await failure_of(tmp_path, server(tmp_path, *chain), trusted(tmp_path, old_root))
    assert told(failure) == (Phase.TLS, Reason.CERTIFICATE_UNTRUSTED, Advice.LINK_EXPIRED)
    assert failure.text.startswith(f"certificate 2 above the server's own, CN={NEW}, expired on ")
    assert "the server sends it" in failure.text


async def test_the_same_server_is_fine_for_who_has_the_new_root(tmp_path: Path):
    chain, _, new_root = cross_signed(cross=-30)
    assert passed(await failure_of(tmp_path, server(tmp_path, *chain), trusted(tmp_path, new_root)))


async def test_an_expired_root_of_our_own_list_is_ours(tmp_path: Path):
    chain, old_root, _ = cross_signed(old=-30)
    failure = await failure_of(tmp_path, server(tmp_path, *chain), trusted(tmp_path, old_root))
    assert told(failure) == (Phase.TLS, Reason.CERTIFICATE_UNTRUSTED, Advice.ROOT_EXPIRED)
    assert failure.text.startswith(f"certificate 3 above the server's own, CN={OLD}, expired on ")


async def test_an_expired_intermediate_is_named(tmp_path: Path):
    chain, _, new_root = cross_signed(above=-30)
    failure = await failure_of(tmp_path, server(tmp_path, *chain[:2]), trusted(tmp_path, new_root))
    assert told(failure) == (Phase.TLS, Reason.CERTIFICATE_UNTRUSTED, Advice.LINK_EXPIRED)
    assert failure.text.startswith(f"certificate 1 above the server's own, CN={ABOVE}, expired on ")


async def test_an_expired_certificate_of_the_server_stays_the_first_thing_to_mend(tmp_path: Path):
    for above in (90, -30):
        chain, _, new_root = cross_signed(own=-30, above=above)
        failure = await failure_of(tmp_path, server(tmp_path, *chain[:2]), trusted(tmp_path, new_root))
        assert told(failure) == (Phase.TLS, Reason.CERTIFICATE_EXPIRED, None)


@pytest.mark.parametrize("common_name", [NAME, "LocalHost"])
async def test_a_name_in_the_cn_alone_is_a_finding(tmp_path: Path, common_name: str):
    root = issue(NEW)
    leaf = issue(common_name, root, ca=False)
    failure = await failure_of(tmp_path, server(tmp_path, leaf), trusted(tmp_path, root))
    assert told(failure) == (Phase.TLS, Reason.CERTIFICATE_NAME_MISMATCH, Advice.NAME_ONLY_IN_CN)
    assert f"CN={common_name}" in failure.text


@pytest.mark.parametrize(("common_name", "san"), [("elsewhere.test", None), (NAME, "elsewhere.test")])
async def test_another_name_stays_another_name(tmp_path: Path, common_name: str, san: str | None):
    root = issue(NEW)
    leaf = issue(common_name, root, san=san, ca=False)
    failure = await failure_of(tmp_path, server(tmp_path, leaf), trusted(tmp_path, root))
    assert told(failure) == (Phase.TLS, Reason.CERTIFICATE_NAME_MISMATCH, None)


async def test_a_short_key_has_its_own_remedy(tmp_path: Path):
    root = issue(NEW)
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    leaf = issue(OWN, root, key=weak, san=NAME, ca=False)
    failure = await failure_of(tmp_path, server(tmp_path, leaf), trusted(tmp_path, root))
    assert told(failure) == (Phase.TLS, Reason.CERTIFICATE_UNTRUSTED, Advice.WEAK_KEY)


async def test_a_short_key_of_the_authority_has_the_same(tmp_path: Path):
    root = issue(NEW)
    link = issue(ABOVE, root, key=rsa.generate_private_key(public_exponent=65537, key_size=1024))
    leaf = issue(OWN, link, san=NAME, ca=False)
    failure = await failure_of(tmp_path, server(tmp_path, leaf, link), trusted(tmp_path, root))
    assert told(failure) == (Phase.TLS, Reason.CERTIFICATE_UNTRUSTED, Advice.WEAK_KEY)


async def test_a_sha1_signature_has_its_own_remedy(tmp_path: Path):
    root = issue(NEW, key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
    leaf = signed_with_sha1(tmp_path, NAME, root)
    failure = await failure_of(tmp_path, server(tmp_path, leaf), trusted(tmp_path, root))
    assert told(failure) == (Phase.TLS, Reason.CERTIFICATE_UNTRUSTED, Advice.WEAK_SIGNATURE)


async def test_a_server_that_knows_no_such_name(authority: Authority, tmp_path: Path):
    context = authority.good(NAME).context()
    context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    failure = await failure_of(tmp_path, context, authority.ca_file)
    assert told(failure) == (Phase.TLS, Reason.TLS_FAILED, Advice.UNKNOWN_NAME)


@pytest.mark.parametrize(
    ("version", "phase", "advice"),
    [
        # TLS 1.2 has no alert of its own for it, and says the same if no cipher is common
        (ssl.TLSVersion.TLSv1_2, Phase.TLS, Advice.HANDSHAKE_REFUSED),
        # our side of the handshake has ended when the server looks at our certificate
        (ssl.TLSVersion.TLSv1_3, Phase.GREETING, Advice.CLIENT_CERTIFICATE),
    ],
)
async def test_a_server_that_wants_a_client_certificate(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion, phase: Phase, advice: Advice
):
    context = authority.good(NAME).context()
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.ca_file)
    failure = await failure_of(tmp_path, context, authority.ca_file)
    assert told(failure) == (phase, Reason.TLS_FAILED, advice)


@pytest.mark.parametrize("advice", [Advice.LINK_EXPIRED, Advice.WEAK_KEY, Advice.CLIENT_CERTIFICATE])
def test_the_remedy_is_that_of_the_case_in_each_language(advice: Advice):
    for language in ("en", "zh", "zh-TW"):
        assert about(Reason.TLS_FAILED).remedy(language, advice) != about(Reason.TLS_FAILED).remedy(language)
