"""Features of windows by any network over frames and time that models/ can build, without its classifier.

A window becomes one vector, the one its classifier would read, or one for each time step of the network's last stage.
The network is built with the first clip; until then its backbone is a node of the configuration, and no torch is
imported.
"""

import logging
import pkgutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sign_recog.errors import ConfigError
from sign_recog.extractors.base import NetworkExtractor
from sign_recog.extractors.weights import tensors_hash
from sign_recog.types import DOWNLOAD

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sign_recog.models.video import VideoBackbone, WindowTokens

TOKENS = ("window", "time")

logger = logging.getLogger(__name__)


class VideoNetworkExtractor(NetworkExtractor):
    """A frozen network over frames and time: a clip of L windows -> (L x K, D), K = 1 unless ``tokens`` is ``time``.

    Args:
        name: Of the folder of its files below features/; other settings need another.
        backbone: ``_target_``, a function of models/ that returns a ``VideoBackbone``, and its arguments.
        library: The distribution that the network comes from; None = this project.
        tokens: ``window`` = the vector that the network's classifier reads; ``time`` = a vector for each time step of
            the last stage, averaged over space, before a norm that follows the averaging.
        weights: File of the network's state dict (its classifier may be in it), ``download`` for what the library
            publishes, or None = random weights, the same ones every time.
        num_frames, sampling_rate, stride, window_rule, target_fps, image_size, resize, framing, batch_size, precision,
            device, compile: See :class:`NetworkExtractor`.

    Raises:
        ConfigError: If a setting is out of its range.
        CheckpointError: If there is no such file.
    """

    def __init__(
        self,
        *,
        name: str,
        backbone: Mapping[str, Any],
        library: str | None,
        tokens: str,
        num_frames: int,
        sampling_rate: int,
        stride: int,
        window_rule: str,
        target_fps: float | None,
        image_size: int,
        resize: int | None,
        framing: str,
        batch_size: int,
        precision: str | int,
        device: str,
        weights: str | None,
        compile: bool,
    ) -> None:
        if name in ("", ".", "..") or "/" in name or "\\" in name:
            raise ConfigError(f"extractor.name={name} is no name of a folder. Give a word, such as s3d_wlasl.")
        if tokens not in TOKENS:
            raise ConfigError(f"extractor.tokens={tokens} must be one of {', '.join(TOKENS)}.")
        super().__init__(
            num_frames=num_frames,
            sampling_rate=sampling_rate,
            stride=stride,
            window_rule=window_rule,
            target_fps=target_fps,
            image_size=image_size,
            resize=resize,
            framing=framing,
            batch_size=batch_size,
            precision=precision,
            device=device,
            weights=None if weights == DOWNLOAD else weights,
            compile=compile,
        )
        self.name, self.backbone, self.library, self.tokens = name, dict(backbone), library, tokens
        self.downloads = weights == DOWNLOAD
        self._built: dict[str, int] = {}  # what the backbone says of itself; shared with augmented copies

    def version(self) -> str:
        return "sign_recog" if self.library is None else f"{self.library} {version(self.library)}"

    def options(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "backbone": self.backbone}

    @property
    def tokens_per_window(self) -> int:
        if self.tokens == "window":
            return 1
        if not self._built:
            self.build_backbone()
        return self.reading.num_frames // self._built["time_stride"]

    def weights_description(self) -> str:
        if not self.downloads:
            return super().weights_description()
        from sign_recog.models.pretrained import fetch_published

        backbone = self.build_backbone()
        address, weights = fetch_published(backbone.network, backbone.published)
        return f"{address}, {tensors_hash(weights)}"

    def build(self) -> "nn.Module":
        from sign_recog.models.video import WindowTokens

        backbone = self.build_backbone()
        if self.downloads:
            _fill(backbone, DOWNLOAD)
        return WindowTokens(backbone, in_time=self.tokens == "time")

    def prepare(self, network: "nn.Module") -> "nn.Module":
        import torch

        for weight in network.parameters():
            if weight.ndim == 5:  # of a convolution over time and space: as the pictures come, channels last
                weight.data = weight.data.to(memory_format=torch.channels_last_3d)
        return network

    def load(self, network: "nn.Module", weights: Path) -> None:
        _fill(cast("WindowTokens", network).described, str(weights))

    def forward(self, network: "nn.Module", frames: "Tensor", num_padding: Sequence[int]) -> "Tensor":
        return network(frames)  # padding repeats the last frame, as these networks saw it in training

    def build_backbone(self) -> "VideoBackbone":
        """The backbone with random weights.

        Raises:
            ConfigError: If windows do not suit it, or it has no tokens of the kind that is asked for.
        """
        arguments = {name: value for name, value in self.backbone.items() if name != "_target_"}
        backbone: VideoBackbone = pkgutil.resolve_name(self.backbone["_target_"])(**arguments)
        frames, pixels = self.reading.num_frames, self.reading.image_size
        if frames < backbone.min_frames:
            raise ConfigError(
                f"extractor={self.name} halves the number of frames several times and needs at least "
                f"{backbone.min_frames}, not extractor.num_frames={frames}."
            )
        if backbone.image_size not in (None, pixels):
            raise ConfigError(
                f"extractor.image_size={pixels}: the network is built for pictures of {backbone.image_size} pixels. "
                "Leave extractor.backbone.image_size to follow it."
            )
        if self.tokens == "time" and backbone.time_tokens is None:
            raise ConfigError(
                f"extractor.tokens=time: extractor={self.name} reads a window into one vector and averages nothing "
                "over space. Use extractor.tokens=window."
            )
        if self.tokens == "time" and frames % backbone.time_stride:
            raise ConfigError(
                f"extractor.tokens=time: extractor={self.name} has a time step for every {backbone.time_stride} "
                f"frames, and extractor.num_frames={frames} is no multiple of that. Use "
                f"{-(-frames // backbone.time_stride) * backbone.time_stride}, or extractor.tokens=window."
            )
        self._built["time_stride"] = backbone.time_stride
        return backbone


def _fill(backbone: "VideoBackbone", weights: str) -> None:
    """Give a backbone the weights of a file, or published ones."""
    from sign_recog.models.pretrained import start_from

    source = start_from(
        backbone.network,
        weights,
        without=backbone.classifier,
        published=backbone.published,
        positions=backbone.positions,
        rename=backbone.rename,
    )
    logger.info("weights: %s", source)
