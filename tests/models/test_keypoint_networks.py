"""Promises that every sequence network keeps: shapes, indifference to padding and batch, learning."""

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch import nn

from sign_recog import cli
from sign_recog.errors import ConfigError
from sign_recog.models.heads import Heads, masked_max, masked_mean
from sign_recog.models.transformer import sinusoidal_positions

SMALL = {"d_model": 32, "num_heads": 4, "ffn_dim": 64}


def from_conf(name: str, **settings) -> nn.Module:
    """The network of conf/model/<name>.yaml, with ``settings`` in place of its own."""
    node = OmegaConf.to_container(OmegaConf.load(cli.CONF_DIR / "model" / f"{name}.yaml"))
    return get_class(node.pop("_target_"))(**{**node, **settings})


NETWORKS = {
    "transformer_mean": lambda **kw: from_conf("transformer", pooling="mean", num_layers=2, **SMALL, **kw),
    "transformer_max": lambda **kw: from_conf("transformer", pooling="max", num_layers=2, **SMALL, **kw),
    "transformer_cls": lambda **kw: from_conf("transformer", pooling="cls", num_layers=2, **SMALL, **kw),
    "conv_transformer": lambda **kw: from_conf("conv_transformer", num_stages=2, **SMALL, **kw),
    "gru": lambda **kw: from_conf("gru", **kw),
}
every = pytest.mark.parametrize("name", NETWORKS)


def build(name: str, num_categories: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name](input_dim=10, num_glosses=7, num_categories=num_categories)


def collate(clips: list[torch.Tensor], extra: int = 0, fill: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, clips)) + extra
    sequence = torch.full((len(clips), longest, clips[0].shape[1]), fill)
    mask = torch.ones(len(clips), longest, dtype=torch.bool)
    for i, clip in enumerate(clips):
        sequence[i, : len(clip)] = clip
        mask[i, : len(clip)] = False
    return sequence, mask


@every
def test_logits_have_a_column_for_every_class(name):
    batch = collate([torch.randn(5, 10), torch.randn(9, 10)])
    logits = build(name)(*batch)
    assert logits["gloss_logits"].shape == (2, 7) and logits["category_logits"].shape == (2, 3)
    assert set(build(name, num_categories=0)(*batch)) == {"gloss_logits"}


@every
@pytest.mark.parametrize("grad", [False, True])  # without gradients PyTorch takes a fused path of its own
def test_padding_and_batch_mates_do_not_change_a_clips_logits(name, grad):
    network = build(name).eval()
    generator = torch.Generator().manual_seed(1)
    clips = [torch.randn(length, 10, generator=generator) for length in (1, 4, 9, 30)]
    with torch.set_grad_enabled(grad):
        alone = [network(*collate([clip])) for clip in clips]
        for extra, fill in ((0, 0.0), (13, 0.0), (13, 1e3)):
            together = network(*collate(clips, extra, fill))
            for i, single in enumerate(alone):
                for key in single:
                    torch.testing.assert_close(together[key][i], single[key][0], atol=1e-5, rtol=1e-5)


@every
def test_in_training_without_dropout_padding_does_not_matter_either(name):
    network = build(name).train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
        if hasattr(module, "drop_path"):
            module.drop_path = 0.0
    clips = [torch.randn(length, 10) for length in (3, 8)]
    alone = network(*collate(clips[:1]))["gloss_logits"]
    together = network(*collate(clips, extra=5, fill=1e3))["gloss_logits"]
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=1e-5)


@every
def test_any_length_is_accepted(name):
    logits = build(name).eval()(*collate([torch.randn(1200, 10)]))
    assert torch.isfinite(logits["gloss_logits"]).all()


@every
def test_the_order_of_frames_matters(name):
    network, clip = build(name).eval(), torch.randn(12, 10)
    forward, backward = (network(*collate([c]))["gloss_logits"] for c in (clip, clip.flip(0)))
    assert (forward - backward).abs().max() > 1e-3


@every
def test_every_weight_learns_and_a_batch_can_be_fitted(name):
    network = build(name)
    batch = collate([torch.randn(length, 10) for length in (6, 9, 12, 7)])
    gloss, category = torch.tensor([0, 1, 2, 3]), torch.tensor([0, 1, 2, 0])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for step in range(120):
        network.eval() if step == 119 else network.train()
        logits = network(*batch)
        loss = nn.functional.cross_entropy(logits["gloss_logits"], gloss)
        loss = loss + nn.functional.cross_entropy(logits["category_logits"], category)
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().any()]
            assert without == []
        optimizer.step()
    assert loss < 0.5


