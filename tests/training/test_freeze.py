"""Frozen parts neither learn nor drop out, and are freed once, when the rest has converged."""

import pytest
import torch
from small_training import SmallNetwork, SmallTraining, trainer_settings, transfer_settings

from sign_recog.errors import ConfigError
from sign_recog.storage import checkpoint
from sign_recog.training.freeze import Freeze, freeze_parts


def train(folder, *, max_epochs=3, lr=0.02, schedule=lambda step: 1.0, **transfer) -> SmallTraining:
    settings = transfer_settings(**transfer)
    trainer = trainer_settings(max_epochs=max_epochs, early_stopping__enabled=False)
    return SmallTraining(
        folder, trainer, lr=lr, schedule=schedule, make_callbacks=lambda network: [Freeze(network, settings)]
    )


def moved(before, after) -> set[str]:
    return {name.rpartition(".")[0] for name in before if not torch.equal(before[name], after[name])}


def test_s0_nested_names_freeze(tmp_path):
    training = train(tmp_path, freeze_parts=["layers.0", "projection"])
    before = training.weights()
    assert moved(before, training.fit().weights()) == {"layers.1.0", "layers.1.1", "heads.gloss.1"}


def test_s0_frozen_parts_stay_in_eval_mode(tmp_path):
    training = train(tmp_path, freeze_parts=["layers.0"]).fit()
    for _ in range(2):
        training.module.train()
        assert [m.training for m in training.network.layers] == [False, True]
        training.module.eval()
    training.module.train()
    network, x = training.network, torch.randn(5, 8)
    assert torch.equal(network.layers[0](x), network.layers[0](x))  # no dropout
    assert network.layers[0][1].num_batches_tracked == 0  # running statistics as they were
    assert network.layers[1][1].num_batches_tracked == 18


def test_an_unknown_part_is_named_with_the_parts_there_are():
    with pytest.raises(ConfigError, match=r"transfer.freeze_parts.*'layers.7'(.|\n)*projection, .*layers.0"):
        freeze_parts(SmallNetwork(), ["layers.7"], "transfer.freeze_parts")
    with pytest.raises(ConfigError, match=r"transfer.keep_frozen.*'body'"):
        Freeze(
            SmallNetwork(),
            transfer_settings(freeze_parts=["layers"], freeze_until_convergence=True, keep_frozen=["body"]),
        )


def test_a_network_frozen_as_a_whole_is_refused():
    with pytest.raises(ConfigError, match="leave nothing of the network to train"):
        freeze_parts(SmallNetwork(), ["projection", "layers", "heads"], "transfer.freeze_parts")


# With lr 0 and parts frozen val_loss never falls after the first evaluation.
STALLED = {"lr": 0.0, "freeze_parts": ["projection", "layers"], "freeze_until_convergence": True, "patience": 2}


def test_after_patience_all_but_keep_frozen_learn_once(tmp_path):
    training = train(tmp_path, max_epochs=5, keep_frozen=["layers.1"], lr_after_unfreeze=0.01, **STALLED)
    before = training.weights()
    assert moved(before, training.fit().weights()) == {"projection", "layers.0.0", "layers.0.1", "heads.gloss.1"}
    assert training.trainer.optimizers[0].param_groups[0]["lr"] == 0.01
    assert [m.training for m in training.module.train().network.layers] == [True, False]


@pytest.mark.parametrize("patience", [1, 3])
def test_s0_patience_before_unfreezing_is_a_setting(tmp_path, patience):
    """S0 always waited for five evaluations. Here the first is the best, and ``patience`` others are not lower."""
    for epochs in (patience, patience + 1):
        training = train(tmp_path / str(epochs), max_epochs=epochs, **(STALLED | {"patience": patience})).fit()
        assert checkpoint.load(training.last)["callbacks"]["Freeze"]["fired"] == (epochs > patience)


def test_s0_unfreeze_counter_is_in_the_checkpoint(tmp_path):
    def state(folder, epochs):
        training = train(folder, max_epochs=epochs, **STALLED).fit()
        callbacks = checkpoint.load(training.last)["callbacks"]
        return callbacks["Freeze"], training

    first, _ = state(tmp_path, 2)
    assert (first["waited"], first["fired"]) == (
        1,
        False,
    )  # the first evaluation was the best, the second was not lower
    second, training = state(tmp_path, 3)  # a resumed training counts on; an own counter would start from 0
    assert (second["waited"], second["fired"]) == (2, True)
    assert all(p.requires_grad for p in training.network.parameters())
    third, training = state(tmp_path, 4)
    assert third["fired"] and all(p.requires_grad for p in training.network.parameters())


def test_s0_a_sanity_check_does_not_count(tmp_path):
    training = train(tmp_path, max_epochs=1, **STALLED)
    training.trainer.num_sanity_val_steps = 2
    training.fit()
    assert checkpoint.load(training.last)["callbacks"]["Freeze"]["waited"] == 0


def test_freed_parts_drop_out_again_at_once_as_after_a_resume(tmp_path):
    """Lightning restored the modes of before the validation, so freed parts stayed in eval until a resume."""

    def fitted(folder, epochs):
        settings, seen = transfer_settings(**{k: v for k, v in STALLED.items() if k != "lr"}), []

        class Watched(Freeze):
            def on_train_batch_start(self, trainer, pl_module, *batch):
                super().on_train_batch_start(trainer, pl_module, *batch)
                seen.append((trainer.current_epoch, [layer[2].training for layer in pl_module.network.layers]))

        trainer = trainer_settings(max_epochs=epochs, early_stopping__enabled=False)
        training = SmallTraining(folder, trainer, lr=0.0, make_callbacks=lambda network: [Watched(network, settings)])
        return training.fit().weights(), dict(seen)

    whole, modes = fitted(tmp_path / "whole", 5)
    assert modes == {epoch: [epoch > 2] * 2 for epoch in range(5)}  # freed after the third evaluation
    fitted(tmp_path / "resumed", 3)
    resumed, modes = fitted(tmp_path / "resumed", 5)
    assert modes == {3: [True, True], 4: [True, True]}
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_schedule_goes_on_from_the_new_rate_in_proportion_and_never_above(tmp_path):
    """A schedule that falls for 30 steps and rises again, as warm restarts do; freed after 3 epochs of 6 steps."""
    rates = []

    def factor(step: int) -> float:
        return 1 - step / 60 if step < 30 else 1.0

    class FreedInEpoch3(Freeze):
        def on_train_batch_start(self, trainer, *batch):
            super().on_train_batch_start(trainer, *batch)
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

        def on_validation_end(self, trainer, pl_module):
            self._best = 0.0 if trainer.current_epoch == 2 else float("inf")
            super().on_validation_end(trainer, pl_module)

    settings = transfer_settings(
        freeze_parts=["projection"], freeze_until_convergence=True, patience=1, lr_after_unfreeze=0.001
    )
    SmallTraining(
        tmp_path,
        trainer_settings(max_epochs=6, early_stopping__enabled=False),
        lr=0.1,
        schedule=factor,
        make_callbacks=lambda network: [FreedInEpoch3(network, settings)],
    ).fit()
    assert rates[:18] == pytest.approx([0.1 * factor(step) for step in range(18)])
    assert rates[18:30] == pytest.approx([0.001 * factor(step) / factor(18) for step in range(18, 30)])
    assert rates[30:] == pytest.approx([0.001] * 6)
