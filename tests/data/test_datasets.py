"""Batches: padding, masks, and randomness that depends on seed, epoch and clip alone."""

import numpy as np
import pytest
import torch

from sign_recog.data.datamodule import build_dataset, build_loader, with_inputs
from sign_recog.data.datasets import pad, padding_mask
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import DataError
from sign_recog.landmarks.augment import Jitter, Resample
from sign_recog.stages.build import build_reader
from sign_recog.stages.run_folder import prepared

CHANGES = (Resample(0.5, 1.5), Jitter(0.1))


@pytest.fixture
def loader_of(tiny, tmp_path):
    config = tiny()
    corpus, reader = prepared(config), build_reader(config.modality)

    def build(num_workers: int = 0, seed: int = 1, augmentations=CHANGES):
        clips, _ = with_inputs(corpus, "train", reader, "mediapipe_holistic")
        dataset = build_dataset(
            corpus, clips, Vocabulary.from_clips(clips), reader, extractor="mediapipe_holistic",
            train=True, augmentations=augmentations, seed=seed,
        )  # fmt: skip
        return build_loader(dataset, batch_size=4, seed=seed, shuffle=True, bucketing=True, num_workers=num_workers)

    return build


@pytest.mark.parametrize("shape", [(2,), (3, 4, 4)])
def test_padding_stands_at_the_end_and_is_marked(shape):
    sequence, lengths = pad([np.full((n, *shape), n, np.float32) for n in (3, 1)])
    assert sequence.shape == (2, 3, *shape) and lengths.tolist() == [3, 1]
    assert padding_mask(lengths).tolist() == [[False] * 3, [False, True, True]]
    assert not sequence[1, 1:].any() and (sequence[1, 0] == 1).all()


def test_padding_is_zero_after_augmentation_too(loader_of):
    for batch in loader_of():
        assert not batch["sequence"][batch["padding_mask"]].any()
        assert batch["padding_mask"].shape == batch["sequence"].shape[:2]


def test_a_batch_holds_its_clips_labels(loader_of):
    loader = loader_of()
    labels = loader.dataset.labels
    for batch in loader:
        rows = [loader.dataset.clip_ids.index(name) for name in batch["clip_id"]]
        assert batch["gloss"].tolist() == [labels.glosses[i] for i in rows]
        assert batch["category"].tolist() == [labels.categories[i] for i in rows]


def test_the_same_seed_gives_the_same_batches_whatever_the_number_of_processes(loader_of):
    alone, beside, other = list(loader_of()), list(loader_of(num_workers=2)), list(loader_of(seed=2))
    assert all(torch.equal(a["sequence"], b["sequence"]) for a, b in zip(alone, beside, strict=True))
    assert any(a["sequence"].shape != b["sequence"].shape for a, b in zip(alone, other, strict=True))


def test_another_epoch_draws_other_changes(loader_of):
    loader = loader_of(augmentations=(Jitter(0.1),))
    first = {i: s for b in loader for i, s in zip(b["clip_id"], b["sequence"], strict=True)}
    loader.batch_sampler.set_epoch(1)
    second = {i: s for b in loader for i, s in zip(b["clip_id"], b["sequence"], strict=True)}
    assert all(not torch.equal(first[i][:5], second[i][:5]) for i in first)


def test_a_split_without_keypoints_says_what_to_run(tiny, tmp_path):
    config = tiny()
    with pytest.raises(DataError, match="Run run=extract_keypoints"):
        with_inputs(prepared(config), "train", build_reader(config.modality), "other_extractor")
