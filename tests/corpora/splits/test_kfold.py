"""Folds: every clip tested once, signers apart, glosses even, the same everywhere."""

import random
from collections import Counter, defaultdict

import pytest

from sign_recog.corpora.splits.kfold import signer_folds, split_of_fold, stratified_folds
from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip


def make_clips(counts: dict[str, dict[str, int]]) -> list[Clip]:
    """Signer -> gloss -> number of clips."""
    return [
        Clip(f"{signer}_{gloss}_{i}", signer=signer, gloss=gloss)
        for signer, glosses in counts.items()
        for gloss, count in glosses.items()
        for i in range(count)
    ]


def uneven(num_signers: int, num_glosses: int, seed: int) -> list[Clip]:
    rng = random.Random(seed)
    glosses = [f"g{i}" for i in range(num_glosses)]
    return make_clips({f"s{i}": {g: rng.randrange(4) for g in glosses} | {"all": 1} for i in range(num_signers)})


@pytest.mark.parametrize("folds", [3, 4, 7])
def test_each_fold_tests_validates_and_trains_in_turn(folds):
    roles = [[split_of_fold(number, fold=fold, folds=folds) for fold in range(folds)] for number in range(folds)]
    for own in roles:
        assert Counter(own) == {"test": 1, "val": 1, "train": folds - 2}
    for run in zip(*roles, strict=True):
        assert Counter(run) == {"test": 1, "val": 1, "train": folds - 2}


@pytest.mark.parametrize("folds", [3, 5])
def test_stratified_folds_differ_by_at_most_one_clip_of_each_gloss_and_in_all(folds):
    sizes = {"a": 1, "b": 2, "c": 5, "d": 7, "e": 23}
    clips = [Clip(f"{gloss}{i}", gloss=gloss) for gloss, count in sizes.items() for i in range(count)]
    fold_of = stratified_folds(clips, folds=folds, seed=1)
    assert fold_of.keys() == {clip.clip_id for clip in clips}
    for own in [clips, *([c for c in clips if c.gloss == gloss] for gloss in sizes)]:
        counts = [sum(fold_of[clip.clip_id] == fold for clip in own) for fold in range(folds)]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("seed", range(3))
def test_a_signer_is_in_one_fold_and_no_fold_is_empty(seed):
    clips = uneven(num_signers=5 + seed, num_glosses=4, seed=seed)
    fold_of = signer_folds(clips, folds=5, seed=seed)
    folds_of_signer = defaultdict(set)
    for clip in clips:
        folds_of_signer[clip.signer].add(fold_of[clip.clip_id])
    assert all(len(folds) == 1 for folds in folds_of_signer.values())
    assert set(fold_of.values()) == set(range(5))
    assert fold_of.keys() == {clip.clip_id for clip in clips}


def test_one_signer_of_most_clips_leaves_no_fold_empty():
    clips = make_clips({"big": {"a": 50, "b": 50}, "x": {"a": 1}, "y": {"a": 1}})
    assert set(signer_folds(clips, folds=3, seed=0).values()) == {0, 1, 2}


def test_a_perfectly_even_division_is_found():
    # Signers come in complementary pairs, one with the glosses a, the other with the glosses b, of sizes 1 to 5.
    counts = {}
    for i in range(1, 6):
        counts[f"left{i}"], counts[f"right{i}"] = {"a": i}, {"b": i}
    clips = make_clips(counts)
    fold_of = signer_folds(clips, folds=3, seed=0)
    per_fold = Counter((fold_of[c.clip_id], c.gloss) for c in clips)
    assert [per_fold[fold, gloss] for fold in range(3) for gloss in "ab"] == [5] * 6


def test_folds_are_as_even_as_scikit_learns():
    from sklearn.model_selection import StratifiedGroupKFold

    for seed in range(3):
        clips = uneven(num_signers=23, num_glosses=12, seed=seed)
        fold_of = signer_folds(clips, folds=5, seed=seed)
        ours = unevenness(clips, [fold_of[c.clip_id] for c in clips])
        theirs = [0] * len(clips)
        divided = StratifiedGroupKFold(5).split(clips, [c.gloss for c in clips], [c.signer for c in clips])
        for number, (_, test) in enumerate(divided):
            for i in test:
                theirs[i] = number
        assert ours <= unevenness(clips, theirs)


def unevenness(clips: list[Clip], folds: list[int]) -> float:
    """Mean over glosses of the variance of the folds' shares, plus that of all clips."""
    found = []
    for own in [clips, *([c for c in clips if c.gloss == g] for g in sorted({c.gloss for c in clips}))]:
        ids = {c.clip_id for c in own}
        counts = Counter(fold for clip, fold in zip(clips, folds, strict=True) if clip.clip_id in ids)
        found.append(sum((counts[f] / len(own) - 0.2) ** 2 for f in range(5)))
    return found[0] + sum(found[1:]) / len(found[1:])


@pytest.mark.parametrize("make", [stratified_folds, signer_folds])
def test_a_seed_gives_the_same_folds_whatever_the_order(make):
    clips = uneven(num_signers=11, num_glosses=5, seed=1)
    shuffled = random.Random(5).sample(clips, len(clips))
    assert make(clips, folds=4, seed=1) == make(shuffled, folds=4, seed=1)
    assert make(clips, folds=4, seed=1) != make(clips, folds=4, seed=2)


def test_folds_are_the_same_on_every_machine():
    clips = uneven(num_signers=7, num_glosses=3, seed=2)
    by_signer = {c.signer: fold for c in clips for fold in [signer_folds(clips, folds=3, seed=42)[c.clip_id]]}
    assert by_signer == {"s0": 0, "s1": 1, "s2": 0, "s3": 0, "s4": 1, "s5": 2, "s6": 2}  # as first made, on x86-64


def test_fewer_signers_than_folds_are_refused():
    clips = uneven(num_signers=4, num_glosses=2, seed=0)
    with pytest.raises(DataError, match=r"Only 4 signers \(s0, s1, s2, s3\): kfold_signer needs 5. Lower"):
        signer_folds(clips, folds=5, seed=0)
    clips[0].signer = ""
    with pytest.raises(DataError, match=r"1 of \d+ clips have no signer"):
        signer_folds(clips, folds=3, seed=0)
