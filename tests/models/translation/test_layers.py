"""The layers against PyTorch's own."""

import torch
from torch import nn

from sign_recog.models.translation.layers import DecoderLayer, Dropouts, KeysValues, encoder_layer

SIZES = (16, 4, 32)


def _copied(layer: DecoderLayer) -> nn.TransformerDecoderLayer:
    """PyTorch's decoder layer with the weights of ``layer``."""
    own = nn.TransformerDecoderLayer(*SIZES, dropout=0.0, activation="relu", batch_first=True, norm_first=True)
    pairs = ((own.self_attn, layer.self_attention), (own.multihead_attn, layer.source_attention))
    with torch.no_grad():
        for theirs, ours in pairs:
            theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
            theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
            theirs.out_proj.load_state_dict(ours.output.state_dict())
        own.linear1.load_state_dict(layer.ffn[0].state_dict())
        own.linear2.load_state_dict(layer.ffn[3].state_dict())
        for theirs, ours in zip((own.norm1, own.norm2, own.norm3), layer.norms, strict=True):
            theirs.load_state_dict(ours.state_dict())
    return own


def _layer() -> DecoderLayer:
    torch.manual_seed(0)
    layer = DecoderLayer(*SIZES, Dropouts(0.0, 0.0, 0.0))
    for weight in layer.parameters():
        nn.init.normal_(weight, std=0.3)
    return layer


def test_a_decoder_layer_computes_what_pytorchs_does():
    layer, states, memory = _layer(), torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    mask = torch.tensor([[False] * 7, [False] * 4 + [True] * 3])
    found, _ = layer(states, layer.source_attention.keys_values(memory), ~mask[:, None, None])
    causal = torch.ones(5, 5, dtype=torch.bool).triu(1)
    expected = _copied(layer)(states, memory, tgt_mask=causal, memory_key_padding_mask=mask, tgt_is_causal=True)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_step_by_step_with_two_beams_a_source_gives_the_states_of_all_at_once():
    layer, states, memory = _layer(), torch.randn(4, 5, 16), torch.randn(2, 7, 16)
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])[:, None, None]
    source = layer.source_attention.keys_values(memory)
    past, steps = None, []
    for i in range(5):
        step, past = layer(states[:, i : i + 1], source, mask, past)
        steps.append(step)
    twice = KeysValues(*(x.repeat_interleave(2, dim=0) for x in source))
    expected, _ = layer(states, twice, mask.repeat_interleave(2, dim=0))
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, atol=1e-5, rtol=1e-4)


def test_each_kind_of_dropout_is_where_it_belongs():
    layer = encoder_layer(*SIZES, Dropouts(branch=0.1, attention=0.2, activation=0.3))
    assert (layer.dropout1.p, layer.dropout2.p, layer.self_attn.dropout, layer.dropout.p) == (0.1, 0.1, 0.2, 0.3)
    decoder = DecoderLayer(*SIZES, Dropouts(branch=0.1, attention=0.2, activation=0.3))
    assert (decoder.dropout.p, decoder.self_attention.dropout, decoder.ffn[2].p) == (0.1, 0.2, 0.3)
    assert decoder.source_attention.dropout == 0.2


def test_dropout_acts_in_training_only():
    states, memory = torch.randn(1, 5, 16), torch.randn(1, 7, 16)
    for kind in Dropouts._fields:
        layer = DecoderLayer(*SIZES, Dropouts(**{**dict.fromkeys(Dropouts._fields, 0.0), kind: 0.5}))
        source, mask = layer.source_attention.keys_values(memory), torch.ones(1, 1, 1, 7, dtype=torch.bool)
        first, second = (layer(states, source, mask)[0] for _ in range(2))
        assert not torch.allclose(first, second), kind
        layer.eval()
        first, second = (layer(states, source, mask)[0] for _ in range(2))
        assert torch.equal(first, second)
