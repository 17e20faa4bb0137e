"""Selections of glosses, and points of a learning curve."""

import random
from collections import Counter

import pytest

from sign_recog.corpora.splits import select_glosses, take_train_share
from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip


def test_glosses_are_selected_by_name():
    clips = [Clip(g, gloss=g) for g in ("HELLO", "HELP", "YES", "안녕")]
    assert [c.gloss for c in select_glosses(clips)] == ["HELLO", "HELP", "YES", "안녕"]
    assert [c.gloss for c in select_glosses(clips, ["YES", "HELLO"])] == ["HELLO", "YES"]
    assert [c.gloss for c in select_glosses(clips, None, ["YES"])] == ["HELLO", "HELP", "안녕"]
    assert [c.gloss for c in select_glosses(clips, ["YES", "안녕"], ["YES"])] == ["안녕"]


def test_unknown_glosses_are_refused_with_close_names():
    clips = [Clip(g, gloss=g) for g in ("HELLO", "HELP", "YES")]
    with pytest.raises(DataError) as caught:
        select_glosses(clips, ["hello", "YES"], ["Zebra"])
    assert "2 glosses are not in the corpus, which has 3" in str(caught.value)
    assert "'hello': did you mean HELLO" in str(caught.value)
    assert "'Zebra'" in str(caught.value)
    with pytest.raises(DataError, match="leave no clip"):
        select_glosses(clips, ["YES"], ["YES"])


def corpus() -> list[Clip]:
    sizes = {"A": 40, "B": 10, "C": 3, "D": 1}
    return [
        Clip(f"{split}{gloss}{i}", gloss=gloss, split=split)
        for split in ("train", "val", "test")
        for gloss, count in sizes.items()
        for i in range(count)
    ]


def test_s0_learning_curve_cuts_train_only_and_is_stratified():
    clips = corpus()
    kept = take_train_share(clips, 0.25, seed=1)
    for split in ("val", "test"):
        assert [c for c in kept if c.split == split] == [c for c in clips if c.split == split]
    assert Counter(c.gloss for c in kept if c.split == "train") == {"A": 10, "B": 2, "C": 1, "D": 1}
    ids = [c.clip_id for c in kept if c.split == "train" and c.gloss == "A"]
    assert ids != [f"trainA{i}" for i in range(10)]  # not simply the first


def test_a_smaller_train_share_is_contained_in_a_larger_one_whatever_the_order():
    clips, before = corpus(), set()
    for share in (0.05, 0.1, 0.2, 0.5, 0.9, 1.0):
        kept = {c.clip_id for c in take_train_share(clips, share, seed=3)}
        shuffled = random.Random(1).sample(clips, len(clips))
        assert kept == {c.clip_id for c in take_train_share(shuffled, share, seed=3)}
        assert before <= kept
        before = kept
    assert before == {c.clip_id for c in clips}
    first, second = ({c.clip_id for c in take_train_share(clips, 0.2, seed=seed)} for seed in (3, 4))
    assert first != second


def test_glosses_may_be_named_by_their_numbers_and_a_name_wins():
    clips = [Clip(g, gloss=g) for g in ("HELLO", "YES", "1")]
    assert [c.gloss for c in select_glosses(clips, ["0"], ids={"0": "HELLO", "1": "YES"})] == ["HELLO"]
    assert [c.gloss for c in select_glosses(clips, ["1"], ids={"0": "HELLO", "1": "YES"})] == ["1"]
    with pytest.raises(DataError, match=r"'7' \(numbered from 0 to 1\)"):
        select_glosses(clips, ["7"], ids={"0": "HELLO", "1": "YES"})
