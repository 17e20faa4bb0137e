"""The memory probe bounds every batch, names what fits, and leaves no trace in a training."""

import csv
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import write_tiny_corpus
from small_training import SmallTraining, trainer_settings
from small_translation import configure

from sign_recog import stages
from sign_recog.data.samplers import BucketBatchSampler
from sign_recog.data.sentence_batches import SentenceBatchSampler
from sign_recog.errors import ConfigError
from sign_recog.landmarks.augment import Resample
from sign_recog.storage.checkpoint import read_translation
from sign_recog.training import memory_probe
from sign_recog.training.memory_probe import (
    GpuMemory,
    MemoryProbe,
    Shape,
    largest_shapes,
    largest_that_fits,
    made_batch,
    possible_shapes,
)
from sign_recog.training.module import SignClassifier
from sign_recog.training.translation import Translator


class Watched(GpuMemory):
    """A CPU as if it were a GPU of 100 MB."""

    def is_watched(self, device):
        return True

    def begin(self):
        pass

    def peak_mb(self):
        return 60

    def total_mb(self):
        return 100


@pytest.fixture
def small_gpu(monkeypatch):
    """As if on a GPU that holds steps of so many places (clips x (frames + tokens)); all of them are noted."""
    tried = []

    def watch(places, wrong=None):
        def limited(compute):
            def probe_loss(self, batch):
                clips, frames = batch["sequence"].shape[:2]
                tried.append(clips * (frames + (batch["labels"].shape[1] if "labels" in batch else 0)))
                if tried[-1] > places:
                    raise wrong or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
                return compute(self, batch)

            return probe_loss

        for kind in (SignClassifier, Translator):
            monkeypatch.setattr(kind, "probe_loss", limited(kind.probe_loss))
        monkeypatch.setattr(memory_probe, "GpuMemory", Watched)
        return tried

    return watch


@pytest.mark.parametrize("least", [1, 7])
def test_the_largest_that_fits_is_found_to_a_thirty_second(least):
    for most in (8, 64, 1000, 16384):
        for threshold in (0, 1, 7, 20, 33, 500, 9999):
            calls = []

            def fits(value, threshold=threshold, calls=calls):
                calls.append(value)
                return value <= threshold

            found = largest_that_fits(fits, least=least, most=most)
            true = min(threshold, most - 1)
            assert len(calls) <= 16 and all(least <= value < most for value in calls)
            assert found is None if threshold < least else true - max(1, true // 32) <= found <= true


MEASURES = (
    lambda b, s, t: b * s * s, lambda b, s, t: b * (s + t), lambda b, s, t: b * s * t, lambda b, s, t: b * t,
)  # fmt: skip


@pytest.mark.parametrize(
    ("batch_size", "max_tokens", "bucketing"),
    [(8, 900, True), (64, 900, True), (500, 5000, True), (8, None, True), (8, None, False)],
)
def test_no_batch_of_any_epoch_is_larger_than_the_possible_ones(batch_size, max_tokens, bucketing):
    rng = np.random.default_rng(0)
    sources, targets = rng.integers(5, 300, 400), rng.integers(2, 60, 400)
    sampler = SentenceBatchSampler(
        sources, targets, batch_size=batch_size, max_tokens=max_tokens, seed=1, shuffle=True, bucketing=bucketing
    )
    seen = []
    for epoch in range(9):
        sampler.set_epoch(epoch)
        for batch in sampler.batches():
            index = [i for _, i in batch]
            seen.append((len(index), sources[index].max(), targets[index].max()))
    possible = possible_shapes(sampler, max_tokens or batch_size)
    kept = largest_shapes(possible)
    assert len(kept) <= 5 and set(kept) <= set(possible)
    for batch in seen:
        assert any(all(a >= b for a, b in zip(shape, batch, strict=True)) for shape in possible)
    for measure in MEASURES:
        most = max(measure(*shape) for shape in kept)
        assert most == max(measure(*shape) for shape in possible) >= max(measure(*batch) for batch in seen)
    if max_tokens is not None:
        assert all(s.clips * (s.source + s.target) <= max_tokens for s in possible if s.clips > 1)


def test_the_batches_of_recognition_are_of_the_longest_clips():
    sampler = BucketBatchSampler(np.array([3, 9, 5]), 2, seed=1, shuffle=True, bucketing=True)
    assert possible_shapes(sampler, 2) == [Shape(2, 9, 0)] and possible_shapes(sampler, 8) == [Shape(3, 9, 0)]


def test_a_slower_tempo_makes_clips_longer():
    change = Resample(slowest=0.5, fastest=1.5)
    assert change.stretch == 2 and Resample(slowest=1.2, fastest=1.5).stretch == 1


def test_a_process_probes_the_larger_share_of_a_batch(monkeypatch):
    """Of 5 clips that two processes share, one gets 3."""
    sampler = BucketBatchSampler(np.array([9] * 5), 5, seed=0, shuffle=True, bucketing=True)
    probe = MemoryProbe.__new__(MemoryProbe)
    probe._sampler, probe._loader = sampler, SimpleNamespace(dataset=SimpleNamespace(augmentations=[]))
    monkeypatch.setattr(memory_probe, "rank_and_size", lambda: (0, 2))
    assert probe._shapes(5) == [Shape(3, 9, 0)]


def test_a_made_batch_has_what_its_sample_has():
    sample = {
        "sequence": torch.ones(1, 3, 4), "padding_mask": torch.zeros(1, 3, dtype=torch.bool),
        "labels": torch.tensor([[7, 2]]), "gloss": torch.tensor([5]), "clip_id": ["a"],
    }  # fmt: skip
    made = made_batch(sample, Shape(2, 6, 3))
    assert made["sequence"].shape == (2, 6, 4) and made["padding_mask"].shape == (2, 6)
    assert made["labels"].tolist() == [[7] * 3] * 2 and made["gloss"].tolist() == [5, 5]
    assert made["clip_id"] == ["a", "a"] and not made["padding_mask"].any()


@pytest.mark.parametrize("sgd", [False, True])
def test_a_training_is_the_same_with_and_without(tmp_path, sgd, monkeypatch):
    """Weights, running means of a batch norm, the optimiser's state; and a resumed training's."""
    monkeypatch.setattr(memory_probe, "GpuMemory", Watched)
    found = []
    for name in ("without", "with"):
        folder = tmp_path / name
        for epochs in (2, 4):
            training = SmallTraining(folder, trainer_settings(max_epochs=epochs, accumulate=2), sgd=sgd)
            if name == "with":
                training.trainer.callbacks.append(MemoryProbe(training.loaders[0]))
            training.fit()
        found.append((training.weights(), torch.load(training.last, weights_only=True)))
    (weights, last), (own_weights, own_last) = found
    assert all(torch.equal(weights[name], own_weights[name]) for name in weights)
    states = [content["optimizer_states"][0]["state"] for content in (last, own_last)]
    assert states[0].keys() == states[1].keys()
    for key, own in states[0].items():
        assert all(
            torch.equal(torch.as_tensor(own[n]), torch.as_tensor(states[1][key][n])) for n in own if own[n] is not None
        )


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "epoch_time_s"} for row in csv.DictReader(file)]


