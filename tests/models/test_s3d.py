import pytest
import torch
from torch import nn

from sign_recog.models.s3d import s3d
from sign_recog.torchvision_operators import declare_missing


@pytest.mark.parametrize("frames", [14, 17])
def test_logits_are_torchvisions(frames):
    """At torchvision's size: its own network with its classifier, and ours with the same classifier on the vector."""
    declare_missing()
    from torchvision.models.video import s3d as torchvisions

    torch.manual_seed(0)
    whole, backbone = torchvisions(weights=None).eval(), s3d()
    for module in whole.modules():
        if isinstance(module, nn.BatchNorm3d):  # at random, so that the maps are not all alike
            module.running_var.uniform_(0.5, 1.5)
            module.running_mean.normal_(0, 0.1)
    backbone.network.load_state_dict(
        {key: value for key, value in whole.state_dict().items() if not key.startswith(backbone.classifier)}
    )
    clips = torch.randn(1, 3, frames, 224, 224)
    with torch.no_grad():
        vector = backbone.network.eval()(clips)
        assert vector.shape == (1, backbone.feature_dim)
        logits = whole.classifier(vector[..., None, None, None]).flatten(1)
        torch.testing.assert_close(logits, whole(clips), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", [(5, 32, 32), (12, 80, 80), (8, 64, 48)])
def test_small_clips_have_a_vector_too(shape):
    with torch.no_grad():
        vector = s3d().network.eval()(torch.randn(1, 3, *shape))
    assert vector.shape == (1, 1024) and torch.isfinite(vector).all()
