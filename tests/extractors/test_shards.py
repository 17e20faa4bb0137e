"""Shards take about as long as each other, and together do every clip once."""

import random
from pathlib import Path

import pytest

from sign_recog.extractors.shards import Job, lengths, longest_first, share


def made(seconds):
    return [Job(f"clip{i}", Path("x.mp4"), 1.0, 1.0 + length) for i, length in enumerate(seconds)]


@pytest.mark.parametrize("num_shards", [1, 2, 3, 8])
def test_shards_do_every_clip_once_and_end_close_to_each_other(num_shards):
    rng = random.Random(num_shards)
    jobs = made([rng.expovariate(1 / 6) + 0.5 for _ in range(400)])
    shards = [share(jobs, i, num_shards) for i in range(num_shards)]
    assert sorted(job.clip_id for shard in shards for job in shard) == sorted(job.clip_id for job in jobs)
    sums = [sum(lengths(shard)) for shard in shards]
    assert max(sums) - min(sums) < 1.0
    assert all(shard == [job for job in jobs if job in shard] for shard in shards)


def test_one_long_clip_is_a_shard_of_its_own():
    jobs = made([1, 1, 100, 1, 1])
    assert [[job.clip_id for job in share(jobs, i, 2)] for i in (0, 1)] == [
        ["clip2"],
        ["clip0", "clip1", "clip3", "clip4"],
    ]


def test_shards_do_not_depend_on_the_order_of_the_manifest():
    jobs = made([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7])
    mixed = random.Random(0).sample(jobs, len(jobs))
    for shard in range(3):
        assert set(share(jobs, shard, 3)) == set(share(mixed, shard, 3))


def test_more_shards_than_clips_leave_some_without_any():
    assert [len(share(made([1, 2]), shard, 4)) for shard in range(4)] == [1, 1, 0, 0]


def test_durations_are_spans_or_the_manifests_and_file_sizes_where_one_is_not_known(tmp_path):
    for name, size in (("a", 10), ("b", 30), ("c", 20)):
        (tmp_path / name).write_bytes(bytes(size))
    span, known, open_ = (
        Job("a", tmp_path / "a", 2.0, 9.0),
        Job("b", tmp_path / "b", duration_s=4.0),
        Job("c", tmp_path / "c"),
    )
    assert lengths([span, known]) == [7.0, 4.0]
    assert lengths([span, known, open_, Job("d", tmp_path / "gone")]) == [10.0, 30.0, 20.0, 0.0]
    assert [job.clip_id for job in longest_first([span, known, open_])] == ["b", "c", "a"]
