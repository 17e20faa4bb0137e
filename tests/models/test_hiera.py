import sys

import pytest
import torch
from models.networks import count

from sign_recog.errors import ConfigError
from sign_recog.models.hiera import hiera
from sign_recog.models.pretrained import start_from

BASE = {"embed_dim": 96, "num_heads": 1, "stages": [2, 3, 16, 3], "drop_path": 0.0, "published": "hiera_base_16x224"}
TINY = {"embed_dim": 16, "num_heads": 1, "stages": [1, 1, 1, 1], "drop_path": 0.0, "published": None}


def test_the_base_network_is_the_librarys():
    """Its names and shapes, the 51 M parameters of its model zoo, and logits with its classifier."""
    backbone = hiera(**BASE, num_frames=16, image_size=224)
    import hiera as library

    whole = library.hiera_base_16x224(num_classes=5).eval()
    weights = {k: v for k, v in whole.state_dict().items() if not k.startswith(backbone.classifier)}
    backbone.network.load_state_dict(weights)
    assert round(count(backbone.network) / 1e6) == 51
    clips = torch.randn(1, 3, 16, 224, 224)
    with torch.inference_mode():
        logits = whole.head.projection(backbone.network.eval()(clips))
        torch.testing.assert_close(logits.softmax(1), whole(clips), atol=1e-5, rtol=1e-4)
    assert backbone.published.address == "https://dl.fbaipublicfiles.com/hiera/hiera_base_16x224.pth"


def test_positions_are_stretched_and_published_files_unwrapped(tmp_path):
    given = hiera(**TINY, num_frames=8, image_size=32).network.state_dict()
    torch.save({"model_state": {**given, "head.projection.bias": torch.zeros(3)}, "epoch": 3}, tmp_path / "w.pth")
    larger = hiera(**TINY, num_frames=16, image_size=64)
    said = start_from(larger.network, str(tmp_path / "w.pth"), without=larger.classifier, positions=larger.positions)
    assert "2 position tables stretched" in said
    own = larger.network.state_dict()
    assert own["pos_embed_temporal"].shape == (1, 8, 16) and own["pos_embed_spatial"].shape == (1, 256, 16)
    torch.testing.assert_close(own["pos_embed_temporal"].mean(1), given["pos_embed_temporal"].mean(1))
    with torch.no_grad():
        assert larger.network.eval()(torch.randn(2, 3, 16, 64, 64)).shape == (2, 128)


def test_without_the_library_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "hiera", None)
    with pytest.raises(ConfigError, match=r"Run: pip install hiera-transformer"):
        hiera(**TINY, num_frames=8, image_size=32)
