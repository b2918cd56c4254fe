"""The stories: who fails from when to when, and, worked out by hand, which pages and resolves must come.

Second 600 is the beginning of the first fault. The times of a page are those of the fault, as a look can see them: at
most one interval later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.model import Outcome, Phase, ProbeName, Target
from exporter.model.reasons import Reason
from tests.recorded.world import LOGIN, Fault, mailbox, ports, server_of

FAULT = 600.0
MAIL = "mail.own.example"


@dataclass(frozen=True)
class Page:
    """One page and its resolve."""

    alert: str
    about: tuple[tuple[str, str], ...]  # labels
    since: float  # second at which the fault began
    until: float  # second at which it ended
    mailboxes: int = 0  # that the text counts, when all of them have been looked at; 0: it counts none
    look: float = 60.0  # seconds until the fault, or its end, is seen at most: the interval of who sees it


@dataclass(frozen=True, eq=False)
class Story:
    """A fault or several, and what people must be told."""

    name: str
    targets: Sequence[Target]
    faults: Sequence[Fault]
    pages: Sequence[Page]
    seconds: float = 3000.0
    alert_labels: tuple[str, ...] = ()


def own(count: int, *, team: bool = False) -> list[Target]:
    """Return a server of one's own with so many mailboxes of one domain."""
    boxes = [mailbox(f"box{n:03}", "own.example", MAIL, team=f"team{n % 3}" if team else "") for n in range(count)]
    return [*ports(MAIL), *(target for box in boxes for target in box)]


def provider(name: str, count: int, *, domains: int) -> list[Target]:
    """Return mailboxes of so many domains at a provider, which has a server for each three of them."""
    boxes = [
        mailbox(f"{name}{n:02}", f"d{n % domains}.{name}.example", f"mx{n // 3}.{name}.example", name)
        for n in range(count)
    ]
    hosts = sorted({server.rpartition(":")[0] for box in boxes for target in box for server in target.servers})
    return [*(port for host in hosts for port in ports(host, name)), *(target for box in boxes for target in box)]


def of(start: float, end: float, host: str = MAIL, **more: object) -> Fault:
    return Fault(start, end, server_of(host), **more)  # type: ignore[arg-type]  # the fields of a Fault


def refuses_logins(of_provider: str = "", of_domain: str = "") -> Fault:
    """Return a fault of the logins at a provider or of a domain: nobody can say whether the password is right."""
    return Fault(
        FAULT, FAULT + 900,
        lambda target: target.probe is not ProbeName.TLS
        and (target.provider == of_provider if of_provider else target.domain == of_domain),
        Reason.AUTH_UNAVAILABLE, Phase.LOGIN,
    )  # fmt: skip


HOST = (("server", MAIL),)
BACK = FAULT + 468  # 7 minutes 48 seconds, as measured once on a real installation

STORIES: Sequence[Story] = (
    Story("host", own(5), [of(FAULT, BACK)], [Page("MailHostOutage", HOST, FAULT, BACK, 5)]),
    Story(
        "host, with an alert label that differs", own(5, team=True), [of(FAULT, BACK)],
        [Page("MailHostOutage", HOST, FAULT, BACK, 5)], alert_labels=("team",),
    ),
    Story(
        "host that does not answer", own(5), [of(FAULT, BACK, reason=Reason.TIMEOUT)],
        [Page("MailHostOutage", HOST, FAULT, BACK, 5)],
    ),
    Story("host with many mailboxes", own(500), [of(FAULT, FAULT + 600)],
          [Page("MailHostOutage", HOST, FAULT, FAULT + 600, 500)], seconds=2700.0),
    Story(
        "provider", provider("far", 9, domains=9), [refuses_logins(of_provider="far")],
        [Page("MailProviderOutage", (("provider", "far"),), FAULT, FAULT + 900, 9, LOGIN)],
    ),
    Story(
        "domain", [*provider("far", 9, domains=2), *provider("near", 3, domains=3)],
        [refuses_logins(of_domain="d0.far.example")],
        [Page("MailDomainOutage", (("domain", "d0.far.example"),), FAULT, FAULT + 900, 5, LOGIN)],
    ),
    Story(
        "own network", [*own(5), *provider("far", 6, domains=2)],
        [Fault(FAULT, FAULT + 900, lambda _: True, Reason.VANTAGE_OFFLINE, Phase.CONNECT, Outcome.INCONCLUSIVE)],
        [Page("MailprobeAllVantagesOffline", (), FAULT, FAULT + 900, look=75.0)],
    ),
    Story(
        "flapping", own(5), [of(FAULT, FAULT + 900, flaps=(30.0, 90.0))],
        [Page("MailHostOutage", HOST, FAULT, FAULT + 900 - 30, 5, LOGIN)],
    ),
    Story(
        "two faults at once", [*own(5), *provider("far", 9, domains=9)],
        [of(FAULT, BACK), refuses_logins(of_provider="far")],
        [
            Page("MailHostOutage", HOST, FAULT, BACK, 5),
            Page("MailProviderOutage", (("provider", "far"),), FAULT, FAULT + 900, 9, LOGIN),
        ],
    ),
    Story(
        "a fault during the recovery of another", own(5),
        [
            of(FAULT, BACK),
            Fault(BACK, BACK + 900, lambda target: target.name == "box002" and target.probe is ProbeName.IMAP,
                  Reason.WRONG_PASSWORD, Phase.LOGIN),
        ],
        [
            Page("MailHostOutage", HOST, FAULT, BACK, 5),
            Page("MailLoginRejected", (("mailbox", "box002"),), BACK, BACK + 900, look=LOGIN),
        ],
    ),
    Story("a blip", own(5), [of(FAULT, FAULT + 25)], []),
)  # fmt: skip
