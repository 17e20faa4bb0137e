"""What is said about a division."""

import pytest

from sign_recog.corpora.splits import assign_splits, drop_partial_glosses, gloss_coverage, leakage
from sign_recog.storage.manifest import Clip


def make_clips(signers, glosses, takes=1):
    return [
        Clip(f"{signer}_{gloss}_{i}", video=f"{signer}_{gloss}_{i}.mp4", signer=signer, gloss=gloss)
        for signer in signers
        for gloss in glosses
        for i in range(takes)
    ]


def names(prefix, count):
    return [f"{prefix}{i}" for i in range(count)]


def test_signers_in_two_splits_are_named_with_their_clips():
    clips = [
        Clip("1", signer="Ann", split="train"), Clip("2", signer="Ann", split="train"),
        Clip("3", signer="Ann", split="test"), Clip("4", signer="Bo", split="val"), Clip("5", split="test"),
    ]  # fmt: skip
    shared, unknown = leakage(clips)
    assert shared.startswith("1 of 2 signers are in more than one split")
    assert shared.endswith("Ann (train 2, test 1).")
    assert unknown.startswith("1 clips have no signer")


def test_a_random_split_says_that_it_shares_signers():
    clips = assign_splits(
        make_clips(["Ann", "Bo"], names("g", 3), takes=10), "random", val_share=0.2, test_share=0.2, seed=0
    )
    (line,) = leakage(clips)
    assert "2 of 2 signers" in line
    assert "Ann (" in line
    assert "Bo (" in line


@pytest.mark.parametrize(
    ("spans", "found"),
    [
        ([(0, 2), (1, 3)], True),
        ([(0, None), (5, 6)], True),
        ([(0, 10), (1, 2), (3, 4)], True),
        ([(0, 2), (2, 3)], False),
        ([(0, 1), (1, None)], False),
    ],
)
def test_overlapping_spans_of_a_video_in_two_splits_are_found(spans, found):
    splits = ("train", "train", "test") if len(spans) == 3 else ("train", "test")
    clips = [
        Clip(f"c{i}", "v.mp4", start_s, end_s, split=split, signer=split)
        for i, ((start_s, end_s), split) in enumerate(zip(spans, splits, strict=True))
    ]
    lines = leakage(clips)
    assert bool(lines) == found
    if found:
        last = len(clips) - 1
        assert lines == [f"the video v.mp4 is in train (c0) and in test (c{last})."]
    assert leakage([Clip(c.clip_id, c.video, c.start_s, c.end_s, "val", "s") for c in clips]) == []


def test_copies_under_another_name_are_found_by_their_content():
    clips = [
        Clip("a", "a.mp4", split="train", signer="s"), Clip("b", "copy of a.mp4", split="test", signer="t"),
        Clip("c", split="train", signer="s"), Clip("d", split="val", signer="u"),
    ]  # fmt: skip
    assert leakage(clips) == []
    hashes = {"a.mp4": "1", "copy of a.mp4": "1", "c": "2", "d": "2"}
    assert leakage(clips, hashes) == [
        "the same recording is in train (a) and in test (b).",
        "the same sequence is in train (c) and in val (d).",
    ]


def test_glosses_missing_from_a_split_are_named():
    clips = [Clip(f"{s}{g}", gloss=g, split=s) for s, found in (("train", "AB"), ("test", "BC")) for g in found]
    train, val, test = gloss_coverage(clips)
    assert "train lacks 1 of 3 glosses, so they cannot be learned: C." in train
    assert val == "val has no clips."
    assert "test lacks 1 of 3 glosses" in test
    assert test.endswith(": A.")
    assert [clip.clip_id for clip in drop_partial_glosses(clips)] == ["trainB", "testB"]
