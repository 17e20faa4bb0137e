"""Given, random and signer-disjoint divisions."""

import math
import random
from collections import Counter

import pytest

from sign_recog.corpora import ksl77
from sign_recog.corpora.splits import assign_splits, gloss_coverage, leakage
from sign_recog.errors import DataError
from sign_recog.storage.manifest import SPLITS, Clip


def make_clips(signers, glosses, takes=1):
    return [
        Clip(f"{signer}_{gloss}_{i}", video=f"{signer}_{gloss}_{i}.mp4", signer=signer, gloss=gloss)
        for signer in signers
        for gloss in glosses
        for i in range(takes)
    ]


def names(prefix, count):
    return [f"{prefix}{i}" for i in range(count)]


def signers_of(clips):
    return {split: {clip.signer for clip in clips if clip.split == split} for split in SPLITS}


def test_given_splits_are_kept_and_missing_ones_named():
    clips = [Clip("a", gloss="A", split="train"), Clip("b", gloss="B", split="test")]
    assert assign_splits(clips, "given", val_share=0.1, test_share=0.1, seed=0) == clips
    clips += [Clip("c", gloss="C"), Clip("d", gloss="C"), Clip("e", text="a sentence")]
    with pytest.raises(DataError) as caught:
        assign_splits(clips, "given", val_share=0.1, test_share=0.1, seed=0)
    assert "3 of 5 clips have no split" in str(caught.value)
    assert "C: 2 clips" in str(caught.value)
    assert "e: 1 clips" in str(caught.value)


@pytest.mark.parametrize("shares", [(0.1, 0.1), (0.2, 0.2), (0.15, 0.3), (0.01, 0.5)])
@pytest.mark.parametrize("seed", [0, 1])
def test_random_takes_each_gloss_apart_by_the_shares(shares, seed):
    sizes = [1, 2, 3, 4, 5, 7, 10, 23, 30]
    clips = [Clip(f"{n}_{i}", gloss=str(n)) for n in sizes for i in range(n)]
    divided = assign_splits(clips, "random", val_share=shares[0], test_share=shares[1], seed=seed)
    assert [(c.clip_id, c.gloss) for c in divided] == [(c.clip_id, c.gloss) for c in clips]
    for n in sizes:
        counts = Counter(clip.split for clip in divided if clip.gloss == str(n))
        assert counts["train"] >= 1
        for split, share in zip(("val", "test"), shares, strict=True):
            assert counts[split] <= math.ceil(round(n * share, 6))
            if n > 2:
                assert counts[split] >= math.floor(n * share)


def test_random_meets_the_shares_over_many_small_glosses():
    clips = make_clips(names("s", 3), names("g", 200))
    counts = Counter(c.split for c in assign_splits(clips, "random", val_share=0.1, test_share=0.2, seed=3))
    assert counts == {"train": 420, "val": 60, "test": 120}


@pytest.mark.parametrize("strategy", ["random", "signer_disjoint"])
def test_a_seed_gives_one_split_whatever_the_order(strategy):
    clips = make_clips(names("s", 10), names("g", 5), takes=2)
    shuffled = random.Random(5).sample(clips, len(clips))
    settings = {"val_share": 0.2, "test_share": 0.2}
    first, second, other = (
        {clip.clip_id: clip.split for clip in assign_splits(order, strategy, **settings, seed=seed)}
        for order, seed in ((clips, 1), (shuffled, 1), (clips, 2))
    )
    assert first == second
    assert first != other


def test_random_is_the_same_on_every_machine():
    clips = [Clip(str(i), gloss="A") for i in range(10)]
    divided = assign_splits(clips, "random", val_share=0.2, test_share=0.2, seed=42)
    # random.Random(42) gives 0.64 for the gloss, then 0.03 0.28 0.22 0.74 0.68 0.89 0.09 0.42 0.030 0.22 for the
    # clips: 0, 8, 6 and 9 come first.
    expected = {"0": "val", "8": "val", "6": "test", "9": "test"}
    assert {clip.clip_id: clip.split for clip in divided if clip.split != "train"} == expected


