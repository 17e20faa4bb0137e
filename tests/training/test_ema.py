"""The moving average: every step, evaluated, kept, and taken up again."""

import pytest
import torch
from small_training import Callback, SmallTraining, trainer_settings

from sign_recog.storage import checkpoint
from sign_recog.training.ema import ExponentialMovingAverage


class Spy(SmallTraining):
    """Notes the weights after every optimiser step, and those that validation sees."""

    def fit(self):
        self.steps, self.validated = [], []
        spy = self

        class Notes(Callback):
            def on_train_batch_end(self, trainer, *_):
                if trainer.global_step > len(spy.steps):
                    spy.steps.append(spy.weights())

            def on_validation_batch_end(self, *_):
                spy.validated.append(spy.weights())

        self.trainer.callbacks.insert(0, Notes())
        return super().fit()


def average_of(steps, decay):
    """The definition, step by step."""
    average = {name: value.double() for name, value in steps[0].items() if value.is_floating_point()}
    for update, weights in enumerate(steps[1:], start=1):
        keep = decay(update)
        average = {name: keep * value + (1 - keep) * weights[name].double() for name, value in average.items()}
    return average


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("warmup", [True, False])
def test_s1_ema_is_updated_every_step_and_saved(tmp_path, accumulate, warmup):
    ema = {"ema__enabled": True, "ema__decay": 0.9, "ema__warmup": warmup}
    training = Spy(tmp_path, trainer_settings(accumulate=accumulate, max_epochs=4, **ema)).fit()
    expected = average_of(training.steps, lambda t: min(0.9, (1 + t) / (10 + t)) if warmup else 0.9)
    saved = checkpoint.read_checkpoint(training.last).weights
    assert len(training.steps) == 4 * (6 // accumulate)
    for name, value in expected.items():
        assert torch.allclose(saved[name].double(), value, atol=1e-5), name
        assert torch.equal(training.validated[-1][name], saved[name]), name  # what was evaluated is what is kept
    assert not torch.allclose(saved["projection.weight"], training.steps[-1]["projection.weight"], atol=1e-4)


def test_going_on_from_a_checkpoint_continues_weights_and_average(tmp_path):
    settings = {"ema__enabled": True, "ema__decay": 0.95, "early_stopping__enabled": False}
    whole = SmallTraining(tmp_path / "whole", trainer_settings(max_epochs=4, **settings)).fit()
    SmallTraining(tmp_path / "parts", trainer_settings(max_epochs=2, **settings)).fit()
    parts = SmallTraining(tmp_path / "parts", trainer_settings(max_epochs=4, **settings)).fit()
    first, second = (checkpoint.load(t.last) for t in (whole, parts))
    for key in ("state_dict", "current_model_state", "averaging_state"):
        assert first[key].keys() == second[key].keys()
        assert all(torch.equal(first[key][name], second[key][name]) for name in first[key]), key


def test_the_memory_is_short_at_first():
    settings = trainer_settings(ema__enabled=True).ema
    decay = ExponentialMovingAverage(settings).decay
    assert decay(0) == 0.1 and decay(90) == 0.91 and decay(10**6) == settings.decay == 0.999
