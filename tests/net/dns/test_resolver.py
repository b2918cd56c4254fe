"""Tests of the resolver with a scripted server: each kind of answer and each kind of failure has its own error."""

from __future__ import annotations

import asyncio
import os
import struct
import time
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from exporter.model import AddressFamily
from exporter.model.errors import DnsFailure
from exporter.net.dns import hosts
from exporter.net.dns import resolver as module
from exporter.net.dns.resolver import Resolver
from tests.net.dns.nameserver import Query, answer, extended, question, serve, unused_port

# seconds for two servers, one of which is silent: half of it must be enough for the other on a busy machine
SILENCE = 4.0


def always(*records: str, **options):
    return lambda query, tcp: [answer(query, *records, **options).to_wire()]


def failing(query: Query, tcp: bool) -> list[bytes]:
    return [answer(query, rcode=dns.rcode.SERVFAIL).to_wire()]


def silent(query: Query, tcp: bool) -> list[bytes]:
    return []


def open_files() -> set[str]:
    return {each.name for each in Path("/proc/self/fd").iterdir()}


async def look(script, name: str = "example.test", kind: str = "MX", *, timeout: float = 2.0):
    async with serve(script) as server:
        return await Resolver([server.address], timeout=timeout).lookup(name, kind)


class TestAnswers:
    async def test_mx_records_come_as_preference_and_host(self):
        found = await look(always("example.test. 300 IN MX 10 Mail.Example.Test.", "example.test. 60 IN MX 20 b."))
        assert (found.kind, set(found.records), found.ttl) == ("ok", {"10 mail.example.test", "20 b"}, 60)

    async def test_strings_of_a_text_are_joined_without_quotes(self):
        found = await look(always('example.test. 300 IN TXT "v=spf1 " "-all"'), kind="TXT")
        assert found.records == ("v=spf1 -all",)

    async def test_a_text_that_is_not_utf8_does_not_break_anything(self):
        found = await look(always('example.test. 300 IN TXT "\\255\\254ok"'), kind="TXT")
        assert found.records[0].endswith("ok")

    async def test_a_rare_type_is_presented_as_in_a_zone_file(self):
        found = await look(always('example.test. 300 IN CAA 0 issue "ca.test"'), kind="CAA")
        assert found.records == ('0 issue "ca.test"',)

    async def test_aliases_in_the_answer_are_followed_and_the_least_ttl_counts(self):
        records = (
            "example.test. 300 IN CNAME b.test.",
            "b.test. 30 IN CNAME c.test.",
            "c.test. 600 IN A 192.0.2.7",
            "stray.test. 1 IN A 192.0.2.99",
        )
        found = await look(always(*records), kind="A")
        assert (found.records, found.ttl) == (("192.0.2.7",), 30)

    async def test_an_alias_that_an_authoritative_server_leaves_open_is_asked_for(self):
        def script(query: Query, tcp: bool) -> list[bytes]:
            if question(query)[0] == "example.test":
                return [answer(query, "example.test. 300 IN CNAME b.test.", RA=False).to_wire()]
            return [answer(query, "b.test. 300 IN A 192.0.2.8", RA=False).to_wire()]

        assert (await look(script, kind="A")).records == ("192.0.2.8",)

    async def test_an_alias_to_what_is_no_host_name_is_a_failure_of_the_server(self):
        found = await look(always("example.test. 300 IN CNAME " + "\\001" * 40 + ".test.", RA=False), kind="A")
        assert found.kind == "servfail"
        assert "has an invalid target" in found.text

    async def test_a_loop_of_aliases_ends(self):
        loop = ("example.test. 300 IN CNAME b.test.", "b.test. 300 IN CNAME example.test.")
        assert (await look(always(*loop, RA=False), kind="A")).kind in ("servfail", "no_data")
        assert (await look(always(*loop), kind="A")).kind == "no_data"

    async def test_nxdomain_and_no_data_are_two_things(self):
        nothing = await look(always())
        nowhere = await look(always(rcode=dns.rcode.NXDOMAIN))
        assert (nothing.kind, nowhere.kind) == ("no_data", "nxdomain")
        assert nothing.definite
        assert nowhere.definite
        assert "NXDOMAIN from 127.0.0.1:" in nowhere.text

    async def test_the_validating_servers_word_is_kept(self):
        assert (await look(always("example.test. 300 IN MX 1 a.", AD=True))).authentic
        assert not (await look(always("example.test. 300 IN MX 1 a."))).authentic

    async def test_the_query_asks_for_the_verdict_and_small_answers(self):
        async with serve(always()) as server:
            await Resolver([server.address]).lookup("例子.test", "MX")
        query = server.heard[0][0]
        assert question(query)[0] == "xn--fsqu00a.test"
        assert query.flags & dns.flags.AD
        assert query.flags & dns.flags.RD
        assert not query.flags & dns.flags.CD
        assert (query.edns, query.payload, query.ednsflags & dns.flags.DO) == (0, 1232, 0)

    @pytest.mark.parametrize("name", ["a..test", "x" * 64 + ".test", "a b.test", ".".join(["y" * 60] * 5), ".test"])
    async def test_what_is_no_name_is_not_asked_for(self, name: str):
        async with serve(always()) as server:
            found = await Resolver([server.address]).lookup(name, "A")
        assert found.kind == "nxdomain"
        assert "is not a domain name" in found.text
        assert not server.heard

    async def test_the_time_told_is_the_servers(self):
        found = await look(always())
        assert 0 < found.seconds < 2
        assert found.arrived <= time.perf_counter()


