"""Recognition of a clip by one network over its frames in space and time: a backbone, then the heads.

A backbone is described by :class:`VideoBackbone`; functions that build one stand beside each family (``s3d.py``,
``mvit.py``, ...) and know nothing of glosses, so that feature extraction can use them as well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.heads import Heads
from sign_recog.models.pixels import NormalizePixels
from sign_recog.models.pretrained import Published, start_from
from sign_recog.models.recompute import recompute_in_backward
from sign_recog.types import Logits


@dataclass(frozen=True)
class VideoBackbone:
    """A network with random weights and without its classifier, and what its users must know of it.

    Attributes:
        network: (B, 3, T, H, W) float, normalised, to (B, ``feature_dim``) float.
        mean, std: Of each colour, of values in [0, 1]: what the published weights were trained with.
        blocks: Parts one after another whose activations can be computed anew in the backward pass.
        classifier: Beginnings of the names that files of published weights have beyond ``network``'s.
        published: The weights that the network's library publishes; None = there are none.
        positions, rename: How a file's weights are fitted, see :func:`~sign_recog.models.pretrained.load_weights`.
        min_frames: Of a clip.
        image_size: The only width and height in pixels that it reads; None = any.
        time_tokens: From the same clips to (B, T / ``time_stride``, ``feature_dim``): a vector for each time step of
            the network's last stage, averaged over space, before a norm that follows the averaging; None = the last
            stage is not averaged.
        time_stride: Frames of a time step; T is a multiple of it.
    """

    network: nn.Module
    feature_dim: int
    mean: Sequence[float]
    std: Sequence[float]
    blocks: Sequence[nn.Module]
    classifier: tuple[str, ...] = ()
    published: Published | None = None
    positions: Mapping[str, int] = field(default_factory=dict)
    rename: Callable[[Mapping[str, Tensor]], dict[str, Tensor]] | None = None
    min_frames: int = 1
    image_size: int | None = None
    time_tokens: Callable[[Tensor], Tensor] | None = None
    time_stride: int = 1


class VideoClassifier(nn.Module):
    """A video backbone and the heads on its vector of the clip.

    Every clip is brought to ``num_frames`` frames: one that is shorter holds its last frame until then, whatever
    length the batch was padded to, and the frames of padding themselves are never read.

    Args:
        name: The option in conf/model, for messages.
        input_dim: 3, the channels of a frame.
        backbone: As built by a function of this package.
        num_frames: The frames of a clip; more are refused.
        weights: File of the backbone's state dict (its classifier may be in it), ``download`` for those that the
            library it is from publishes, or None = random weights.
        gradient_checkpointing: Keep only what stands between the backbone's blocks, and compute the rest anew in the
            backward pass (Chen et al. 2016, arXiv:1604.06174): less memory, about a third more computation.
        head_dropout: Before the classifiers.

    Attributes:
        pretrained: Where the backbone's weights come from; None = random weights.

    Shapes:
        sequence: (B, T, 3, H, W) uint8, RGB, T <= num_frames; padding_mask: (B, T) bool, True = padding.
        Returns gloss_logits (B, G) and, if num_categories > 0, category_logits (B, K).

    Raises:
        ConfigError: If the data are no frames, or their number does not suit the backbone.
        CheckpointError: If the weights do not fit the backbone, or cannot be had.
    """

    def __init__(
        self,
        *,
        name: str,
        input_dim: int,
        num_glosses: int,
        num_categories: int,
        num_languages: int,
        backbone: VideoBackbone,
        num_frames: int,
        weights: str | None,
        gradient_checkpointing: bool,
        head_dropout: float,
        language_dim: int | None = None,
    ) -> None:
        if input_dim != 3:
            raise ConfigError(
                f"model={name} reads frames of 3 channels, and these data have {input_dim} values a frame. "
                "Use frames (modality=rgb), or a network over keypoints or features."
            )
        if num_frames < backbone.min_frames:
            raise ConfigError(
                f"model={name} halves the number of frames several times and needs at least {backbone.min_frames}, not "
                f"{num_frames}. Raise modality.num_frames."
            )
        super().__init__()
        self.name, self.num_frames, self.image_size = name, num_frames, backbone.image_size
        self.normalize = NormalizePixels(backbone.mean, backbone.std)
        self.backbone = backbone.network
        self.pretrained = start_from(
            backbone.network,
            weights,
            without=backbone.classifier,
            published=backbone.published,
            positions=backbone.positions,
            rename=backbone.rename,
        )
        if gradient_checkpointing:
            recompute_in_backward(backbone.blocks)
        self.heads = Heads(
            backbone.feature_dim,
            num_glosses=num_glosses,
            num_categories=num_categories,
            num_languages=num_languages,
            language_dim=language_dim,
            dropout=head_dropout,
        )

    def forward(self, sequence: Tensor, padding_mask: Tensor, language: Tensor | None = None) -> Logits:
        """Shapes as above."""
        return self.heads(self.embed(sequence, padding_mask), language)

    def embed(self, sequence: Tensor, padding_mask: Tensor) -> Tensor:
        """The clip as one vector, (B, H); there are no vectors of single frames."""
        if sequence.shape[1] > self.num_frames:
            raise ConfigError(
                f"model={self.name} reads clips of {self.num_frames} frames, and these have {sequence.shape[1]}. "
                f"Give modality.num_frames={sequence.shape[1]}, or shorter clips."
            )
        height, width = sequence.shape[3:]
        if self.image_size is not None and (height, width) != (self.image_size, self.image_size):
            raise ConfigError(
                f"model={self.name} was built for pictures of {self.image_size} x {self.image_size} pixels, and these "
                f"have {width} x {height}. Change modality.image_size."
            )
        clips = hold_last_frame(sequence, padding_mask, self.num_frames)
        return self.backbone(self.normalize(clips).transpose(1, 2))


class WindowTokens(nn.Module):
    """A backbone over the bytes of pictures as they are decoded, for features.

    Args:
        backbone: As built by a function of this package.
        in_time: A vector for each of the backbone's time steps; else its vector of the clip.

    Attributes:
        described: The backbone as it was given.

    Shapes:
        frames: (B, T, H, W, 3) uint8, RGB. Returns (B, K, D), K = T / ``time_stride`` or 1.
    """

    def __init__(self, backbone: VideoBackbone, *, in_time: bool) -> None:
        super().__init__()
        self.normalize = NormalizePixels(backbone.mean, backbone.std)
        self.backbone, self.described = backbone.network, backbone
        self.time_tokens = backbone.time_tokens if in_time else None

    def forward(self, frames: Tensor) -> Tensor:
        """Shapes as above."""
        clips = self.normalize(frames.permute(0, 1, 4, 2, 3)).transpose(1, 2)
        return self.backbone(clips).unsqueeze(1) if self.time_tokens is None else self.time_tokens(clips)


def hold_last_frame(sequence: Tensor, padding_mask: Tensor, num_frames: int) -> Tensor:
    """Bring every clip to ``num_frames`` frames: its own, and then the last of them again and again.

    Shapes:
        sequence: (B, T, ...), T <= num_frames; padding_mask: (B, T) bool, True = padding. Returns (B, num_frames, ...).
    """
    last = (~padding_mask).sum(dim=1, keepdim=True) - 1
    wanted = torch.arange(num_frames, device=sequence.device).unsqueeze(0).minimum(last)
    return sequence[torch.arange(sequence.shape[0], device=sequence.device).unsqueeze(1), wanted]


def check_grid(name: str, num_frames: int, image_size: int, *, frames: int, pixels: int) -> None:
    """Raise ConfigError unless clips divide into patches of ``frames`` frames and ``pixels`` pixels."""
    if num_frames % frames:
        raise ConfigError(
            f"{name} reads {frames} frames at a time, and num_frames={num_frames} is no multiple of {frames}."
        )
    if image_size % pixels:
        raise ConfigError(
            f"{name} needs pictures whose sides are multiples of {pixels} pixels, and image_size={image_size} "
            f"is none. Use {max(pixels, round(image_size / pixels) * pixels)}."
        )
