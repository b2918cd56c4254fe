"""A real authoritative DNS server (knot, signing) and a real validating resolver (unbound) that asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.query
import dns.rcode

from tests.servers.process import Server, ServerError, binary, free_port, wait_until

Records = Sequence[str]  # lines as in a zone file, with names relative to the zone: "mail A 127.0.0.1"
WRONG_DS = "4711 13 2 " + "ab" * 32  # of a key that does not exist: a zone with this trust anchor is bogus


@dataclass(slots=True)
class Zone:
    """A zone's records (SOA and NS are added) and whether it is signed."""

    records: Records
    signed: bool = False
    bogus: bool = False  # the zone is signed, but the resolver trusts another key


def txt(name: str, value: str) -> str:
    """Return the line of a TXT record, split into strings of 255 octets (RFC 1035 section 3.3)."""
    pieces = [value[start : start + 255] for start in range(0, len(value), 255)] or [""]
    return f"{name} TXT " + " ".join('"{}"'.format(piece.replace("\\", "\\\\").replace('"', '\\"')) for piece in pieces)


def ask(port: int, name: str, kind: str, *, seconds: float = 0.2) -> dns.message.Message:
    """Send one query over UDP. Raises dns.exception.Timeout."""
    return dns.query.udp(dns.message.make_query(name, kind, want_dnssec=True), "127.0.0.1", timeout=seconds, port=port)


class Authoritative(Server):
    """knot with the given zones. `change` replaces the records of a zone and returns when they are served."""

    def __init__(self, zones: Mapping[str, Zone]) -> None:
        super().__init__("knot")
        self._binary = binary("knotd", "knot")
        self._knotc = binary("knotc", "knot")
        self._keymgr = binary("keymgr", "knot")
        self.port = free_port()
        (self.folder / "run").mkdir()
        (self.folder / "db").mkdir()
        self.zones: dict[str, Zone] = {}
        self._serial = 0
        for name, zone in zones.items():
            self._put(name, zone)
        self._configure()

    def argv(self) -> list[str]:
        return [self._binary, "-c", str(self.folder / "knot.conf")]

    def ready(self) -> bool:
        try:
            return all(self._answers(name) for name in self.zones)
        except (OSError, dns.exception.DNSException):
            return False

    def change(self, name: str, records: Records) -> None:
        """Serve these records instead."""
        self._put(name, Zone(records, self.zones[name].signed, self.zones[name].bogus))
        self._control("-b", "zone-reload", name)

    def add(self, name: str, zone: Zone) -> None:
        """Add a zone, or replace the settings of one. A running resolver does not get a new trust anchor."""
        self._put(name, zone)
        self._configure()
        self._control("reload")
        wait_until(lambda: self._answers(name), 10, f"knot serves {name}")

    def remove(self, name: str) -> None:
        del self.zones[name]
        self._configure()
        self._control("reload")

    def reset(self, zones: Mapping[str, Zone]) -> None:
        """Serve exactly these zones again, whatever a test has changed."""
        for name in set(self.zones) - set(zones):
            self.remove(name)
        for name, zone in zones.items():
            if name not in self.zones:
                self.add(name, zone)
            elif list(self.zones[name].records) != list(zone.records):
                self.change(name, zone.records)

    def trust_anchors(self) -> list[str]:
        """Return a DS record for each signed zone; for a bogus zone the DS record of another key."""
        anchors = []
        for name, zone in self.zones.items():
            if zone.bogus:
                anchors.append(f"{name}. DS {WRONG_DS}")
            elif zone.signed:
                said = self.run(self._keymgr, "-c", str(self.folder / "knot.conf"), f"{name}.", "ds")
                anchors.append(next(line for line in said.splitlines() if " 13 2 " in line))
        return anchors

    def _answers(self, name: str) -> bool:
        answer = ask(self.port, name, "SOA")
        signed = any(each.rdtype == dns.rdatatype.RRSIG for each in answer.answer)
        return answer.rcode() == dns.rcode.NOERROR and (signed or not self.zones[name].signed)

    def _control(self, *words: str) -> None:
        self.run(self._knotc, "-c", str(self.folder / "knot.conf"), *words)

    def _put(self, name: str, zone: Zone) -> None:
        zone.signed = zone.signed or zone.bogus
        self.zones[name] = zone
        self._serial += 1000  # knot itself increases the serial at each signing
        lines = [f"$ORIGIN {name}.", "$TTL 60", f"@ SOA ns hostmaster {self._serial} 3600 600 86400 30", "@ NS ns"]
        lines += ["ns A 127.0.0.1", *zone.records]
        (self.folder / f"{name}.zone").write_text("\n".join(lines) + "\n")

    def _configure(self) -> None:
        zones = "".join(
            f"  - domain: {name}\n    file: {name}.zone\n" + ("    dnssec-signing: on\n" if zone.signed else "")
            for name, zone in self.zones.items()
        )
        (self.folder / "knot.conf").write_text(KNOT.format(me=self, zones=zones))


