"""Decides which shard logs in to which account, and how many refused logins each shard may use.

Only the configuration is used, so all shards compute the same result without talking to each other. Answers from DNS
are not used, because they may differ between shards. All shards together never exceed the login guard's limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.config.schema.targets import Route
from exporter.model import Flow
from exporter.model.settings import GuardSettings
from exporter.model.sharding import Sharding, part, shards_of
from exporter.targets.accounts import Account
from exporter.targets.token_source import name_of

Keys = tuple[str, ...]
"""Keys of accounts whose shards use a credential, the owner's first."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Which shard logs in where."""

    keys: Mapping[str, str]  # by mailbox: the key of its account
    users: Mapping[str, Keys]  # by account key: keys of the accounts whose shards log in to it
    # the same, by the names that the login guard uses: accounts, and sources of access tokens
    credentials: Mapping[str, Keys]

    def owns(self, mailbox: str, sharding: Sharding) -> bool:
        """Tell whether a mailbox's own probes run on this shard."""
        return sharding.owns(self.keys[mailbox])

    def logs_in(self, mailbox: str, sharding: Sharding) -> bool:
        """Tell whether this shard logs in to a mailbox, even if only as the receiver of a route."""
        return sharding.shard in shards_of(self.users[self.keys[mailbox]], sharding.total)

    def watches(self, name: str, users: Sequence[Account], sharding: Sharding) -> bool:
        """Tell whether this shard monitors a domain or server of this name. `users`: the accounts on it."""
        if users and all(user.by_dns for user in users):
            # Only DNS tells that this server exists, so the shard that its name belongs to may not know it.
            return any(self.owns(user.mailbox.title, sharding) for user in users)
        return sharding.owns(name)

    def faults(
        self, accounts: Sequence[Account], sharding: Sharding, settings: GuardSettings
    ) -> Iterator[tuple[int, str]]:
        """Return (index of the account, why so many shards cannot log in to it), each cause once."""
        told: set[str] = set()
        for index, account in enumerate(accounts):
            source = _source(account)
            for keys, name, why in (
                (self.users[self.keys[account.mailbox.title]], "", "log in to it, because routes to it are sent there"),
                (self.credentials.get(source, ()), source, "ask for access tokens with the same credential"),
            ):
                number = len(shards_of(keys, sharding.total))
                key = min(("refusals_per_day", "unsettled_per_day"), key=lambda limit: getattr(settings, limit))
                limit: int = getattr(settings, key)
                if number > limit and name not in told:
                    told |= {name} - {""}
                    text = (
                        f"{number} of {sharding.total} shards {why}; they share login_guard.{key}, which "
                        f"is {limit}: write {number} or more there, or use fewer shards"
                    )
                    yield index, text

    def doubts(self, accounts: Sequence[Account], sharding: Sharding) -> Iterator[tuple[int, str]]:
        """Return (index of the account, what may fail if several shards use its refresh token)."""
        for index, account in enumerate(accounts):
            number = len(shards_of(self.users[self.keys[account.mailbox.title]], sharding.total))
            oauth2 = account.mailbox.oauth2
            if number > 1 and oauth2 is not None and oauth2.flow is Flow.REFRESH_TOKEN:
                text = (
                    f"its refresh token is used by {number} shards, because routes to it are sent there: where the "
                    "provider replaces the token with each use, they lock each other out"
                )
                yield index, text


def place(accounts: Sequence[Account], routes: Iterable[Route]) -> Placement:
    """Compute the placement. `accounts`: all accounts of the configuration, recognised or not."""
    keys = _keys(accounts)
    users: dict[str, dict[str, None]] = {key: {key: None} for key in keys.values()}
    for route in routes:
        if route.sender in keys and route.receiver in keys:
            users[keys[route.receiver]][keys[route.sender]] = None
    credentials: dict[str, dict[str, None]] = {}
    for account in accounts:
        key = keys[account.mailbox.title]
        names = {login.account for login in account.logins.values()}
        for name in names | {_source(account)} - {""}:
            credentials.setdefault(name, {}).update(users[key])
    return Placement(
        keys,
        {key: tuple(found) for key, found in users.items()},
        {name: tuple(found) for name, found in credentials.items()},
    )


def _source(account: Account) -> str:
    """Return the login guard's name for the source of the access tokens, or ""."""
    mailbox = account.mailbox
    return "" if mailbox.oauth2 is None else name_of(mailbox.oauth2, mailbox.username or mailbox.address)


def _keys(accounts: Iterable[Account]) -> dict[str, str]:
    """Return the key of each account: its user name, because a mail address is the same account everywhere.

    A bare name (`monitor`) may exist at many providers: the domain of its servers is added, if the configuration tells
    it.
    """
    names = {account.mailbox.title: (account.mailbox.username or account.mailbox.address) for account in accounts}
    unclear = {names[account.mailbox.title].casefold() for account in accounts if account.by_dns}
    found = {}
    for account in accounts:
        name = names[account.mailbox.title].casefold()
        known = next((login.account for login in account.logins.values()), name)
        found[account.mailbox.title] = name if "@" in name or name in unclear else known
    return found


def allotted(credentials: Mapping[str, Keys], sharding: Sharding, settings: GuardSettings) -> dict[str, GuardSettings]:
    """Return the login guard's settings for accounts that several shards use: each gets its part of the daily limits.

    All parts together are what the configuration allows per day. Each part is at least one: see `Placement.faults`.
    """
    found = {}
    for name, keys in credentials.items():
        shards = shards_of(keys, sharding.total) if len(keys) > 1 else ()
        if len(shards) > 1 and sharding.shard in shards:
            allowance = part(settings.refusals_per_day, shards.index(sharding.shard), len(shards))
            row = max(1, min(settings.failures // len(shards), allowance))
            unsettled = part(settings.unsettled_per_day, shards.index(sharding.shard), len(shards))
            found[name] = replace(settings, failures=row, refusals_per_day=allowance, unsettled_per_day=unsettled)
    return found


def newcomers(credentials: Mapping[str, Keys], sharding: Sharding, before: Sharding | None) -> frozenset[str]:
    """Return what this shard logs in to but did not as `before`: its guard cannot know about their refusals.

    `before` None means unknown, so it may have logged in to nothing.
    """
    return frozenset(
        name
        for name, keys in credentials.items()
        if sharding.shard in shards_of(keys, sharding.total)
        and (before is None or before.shard not in shards_of(keys, before.total))
    )
