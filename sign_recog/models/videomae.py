"""VideoMAE, a Vision Transformer over tubes of 2 x 16 x 16 (Tong et al. 2022, arXiv:2203.12602), of transformers."""

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from torch import Tensor, nn

from sign_recog.errors import CheckpointError
from sign_recog.models.pixels import IMAGENET_MEAN, IMAGENET_STD
from sign_recog.models.pretrained import Published
from sign_recog.models.video import VideoBackbone, check_grid


def videomae(
    *,
    hidden_size: int,
    num_layers: int,
    num_heads: int,
    dropout: float,
    num_frames: int,
    image_size: int,
    published: str | None,
) -> VideoBackbone:
    """Build the network for clips of one length and size; its positions are sines, so that any weights fit.

    Its vector is the mean over all tubes, normalised, as of the fine-tuned networks. Weights of the pre-training alone
    lack that norm and do not fit. Mean and deviation are ImageNet's, as in the published ``preprocessor_config.json``.

    Args:
        hidden_size, num_layers, num_heads: Of the encoder; its feed-forward parts are four times as wide.
        dropout: In the encoder.
        published: Name on the Hugging Face hub of weights fine-tuned on Kinetics; None = there are none.

    Raises:
        ConfigError: If frames or pixels do not divide into tubes.
    """
    from sign_recog.torchvision_operators import declare_missing

    declare_missing()  # transformers imports torchvision where it is installed
    from transformers import VideoMAEConfig, VideoMAEForVideoClassification

    check_grid("VideoMAE", num_frames, image_size, frames=2, pixels=16)
    config = VideoMAEConfig(
        image_size=image_size,
        num_frames=num_frames,
        hidden_size=hidden_size,
        num_hidden_layers=num_layers,
        num_attention_heads=num_heads,
        intermediate_size=4 * hidden_size,
        hidden_dropout_prob=dropout,
        use_mean_pooling=True,
    )
    whole = VideoMAEForVideoClassification(config)
    network = MeanOfTubes(whole.videomae, cast(nn.Module, whole.fc_norm))
    return VideoBackbone(
        network,
        feature_dim=hidden_size,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        blocks=list(whole.videomae.encoder.layer),
        classifier=("classifier.",),
        published=None if published is None else Published(published, _from_hub),
        rename=_renaming(network),
        image_size=image_size,
        time_tokens=lambda clips: network.tubes(clips).unflatten(1, (num_frames // 2, -1)).mean(dim=2),
        time_stride=2,
    )


class MeanOfTubes(nn.Module):
    """What transformers' ``VideoMAEForVideoClassification`` does before its classifier, under its names.

    Shapes:
        clips: (B, 3, T, H, W) float. Returns (B, hidden_size).
    """

    def __init__(self, videomae: nn.Module, fc_norm: nn.Module) -> None:
        super().__init__()
        self.videomae, self.fc_norm = videomae, fc_norm

    def forward(self, clips: Tensor) -> Tensor:
        """Shapes as above."""
        return self.fc_norm(self.tubes(clips).mean(dim=1))

    def tubes(self, clips: Tensor) -> Tensor:
        """The vectors of all tubes, those of the first two frames first: (B, T / 2 x H / 16 x W / 16, hidden_size)."""
        return self.videomae(clips.transpose(1, 2)).last_hidden_state


def _renaming(network: nn.Module) -> Callable[[Mapping[str, Tensor]], dict[str, Tensor]]:
    """Biases of queries and values stand beside the layers in published files, and inside since transformers 5."""
    inside = any(name.endswith("attention.query.bias") for name in network.state_dict())

    def rename(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if not inside:
            return dict(weights)
        names = {"q": "query", "v": "value"}
        return {re.sub(r"\.([qv])_bias$", lambda m: f".{names[m[1]]}.bias", k): v for k, v in weights.items()}

    return rename


def _from_hub(address: str) -> Mapping[str, Tensor]:
    from transformers import VideoMAEForVideoClassification

    loaded: Any = VideoMAEForVideoClassification.from_pretrained(address, output_loading_info=True)
    network, found = loaded
    if found["missing_keys"]:
        raise CheckpointError(f"{address} lacks the weights {', '.join(sorted(found['missing_keys'])[:5])}.")
    return network.state_dict()
