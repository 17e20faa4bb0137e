import pytest
import torch

from sign_recog.errors import ConfigError
from sign_recog.models.video_resnet import VARIANTS, video_resnet


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_are_torchvisions(variant):
    backbone = video_resnet(variant)
    from torchvision import models

    whole = models.get_model(variant, weights=None).eval()
    weights = {k: v for k, v in whole.state_dict().items() if not k.startswith(backbone.classifier)}
    backbone.network.load_state_dict(weights)
    clips = torch.randn(2, 3, 4, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(whole.fc(backbone.network.eval()(clips)), whole(clips), atol=1e-5, rtol=1e-4)
    assert backbone.published.address == models.get_model_weights(variant).KINETICS400_V1.url


def test_unknown_variants_are_refused():
    with pytest.raises(ConfigError, match=r"r3d_34.*Use r3d_18, mc3_18, r2plus1d_18"):
        video_resnet("r3d_34")
