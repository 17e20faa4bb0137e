"""Features as network input: what is stored, whatever the extractor, and augmented copies in turn."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sign_recog.config.modalities.features import FeatureScaling, FeaturesModality
from sign_recog.data.datamodule import build_dataset, build_loader
from sign_recog.data.features import FeatureReader
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.augment import Jitter, Resample, TimeMask, Yaw
from sign_recog.stages.build import stored_reader
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.features import FeatureSequence, write_features
from sign_recog.storage.manifest import Clip

FEATURES = np.random.default_rng(0).normal(3, 2, (6, 4)).astype(np.float16)


def reader(scaling=FeatureScaling.none, point_size=1, copies=0) -> FeatureReader:
    return FeatureReader(FeaturesModality("unused", "extract_features", scaling, point_size, copies))


def test_what_is_stored_is_read_as_float32(tmp_path):
    write_features(tmp_path / "a.npz", FeatureSequence(FEATURES, np.arange(6)))
    frames = reader().read(tmp_path / "a.npz")
    assert frames.dtype == np.float32 and np.array_equal(frames, FEATURES.astype(np.float32))


def test_scaling_by_the_clip_takes_its_mean_and_deviation_away():
    frames = reader(FeatureScaling.clip).frames(FeatureSequence(FEATURES, np.arange(6)), "a")
    assert frames.mean() == pytest.approx(0, abs=1e-5) and frames.std() == pytest.approx(1, abs=1e-5)


def test_a_constant_clip_stays_finite():
    frames = reader(FeatureScaling.clip).frames(FeatureSequence(np.ones((3, 2), np.float32), np.arange(3)), "a")
    assert np.isfinite(frames).all()


def test_a_clip_without_windows_is_refused():
    with pytest.raises(DataError, match="holds no window"):
        reader().frames(FeatureSequence(np.ones((0, 2), np.float32), np.arange(0)), "a")


def test_augmentations_of_time_and_noise_work_on_features():
    batch, lengths = np.stack([FEATURES, FEATURES]).astype(np.float32), np.array([6, 6])
    slower, slower_lengths = reader().augmented(batch.copy(), lengths, [Resample(0.5, 0.5)], np.random.default_rng(1))
    changes = [Resample(0.5, 0.5), Jitter(0.1), TimeMask(0.5)]
    changed, _ = reader().augmented(batch.copy(), lengths, changes, np.random.default_rng(1))
    assert changed.shape == slower.shape == (2, 12, 4) and slower_lengths.tolist() == [12, 12]
    assert changed.dtype == np.float32 and not np.allclose(changed, slower)


def test_features_that_are_points_are_turned_as_points():
    batch = np.random.default_rng(1).normal(size=(2, 5, 6)).astype(np.float32)
    yaw = Yaw(90, coordinates=3)
    turned, _ = reader(point_size=3).augmented(batch.copy(), np.array([5, 5]), [yaw], np.random.default_rng(2))
    before, after = (values.reshape(2, 5, 2, 3) for values in (batch, turned))
    np.testing.assert_allclose(np.linalg.norm(after, axis=-1), np.linalg.norm(before, axis=-1), rtol=1e-5)
    np.testing.assert_array_equal(after[..., 1], before[..., 1])
    assert not np.allclose(after[..., 0], before[..., 0])
    with pytest.raises(ConfigError, match="point_size=4 does not divide the 6 features"):
        reader(point_size=4).augmented(batch, np.array([5, 5]), [yaw], np.random.default_rng(2))


CLIPS = [Clip(f"{split}/{i}", split=split, gloss="a") for split, n in (("train", 7), ("val", 2)) for i in range(n)]


@pytest.fixture
def corpus(tmp_path) -> PreparedCorpus:
    """Plain features of all clips and 3 copies of the train clips; every value is 100 * copy + clip."""
    made = PreparedCorpus(tmp_path / "own/manifests/x", list(CLIPS), None, {"given": []})
    for copy in range(4):
        for i, clip in enumerate(CLIPS):
            if copy == 0 or clip.split == "train":
                write_copy(made, copy, i)
        write_extraction(made, copy, weights="w")
    return made


def folder_of(corpus: PreparedCorpus, copy: int) -> Path:
    return corpus.augmented_dir("net", copy) if copy else corpus.features_dir("net")


def write_copy(corpus: PreparedCorpus, copy: int, i: int, *, length: int = 0, dim: int = 2) -> None:
    features = np.full((length or 2 + i % 3, dim), 100 * copy + i, np.float32)
    sequence = FeatureSequence(features, np.arange(len(features)))
    write_features(folder_of(corpus, copy) / f"{CLIPS[i].clip_id}.npz", sequence)


def write_extraction(corpus: PreparedCorpus, copy: int, **changed) -> None:
    content = {"extractor": "net", "options": {"stride": 8}, **changed} | ({"augmentation": copy} if copy else {})
    (folder_of(corpus, copy) / "extraction.json").write_text(json.dumps(content))


def loader_of(corpus: PreparedCorpus, copies: int, split: str = "train", **settings):
    clips = corpus.of_split(split)
    dataset = build_dataset(
        corpus, clips, Vocabulary.from_clips(CLIPS), reader(copies=copies), extractor="net", train=split == "train"
    )
    return build_loader(
        dataset, batch_size=3, seed=1, shuffle=split == "train", bucketing=True, **{"num_workers": 0} | settings
    )


def seen(loader, epoch: int) -> dict[str, set[float]]:
    """clip_id -> the values that it was read as in an epoch."""
    loader.batch_sampler.set_epoch(epoch)
    found: dict[str, set[float]] = {}
    for batch in loader:
        for name, values, padding in zip(batch["clip_id"], batch["sequence"], batch["padding_mask"], strict=True):
            found.setdefault(name, set()).update(values[~padding].flatten().tolist())
    return found


@pytest.mark.parametrize("num_workers", [0, 2])
def test_each_epoch_reads_the_next_copy_of_every_train_clip(corpus, num_workers):
    loader = loader_of(corpus, copies=3, num_workers=num_workers)
    for epoch in (0, 1, 2, 3, 7):
        copy = 1 + epoch % 3
        assert seen(loader, epoch) == {clip.clip_id: {100.0 * copy + i} for i, clip in enumerate(CLIPS[:7])}


def test_an_epoch_that_is_repeated_reads_the_same_in_the_same_order(corpus):
    first, second = (list(loader_of(corpus, copies=2)) for _ in range(2))
    assert all(torch.equal(a["sequence"], b["sequence"]) for a, b in zip(first, second, strict=True))


def test_a_batch_of_two_epochs_reads_each_clip_from_its_own(corpus):
    dataset = loader_of(corpus, copies=3).dataset
    batch = dataset.__getitems__([(0, 4), (1, 5), (2, 4)])
    assert batch["sequence"][:, 0, 0].tolist() == [104.0, 205.0, 304.0]


def test_validation_and_a_training_without_copies_read_the_plain_features(corpus):
    assert seen(loader_of(corpus, 3, "val"), 1) == {"val/0": {7.0}, "val/1": {8.0}}
    assert seen(loader_of(corpus, 0), 1) == {clip.clip_id: {float(i)} for i, clip in enumerate(CLIPS[:7])}


def test_copies_change_no_pack_of_the_plain_features_and_no_copy_s_pack_replaces_another_s(corpus):
    def packs() -> set[str]:
        return {path.name for path in (corpus.root / "cache").iterdir()}

    loader_of(corpus, 0), loader_of(corpus, 0, "val")
    before = packs()
    loader_of(corpus, 3), loader_of(corpus, 3, "val")
    assert before < packs() and len(packs()) == len(before) + 3
    for i in range(7):
        features = FeatureSequence(np.full((2 + i % 3, 2), 5, np.float32), np.arange(2 + i % 3))
        write_features(corpus.augmented_dir("other", 1) / f"{CLIPS[i].clip_id}.npz", features)
    before = packs()
    reader(copies=1).open_copies(corpus, CLIPS[:7], "other")
    assert before < packs()


def test_missing_copies_are_refused_with_the_command_that_makes_them(corpus):
    (folder_of(corpus, 2) / "train/3.npz").unlink()
    loader_of(corpus, copies=1)
    with pytest.raises(DataError) as caught:
        loader_of(corpus, copies=4)
    expected = [
        "run=extract_features run.augmented_copies=4", "2 of the copies are not whole",
        "net/2 lacks 1 of 7 train clips (train/3)", "net/4 lacks 7 of 7 train clips (train/0, train/1, train/2, ...)",
    ]  # fmt: skip
    assert [text for text in expected if text not in str(caught.value)] == []


def test_copies_of_other_lengths_or_widths_are_refused(corpus):
    write_copy(corpus, 2, 3, length=9)
    with pytest.raises(DataError, match=r"1 clips have another number of windows than in .*\(train/3: 9 and 2\)"):
        loader_of(corpus, copies=2)
    for i in range(7):
        write_copy(corpus, 2, i, dim=3)
    with pytest.raises(DataError, match=r"a window has 3 values, and in .* 2"):
        loader_of(corpus, copies=2)


def test_copies_of_another_network_are_refused(corpus):
    write_extraction(corpus, 2, weights="others")
    with pytest.raises(DataError, match=r"different settings \(weights others and w\)"):
        loader_of(corpus, copies=2)


def test_checkpoints_from_before_there_were_copies_are_read():
    stored = {"_target_": "sign_recog.data.features.FeatureReader", "extraction": "extract_features"}
    assert stored_reader(stored | {"scaling": "none", "point_size": 1}).modality.augmented_copies == 0
