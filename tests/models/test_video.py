"""Promises of all networks over frames and time."""

import math

import pytest
import torch
from conftest import load_config
from models.networks import collate
from models.video_networks import FRAMES, NAMES, PIXELS, video_network

from sign_recog.errors import ConfigError
from sign_recog.models.video import hold_last_frame
from sign_recog.training.freeze import freeze_parts

every = pytest.mark.parametrize("name", NAMES)
# one a family: what the heads and the input do does not depend on the size
families = pytest.mark.parametrize(
    "name", ["s3d", "r2plus1d_small", "i3d", "mvit_v2_s", "hiera_tiny", "videomae_small"]
)


def make_clip(length: int, seed: int = 0, pixels: int = PIXELS) -> torch.Tensor:
    generator = torch.Generator().manual_seed(100 * seed + length)
    return torch.randint(0, 256, (length, 3, pixels, pixels), dtype=torch.uint8, generator=generator)


def test_the_networks_of_the_issue_are_all_there():
    torchvision = {
        "s3d",
        "r3d_18",
        "mc3_18",
        "r2plus1d_18",
        "swin3d_t",
        "swin3d_s",
        "swin3d_b",
        "mvit_v1_b",
        "mvit_v2_s",
    }
    others = {"mvit_v2_b", "i3d", "hiera_tiny", "hiera_base", "videomae_small", "videomae_base", "r2plus1d_small"}
    assert torchvision | others <= set(NAMES)


@families
def test_neither_padding_nor_batch_mates_change_a_clips_logits(name):
    network = video_network(name).eval()
    clips = [make_clip(length) for length in (1, 4, FRAMES)]
    with torch.no_grad():
        alone = [network(*collate([clip]))["gloss_logits"][0] for clip in clips]
        together = network(*collate(clips, fill=200))["gloss_logits"]
        held = network(*collate([torch.cat([clips[1], clips[1][-1:].expand(FRAMES - 4, -1, -1, -1)])]))
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(held["gloss_logits"][0], alone[1], atol=1e-4, rtol=1e-4)


def test_a_short_clip_holds_its_last_frame():
    sequence = torch.tensor([[1, 2, 3], [4, 99, 99]])[..., None]
    mask = torch.tensor([[False, False, False], [False, True, True]])
    assert hold_last_frame(sequence, mask, 5)[..., 0].tolist() == [[1, 2, 3, 3, 3], [4, 4, 4, 4, 4]]


@families
def test_the_vector_of_a_clip_leads_to_the_logits(name):
    network = video_network(name, num_categories=3, num_languages=2).eval()
    batch, language = collate([make_clip(5), make_clip(FRAMES)]), torch.tensor([0, 1])
    with torch.no_grad():
        logits, vector = network(*batch, language), network.embed(*batch)
        torch.testing.assert_close(network.heads(vector, language), logits)
    assert {key: tuple(value.shape) for key, value in logits.items()} == {
        "gloss_logits": (2, 7), "category_logits": (2, 3),
    }  # fmt: skip
    assert not hasattr(network, "embed_frames") and not hasattr(network, "encode")


@families
def test_the_order_of_frames_matters(name):
    network, clip = video_network(name).eval(), make_clip(FRAMES)
    with torch.no_grad():
        forward, backward = (network.embed(*collate([c])) for c in (clip, clip.flip(0)))
    assert (forward - backward).abs().max() > 1e-4 * forward.abs().max()


@families
def test_a_frozen_backbone_keeps_nothing_for_the_backward_pass(name):
    network = video_network(name, "model.gradient_checkpointing=true").train()
    freeze_parts(network, ["backbone"], "transfer.freeze_parts")
    network.backbone.eval()
    before = {key: value.clone() for key, value in network.backbone.state_dict().items()}
    batch = collate([make_clip(FRAMES, 1), make_clip(FRAMES, 2)])
    vector = network.embed(*batch)
    assert not vector.requires_grad and vector.grad_fn is None
    network(*batch)["gloss_logits"].sum().backward()
    assert all(parameter.grad is None for parameter in network.backbone.parameters())
    assert all(parameter.grad is not None for parameter in network.heads.parameters())
    assert all(torch.equal(before[key], value) for key, value in network.backbone.state_dict().items())


def test_statistics_are_those_of_the_published_weights():
    """torchvision's own, read from its transforms; those of other libraries as their authors state them."""
    from torchvision import models

    names = [name for name in NAMES if name in models.list_models(models.video)]
    assert len(names) == 9
    stated = {"mvit_v2_b": (0.45, 0.225), "i3d": (0.5, 0.5), "hiera_tiny": (0.45, 0.225), "r2plus1d_small": (0.5, 0.5)}
    expected = {name: ([mean] * 3, [std] * 3) for name, (mean, std) in stated.items()}
    expected["videomae_small"] = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    for name in names:
        transforms = models.get_model_weights(name).DEFAULT.transforms()
        expected[name] = (transforms.mean, transforms.std)
    for name, (mean, std) in expected.items():
        normalize = video_network(name).normalize
        bytes_of_mean = torch.full((3, 1, 1), 100, dtype=torch.uint8)
        normalized = normalize(bytes_of_mean).flatten()
        torch.testing.assert_close(normalized, (100 / 255 - torch.tensor(mean)) / torch.tensor(std), msg=name)


@families
def test_data_that_are_no_frames_are_refused(name):
    with pytest.raises(ConfigError, match=f"model={name} reads frames of 3 channels.*134 values"):
        video_network(name, input_dim=134)


@every
def test_keypoints_are_refused_before_any_work(name):
    with pytest.raises(
        ConfigError, match=r"model\.num_frames.*it is a network over frames. Use modality=rgb"
    ) as caught:
        load_config("modality=keypoints", f"model={name}")
    assert str(caught.value).count("\n") == 1


def test_clips_and_pictures_of_another_size_are_refused():
    with pytest.raises(ConfigError, match=r"reads clips of 8 frames, and these have 9. Give modality.num_frames=9"):
        video_network("r2plus1d_small")(*collate([make_clip(9)]))
    with pytest.raises(ConfigError, match=r"needs at least 5, not 4. Raise modality.num_frames"):
        video_network("s3d", "modality.num_frames=4")
    for name in ("mvit_v2_s", "hiera_tiny", "videomae_small"):
        with pytest.raises(ConfigError, match=r"was built for pictures of 32 x 32 pixels, and these have 64 x 64"):
            video_network(name)(*collate([make_clip(FRAMES, pixels=64)]))
        with pytest.raises(ConfigError, match=r"2 frames at a time, and num_frames=7"):
            video_network(name, "modality.num_frames=7")
        with pytest.raises(ConfigError, match=r"image_size=40 is none. Use (32|48)"):
            video_network(name, "modality.image_size=40")


def test_a_batch_can_be_fitted():
    torch.manual_seed(0)
    network = video_network("r2plus1d_small", "model.backbone.width=8", "model.head_dropout=0")
    batch, gloss = collate([make_clip(FRAMES, seed) for seed in range(4)]), torch.tensor([0, 1, 2, 3])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    for _ in range(25):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(*batch)["gloss_logits"], gloss)
        loss.backward()
        optimizer.step()
    assert loss < 0.2 * math.log(7)
