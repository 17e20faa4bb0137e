"""Gradient checkpointing changes what is kept, and nothing else."""

import copy

import pytest
import torch
from models.networks import collate
from models.test_video import make_clip
from models.video_networks import FRAMES, NAMES, video_network
from torch import nn

from sign_recog.models.recompute import recompute_in_backward

SMALL = [n for n in NAMES if n not in ("swin3d_b", "swin3d_s", "hiera_large", "hiera_huge", "videomae_large")]


def step(network):
    torch.manual_seed(3)  # of dropout
    batch = collate([make_clip(FRAMES, seed) for seed in (1, 2)])
    logits = network(*batch)["gloss_logits"]
    nn.functional.cross_entropy(logits, torch.tensor([0, 3])).backward()
    return logits.detach()


@pytest.mark.parametrize("name", SMALL)
def test_logits_gradients_and_running_statistics_are_the_same(name):
    plain = video_network(name).train()
    checkpointed = video_network(name, "model.gradient_checkpointing=true").train()
    checkpointed.load_state_dict(plain.state_dict(), strict=True)
    torch.testing.assert_close(step(checkpointed), step(plain), atol=0, rtol=0)
    gradients = dict(plain.named_parameters())
    for key, parameter in checkpointed.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[key].grad, atol=1e-6, rtol=1e-4, msg=key)
    buffers = dict(plain.named_buffers())
    for key, buffer in checkpointed.named_buffers():
        assert torch.equal(buffer, buffers[key]), key


class Block(nn.Sequential):
    """Counts its computations."""

    calls = 0

    def forward(self, x):
        type(self).calls += 1
        return super().forward(x)


def make():
    torch.manual_seed(0)
    return nn.Sequential(*(Block(nn.Conv3d(2, 2, 3, padding=1), nn.BatchNorm3d(2), nn.Dropout(0.5)) for _ in range(3)))


def test_a_block_is_computed_again_and_its_batch_norm_counts_once():
    network = make().train()
    recompute_in_backward(network)
    Block.calls = 0
    network(torch.randn(2, 2, 4, 4, 4)).sum().backward()
    assert Block.calls == 6
    assert [block[1].num_batches_tracked.item() for block in network] == [1, 1, 1]
    assert all(block[1].momentum == 0.1 for block in network)


def test_less_is_kept_for_the_backward_pass():
    def kept(network):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            network(clips)
        return sum(sizes)

    clips, plain, checkpointed = torch.randn(2, 2, 4, 8, 8), make().train(), make().train()
    recompute_in_backward(checkpointed)
    assert kept(checkpointed) < 0.5 * kept(plain)


def test_without_gradients_and_without_anything_that_learns_nothing_is_computed_twice():
    network = make().train()
    recompute_in_backward(network)
    Block.calls = 0
    with torch.no_grad():
        network(torch.randn(1, 2, 4, 4, 4))
    network.requires_grad_(False)
    network(torch.randn(1, 2, 4, 4, 4))
    assert Block.calls == 6


def test_names_of_weights_and_copies_are_as_before():
    network, names = make(), list(make().state_dict())
    recompute_in_backward(network)
    assert list(network.state_dict()) == names
    copied = copy.deepcopy(network)
    copied[0][0].weight.data.zero_()
    clips = torch.randn(1, 2, 4, 4, 4)
    assert not torch.equal(copied.eval()(clips), network.eval()(clips))
