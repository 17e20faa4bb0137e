import pytest
import torch

from sign_recog.errors import ConfigError
from sign_recog.models.swin3d import swin3d


def test_logits_and_skipped_branches_are_torchvisions():
    backbone = swin3d("swin3d_t", drop_path=0.1)
    from torchvision import models
    from torchvision.ops import StochasticDepth

    whole = models.get_model("swin3d_t", weights=None).eval()
    weights = {k: v for k, v in whole.state_dict().items() if not k.startswith(backbone.classifier)}
    backbone.network.load_state_dict(weights)
    clips = torch.randn(1, 3, 5, 33, 40)  # any size: the library pads
    with torch.no_grad():
        torch.testing.assert_close(whole.head(backbone.network.eval()(clips)), whole(clips), atol=1e-5, rtol=1e-4)

    def skipped(network):
        return [m.p for m in network.modules() if isinstance(m, StochasticDepth)]

    assert skipped(backbone.network) == pytest.approx(skipped(whole))
    assert skipped(swin3d("swin3d_t", drop_path=0.3).network) == pytest.approx([3 * p for p in skipped(whole)])
    assert len(backbone.blocks) == 2 + 2 + 6 + 2


def test_unknown_variants_are_refused():
    with pytest.raises(ConfigError, match=r"swin3d_l.*Use swin3d_t, swin3d_s, swin3d_b"):
        swin3d("swin3d_l", drop_path=0.1)