@every
def test_embeddings_on_the_way_have_their_shapes_and_lead_to_the_logits(name):
    network = build(name).eval()
    sequence, mask = collate([torch.randn(5, 10), torch.randn(9, 10)])
    assert network.embed_frames(sequence, mask).shape[:2] == (2, 9)
    assert network.encode(sequence, mask).shape[:2] == (2, 9)
    embedding = network.embed(sequence, mask)
    torch.testing.assert_close(network.heads(embedding), network(sequence, mask))
    assert embedding.shape == (2, network.encode(sequence, mask).shape[2])


def test_the_default_transformer_has_the_size_of_fslrs():
    network = from_conf("transformer", input_dim=156, num_glosses=105, num_categories=10)
    layer = 4 * 256 * 256 + 4 * 256 + 2 * 256 * 1024 + 1024 + 256 + 4 * 256
    heads = 2 * (256 * 128 + 128) + 128 * (105 + 10) + 105 + 10
    expected = 156 * 256 + 256 + 2 * 256 + 4 * layer + 2 * 256 + heads
    assert sum(p.numel() for p in network.parameters()) == expected


def test_layers_start_from_different_weights():
    network = from_conf("transformer", input_dim=4, num_glosses=2, num_categories=0, num_layers=2, **SMALL)
    assert not torch.equal(network.layers[0].linear1.weight, network.layers[1].linear1.weight)


def test_positions_are_those_of_the_paper():
    positions = sinusoidal_positions(50, 8, like=torch.zeros(1))
    for frame in (0, 1, 49):
        for i in range(4):
            angle = torch.tensor(frame / 10000 ** (2 * i / 8))
            torch.testing.assert_close(positions[frame, 2 * i], angle.sin(), atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(positions[frame, 2 * i + 1], angle.cos(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("sizes", [{"d_model": 30, "num_heads": 4}, {"d_model": 9, "num_heads": 3}])
def test_a_width_the_heads_cannot_share_is_refused(sizes):
    with pytest.raises(ConfigError, match=r"model\.d_model"):
        from_conf("transformer", input_dim=4, num_glosses=2, num_categories=0, **sizes)


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ConfigError, match="Use mean, max or cls"):
        from_conf("transformer", input_dim=4, num_glosses=2, num_categories=0, pooling="median")


def test_pooling_looks_only_at_valid_frames():
    encoded = torch.tensor([[[-4.0], [-2.0], [50.0]]])
    mask = torch.tensor([[False, False, True]])
    assert masked_mean(encoded, mask).item() == -3
    assert masked_max(encoded, mask).item() == -2


def test_heads_without_hidden_layer_are_linear():
    heads = Heads(4, num_glosses=3, num_categories=2, dropout=0.5).eval()
    a, b, zero = torch.randn(1, 4), torch.randn(1, 4), torch.zeros(1, 4)
    for key in ("gloss_logits", "category_logits"):
        torch.testing.assert_close(heads(a + b)[key] + heads(zero)[key], heads(a)[key] + heads(b)[key])


def test_recurrent_weights_start_orthogonal_and_biases_at_zero():
    network = from_conf("gru", input_dim=20, num_glosses=2, num_categories=0)
    for gru in (network.gru1, network.gru2):
        for gate in gru.weight_hh_l0.chunk(3):
            torch.testing.assert_close(gate @ gate.T, torch.eye(len(gate)), atol=1e-5, rtol=0)
        assert not gru.bias_ih_l0.any() and not gru.bias_hh_l0.any()
        for gate in gru.weight_ih_l0.chunk(3):
            assert gate.abs().max() <= (6 / sum(gate.shape)) ** 0.5


def test_a_gru_reads_its_second_state_after_the_last_frame():
    network = build("gru").eval()
    clip = torch.randn(6, 10)
    state, _ = network.gru2(network.gru1(clip.unsqueeze(0))[0])
    torch.testing.assert_close(network.embed(*collate([clip], extra=4)), state[:, -1])
