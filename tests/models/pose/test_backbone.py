"""Networks of timm: their maps, weights from a file, and what is told where something does not suit."""

import pytest
import torch
from models.pose.trackers import pictures, tracker

from sign_recog.errors import CheckpointError, ConfigError
from sign_recog.models.pose.backbone import ImageBackbone


def whole(name: str, **settings):
    """timm's network with its classifier, as files have it."""
    import timm

    torch.manual_seed(3)
    return timm.create_model(name, pretrained=False, **settings)


@pytest.mark.parametrize(
    "name, strides",
    [
        ("resnet18", [4, 8, 16, 32]),
        ("resnet50", [4, 8, 16, 32]),
        ("efficientnet_b0", [4, 8, 16, 32]),
        ("vit_tiny_patch16_224", [16]),
        ("swin_tiny_patch4_window7_224", [4, 8, 16, 32]),
    ],
)
def test_backbones_give_maps_of_the_sizes_they_tell(name, strides):
    backbone = ImageBackbone(name, None, 32, 64, every_scale=True).eval()
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, 32, 64, dtype=torch.uint8))
    assert backbone.strides == strides and backbone.pretrained == ""
    wanted = [(1, channels, 32 // s, 64 // s) for channels, s in zip(backbone.channels, strides, strict=True)]
    assert [tuple(one.shape) for one in maps] == wanted


@pytest.mark.parametrize("skip_channels", [4, None])
@pytest.mark.parametrize("name", ["resnet18", "test_efficientnet", "test_vit", "test_convnext"])
def test_a_tracker_can_stand_on_each(name, skip_channels):
    network = tracker(backbone=name, skip_channels=skip_channels).eval()
    with torch.no_grad():
        assert network(pictures(network, 1))["heatmaps"].shape == (1, 3, 8, 16)


@pytest.mark.parametrize("name", ["resnet18", "test_efficientnet", "test_vit", "test_convnext"])
def test_weights_of_timms_file_give_timms_maps(tmp_path, name):
    sized = {"img_size": (32, 64)} if "vit" in name else {}
    given = whole(name, **sized).eval()
    torch.save(given.state_dict(), tmp_path / "weights.pt")
    backbone = ImageBackbone(name, str(tmp_path / "weights.pt"), 32, 64, every_scale=False).eval()
    assert backbone.pretrained == str(tmp_path / "weights.pt")
    frames = torch.randint(0, 256, (1, 3, 32, 64), dtype=torch.uint8)
    pixels = backbone.normalize(frames)
    with torch.no_grad():
        theirs = given.forward_intermediates(pixels, indices=1, intermediates_only=True)[-1]
        torch.testing.assert_close(backbone(frames)[-1], theirs, atol=1e-4, rtol=1e-4)


def test_positions_of_other_pictures_are_stretched(tmp_path):
    """Those of a square of 16 x 16 pixels' patches become those of 32 x 64: two rows of four."""
    given = whole("test_vit", img_size=(32, 32)).state_dict()
    torch.save(given, tmp_path / "weights.pt")
    table = ImageBackbone("test_vit", str(tmp_path / "weights.pt"), 32, 64, every_scale=False)
    found = table.state_dict()["net.model.pos_embed"]
    assert found.shape == (1, 1 + 2 * 4, 64)
    torch.testing.assert_close(found[:, 0], given["pos_embed"][:, 0])  # of the class token


def test_a_file_of_another_network_is_refused_with_the_names(tmp_path):
    torch.save(whole("resnet26").state_dict(), tmp_path / "weights.pt")
    with pytest.raises(
        CheckpointError, match=r"do not fit ImageBackbone \(unknown: layer1.0.conv3.*another shape: net.layer1"
    ):
        ImageBackbone("resnet18", str(tmp_path / "weights.pt"), 32, 32, every_scale=True)


def test_a_file_with_a_part_missing_is_refused(tmp_path):
    content = whole("resnet18").state_dict()
    del content["layer4.1.conv2.weight"]
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match=r"missing: net\.layer4\.1\.conv2\.weight"):
        ImageBackbone("resnet18", str(tmp_path / "weights.pt"), 32, 32, every_scale=True)


def test_s4_a_download_that_fails_is_one_message(monkeypatch):
    import timm.models._builder as builder

    def no_network(*arguments, **settings):
        raise OSError("<urlopen error [Errno -3] Temporary failure in name resolution>")

    monkeypatch.setattr(builder, "load_state_dict_from_hf", no_network)
    with pytest.raises(CheckpointError, match=r"timm/resnet18\S* cannot be had \(<urlopen error.*weights=FILE"):
        ImageBackbone("resnet18", "download", 32, 32, every_scale=True)


def test_downloaded_weights_are_those_of_the_whole_network(monkeypatch):
    import timm.models._builder as builder

    given = whole("resnet18").state_dict()
    monkeypatch.setattr(builder, "load_state_dict_from_hf", lambda *arguments, **settings: dict(given))
    backbone = ImageBackbone("resnet18", "download", 32, 32, every_scale=True)
    assert backbone.pretrained.startswith("timm/resnet18")
    torch.testing.assert_close(backbone.state_dict()["net.layer3.0.conv1.weight"], given["layer3.0.conv1.weight"])


@pytest.mark.parametrize(
    "name, size, message",
    [
        ("resnet19", (32, 32), r"model.backbone=resnet19: timm has no such network. Did you mean resnet18"),
        ("qqqqqqqq", (32, 32), "timm.list_models"),
        ("vit_tiny_patch16_224", (40, 40), "model.backbone=vit_tiny_patch16_224"),
        ("vit_small_patch14_dinov2", (56, 56), "needs one of a 4th of both sides"),
    ],
)
def test_a_backbone_that_does_not_suit_is_told(name, size, message):
    with pytest.raises(ConfigError, match=message):
        ImageBackbone(name, None, *size, every_scale=True)


def test_the_network_is_made_by_the_seed_alone():
    first, second = tracker("heatmap").state_dict(), tracker("heatmap").state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
