"""Clips with shuffled frames, and clips seen several times."""

import numpy as np
import pytest
import torch

from sign_recog.data.datamodule import build_loader
from sign_recog.data.datasets import ClipDataset
from sign_recog.data.views import ShuffledFrames, ViewDataset, mean_of_views, views_of
from sign_recog.data.vocabulary import Labels
from sign_recog.errors import ConfigError


class Made:
    """Clip i has i + 2 frames of 2 values: 100 i + frame, and a constant."""

    input_dim = 2

    def __init__(self, num_clips: int):
        self.lengths = np.arange(num_clips) + 2

    def read(self, index, rng):
        assert rng is None
        frames = 100 * index + np.arange(self.lengths[index])
        return np.stack([frames, np.ones_like(frames)], 1).astype(np.float32)


class MadeVideos(Made):
    """Frames of pictures, which can be seen in parts: view v adds 1000 (v + 1)."""

    def views(self, index, num_clips, num_crops):
        return [self.read(index, None) + 1000 * (v + 1) for v in range(num_clips * num_crops)]


def dataset_of(sequences) -> ClipDataset:
    num = len(sequences.lengths)
    labels = Labels(list(range(num)), [-1] * num, [0] * num)
    return ClipDataset(sequences, None, [f"clip{i}" for i in range(num)], labels, train=False)


def test_every_clip_takes_the_same_order_cut_to_its_length():
    order = np.array([3, 0, 4, 2, 1])
    shuffled = ShuffledFrames(Made(4), order)
    expected = {2: [0, 1], 3: [0, 2, 1], 4: [3, 0, 2, 1], 5: [3, 0, 4, 2, 1]}
    for index, length in enumerate(shuffled.lengths):
        assert (shuffled.read(index, None)[:, 0] - 100 * index).tolist() == expected[length]


def test_the_order_of_a_short_clip_is_that_of_its_first_keys():
    """The stored permutation stands for one vector of random keys, of which a clip of T frames sorts the first T."""
    keys = np.random.default_rng(0).random(40)
    shuffled = ShuffledFrames(Made(39), np.argsort(keys))
    for index, length in enumerate(shuffled.lengths):
        assert (shuffled.read(index, None)[:, 0] - 100 * index == np.argsort(keys[:length])).all()


def test_frames_keep_their_content_and_the_identity_changes_nothing():
    made = Made(9)
    for order in (np.arange(10), np.random.default_rng(1).permutation(10)):
        shuffled = ShuffledFrames(made, order)
        assert (shuffled.lengths == made.lengths).all() and shuffled.input_dim == 2
        for index in range(9):
            found, expected = shuffled.read(index, None), made.read(index, None)
            assert (np.sort(found, 0) == np.sort(expected, 0)).all()
            assert (order != np.arange(10)).any() or (found == expected).all()


@pytest.mark.parametrize("order", [[0, 0, 1], [1, 2, 3], [0, 2]])
def test_what_is_no_permutation_is_refused(order):
    with pytest.raises(ValueError, match="is no permutation"):
        ShuffledFrames(Made(2), np.array(order))


def test_a_clip_longer_than_the_order_is_refused():
    with pytest.raises(ValueError, match="5 frames cannot be put in an order of 4"):
        ShuffledFrames(Made(4), np.arange(4)).read(3, None)


def test_batches_hold_each_clips_views_together():
    dataset = ViewDataset(dataset_of(MadeVideos(5)), 2, 3)
    loader = build_loader(dataset, batch_size=2, seed=0, shuffle=False, bucketing=False, num_workers=0)
    batches = list(loader)
    assert [len(batch["gloss"]) for batch in batches] == [12, 12, 6]
    first = batches[0]
    assert first["clip_id"] == ["clip0"] * 6 + ["clip1"] * 6 and first["gloss"].tolist() == [0] * 6 + [1] * 6
    assert first["sequence"][:, 0, 0].tolist() == [*range(1000, 7000, 1000), *range(1100, 7100, 1000)]
    assert first["padding_mask"].tolist() == [[False, False, True]] * 6 + [[False] * 3] * 6


def test_one_view_is_what_is_read():
    made = MadeVideos(2)
    assert (views_of(made, 1, 1, 1)[0] == made.read(1, None)).all()


def test_views_of_shuffled_clips_are_shuffled():
    order = np.array([2, 0, 1])
    plain, shuffled = MadeVideos(2), ShuffledFrames(MadeVideos(2), order)
    for before, after in zip(plain.views(1, 2, 1), shuffled.views(1, 2, 1), strict=True):
        assert (after == before[order]).all()


@pytest.mark.parametrize("wrap", [lambda made: made, lambda made: ShuffledFrames(made, np.arange(9))])
def test_a_modality_without_views_says_so(wrap):
    with pytest.raises(ConfigError, match=r"num_clips=2.*Use 1 for both"):
        ViewDataset(dataset_of(wrap(Made(3))), 2, 1)
    ViewDataset(dataset_of(wrap(Made(3))), 1, 1)


def test_probabilities_not_logits_are_averaged():
    logits = np.random.default_rng(0).normal(0, 4, (6, 5)).astype(np.float32)
    found = torch.from_numpy(mean_of_views(logits, 3)).softmax(1).numpy()
    for clip in range(2):
        each = [np.exp(row) / np.exp(row).sum() for row in logits[3 * clip : 3 * clip + 3].astype(np.float64)]
        assert found[clip] == pytest.approx(sum(each) / 3, rel=1e-5)
    assert not np.allclose(found[0], torch.from_numpy(logits[:3].mean(0)).softmax(0).numpy(), atol=1e-2)


def test_a_view_that_is_sure_of_something_impossible_leaves_finite_numbers():
    found = mean_of_views(np.array([[2000.0, 0.0], [1000.0, 0.0]], np.float32), 2)
    assert np.isfinite(found).all() and found[0, 0] == pytest.approx(0)
