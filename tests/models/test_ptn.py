from itertools import pairwise

import torch
from models.networks import build, collate, count, encoder_layer_size, from_conf
from torch import nn


def test_parameters_are_those_of_its_description():
    network = from_conf("ptn", input_dim=134, num_glosses=89, num_categories=10)
    widths = (134, 4 * 134, 4 * 192, 2 * 192, 192)
    dense = sum(i * o + o for i, o in pairwise(widths)) + sum(2 * w for w in widths[1:-1])
    assert count(network) == dense + 192 + 4 * encoder_layer_size(192, 384) + 192 * 99 + 99
    kinds = [type(m) for m in network.projection]
    assert kinds == [nn.Linear, nn.LayerNorm, nn.ReLU, nn.Dropout] * 3 + [nn.Linear, nn.Tanh]
    assert not any(layer.norm_first for layer in network.layers)


def test_s0_ptn_embeddings_are_batch_first():
    """Its hooks cut the batch's axis where they meant time's: clips were mixed and most frames were lost."""
    network = build("ptn").eval()
    clips = [torch.randn(length, 10) for length in (5, 9, 7)]
    batch = collate(clips)
    for embed in (network.embed_frames, network.encode, network.embed):
        together = embed(*batch)
        for i, clip in enumerate(clips):
            alone = embed(*collate([clip]))[0]
            own = together[i, : len(clip)] if together.ndim == 3 else together[i]
            torch.testing.assert_close(own, alone, atol=1e-5, rtol=1e-5)


def test_a_frames_embedding_is_of_that_frame_alone():
    network = build("ptn").eval()
    clip = torch.randn(6, 10)
    frames = network.embed_frames(*collate([clip]))[0]
    torch.testing.assert_close(network.embed_frames(*collate([clip[2:3]]))[0, 0], frames[2])
    assert frames.abs().max() <= 1