class TestFailures:
    async def test_a_truncated_answer_is_asked_for_again_over_tcp(self):
        def script(query: Query, tcp: bool) -> list[bytes]:
            if not tcp:
                return [answer(query, TC=True).to_wire()]
            return [answer(query, 'example.test. 300 IN TXT "long"').to_wire()]

        async with serve(script) as server:
            found = await Resolver([server.address]).lookup("example.test", "TXT")
        assert found.records == ("long",)
        assert [tcp for _, tcp in server.heard] == [False, True]

    async def test_answers_to_other_questions_are_ignored(self):
        def script(query: Query, tcp: bool) -> list[bytes]:
            right = answer(query, "example.test. 300 IN A 192.0.2.1").to_wire()
            wrong_id = struct.pack("!H", query.id ^ 1) + right[2:]
            other = dns.message.make_query("other.test", "A")
            other.id = query.id
            no_reply = query.to_wire()
            return [wrong_id, b"\0", no_reply, answer(other, "other.test. 300 IN A 192.0.2.66").to_wire(), right]

        assert (await look(script, kind="A")).records == ("192.0.2.1",)

    async def test_a_flood_of_strays_ends(self):
        found = await look(lambda query, tcp: [b"stray"] * 100)
        assert (found.kind, "other questions" in found.text) == ("servfail", True)

    async def test_a_lost_datagram_is_sent_again_on_the_same_socket(self):
        async with serve(silent) as server:
            count = 0

            def script(query: Query, tcp: bool) -> list[bytes]:
                nonlocal count
                count += 1
                return [] if count == 1 else [answer(query).to_wire()]

            server.script = script
            found = await Resolver([server.address], timeout=1.0).lookup("example.test", "MX")
        assert found.kind == "no_data"
        assert [query.id for query, _ in server.heard] == [server.heard[0][0].id] * 2

    async def test_silence_is_a_timeout(self):
        found = await look(silent, timeout=0.2)
        assert found.kind == "timeout"
        assert not found.definite
        assert "no answer from 127.0.0.1:" in found.text

    async def test_a_port_where_nobody_listens_refuses(self):
        found = await Resolver([f"127.0.0.1:{unused_port()}"]).lookup("example.test", "MX")
        assert found.kind == "refused"
        assert "nothing listens there" in found.text

    async def test_servfail_is_told_with_the_servers_own_words(self):
        def script(query: Query, tcp: bool) -> list[bytes]:
            return [extended(answer(query, rcode=dns.rcode.SERVFAIL), 22, "no reachable authority").to_wire()]

        found = await look(script)
        assert found.kind == "servfail"
        assert "SERVFAIL from" in found.text
        assert "no reachable authority" in found.text

    async def test_refused_is_refused(self):
        assert (await look(always(rcode=dns.rcode.REFUSED))).kind == "refused"

    async def test_garbage_with_the_right_id_is_not_an_answer(self):
        def script(query: Query, tcp: bool) -> list[bytes]:
            right = answer(query, "example.test. 300 IN MX 10 mail.example.test.").to_wire()
            return [right[:-5]]

        found = await look(script)
        assert found.kind == "servfail"
        assert "invalid DNS message" in found.text

    async def test_a_server_without_edns_is_asked_without(self):
        def script(query: Query, tcp: bool) -> list[bytes]:
            if query.edns >= 0:
                return [struct.pack("!6H", query.id, 0x8001, 0, 0, 0, 0)]
            return [answer(query, "example.test. 300 IN A 192.0.2.1").to_wire()]

        assert (await look(script, kind="A")).records == ("192.0.2.1",)


