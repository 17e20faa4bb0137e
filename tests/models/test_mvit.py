import pytest
import torch
from models.networks import count

from sign_recog.errors import CheckpointError, ConfigError
from sign_recog.models.mvit import block_settings, from_slowfast, mvit
from sign_recog.models.pretrained import start_from

V2_S = {"version": 2, "depths": [1, 2, 11, 2], "drop_path": 0.2, "published": "mvit_v2_s"}
V1_B = {"version": 1, "depths": [1, 2, 11, 2], "drop_path": 0.2, "published": "mvit_v1_b"}
V2_B = {"version": 2, "depths": [2, 3, 16, 3], "drop_path": 0.3, "published": None}
TINY = {"version": 2, "depths": [1, 1, 1, 1], "drop_path": 0.0, "published": None}


def build(settings, num_frames=16, image_size=224):
    return mvit(**settings, num_frames=num_frames, image_size=image_size)


@pytest.mark.parametrize("settings", [V1_B, V2_S], ids=["v1_b", "v2_s"])
def test_logits_are_torchvisions_at_its_size(settings):
    backbone = build(settings)
    from torchvision import models
    from torchvision.ops import StochasticDepth

    whole = models.get_model(settings["published"], weights=None).eval()
    weights = {k: v for k, v in whole.state_dict().items() if not k.startswith(backbone.classifier)}
    backbone.network.load_state_dict(weights)
    clips = torch.randn(1, 3, 16, 224, 224)
    with torch.inference_mode():
        torch.testing.assert_close(whole.head(backbone.network.eval()(clips)), whole(clips), atol=1e-5, rtol=1e-4)
    skipped = [[m.p for m in n.modules() if isinstance(m, StochasticDepth)] for n in (backbone.network, whole)]
    assert skipped[0] == skipped[1]
    assert backbone.published.address.startswith(f"https://download.pytorch.org/models/{settings['published']}-")


def test_the_base_network_has_the_papers_size():
    """Li et al. 2022, Table 4: MViTv2-B, 32x3, has 51.2 M parameters with Kinetics' 400 classes."""
    with torch.device("meta"):
        network = build(V2_B, num_frames=32).network
    assert round((count(network) + 768 * 400 + 400) / 1e6, 1) == 51.2


def test_the_base_networks_blocks_are_pyslowfasts():
    """MVITv2_B_32x3.yaml: dimension, heads and query stride double at blocks 2, 5 and 21; keys' stride falls from 8."""
    blocks = block_settings(2, [2, 3, 16, 3])
    assert [i for i, block in enumerate(blocks) if block["stride_q"] == [1, 2, 2]] == [2, 5, 21]
    assert [block["output_channels"] for block in blocks] == [96] * 2 + [192] * 3 + [384] * 16 + [768] * 3
    assert [block["num_heads"] for block in blocks] == [1] * 2 + [2] * 3 + [4] * 16 + [8] * 3
    assert [block["stride_kv"][1] for block in blocks] == [8] * 2 + [4] * 3 + [2] * 16 + [1] * 3


def test_s2_weights_of_16_frames_serve_32(tmp_path):
    """S2's MViTv2_S_e: tables of positions in time are stretched, everything else is as in the file."""
    given = build(TINY, 16, 64).network.state_dict()
    for name in given:
        if name.endswith("rel_pos_t"):  # a straight line, which linear interpolation keeps
            given[name] = torch.linspace(-1, 1, len(given[name]))[:, None].expand_as(given[name]).clone()
    torch.save(given, tmp_path / "16.pth")
    longer = build(TINY, 32, 64)
    said = start_from(longer.network, str(tmp_path / "16.pth"), without=longer.classifier, positions=longer.positions)
    assert said == f"{tmp_path / '16.pth'} (4 position tables stretched to these clips)"
    for name, weight in longer.network.state_dict().items():
        if name.endswith("rel_pos_t"):
            assert weight.shape[0] == 31 and given[name].shape[0] == 15
            torch.testing.assert_close(weight[1:-1, 0].diff().diff(), torch.zeros(27), atol=1e-5, rtol=0)
            assert weight[15].abs().max() < 1e-6  # distance 0 stays in the middle
        else:
            assert torch.equal(weight, given[name]), name
    with pytest.raises(CheckpointError, match=r"of another shape: .*rel_pos_t"):
        start_from(longer.network, str(tmp_path / "16.pth"), without=longer.classifier)


def test_absolute_positions_are_stretched_in_space_and_time(tmp_path):
    settings = {**V1_B, "depths": [1, 1, 1, 1]}
    given = build(settings, 8, 32).network.state_dict()
    rows = torch.arange(8.0)[:, None].expand(8, 8).reshape(64, 1)
    given["pos_encoding.spatial_pos"] = rows.expand(64, 96).clone()
    torch.save(given, tmp_path / "w.pth")
    larger = build(settings, 16, 64)
    start_from(larger.network, str(tmp_path / "w.pth"), without=("head.",), positions=larger.positions)
    stretched = larger.network.state_dict()["pos_encoding.spatial_pos"].reshape(16, 16, 96)
    assert torch.equal(stretched, stretched[:, :1].expand_as(stretched))  # still the same in a row
    torch.testing.assert_close(stretched[1:-1, 0, 0], torch.arange(1, 15) / 2 - 0.25)


def test_pyslowfasts_names_are_understood():
    """Its names by its code: patch_embed.proj, attn.pool_q and norm_q, mlp.fc1, proj, head.projection."""
    backbone = build(TINY, 4, 32)
    own = backbone.network.state_dict()
    theirs = {}
    for name, weight in own.items():
        name = name.replace("conv_proj.", "patch_embed.proj.").replace("attn.project.0.", "attn.proj.")
        name = name.replace("mlp.0.", "mlp.fc1.").replace("mlp.3.", "mlp.fc2.").replace(".project.", ".proj.")
        for x in "qkv":
            name = name.replace(f"pool_{x}.pool.", f"pool_{x}.").replace(f"pool_{x}.norm_act.0.", f"norm_{x}.")
        if name == "pos_encoding.class_token":
            name, weight = "cls_token", weight[None, None]
        theirs[name] = weight
    assert theirs.keys() - own.keys() and "blocks.1.attn.norm_k.weight" in theirs
    renamed = from_slowfast(theirs | {"head.projection.bias": torch.zeros(2)})
    assert renamed.keys() - own.keys() == {"head.1.bias"}
    assert all(torch.equal(renamed[name], weight) for name, weight in own.items())
    assert from_slowfast(own).keys() == own.keys()


def test_there_is_nothing_to_download_for_the_base_network():
    base = build(TINY, 4, 32)
    with pytest.raises(CheckpointError, match=r"nobody publishes weights of MViT.*Give weights=FILE"):
        start_from(base.network, "download", without=(), published=base.published)


def test_sizes_that_are_none_of_an_mvit_are_refused():
    for wrong in ({"depths": [1, 2, 11]}, {"version": 3}, {"depths": [1, 0, 1, 1]}):
        with pytest.raises(ConfigError, match=r"must be 1 or 2, and model.backbone.depths"):
            build({**TINY, **wrong}, 4, 32)