def test_a_translator_s_training_is_the_same_with_and_without(tmp_path, small_gpu, caplog):
    tried = small_gpu(10_000)
    caplog.set_level("INFO")
    weights = []
    for probed in ("true", "false"):
        config = configure(
            tmp_path, "run=translate", "trainer.max_epochs=2", f"trainer.memory_probe={probed}", "trainer.accumulate=2",
            f"paths.run_dir={tmp_path / probed}",
        )  # fmt: skip
        count = len(tried)
        stages.run(config)
        assert (len(tried) > count) is (probed == "true")
        weights.append(read_translation(tmp_path / probed / "checkpoints/last.ckpt").weights)
    assert rows(tmp_path / "true") == rows(tmp_path / "false")
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert "the largest batch fits, with 60 of 100 MB" in caplog.text


def test_what_does_not_fit_ends_with_the_largest_that_does(tmp_path, small_gpu):
    short = ("run=translate", "trainer.max_epochs=1", "trainer.memory_probe=true")
    small_gpu(90)
    config = configure(tmp_path, *short)
    with pytest.raises(ConfigError) as said:
        stages.run(config)
    message = str(said.value)
    assert "translation.max_tokens=200: a batch of " in message and "does not fit into the GPU's 100 MB" in message
    found = int(message.partition("The largest that fits is translation.max_tokens=")[2].partition(".")[0])
    assert 85 <= found <= 96  # to 1 / 32, and what is left of max_tokens over whole clips
    assert not (Path(config.paths.run_dir) / "metrics.csv").exists()
    stages.run(configure(tmp_path, *short, f"translation.max_tokens={found}"))


def test_recognition_is_told_its_largest_batch(tiny, small_gpu):
    config = tiny("run=classify", "trainer.max_epochs=1", "trainer.memory_probe=true", "augment=none")
    write_tiny_corpus(config)
    small_gpu(40)
    with pytest.raises(ConfigError) as said:
        stages.run(config)
    size = config.trainer.batch_size
    found = re.search(rf"trainer.batch_size={size}: a batch of {size} clips of length (\d+) does not", str(said.value))
    fitting = 40 // int(found[1])
    assert 1 <= fitting < size and f"The largest that fits is trainer.batch_size={fitting}." in str(said.value)
    assert f"trainer.accumulate={-(-size // fitting)} " in str(said.value)


def test_where_not_one_clip_fits_that_is_said(tmp_path, small_gpu):
    small_gpu(3)
    with pytest.raises(ConfigError, match="Nor does a batch of 1 clip of length 8 with sentences"):
        stages.run(configure(tmp_path, "run=translate", "trainer.max_epochs=1"))


def test_other_errors_are_not_taken_for_it(tmp_path, small_gpu):
    small_gpu(3, wrong=RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        stages.run(configure(tmp_path, "run=translate", "trainer.max_epochs=1"))


def test_on_a_cpu_it_is_said_that_nothing_is_probed(tmp_path, caplog):
    caplog.set_level("INFO")
    stages.run(configure(tmp_path, "run=translate", "trainer.max_epochs=1"))
    assert "memory probe: only a CUDA GPU's memory is probed" in caplog.text


@pytest.mark.gpu
def test_on_a_gpu_a_batch_that_is_too_large_is_found_and_the_named_one_trains(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA GPU")
    wide = ("run=translate", "trainer.max_steps=2", "trainer.max_epochs=null", "trainer.accelerator=gpu")
    size = ("trainer.batch_size=120", "translation.max_tokens=null", "model.d_model=64", "model.ffn_dim=4000000")
    torch.cuda.set_per_process_memory_fraction(12 * 2**30 / torch.cuda.get_device_properties(0).total_memory)
    try:
        with pytest.raises(ConfigError, match=r"The largest that fits is trainer\.batch_size=") as said:
            stages.run(configure(tmp_path, *wide, *size))
        found = str(said.value).partition("The largest that fits is trainer.batch_size=")[2].partition(".")[0]
        stages.run(configure(tmp_path, *wide, *size, f"trainer.batch_size={found}"))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
