import pytest
import torch
from models.networks import collate, count, encoder_layer_size, from_conf

from sign_recog.errors import ConfigError


def transformer_size(input_dim, d, num_layers, ffn_dim, classes):
    heads = len(classes) * (d * (d // 2) + d // 2) + sum(d // 2 * n + n for n in classes)
    return input_dim * d + d + 2 * d + num_layers * encoder_layer_size(d, ffn_dim) + 2 * d + heads


def test_the_default_transformer_has_the_size_of_fslrs():
    network = from_conf("transformer", input_dim=156, num_glosses=105, num_categories=10)
    assert count(network) == transformer_size(156, 256, 4, 1024, [105, 10])
    assert [layer.self_attn.num_heads for layer in network.layers] == [8] * 4


def test_s1_transformer_size_is_settable():
    sizes = {"d_model": 48, "num_layers": 3, "num_heads": 6, "ffn_dim": 100}
    network = from_conf("transformer", input_dim=2048, num_glosses=5, num_categories=0, **sizes)
    assert count(network) == transformer_size(2048, 48, 3, 100, [5])
    assert [layer.self_attn.num_heads for layer in network.layers] == [6] * 3


def test_s1_transformer_has_no_longest_clip():
    network = from_conf("transformer", input_dim=4, num_glosses=3, num_categories=0, d_model=16).eval()
    clip = torch.randn(2000, 4)
    with torch.inference_mode():
        assert torch.isfinite(network(*collate([clip]))["gloss_logits"]).all()
        # frames behind the 300th count too
        shorter, longer = (network(*collate([clip[:n]]))["gloss_logits"] for n in (300, 301))
    assert not torch.equal(shorter, longer)


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ConfigError, match="Use mean, max or cls"):
        from_conf("transformer", input_dim=4, num_glosses=2, num_categories=0, pooling="median")
