"""S3D: Inception over space and time with separable convolutions (Xie et al. 2018, arXiv:1712.04851)."""

from torch import Tensor, nn

from sign_recog.models.pixels import KINETICS_MEAN, KINETICS_STD
from sign_recog.models.pooling import ClippedAvgPool
from sign_recog.models.pretrained import Published
from sign_recog.models.video import VideoBackbone


def s3d() -> VideoBackbone:
    """torchvision's S3D. It gives the numbers of torchvision's own, which needs 224 pixels and 14 frames.

    The statistics are those of ``S3D_Weights.KINETICS400_V1.transforms()``.
    """
    from sign_recog.torchvision_operators import declare_missing

    declare_missing()
    from torchvision.models.video import S3D_Weights
    from torchvision.models.video import s3d as build

    network = build(weights=None)
    network.avgpool = ClippedAvgPool((2, 7, 7))
    network.classifier = nn.Identity()  # the mean over all places follows, and takes the linear classifier's place

    def time_tokens(clips: Tensor) -> Tensor:
        return network.features(clips).mean(dim=(3, 4)).transpose(1, 2)

    return VideoBackbone(
        network,
        feature_dim=1024,
        mean=KINETICS_MEAN,
        std=KINETICS_STD,
        blocks=list(network.features),
        classifier=("classifier.",),
        published=Published(S3D_Weights.DEFAULT.url),
        min_frames=5,  # fewer leave nothing to the last pooling over time
        time_tokens=time_tokens,
        time_stride=8,
    )
