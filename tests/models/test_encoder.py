import pytest
import torch
from models.networks import SMALL, from_conf

from sign_recog.errors import ConfigError
from sign_recog.models.encoder import drop_path, encoder_layers, sinusoidal_positions


@pytest.mark.parametrize("num_frames", [50, 1000])
def test_positions_are_those_of_the_paper(num_frames):
    positions = sinusoidal_positions(num_frames, 8, like=torch.zeros(1))
    assert positions.shape == (num_frames, 8)
    for frame in (0, 1, num_frames - 1):
        for i in range(4):
            angle = torch.tensor(frame / 10000 ** (2 * i / 8), dtype=torch.float64)
            torch.testing.assert_close(positions[frame, 2 * i], angle.sin().float(), atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(positions[frame, 2 * i + 1], angle.cos().float(), atol=1e-4, rtol=1e-4)


def test_remembered_positions_serve_training_after_inference_and_each_dtype():
    with torch.inference_mode():
        sinusoidal_positions(7, 6, like=torch.zeros(1))
    positions = sinusoidal_positions(7, 6, like=torch.zeros(1))
    weight = torch.ones(6, requires_grad=True)
    (positions * weight).sum().backward()  # saved for the gradient: refused for a tensor made in inference mode
    torch.testing.assert_close(weight.grad, positions.sum(0))
    assert sinusoidal_positions(7, 6, like=torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.bfloat16


def make_layer(drop_path=0.0):
    torch.manual_seed(0)
    sizes = {"dim": 8, "num_heads": 2, "ffn_dim": 16, "dropout": 0.0}
    return encoder_layers(1, drop_path=drop_path, **sizes)[0]


def test_a_layer_with_drop_path_is_pytorchs_but_for_the_drop():
    plain, dropping = make_layer(), make_layer(drop_path=1e-12)
    frames, mask = torch.randn(3, 5, 8), torch.zeros(3, 5, dtype=torch.bool)
    mask[1, 3:] = True
    torch.testing.assert_close(dropping(frames, src_key_padding_mask=mask), plain(frames, src_key_padding_mask=mask))


def test_a_dropped_clip_passes_through_and_the_others_make_up_for_it():
    torch.manual_seed(0)
    change = drop_path(torch.ones(4000, 2, 3), 0.25, training=True)
    assert change.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert (change == change[:, :1, :1]).all()  # a clip as a whole
    assert change.mean().item() == pytest.approx(1, abs=0.03)
    assert (drop_path(torch.ones(4, 2, 3), 0.25, training=False) == 1).all()


def test_both_branches_of_a_layer_are_dropped_in_training_only():
    layer, frames = make_layer(drop_path=0.999999), torch.randn(4, 5, 8)
    mask = torch.zeros(4, 5, dtype=torch.bool)
    torch.testing.assert_close(layer.train()(frames, src_key_padding_mask=mask), frames)
    assert (layer.eval()(frames, src_key_padding_mask=mask) - frames).abs().max() > 0.01


@pytest.mark.parametrize("model", ["transformer", "poseformer", "ptn"])
@pytest.mark.parametrize("sizes", [{"d_model": 30, "num_heads": 4}, {"d_model": 9, "num_heads": 3}])
def test_a_width_the_heads_cannot_share_is_refused(model, sizes):
    with pytest.raises(ConfigError, match=r"model\.d_model"):
        from_conf(model, input_dim=4, num_glosses=2, num_categories=0, **sizes)


def test_layers_start_from_different_weights():
    network = from_conf("transformer", input_dim=4, num_glosses=2, num_categories=0, num_layers=2, **SMALL)
    assert not torch.equal(network.layers[0].linear1.weight, network.layers[1].linear1.weight)
