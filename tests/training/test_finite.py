"""A loss or gradient that is no number ends the training, and the message names the clips."""

import math
import re

import pytest
import torch
from small_training import SmallNetwork, SmallTraining, trainer_settings

from sign_recog.errors import DataError
from sign_recog.training.finite import FiniteSteps


def spoil(training: SmallTraining, clip: int, value: float) -> None:
    training.loaders[0].dataset.sequences[clip] = value


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_clips_of_the_step_are_named_and_nothing_is_kept(tmp_path, accumulate):
    training = SmallTraining(tmp_path, trainer_settings(accumulate=accumulate))
    spoil(training, 5, math.inf)
    with pytest.raises(DataError, match=r"The loss is nan in epoch 1, batch \d, with the clips (.*)\. Check") as error:
        training.fit()
    named = re.search(r"with the clips (.*)\. Check", str(error.value))[1].split(", ")
    assert "clip5" in named and len(named) <= 4 * accumulate
    assert not training.last.exists()


def test_a_gradient_that_is_not_finite_is_caught_before_its_weights_are_used(tmp_path):
    class Steep(SmallNetwork):
        def forward(self, sequence, padding_mask):
            logits = super().forward(sequence, padding_mask)
            x = self.projection.weight.sum() * 0
            return {"gloss_logits": logits["gloss_logits"] + x.sqrt()}  # finite at 0, its slope is not

    training = SmallTraining(tmp_path, trainer_settings(), network=Steep())
    with pytest.raises(DataError, match=r"The gradient's norm is (nan|inf) in epoch 1, batch 1, with the clips clip"):
        training.fit()


def test_a_float16_scale_that_falls_for_ever_is_an_error_and_a_single_overflow_is_not():
    class Trainer:
        current_epoch = 0

        class precision_plugin:
            scaler = torch.amp.GradScaler("cpu", init_scale=1.0)

    guard = FiniteSteps()
    guard._clips = ["a", "b"]
    guard.on_before_optimizer_step(Trainer, None, None)
    Trainer.precision_plugin.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**-20)
    with pytest.raises(DataError, match=r"clips a, b\. Use trainer.precision=bf16-mixed"):
        guard.on_before_optimizer_step(Trainer, None, None)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("precision", ["32-true", "16-mixed"])
def test_on_a_gpu_the_clips_of_the_step_are_named_one_step_later(tmp_path, precision):
    SmallTraining(tmp_path / "good", trainer_settings(accelerator="gpu", precision=precision, ema__enabled=True)).fit()
    training = SmallTraining(tmp_path / "bad", trainer_settings(accelerator="gpu", precision=precision))
    spoil(training, 5, math.inf)
    with pytest.raises(DataError, match=r"The loss is nan in epoch 1, batch \d, with the clips .*clip5\b"):
        training.fit()
    assert not training.last.exists()
