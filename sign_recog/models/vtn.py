"""SignON's Video Transformer Network: an image network for each frame, then a Transformer over time."""

from typing import Literal

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.encoder import TokenEncoder, encoder_layers
from sign_recog.models.heads import Heads
from sign_recog.models.pixels import IMAGENET_MEAN, IMAGENET_STD, NormalizePixels
from sign_recog.models.pretrained import Published, start_from

CLASSIFIERS = {"resnet34": "fc", "resnet50": "fc", "efficientnet_b0": "classifier"}  # torchvision's names


class VTN(TokenEncoder):
    """A 2D CNN gives each frame a vector; pre-norm encoder layers and a token make one of the clip.

    Frames of padding never reach the CNN: they cost nothing and do not enter its batch statistics. Frames are
    normalised inside, by the mean and deviation of ImageNet.

    Args:
        input_dim: 3, the channels of a frame.
        backbone: torchvision's ``resnet34``, ``resnet50`` or ``efficientnet_b0``, without its classifier.
        weights: File of the backbone's state dict (its classifier may be in it), ``download`` for torchvision's of
            ImageNet, or None = random weights.

    Attributes:
        pretrained: The file or address the backbone's weights are from; None = random weights.

    Shapes:
        sequence: (B, T, 3, H, W) uint8, RGB; padding_mask: (B, T) bool, True = padding.
        Returns gloss_logits (B, G) and, if num_categories > 0, category_logits (B, K).

    Raises:
        ConfigError: If the backbone is unknown, or the data are no frames.
        CheckpointError: If the weights do not fit the backbone, or cannot be had.
    """

    def __init__(
        self,
        *,
        input_dim: int,
        num_glosses: int,
        num_categories: int,
        num_languages: int,
        backbone: Literal["resnet34", "resnet50", "efficientnet_b0"],
        weights: str | None,
        d_model: int,
        num_layers: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        head_dropout: float,
        language_dim: int | None = None,
    ) -> None:
        if input_dim != 3:
            raise ConfigError(
                f"model=vtn reads frames of 3 channels, and these data have {input_dim} values a frame. "
                "Use frames (modality=rgb), or a network over keypoints or features."
            )
        layers = encoder_layers(num_layers, dim=d_model, num_heads=num_heads, ffn_dim=ffn_dim, dropout=dropout)
        heads = Heads(
            d_model,
            num_glosses=num_glosses,
            num_categories=num_categories,
            num_languages=num_languages,
            language_dim=language_dim,
            dropout=head_dropout,
        )
        super().__init__(d_model=d_model, layers=layers, output_norm=nn.LayerNorm(d_model), heads=heads)
        self.normalize = NormalizePixels(IMAGENET_MEAN, IMAGENET_STD)
        self.backbone, feature_dim = _backbone(backbone)
        self.pretrained = start_from(
            self.backbone, weights, without=(f"{CLASSIFIERS[backbone]}.",), published=_published(backbone)
        )
        self.projection = nn.Linear(feature_dim, d_model)

    def embed_frames(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """Each frame by itself, (B, T, H); 0 at padded frames."""
        valid = ~padding_mask
        if torch.compiler.is_exporting():  # the shapes in a graph may not depend on the mask
            every = self.projection(self.backbone(self.normalize(sequence.flatten(0, 1))))
            return every.unflatten(0, padding_mask.shape) * valid.unsqueeze(-1)
        frames = self.projection(self.backbone(self.normalize(sequence[valid])))
        return frames.new_zeros(*padding_mask.shape, frames.shape[1]).masked_scatter(valid.unsqueeze(-1), frames)


def _published(name: str) -> Published:
    from torchvision import models

    return Published(models.get_model_weights(name).DEFAULT.url)


def _backbone(name: str) -> tuple[nn.Module, int]:
    """torchvision's network with random weights and nothing after its pooling, and the size of its vectors."""
    from sign_recog.torchvision_operators import declare_missing

    if name not in CLASSIFIERS:
        raise ConfigError(f"model.backbone={name!r} is unknown. Use {', '.join(CLASSIFIERS)}.")
    declare_missing()
    from torchvision import models

    network = getattr(models, name)(weights=None)
    classifier = getattr(network, CLASSIFIERS[name])
    setattr(network, CLASSIFIERS[name], nn.Identity())
    linear = classifier if isinstance(classifier, nn.Linear) else classifier[-1]
    return network, linear.in_features
