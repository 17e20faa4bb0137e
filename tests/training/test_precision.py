"""Precision, compilation, accelerator: what the machine lacks is said before training."""

import logging

import pytest
import torch
from small_training import SmallNetwork, SmallTraining, trainer_settings

from sign_recog.errors import ConfigError
from sign_recog.storage.checkpoint import read_checkpoint
from sign_recog.training import precision

without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="about machines without a GPU")


def test_bf16_trains_on_a_cpu_and_keeps_float32_weights(tmp_path):
    training = SmallTraining(tmp_path, trainer_settings(precision="bf16-mixed", max_epochs=30)).fit()
    last = read_checkpoint(training.last)
    assert last.weights["projection.weight"].dtype == torch.float32
    assert last.metrics["val_loss"] < 0.8  # guessing one of three gives 1.1


def test_bf16_really_computes_in_bf16(tmp_path):
    seen = set()
    training = SmallTraining(tmp_path, trainer_settings(precision="bf16-mixed", max_epochs=1))
    training.network.projection.register_forward_hook(lambda module, args, output: seen.add(output.dtype))
    training.fit()
    assert seen == {torch.bfloat16}


@without_gpu
def test_fp16_without_a_gpu_is_bf16_and_the_log_says_so(caplog):
    with caplog.at_level(logging.WARNING):
        assert precision.usable_precision(trainer_settings(precision="16-mixed")) == "bf16-mixed"
    assert "16-mixed needs a CUDA GPU; without one this training runs in bf16-mixed" in caplog.text


@without_gpu
def test_a_gpu_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"trainer\.accelerator=gpu, but torch finds none"):
        SmallTraining(tmp_path, trainer_settings(accelerator="gpu"))


def test_s1_compile_keeps_checkpoint_names(tmp_path, monkeypatch):
    """Compiled in place: the same names as without, so either reads the other's checkpoints."""
    monkeypatch.setattr(SmallNetwork, "compile", lambda self: torch.nn.Module.compile(self, backend="eager"))
    settings = trainer_settings(max_epochs=2, ema__enabled=True)
    plain, compiled = (SmallTraining(tmp_path / name, settings) for name in ("plain", "compiled"))
    precision.compile_network(compiled.network, settings)
    assert compiled.network._compiled_call_impl is not None
    first, second = (read_checkpoint(t.fit().last).weights for t in (plain, compiled))
    assert first.keys() == second.keys()
    assert all(torch.allclose(first[name], second[name], atol=1e-5) for name in first)


@pytest.mark.slow
def test_the_default_compiler_trains(tmp_path):
    settings = trainer_settings(max_epochs=1)
    training = SmallTraining(tmp_path, settings)
    precision.compile_network(training.network, settings)
    plain = SmallTraining(tmp_path / "plain", settings).fit()
    first, second = (read_checkpoint(t.last).metrics["val_loss"] for t in (plain, training.fit()))
    assert first == pytest.approx(second, abs=0.05)  # dropout draws other numbers when compiled


def test_without_a_compiler_compiling_is_refused_before_training(monkeypatch):
    monkeypatch.setattr(precision.shutil, "which", lambda name: None)
    monkeypatch.setenv("CXX", "icpx")
    with pytest.raises(ConfigError, match=r"compiler, and none of icpx, c\+\+, g\+\+(.|\n)*trainer.compile=false"):
        precision.compile_network(SmallNetwork(), trainer_settings())


@pytest.mark.parametrize(
    ("gpus", "settings", "found"),
    [
        (0, {"devices": "auto"}, 1),
        (0, {"devices": 3, "accelerator": "cpu"}, 3),
        (0, {"devices": 2, "accelerator": "auto"}, 2),
        (4, {"devices": "auto", "accelerator": "auto"}, 4),
        (4, {"devices": 2, "accelerator": "gpu"}, 2),
        (4, {"devices": "auto", "accelerator": "cpu"}, 1),
        (2, {"devices": 3, "accelerator": "gpu"}, r"trainer\.devices=3, but torch finds 2 CUDA GPUs"),
        (1, {"devices": 2, "accelerator": "auto"}, r"torch finds 1 CUDA GPU on .* trainer\.accelerator=cpu"),
        (8, {"devices": "auto", "accelerator": "auto"}, r"auto are 8 GPUs here, and trainer\.batch_size=4 clips"),
    ],
)
def test_devices_are_those_of_the_machine(monkeypatch, gpus, settings, found):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    own = trainer_settings(**settings)
    if isinstance(found, int):
        assert precision.num_devices(own) == found
    else:
        with pytest.raises(ConfigError, match=found):
            precision.num_devices(own)
