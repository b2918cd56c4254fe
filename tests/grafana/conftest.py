"""Fixture: the scene, once for all dashboards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.grafana.scene import Scene, TokenThread
from tests.servers.dns import Authoritative, Resolver
from tests.servers.dovecot import Dovecot
from tests.servers.opendkim import Key
from tests.servers.postfix import Postfix
from tests.servers.world import gather, users, zones


@pytest.fixture(scope="package")
def scene(
    dovecot_server: Dovecot,
    postfix_server: Postfix,
    authoritative_server: Authoritative,
    resolver_server: Resolver,
    dkim_key: Key,
) -> Iterator[Scene]:
    """The complete scene, after its end. The servers are in their initial state again."""
    for server in (dovecot_server, postfix_server, authoritative_server, resolver_server):
        server.ensure_usable()
    resolver_server.flush()
    world = gather(dovecot_server, postfix_server, resolver_server.address)
    with TokenThread() as tokens:
        made = Scene(world, dovecot_server, authoritative_server, resolver_server, tokens.server)
        try:
            made.run()
            yield made
        finally:
            made.close()
            dovecot_server.reset(users())
            authoritative_server.reset(zones(dkim_key.record))
            postfix_server.empty()
            resolver_server.flush()