def test_signers_are_disjoint_and_a_perfect_division_is_found():
    clips = make_clips(names("s", 10), names("g", 6))
    divided = assign_splits(clips, "signer_disjoint", val_share=0.2, test_share=0.3, seed=0)
    assert {split: len(found) for split, found in signers_of(divided).items()} == {"train": 5, "val": 2, "test": 3}
    assert leakage(divided) == []
    assert gloss_coverage(divided) == []


def test_signer_disjoint_prefers_the_division_that_covers_the_glosses():
    # Only one choice of three signers out of nine covers all glosses in every split.
    glosses = names("g", 6)
    clips = make_clips(["full1", "full2", "full3"], glosses) + make_clips(names("half", 6), glosses[:3], takes=2)
    for seed in range(3):
        divided = assign_splits(clips, "signer_disjoint", val_share=1 / 3, test_share=1 / 3, seed=seed)
        assert leakage(divided) == []
        assert gloss_coverage(divided) == []


def test_signers_of_very_different_size_still_reach_every_split():
    clips = make_clips(["big"], names("g", 50), takes=4) + make_clips(["a", "b"], ["g0"])
    divided = assign_splits(clips, "signer_disjoint", val_share=0.1, test_share=0.1, seed=0)
    assert Counter(clip.split for clip in divided) == {"train": 200, "val": 1, "test": 1}


def test_signer_disjoint_needs_three_known_signers():
    settings = {"val_share": 0.1, "test_share": 0.1, "seed": 0}
    with pytest.raises(DataError, match=r"Only 2 signers \(s0, s1\)"):
        assign_splits(make_clips(names("s", 2), ["A"]), "signer_disjoint", **settings)
    with pytest.raises(DataError, match=r"2 of 5 clips have no signer \(_A_0, _B_0\)"):
        clips = make_clips(names("s", 3), ["A"]) + make_clips([""], ["A", "B"])
        assign_splits(clips, "signer_disjoint", **settings)


def test_the_real_clips_are_divided_by_signer(test_data, tmp_path):
    clips = ksl77.read(str(test_data / "video_ksl77_koala"), tmp_path).clips
    divided = assign_splits(clips, "signer_disjoint", val_share=0.2, test_share=0.2, seed=1)
    counts = Counter(clip.split for clip in divided)
    assert abs(counts["val"] - 0.2 * 61) <= 2
    assert abs(counts["test"] - 0.2 * 61) <= 2
    assert leakage(divided) == []
    assert any(line.startswith("train lacks") for line in gloss_coverage(divided))


def test_video_disjoint_keeps_each_video_in_one_split_and_meets_the_shares():
    clips = [Clip(f"{video}_{i}", video=f"v{video}", signer="one") for video in range(10) for i in range(3 + video % 2)]
    divided = assign_splits(clips, "video_disjoint", val_share=0.2, test_share=0.2, seed=0)
    splits_of = {clip.video: {one.split for one in divided if one.video == clip.video} for clip in divided}
    assert all(len(splits) == 1 for splits in splits_of.values())
    counts = Counter(clip.split for clip in divided)
    assert 5 <= counts["val"] <= 9 and 5 <= counts["test"] <= 9
    assert [clip.signer for clip in divided] == ["one"] * len(clips)


@pytest.mark.parametrize("videos", [["a", "b"], ["a", "b", "c", ""]])
def test_video_disjoint_needs_three_videos_that_are_known(videos):
    clips = [Clip(f"{i}_{video}", video=video) for video in videos for i in range(5)]
    with pytest.raises(DataError, match="video_disjoint needs 3 videos"):
        assign_splits(clips, "video_disjoint", val_share=0.2, test_share=0.2, seed=0)