class TestValidation:
    async def test_servfail_that_checking_disabled_cures_is_bogus(self):
        def script(query: Query, tcp: bool) -> list[bytes]:
            good = query.flags & dns.flags.CD
            return [answer(query, rcode=dns.rcode.NOERROR if good else dns.rcode.SERVFAIL).to_wire()]

        found = await look(script)
        assert found.kind == "bogus"
        assert "DNSSEC validation" in found.text

    async def test_an_extended_error_says_bogus_without_another_question(self):
        def script(query: Query, tcp: bool) -> list[bytes]:
            return [extended(answer(query, rcode=dns.rcode.SERVFAIL), 7, "signature expired").to_wire()]

        async with serve(script) as server:
            found = await Resolver([server.address]).lookup("example.test", "MX")
        assert found.kind == "bogus"
        assert "signature expired" in found.text
        assert len(server.heard) == 1

    async def test_a_servfail_that_passes_by_itself_is_not_bogus(self):
        async with serve(silent) as server:
            server.script = lambda query, tcp: (
                failing(query, tcp)
                if len(server.heard) == 1
                else [answer(query, "example.test. 9 IN MX 1 a.").to_wire()]
            )
            found = await Resolver([server.address]).lookup("example.test", "MX")
        assert found.kind == "ok"


