"""From the settings to clips with splits: folds that belong together, partial glosses, learning curves."""

from collections import Counter

import pytest

from sign_recog.config.split import SplitConfig, SplitStrategy
from sign_recog.corpora.splits import divide, leakage
from sign_recog.errors import DataError
from sign_recog.storage.manifest import Clip


def settings(strategy: str, **changes) -> SplitConfig:
    values = {
        "val_share": 0.2, "test_share": 0.2, "folds": 4, "fold": 0, "seed": 1, "drop_partial_glosses": False,
        "train_share": 1.0,
    }  # fmt: skip
    return SplitConfig(strategy=SplitStrategy(strategy), **(values | changes))


def corpus(*, everywhere: int = 3, signers: int = 8) -> list[Clip]:
    """Glosses that all sign, and one that only the first two sign."""
    clips = [Clip(f"s{s}_g{g}", signer=f"s{s}", gloss=f"g{g}") for s in range(signers) for g in range(everywhere)]
    return [*clips, *(Clip(f"s{s}_rare", signer=f"s{s}", gloss="rare") for s in range(2))]


@pytest.mark.parametrize("strategy", ["kfold", "kfold_signer"])
def test_over_the_folds_each_clip_is_tested_once_and_validated_once(strategy):
    clips = [clip for clip in corpus() if clip.gloss != "rare"]
    tested, validated = Counter(), Counter()
    for fold in range(4):
        divided, notes = divide(clips, settings(strategy, fold=fold))
        assert [c.clip_id for c in divided] == [c.clip_id for c in clips] and notes == []
        tested.update(c.clip_id for c in divided if c.split == "test")
        validated.update(c.clip_id for c in divided if c.split == "val")
        if strategy == "kfold_signer":
            assert leakage(divided) == []
    assert tested == validated == Counter(c.clip_id for c in clips)


@pytest.mark.parametrize("strategy", ["kfold", "kfold_signer"])
def test_glosses_that_a_fold_lacks_are_left_out_of_every_fold_and_named(strategy):
    for fold in range(4):
        divided, notes = divide(corpus(), settings(strategy, fold=fold, drop_partial_glosses=True))
        assert {c.gloss for c in divided} == {"g0", "g1", "g2"}
        assert notes == ["1 glosses are left out, since one of the 4 folds lacks them: rare."]


def test_a_gloss_that_some_fold_could_not_learn_is_refused_in_every_fold():
    clips = [clip for clip in corpus() if clip.clip_id != "s1_rare"]  # a single clip: never in train when it is tested
    for fold in range(4):
        with pytest.raises(DataError, match=r"rare: in fold \d alone\n.*data.exclude_glosses=\[rare\]"):
            divide(clips, settings("kfold", fold=fold))


def test_glosses_that_a_split_lacks_are_left_out_of_a_division_by_shares():
    divided, notes = divide(corpus(), settings("signer_disjoint", drop_partial_glosses=True))
    assert {c.gloss for c in divided} == {"g0", "g1", "g2"}
    assert notes == ["1 glosses are left out, since a split lacks them: rare."]


def test_a_train_share_leaves_the_test_clips_of_a_fold_whole():
    whole, _ = divide(corpus(everywhere=2), settings("kfold", drop_partial_glosses=True))
    part, notes = divide(corpus(everywhere=2), settings("kfold", drop_partial_glosses=True, train_share=0.5))
    for split, count in (("train", 4), ("val", 4), ("test", 4)):
        assert sum(c.split == split for c in part) == count
    assert {c.clip_id for c in part} < {c.clip_id for c in whole}
    assert notes[-1] == "data.split.train_share=0.5 keeps 4 of 8 train clips."


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"folds": 2}, r"data.split.folds=2 must be at least 3"),
        ({"fold": 4}, r"data.split.fold=4 must be in 0..3"),
        ({"fold": -1}, r"data.split.fold=-1 must be in 0..3"),
        ({"train_share": 0.0}, r"data.split.train_share=0.0 must be above 0"),
        ({"train_share": 1.5}, r"data.split.train_share=1.5 must be above 0"),
    ],
)
def test_wrong_settings_are_named(changes, problem):
    (found,) = settings("kfold", **changes).problems()
    assert problem in found
    assert settings("kfold").problems() == settings("given", folds=0).problems() == []
