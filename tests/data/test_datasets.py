"""Batches: padding, masks, and randomness that depends on seed, epoch and clip alone."""

import numpy as np
import pytest
import torch
from conftest import load_config

from sign_recog.data.datamodule import build_dataset, build_loader, with_keypoints
from sign_recog.data.datasets import collate
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import DataError
from sign_recog.landmarks.augment import Jitter, Resample
from sign_recog.storage.corpus import open_corpus

CHANGES = (Resample(0.5, 1.5), Jitter(0.1))


@pytest.fixture
def loader_of(tiny, tmp_path):
    tiny()
    corpus = open_corpus(tmp_path / "data/tiny")

    def build(num_workers: int = 0, seed: int = 1, augmentations=CHANGES):
        clips, _ = with_keypoints(corpus, "train", "mediapipe_holistic")
        vocabulary = Vocabulary.from_clips(clips)
        dataset = build_dataset(
            corpus, clips, vocabulary, load_config().modality, extractor="mediapipe_holistic",
            augmentations=augmentations, seed=seed,
        )  # fmt: skip
        return build_loader(dataset, batch_size=4, seed=seed, shuffle=True, bucketing=True, num_workers=num_workers)

    return build


def test_collate_pads_at_the_end_and_marks_it():
    items = [(np.full((n, 2), n, np.float32), n, -1, str(n)) for n in (3, 1)]
    batch = collate(items)
    assert batch["sequence"].shape == (2, 3, 2)
    assert batch["padding_mask"].tolist() == [[False] * 3, [False, True, True]]
    assert batch["sequence"][1, 1:].abs().sum() == 0
    assert (
        batch["gloss"].tolist() == [3, 1] and batch["category"].tolist() == [-1, -1] and batch["clip_id"] == ["3", "1"]
    )


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
    tiny()
    with pytest.raises(DataError, match="Run run=extract_keypoints"):
        with_keypoints(open_corpus(tmp_path / "data/tiny"), "train", "other_extractor")