class TestServers:
    @pytest.mark.parametrize("bad", [silent, failing, always(rcode=dns.rcode.REFUSED)])
    async def test_the_next_server_is_asked_when_one_fails(self, bad):
        async with serve(bad) as first, serve(always("example.test. 300 IN A 192.0.2.2")) as second:
            found = await Resolver([first.address, second.address], timeout=SILENCE).lookup("example.test", "A")
        assert found.records == ("192.0.2.2",)

    async def test_a_silent_server_is_asked_last_for_a_while(self):
        async with serve(silent) as first, serve(always("example.test. 300 IN A 192.0.2.2")) as second:
            resolver = Resolver([first.address, second.address], timeout=SILENCE)
            await resolver.lookup("example.test", "A")
            asked = len(first.heard)
            await resolver.lookup("example.test", "A")
            assert (len(first.heard), len(second.heard)) == (asked, 2)

    async def test_of_several_failures_the_most_telling_gives_the_kind_and_all_are_told(self):
        async with serve(silent) as first, serve(failing) as second:
            found = await Resolver([first.address, second.address], timeout=SILENCE).lookup("example.test", "A")
        assert found.kind == "servfail"
        assert "no answer from" in found.text
        assert "SERVFAIL from" in found.text

    @pytest.mark.parametrize(
        "text", ["dns.example", "127.0.0.1:", "127.0.0.1:99999", "[::1", "[::1]x", "", "127.0.0.1:0"]
    )
    def test_a_server_that_is_no_address_is_named(self, text: str):
        with pytest.raises(ValueError, match="resolver"):
            Resolver([text])

    async def test_system_reads_resolv_conf_and_sees_it_change(self, tmp_path, monkeypatch):
        async with serve(always("example.test. 300 IN A 192.0.2.3")) as server:
            monkeypatch.setattr(hosts, "RESOLV_CONF", tmp_path / "resolv.conf")
            monkeypatch.setattr(hosts.Server, "__str__", lambda self: self.address)
            (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.9\noptions edns0\nsearch example.test\n")
            resolver = Resolver(["system"])
            assert [each.address for each in resolver._servers()] == ["127.0.0.9"]
            (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.8\nnameserver ::1\n")
            os.utime(tmp_path / "resolv.conf", (1, 1))
            assert [each.address for each in resolver._servers()] == ["127.0.0.8", "::1"]
            (tmp_path / "resolv.conf").unlink()
            assert [each.address for each in resolver._servers()] == ["127.0.0.1"]
            mixed = Resolver(["system", server.address])
            assert len(mixed._servers()) == 2


class TestAddresses:
    @staticmethod
    def both(query: Query, tcp: bool) -> list[bytes]:
        kind = question(query)[1]
        data = {"A": "192.0.2.1", "AAAA": "2001:db8::1"}[kind]
        return [answer(query, f"{question(query)[0]}. 300 IN {kind} {data}").to_wire()]

    async def test_family_chooses_what_is_asked(self):
        async with serve(self.both) as server:
            resolver = Resolver([server.address])
            assert await resolver.addresses("a.test", AddressFamily.IPV4) == ["192.0.2.1"]
            assert await resolver.addresses("a.test", AddressFamily.IPV6) == ["2001:db8::1"]
            assert (server.asked("A"), server.asked("AAAA")) == (1, 1)

    @pytest.mark.parametrize(("routed", "first"), [(False, "192.0.2.1"), (True, "2001:db8::1")])
    async def test_ipv6_comes_first_only_where_there_is_a_route(self, monkeypatch, routed: bool, first: str):
        monkeypatch.setattr(module, "has_route", lambda address: routed)
        async with serve(self.both) as server:
            found = await Resolver([server.address]).addresses("a.test", AddressFamily.ANY)
        assert found[0] == first
        assert len(found) == 2

    async def test_addresses_are_kept_for_their_ttl(self, monkeypatch):
        async with serve(always("a.test. 60 IN A 192.0.2.1")) as server:
            resolver = Resolver([server.address])
            assert resolver.cached_addresses("a.test", AddressFamily.IPV4) == []
            await resolver.addresses("a.test", AddressFamily.IPV4)
            await resolver.addresses("A.test.", AddressFamily.IPV4)
            assert resolver.cached_addresses("a.test", AddressFamily.IPV4) == ["192.0.2.1"]
            assert len(server.heard) == 1
            later = time.monotonic() + 61
            monkeypatch.setattr(time, "monotonic", lambda: later)
            assert resolver.cached_addresses("a.test", AddressFamily.IPV4) == []

    @pytest.mark.parametrize(("ttl", "kept"), [(0, 4), (86400, 3599)])
    async def test_the_ttl_is_taken_within_bounds(self, monkeypatch, ttl: int, kept: float):
        async with serve(always(f"a.test. {ttl} IN A 192.0.2.1")) as server:
            resolver = Resolver([server.address])
            await resolver.addresses("a.test", AddressFamily.IPV4)
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + kept)
        assert resolver.cached_addresses("a.test", AddressFamily.IPV4)
        monkeypatch.setattr(time, "monotonic", lambda: now + kept + 2)
        assert not resolver.cached_addresses("a.test", AddressFamily.IPV4)

    async def test_the_cache_is_bounded(self, monkeypatch):
        monkeypatch.setattr(module, "MAX_CACHED", 3)
        script = lambda query, tcp: [answer(query, f"{question(query)[0]}. 60 IN A 192.0.2.1").to_wire()]  # noqa: E731
        async with serve(script) as server:
            resolver = Resolver([server.address])
            for index in range(6):
                await resolver.addresses(f"h{index}.test", AddressFamily.IPV4)
        assert [bool(resolver.cached_addresses(f"h{index}.test", AddressFamily.IPV4)) for index in range(6)] == [
            False
        ] * 3 + [True] * 3

    async def test_failures_are_not_kept(self):
        async with serve(always(rcode=dns.rcode.NXDOMAIN)) as server:
            resolver = Resolver([server.address])
            for _ in range(2):
                with pytest.raises(DnsFailure):
                    await resolver.addresses("a.test", AddressFamily.IPV4)
        assert len(server.heard) == 2

    @pytest.mark.parametrize(
        ("script", "kind"),
        [
            (always(), "no_data"),
            (always(rcode=dns.rcode.NXDOMAIN), "nxdomain"),
            (always(rcode=dns.rcode.REFUSED), "refused"),
            (failing, "servfail"),
            (silent, "timeout"),
        ],
    )
    async def test_a_failure_has_its_kind_and_names_the_host(self, script, kind: str):
        async with serve(script) as server:
            with pytest.raises(DnsFailure, match=r"a\.test") as caught:
                await Resolver([server.address], timeout=0.2).addresses("a.test", AddressFamily.ANY)
        assert caught.value.kind == kind

    async def test_one_family_is_enough(self):
        def script(query: Query, tcp: bool) -> list[bytes]:
            return self.both(query, tcp) if question(query)[1] == "A" else failing(query, tcp)

        async with serve(script) as server:
            assert await Resolver([server.address]).addresses("a.test", AddressFamily.ANY) == ["192.0.2.1"]

    async def test_many_who_ask_at_once_share_one_question(self):
        async with serve(self.both) as server:
            resolver = Resolver([server.address])
            stamps: list[float] = []
            found = await asyncio.gather(
                *(resolver.addresses("a.test", AddressFamily.IPV4, arrived=stamps.append) for _ in range(20))
            )
        assert found == [["192.0.2.1"]] * 20
        assert len(server.heard) == 1
        assert len(set(stamps)) == 1

    async def test_one_who_leaves_does_not_take_the_question_along(self):
        started, go = asyncio.Event(), asyncio.Event()
        async with serve(silent) as server:

            def script(query: Query, tcp: bool) -> list[bytes]:
                started.set()
                return self.both(query, tcp) if go.is_set() else []

            server.script = script
            resolver = Resolver([server.address], timeout=2.0)
            first = asyncio.create_task(resolver.addresses("a.test", AddressFamily.IPV4))
            second = asyncio.create_task(resolver.addresses("a.test", AddressFamily.IPV4))
            await started.wait()
            first.cancel()
            go.set()
            assert await second == ["192.0.2.1"]

    async def test_when_all_have_left_nothing_remains(self):
        started = asyncio.Event()

        def script(query: Query, tcp: bool) -> list[bytes]:
            started.set()
            return []

        async with serve(script) as server:
            before = open_files()
            resolver = Resolver([server.address])
            task = asyncio.create_task(resolver.addresses("a.test", AddressFamily.ANY))
            await started.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
            assert open_files() == before
            assert not resolver._flights


class TestThisMachine:
    @pytest.fixture
    def system(self, tmp_path, monkeypatch) -> Resolver:
        (tmp_path / "hosts").write_text("192.0.2.5 mail.test Alias.test # comment\n2001:db8::5 mail.test\nbad line\n")
        (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        monkeypatch.setattr(hosts, "HOSTS", tmp_path / "hosts")
        monkeypatch.setattr(hosts, "RESOLV_CONF", tmp_path / "resolv.conf")
        return Resolver(["system"])

    async def test_etc_hosts_is_honoured(self, system: Resolver):
        assert set(await system.addresses("MAIL.test.", AddressFamily.ANY)) == {"192.0.2.5", "2001:db8::5"}
        assert await system.addresses("alias.test", AddressFamily.IPV4) == ["192.0.2.5"]
        assert await system.addresses("mail.test", AddressFamily.IPV6) == ["2001:db8::5"]

    async def test_localhost_is_this_machine(self, system: Resolver):
        assert await system.addresses("localhost", AddressFamily.IPV4) == ["127.0.0.1"]
        assert await system.addresses("imap.localhost", AddressFamily.IPV6) == ["::1"]

    async def test_an_address_is_its_own_answer(self, system: Resolver):
        assert await system.addresses("192.0.2.77", AddressFamily.ANY) == ["192.0.2.77"]

    async def test_configured_servers_do_not_know_etc_hosts(self, system: Resolver):
        async with serve(always(rcode=dns.rcode.NXDOMAIN)) as server:
            with pytest.raises(DnsFailure):
                await Resolver([server.address]).addresses("mail.test", AddressFamily.ANY)
