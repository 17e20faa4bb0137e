import pytest
import torch

from sign_recog.errors import CheckpointError
from sign_recog.models.pretrained import start_from
from sign_recog.models.videomae import videomae

TINY = {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "dropout": 0.0, "published": None}


def build(**changed):
    return videomae(**{**TINY, **changed}, num_frames=8, image_size=32)


@pytest.fixture
def whole():
    build()  # makes torchvision importable, which transformers wants
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    torch.manual_seed(1)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    network = VideoMAEForVideoClassification(VideoMAEConfig(**sizes, num_frames=8, image_size=32, num_labels=5))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # biases start as 0
    return network.eval()


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "bin"])
def test_a_folder_as_transformers_saves_it_gives_its_logits(tmp_path, whole, safe):
    if safe:
        whole.save_pretrained(tmp_path)
        assert (tmp_path / "model.safetensors").exists()
    else:
        torch.save(whole.state_dict(), tmp_path / "pytorch_model.bin")
    backbone = build()
    start_from(backbone.network, str(tmp_path), without=backbone.classifier, rename=backbone.rename)
    clips = torch.randn(2, 3, 8, 32, 32)
    with torch.no_grad():
        logits = whole.classifier(backbone.network.eval()(clips))
        torch.testing.assert_close(logits, whole(clips.transpose(1, 2)).logits, atol=1e-5, rtol=1e-4)


def test_files_from_before_transformers_5_fit(tmp_path, whole):
    """They have q_bias and v_bias beside the layers of queries and values."""
    old = {k.replace("query.bias", "q_bias").replace("value.bias", "v_bias"): v for k, v in whole.state_dict().items()}
    assert any(k.endswith("attention.attention.q_bias") for k in old)
    torch.save(old, tmp_path / "old.bin")
    backbone = build()
    start_from(backbone.network, str(tmp_path / "old.bin"), without=backbone.classifier, rename=backbone.rename)
    name = "encoder.layer.1.attention.attention.q_bias"
    renamed = backbone.rename({f"videomae.{name}": old[f"videomae.{name}"]})
    own = backbone.network.state_dict()
    assert all(torch.equal(own[key], value) for key, value in renamed.items())


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds none of model.safetensors, pytorch_model.bin"):
        start_from(build().network, str(tmp_path), without=())


def test_what_the_hub_cannot_give_is_said(monkeypatch, whole):
    backbone = build(published="someone/videomae")

    def answers(result):
        def from_pretrained(address, output_loading_info):
            if isinstance(result, Exception):
                raise result
            return whole, {"missing_keys": result}

        monkeypatch.setattr(type(whole), "from_pretrained", from_pretrained)

    def start():
        return start_from(
            backbone.network, "download", without=backbone.classifier, published=backbone.published,
            rename=backbone.rename,
        )  # fmt: skip

    answers(OSError("We couldn't connect to 'https://huggingface.co'"))
    with pytest.raises(CheckpointError, match=r"someone/videomae cannot be had \(We couldn't connect.*weights=FILE"):
        start()
    answers({"fc_norm.weight"})
    with pytest.raises(CheckpointError, match=r"someone/videomae lacks the weights fc_norm\.weight"):
        start()
    answers(set())
    assert start() == "someone/videomae"
    assert torch.equal(backbone.network.fc_norm.weight, whole.fc_norm.weight)
