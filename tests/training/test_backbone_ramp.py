"""A backbone that waits: its rate in every step, beside any schedule, resumed, and never with random weights."""

import contextlib

import pytest
import torch
from small_pose import SmallPose, pose_settings, small_tracker
from small_training import Callback

from sign_recog.errors import ConfigError
from sign_recog.training.backbone_ramp import BackboneRamp

WAITS = {"unfreeze_epoch": 3, "unfreeze_start": 0.1, "unfreeze_growth": 4.0}
SHARES = [0, 0, 0.1, 0.4, 1.0, 1.0]  # of six epochs


def known():
    """A tracker whose backbone is said to have been trained."""
    network = small_tracker()
    network.pretrained = "weights.pt"
    return network


class Rates(Callback):
    """What the optimiser takes each step with, of the head and of the backbone; and if the backbone learns."""

    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, pl_module, *_):
        optimizer = trainer.optimizers[0]
        step = optimizer.step

        def recorded(*arguments, **settings):
            backbone = {id(p) for p in pl_module.network.backbone.parameters()}
            own = {id(g["params"][0]) in backbone: g["lr"] for g in optimizer.param_groups}
            learns = next(pl_module.network.backbone.parameters()).requires_grad
            self.seen.append((own[False], own[True], learns, pl_module.network.backbone.training))
            optimizer.step = step
            return step(*arguments, **settings)

        optimizer.step = recorded


def trained(folder, *, epochs=6, schedule=lambda step: 1.0, stop_after=None):
    training = SmallPose(
        folder, pose_settings(**WAITS), network=known(), num_frames=8, max_epochs=epochs, schedule=schedule
    )
    rates = Rates()
    training.trainer.callbacks.insert(0, rates)
    if stop_after is not None:
        training.trainer.callbacks.insert(0, _Stop(stop_after))
    with contextlib.suppress(SystemExit):
        training.fit()
    return training, rates.seen


class _Stop(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_train_epoch_start(self, trainer, *_):
        if trainer.current_epoch == self.epoch:
            raise SystemExit


def test_the_backbone_waits_and_then_catches_up_with_the_schedule(tmp_path):
    training, seen = trained(tmp_path, schedule=lambda step: 0.9**step)
    assert len(seen) == 12
    for step, (head, backbone, learns, mode) in enumerate(seen):
        share = SHARES[step // 2]
        assert head == pytest.approx(3e-3 * 0.9**step)  # the schedule goes on as if there were no ramp
        assert backbone == pytest.approx(share * head)
        assert learns == mode == (share > 0)
    groups = training.trainer.optimizers[0].param_groups
    assert [group["lr"] for group in groups] == pytest.approx([3e-3 * 0.9**12] * 2)


def test_weights_and_statistics_of_a_waiting_backbone_stay(tmp_path):
    before = known().backbone.state_dict()
    training, _ = trained(tmp_path, epochs=2)
    after = training.network.backbone.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    training, _ = trained(tmp_path / "longer", epochs=3)
    assert any(not torch.equal(before[name], value) for name, value in training.network.backbone.state_dict().items())


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_stopped_training_goes_on_as_one_that_was_not(tmp_path, stop_after):
    whole, seen = trained(tmp_path / "whole")
    _, first = trained(tmp_path / "parts", stop_after=stop_after)
    resumed, second = trained(tmp_path / "parts")
    assert first[: 2 * stop_after] + second == seen
    other = resumed.weights()
    assert all(torch.equal(value, other[name]) for name, value in whole.weights().items())


def test_s4_a_backbone_of_random_weights_is_not_frozen():
    with pytest.raises(
        ConfigError, match=r"pose\.unfreeze_epoch=3 would keep a backbone of random weights frozen.*null"
    ):
        BackboneRamp(small_tracker().backbone, pose_settings(**WAITS), pretrained="")


def test_groups_keep_their_settings_and_all_parameters():
    network = known()
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    others = [p for p in network.parameters() if p.ndim > 1]
    optimizer = torch.optim.AdamW([{"params": others}, {"params": vectors, "weight_decay": 0.0}], weight_decay=0.1)
    BackboneRamp(network.backbone, pose_settings(**WAITS), pretrained="x").split_groups(optimizer)
    backbone = {id(p) for p in network.backbone.parameters()}
    assert [g["weight_decay"] for g in optimizer.param_groups] == [0.1, 0.0, 0.1, 0.0]
    assert [{id(p) in backbone for p in g["params"]} for g in optimizer.param_groups] == [{False}] * 2 + [{True}] * 2
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(list(network.parameters()))


def test_the_share_grows_to_one():
    ramp = BackboneRamp(
        known().backbone, pose_settings(unfreeze_epoch=20, unfreeze_start=0.1, unfreeze_growth=1.5), pretrained="x"
    )
    assert [ramp.share(epoch) for epoch in (1, 19)] == [0, 0]
    assert [ramp.share(epoch) for epoch in (20, 21, 22, 25, 26)] == pytest.approx([0.1, 0.15, 0.225, 0.759375, 1])