class Resolver(Server):
    """unbound, validating, for all names below `test.`

    Names that no zone of ours contains get SERVFAIL; no query leaves the machine. Names below `refused.test` get
    REFUSED; for a name below `silent.test` it does not answer for a long time.
    """

    def __init__(self, authoritative: Authoritative) -> None:
        super().__init__("unbound")
        self._binary = binary("unbound", "unbound")
        self._control_binary = binary("unbound-control", "unbound")
        self.port = free_port()
        self.authoritative = authoritative
        anchors = "\n".join(f'  trust-anchor: "{each}"' for each in authoritative.trust_anchors())
        text = UNBOUND.format(me=self, anchors=anchors, upstream=authoritative.port, nobody=free_port())
        (self.folder / "unbound.conf").write_text(text)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def argv(self) -> list[str]:
        return [self._binary, "-d", "-c", str(self.folder / "unbound.conf")]

    def ready(self) -> bool:
        try:
            ask(self.port, "refused.test", "A")
        except (OSError, dns.exception.DNSException):
            return False
        return (self.folder / "control").exists()

    def flush(self) -> None:
        """Remove all cached answers and failures."""
        for words in (("flush_zone", "test"), ("flush_bogus",), ("flush_negative",), ("flush_infra", "all")):
            said = self.run(self._control_binary, "-c", str(self.folder / "unbound.conf"), *words)
            if not said.startswith("ok"):
                raise ServerError(f"unbound-control {words[0]}: {said.strip()}")


KNOT = """
server:
  rundir: "{me.folder}/run"
  listen: 127.0.0.1@{me.port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stdout
    any: info
database:
  storage: "{me.folder}/db"
control:
  listen: "{me.folder}/control"
policy:
  - id: single
    single-type-signing: on
    algorithm: ecdsap256sha256
template:
  - id: default
    storage: "{me.folder}"
    dnssec-policy: single
    zonefile-sync: -1
    zonefile-load: whole
    semantic-checks: off
zone:
{zones}
"""

# local-zone: otherwise unbound answers `test.` itself. do-not-query-localhost, outgoing-interface: all servers are on
# loopback.
UNBOUND = """
server:
  directory: "{me.folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  log-servfail: yes
  val-log-level: 2
  num-threads: 1
  interface: 127.0.0.1@{me.port}
  access-control: 127.0.0.0/8 allow
  outgoing-interface: 127.0.0.1
  do-not-query-localhost: no
  do-ip6: no
  ede: yes
  module-config: "validator iterator"
  aggressive-nsec: no
  local-zone: "test." transparent
  local-zone: "127.in-addr.arpa." transparent
  local-zone: "refused.test." refuse
{anchors}
stub-zone:
  name: "test."
  stub-addr: 127.0.0.1@{upstream}
stub-zone:
  name: "127.in-addr.arpa."
  stub-addr: 127.0.0.1@{upstream}
stub-zone:
  name: "silent.test."
  stub-addr: 127.0.0.1@{nobody}
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{upstream}
remote-control:
  control-enable: yes
  control-interface: "{me.folder}/control"
  control-use-cert: no
"""
