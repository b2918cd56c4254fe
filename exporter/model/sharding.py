"""Decides which of several daemons with the same configuration owns a target: a jump hash over names. No I/O.

Every shard computes the same result without talking to the others. The result must never change between releases.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

AUTO = "auto"

_MASK = (1 << 64) - 1
_ORDINAL = re.compile(r"-(\d{1,9})\Z")  # of a pod of a StatefulSet


class ShardingError(ValueError):
    """The flags do not define a valid shard. The text names the flag and what to write."""


@dataclass(frozen=True, slots=True)
class Sharding:
    """One daemon among those that share the work."""

    shard: int = 0  # counts from 0
    total: int = 1

    @property
    def on(self) -> bool:
        return self.total > 1

    def owns(self, name: str) -> bool:
        """Tell whether the target with this name belongs to this shard."""
        return shard_of(name, self.total) == self.shard

    def __str__(self) -> str:
        return f"{self.shard} of {self.total}"


WHOLE = Sharding()


def shard_of(name: str, total: int) -> int:
    """Return the shard (from 0) of a name. It never changes for the same two values: a release must move no target."""
    return jump(stable_hash(name), total) if total > 1 else 0


def stable_hash(name: str) -> int:
    """Return 64 bits: BLAKE2b (RFC 7693), digest of 8 bytes of the UTF-8 text, big-endian. `hash()` would vary."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def jump(key: int, buckets: int) -> int:
    """Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm" (2014), figure 1.

    With one more bucket, one of `buckets + 1` keys moves, and only to the new bucket.
    """
    chosen, following = -1, 0
    while following < buckets:
        chosen = following
        key = (key * 2862933555777941757 + 1) & _MASK
        following = int((chosen + 1) * (float(1 << 31) / float((key >> 33) + 1)))
    return chosen


def part(budget: int, rank: int, parts: int) -> int:
    """Return the part of a budget for the shard with this rank (from 0). The first ranks get the remainder."""
    return budget // parts + (rank < budget % parts)


def shards_of(names: Iterable[str], total: int) -> tuple[int, ...]:
    """Return the shards of these names: the first name's shard first, the others in order."""
    found = dict.fromkeys(shard_of(name, total) for name in names)
    first = next(iter(found), 0)
    return (first, *sorted(found.keys() - {first}))


def sharding(shard: str, total: int, pod_name: str, host_name: str) -> Sharding:
    """Build a Sharding from `--shard` and `--total-shards`; `auto` uses the pod or host name. Raises ShardingError."""
    if total < 1:
        raise ShardingError(f"--total-shards {total}: must be 1 or more")
    if not shard:
        if total > 1:
            raise ShardingError(f"--total-shards {total} without --shard: add --shard auto, or 0 to {total - 1}")
        return WHOLE
    if shard == AUTO:
        where, name = ("POD_NAME", pod_name) if pod_name else ("the host's name", host_name)
        number = _ordinal(name)
        if number is None:
            raise ShardingError(
                f"--shard auto: {where} is {name or 'empty'}, which does not end in a number such as mailprobe-2: "
                f"write the number, --shard {_range(total)}"
            )
        shard, told = str(number), f"--shard auto ({where} is {name})"
    else:
        told = f"--shard {shard}"
    if not (shard.isdecimal() and shard.isascii() and len(shard) < 10):
        raise ShardingError(f"{told}: must be auto or a number from 0")
    if int(shard) >= total:
        raise ShardingError(f"{told}: must be {_range(total)} with --total-shards {total}: shards count from 0")
    return Sharding(int(shard), total)


def _ordinal(name: str) -> int | None:
    """Return the number at the end of a pod's name, with or without a domain after it."""
    found = _ORDINAL.search(name.partition(".")[0])
    return int(found[1]) if found else None


def _range(total: int) -> str:
    return f"0 to {total - 1}" if total > 1 else "0"
