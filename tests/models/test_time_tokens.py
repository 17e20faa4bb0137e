"""Vectors of time steps: of which networks there are any, and that those of Hiera are the library's."""

import pytest
import torch

from sign_recog.models.hiera import PaddedHiera, hiera, hiera_time_tokens
from sign_recog.models.video import WindowTokens
from sign_recog.models.video_resnet import video_resnet

SMALL = {"embed_dim": 16, "num_heads": 1, "stages": [1, 2, 2, 1], "drop_path": 0.0, "published": None}


def network(num_frames=8, image_size=64, **changed):
    """A small Hiera whose activations differ enough for errors to show; its mask units are 2 x 2 a time step."""
    torch.manual_seed(1)
    backbone = hiera(**{**SMALL, **changed}, num_frames=num_frames, image_size=image_size)
    with torch.no_grad():
        for parameter in backbone.network.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    backbone.network.eval().requires_grad_(False)
    return backbone


def of_the_library(whole, clips, num_steps):
    """The same by the library's own means: the mask of its autoencoder, which leaves out whole mask units."""
    units_a_step = whole.mask_spatial_shape[1] * whole.mask_spatial_shape[2]
    mask = torch.zeros(len(clips), whole.mask_spatial_shape[0], units_a_step, dtype=torch.bool)
    mask[:, :num_steps] = True
    return whole(clips, mask=mask.flatten(1)).unflatten(1, (num_steps, units_a_step)).mean(dim=2)


@pytest.mark.parametrize("num_steps", [1, 2, 3, 4])
def test_tokens_are_those_of_the_librarys_own_mask(num_steps):
    backbone, clips = network(), torch.randn(2, 3, 8, 64, 64)
    found = hiera_time_tokens(backbone.network, clips, num_steps)
    torch.testing.assert_close(found, of_the_library(backbone.network, clips, num_steps), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("num_steps", [1, 3, 4])
def test_tokens_are_those_of_masked_attention(num_steps, monkeypatch):
    """The reference systems' way: pixels of padding zeroed, all tokens computed, and padding masked as keys."""
    backbone, clips = network(), torch.randn(2, 3, 8, 64, 64)
    found = hiera_time_tokens(backbone.network, clips, num_steps)

    attend, masked = torch.nn.functional.scaled_dot_product_attention, []

    def with_masked_keys(q, k, v):
        units_of_a_step = 4
        if q.shape[2] > 1:  # within mask units, which are of one time step
            return attend(q, k, v)
        places = k.shape[3] // (4 * units_of_a_step)  # that a mask unit still has; the units' order is that of time
        padding = (torch.arange(4 * units_of_a_step) >= num_steps * units_of_a_step).tile(places)
        masked.append(int(padding.sum()))
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        return scores.masked_fill(padding, -torch.inf).softmax(dim=-1) @ v

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", with_masked_keys)
    zeroed = clips.clone()
    zeroed[:, :, 2 * num_steps :] = 0
    _, stages = backbone.network(zeroed, return_intermediates=True)
    expected = stages[-1].mean(dim=(2, 3))[:, :num_steps]  # (B, T, H, W, D), padding dropped
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    # the second block of stage 3 and that of stage 4; a stage's first block attends as the stage before
    assert len(masked) == 2 and (num_steps == 4 or min(masked) > 0)


@pytest.mark.parametrize("num_steps", [1, 3])
def test_pictures_of_padding_are_not_seen(num_steps):
    backbone, frames = network(), torch.randint(0, 256, (1, 8, 64, 64, 3), dtype=torch.uint8)
    module = PaddedHiera(backbone).eval()
    with torch.no_grad():
        before = module(frames, num_steps)
        frames[:, 2 * num_steps :] = 255 - frames[:, 2 * num_steps :]
        assert torch.equal(module(frames, num_steps), before)
        frames[:, 2 * num_steps - 1] = 255 - frames[:, 2 * num_steps - 1]
        assert not torch.equal(module(frames, num_steps), before)


def test_without_padding_the_mean_of_the_tokens_is_normalised_to_the_networks_vector():
    backbone, clips = network(), torch.randn(2, 3, 8, 64, 64)
    with torch.no_grad():
        mean = backbone.network.norm(backbone.time_tokens(clips).mean(dim=1))
        torch.testing.assert_close(mean, backbone.network(clips), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("variant", "frames_a_step"), [("r3d_18", 8), ("mc3_18", 1), ("r2plus1d_18", 8)])
def test_residual_networks_have_the_steps_that_they_say(variant, frames_a_step):
    backbone = video_resnet(variant)
    tokens = WindowTokens(backbone, in_time=True).eval()
    with torch.no_grad():
        found = tokens(torch.zeros(1, 16, 32, 32, 3, dtype=torch.uint8))
    assert backbone.time_stride == frames_a_step and found.shape == (1, 16 // frames_a_step, 512)
