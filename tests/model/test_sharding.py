"""Tests of the hash that assigns targets to shards: known values, moves when a shard is added, and invalid flags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.sharding import Sharding, ShardingError, jump, part, shard_of, sharding, shards_of, stable_hash

NAMES = [f"user{number}@example{number % 37}.test" for number in range(20_000)]


@pytest.mark.parametrize(
    ("key", "buckets", "expected"),
    # from the tests of other implementations of the paper
    [(1, 1, 0), (42, 57, 43), (0xDEAD10CC, 1, 0), (0xDEAD10CC, 666, 361), (256, 1024, 520), (2**64 - 1, 128, 92)],
)
def test_it_is_the_jump_hash_of_the_paper(key, buckets, expected):
    assert jump(key, buckets) == expected


def test_a_release_moves_no_target():
    """These values must never change: with another hash, every account would get logins from another shard."""
    assert stable_hash("sales@example.com") == 0x299CD1F5038C2E1C
    assert stable_hash("例") == 0x9F487DD2437A7950
    assert [shard_of("sales@example.com", total) for total in range(1, 9)] == [0, 1, 2, 2, 2, 2, 2, 2]
    assert [shard_of(name, 4) for name in ("a", "b", "imap.example.com:993", "monitor@@example.com")] == [0, 0, 3, 1]


@pytest.mark.parametrize("total", [1, 2, 3, 7, 12])
def test_one_shard_more_takes_its_part_from_all_and_nothing_else_moves(total):
    before = [shard_of(name, total) for name in NAMES]
    after = [shard_of(name, total + 1) for name in NAMES]
    moved = [there for here, there in zip(before, after, strict=True) if here != there]
    assert set(moved) == {total}
    assert len(moved) / len(NAMES) == pytest.approx(1 / (total + 1), rel=0.1)


@pytest.mark.parametrize("total", [2, 5, 16])
def test_the_work_is_divided_evenly_and_each_name_has_one_shard(total):
    owners = [[shard for shard in range(total) if Sharding(shard, total).owns(name)] for name in NAMES[:5000]]
    assert all(len(found) == 1 for found in owners)
    loads = [sum(found == [shard] for found in owners) for shard in range(total)]
    assert min(loads) > 0.8 * len(owners) / total
    assert max(loads) < 1.2 * len(owners) / total


@given(st.text(), st.integers(1, 2000))
def test_any_name_has_a_shard(name, total):
    assert 0 <= shard_of(name, total) < total


@given(st.integers(0, 10_000), st.integers(1, 50))
def test_the_parts_of_a_budget_are_the_budget(budget, parts):
    found = [part(budget, rank, parts) for rank in range(parts)]
    assert sum(found) == budget
    assert max(found) - min(found) <= 1


def test_the_owner_of_an_account_comes_first_among_its_shards():
    names = [next(n for n in NAMES if shard_of(n, 4) == wanted) for wanted in (2, 3, 0, 2)]
    assert shards_of(names, 4) == (2, 0, 3)
    assert shards_of(names, 1) == (0,)


@pytest.mark.parametrize(
    ("shard", "total", "pod", "host", "expected"),
    [
        ("", 1, "", "", Sharding(0, 1)),
        ("", 1, "web-7", "web-7", Sharding(0, 1)),
        ("0", 1, "", "", Sharding(0, 1)),
        ("2", 3, "mailprobe-0", "", Sharding(2, 3)),
        ("auto", 3, "mailprobe-2", "mailprobe-1", Sharding(2, 3)),
        ("auto", 11, "", "mailprobe-10.mailprobe.mail.svc.cluster.local", Sharding(10, 11)),
        ("auto", 4, "a-9-b-3", "", Sharding(3, 4)),
    ],
)
def test_the_flags_name_a_shard(shard, total, pod, host, expected):
    assert sharding(shard, total, pod, host) == expected


@pytest.mark.parametrize(
    ("shard", "total", "pod", "host", "words"),
    [
        ("3", 3, "", "", ["--shard 3", "0 to 2", "--total-shards 3"]),
        ("0", 0, "", "", ["--total-shards 0", "1 or more"]),
        ("", 3, "", "", ["--total-shards 3 without --shard", "--shard auto"]),
        ("1", 1, "", "", ["--shard 1", "--total-shards 1"]),
        ("-1", 3, "", "", ["--shard -1", "auto or a number"]),
        ("٢", 3, "", "", ["--shard", "auto or a number"]),
        ("first", 3, "", "", ["--shard first", "auto or a number"]),
        ("auto", 3, "", "vm1", ["--shard auto", "vm1", "--shard 0 to 2"]),
        ("auto", 3, "mailprobe-x", "mailprobe-1", ["POD_NAME", "mailprobe-x"]),
        ("auto", 3, "", "", ["--shard auto", "empty"]),
        ("auto", 3, "mailprobe-3", "", ["mailprobe-3", "0 to 2", "--total-shards 3"]),
    ],
)
def test_a_mistake_names_the_flag_and_what_to_write(shard, total, pod, host, words):
    with pytest.raises(ShardingError) as caught:
        sharding(shard, total, pod, host)
    assert [word for word in words if word not in str(caught.value)] == []
