import pytest
import torch
from models.networks import SMALL, build, collate, count, encoder_layer_size, from_conf, make_clip

from sign_recog.errors import CheckpointError, ConfigError
from sign_recog.torchvision_operators import declare_missing

CLASSES = {"num_glosses": 5, "num_categories": 0}
# parameters of torchvision's networks as its documentation gives them, less the classifier of 1000 classes
BACKBONES = {
    "resnet34": (21797672, 512),
    "resnet50": (25557032, 2048),
    "efficientnet_b0": (5288548, 1280),
}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_parameters_are_the_backbones_and_the_encoders(backbone):
    whole, feature_dim = BACKBONES[backbone]
    network = from_conf("vtn", input_dim=3, backbone=backbone, num_layers=1, **SMALL, **CLASSES)
    expected = whole - (feature_dim * 1000 + 1000) + feature_dim * 32 + 32
    assert count(network) == expected + 32 + encoder_layer_size(32, 64) + 2 * 32 + 32 * 5 + 5
    with torch.inference_mode():
        frames = network.eval().embed_frames(*collate([make_clip("vtn", 2)]))
    assert frames.shape == (1, 2, 32) and torch.isfinite(frames).all()


def test_s0_vtn_reads_clips():
    """Its RGB data set could not be opened and its VTN asked for another batch: nothing could be trained."""
    torch.manual_seed(0)
    network = build("vtn", num_categories=0).train()
    batch, gloss = collate([make_clip("vtn", 4), make_clip("vtn", 6)]), torch.tensor([0, 1])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(*batch)["gloss_logits"], gloss)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_padding_costs_nothing_and_does_not_enter_batch_statistics():
    seen, network = [], build("vtn")
    network.backbone.register_forward_hook(lambda module, given, result: seen.append(given[0]))
    sequence, mask = collate([make_clip("vtn", 2), make_clip("vtn", 5)], extra=4, fill=255)
    frames = network.embed_frames(sequence, mask)
    assert len(seen[0]) == 7
    torch.testing.assert_close(seen[0], network.normalize(sequence[~mask]))
    assert not frames[mask].any() and frames[~mask].any(dim=1).all()


def test_a_frames_embedding_stands_in_its_place():
    network = build("vtn").eval()
    clips = [make_clip("vtn", 2), make_clip("vtn", 5)]
    with torch.no_grad():
        together = network.embed_frames(*collate(clips, extra=1))
        for i, clip in enumerate(clips):
            for t, frame in enumerate(clip):
                alone = network.projection(network.backbone(network.normalize(frame.unsqueeze(0))))[0]
                torch.testing.assert_close(together[i, t], alone, atol=1e-4, rtol=1e-4)


def test_a_backbone_starts_from_a_given_file_or_torchvisions(tmp_path, monkeypatch):
    declare_missing()
    asked = []
    from torchvision.models import resnet34

    given = resnet34(weights=None)
    torch.save(given.state_dict(), tmp_path / "resnet34.pth")
    network = from_conf("vtn", input_dim=3, weights=str(tmp_path / "resnet34.pth"), num_layers=1, **SMALL, **CLASSES)
    assert network.pretrained == str(tmp_path / "resnet34.pth")
    assert torch.equal(network.backbone.conv1.weight, given.conv1.weight)
    assert build("vtn").pretrained is None
    monkeypatch.setattr(
        torch.hub, "load_state_dict_from_url", lambda address, **_: asked.append(address) or given.state_dict()
    )
    network = from_conf("vtn", input_dim=3, weights="download", num_layers=1, **SMALL, **CLASSES)
    assert network.pretrained == asked[0] and asked[0].startswith("https://download.pytorch.org/models/resnet34-")
    with pytest.raises(CheckpointError, match=r"do not fit EfficientNet.*missing: features\.0"):
        settings = {"backbone": "efficientnet_b0", "weights": str(tmp_path / "resnet34.pth")}
        from_conf("vtn", input_dim=3, **settings, **SMALL, **CLASSES)


def test_other_data_and_backbones_are_refused():
    with pytest.raises(ConfigError, match="134 values a frame"):
        from_conf("vtn", input_dim=134, **SMALL, **CLASSES)
    with pytest.raises(ConfigError, match="Use resnet34, resnet50, efficientnet_b0"):
        from_conf("vtn", input_dim=3, backbone="resnet18", **SMALL, **CLASSES)
