"""Features of SSVP-SLT's SignHiera: 64 vectors of 768 values for a window of 128 frames.

Rust et al. 2024 (arXiv:2402.09611) pre-train a Hiera as a masked autoencoder on windows of 128 pictures of 224 x 224,
and translate what its last stage gives, averaged over space, before the final norm. Frames of padding are unseen:
their time steps are masked in attention and dropped. Its checkpoints are read as they are, those of the autoencoder
and, with ``from_clip``, those of the model that was further trained with language (CLIP).
"""

import argparse
import collections
import logging
import pickle
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sign_recog.errors import CheckpointError, ConfigError
from sign_recog.extractors.video_network import VideoNetworkExtractor
from sign_recog.types import DOWNLOAD

if TYPE_CHECKING:
    from torch import Tensor, nn

CLIP_TOWER = "visual.transformer."  # where the names of the video network begin in a CLIP model
PLAIN = ("model", "model_state")  # keys of an autoencoder's state dict

logger = logging.getLogger(__name__)


class SignHieraExtractor(VideoNetworkExtractor):
    """A clip of L windows of n frames -> (up to L x n / 2, 8 x embed_dim); tokens of padding are left out.

    Args:
        from_clip: Whether ``weights`` is a checkpoint of the CLIP model, not of the autoencoder.
        name, backbone, library, weights, num_frames, sampling_rate, stride, window_rule, target_fps, image_size,
            resize, framing, batch_size, precision, device, compile: See :class:`VideoNetworkExtractor`; ``backbone``
            is a Hiera.

    Raises:
        ConfigError: If a setting is out of its range.
        CheckpointError: If there is no such file; when the network is loaded, if it holds another network's weights.
    """

    def __init__(
        self,
        *,
        name: str,
        backbone: Mapping[str, Any],
        library: str | None,
        from_clip: bool,
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
        if weights == DOWNLOAD:
            raise CheckpointError(
                "extractor.weights=download: no address of SSVP-SLT's checkpoints is known here. Fetch one and give "
                "extractor.weights=FILE."
            )
        if from_clip and weights is None:
            raise ConfigError("extractor.from_clip=true says how to read extractor.weights, which is null.")
        super().__init__(
            name=name,
            backbone=backbone,
            library=library,
            tokens="time",
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
            weights=weights,
            compile=compile,
        )
        self.from_clip = from_clip

    def options(self) -> dict[str, Any]:
        return {"backbone": self.backbone, "from_clip": self.from_clip}

    def build(self) -> "nn.Module":
        from sign_recog.models.hiera import PaddedHiera

        return PaddedHiera(self.build_backbone())

    def load(self, network: "nn.Module", weights: Path) -> None:
        load_checkpoint(cast(Any, network).backbone, weights, from_clip=self.from_clip)

    def forward(self, network: "nn.Module", frames: "Tensor", num_padding: Sequence[int]) -> "Tensor":
        """Windows of equal padding go through together; the tokens of padding are 0, and the base drops them."""
        per_window = self.tokens_per_window
        kept = [per_window - padding * per_window // frames.shape[1] for padding in num_padding]
        if set(kept) == {per_window}:
            return network(frames, per_window)
        tokens = None
        for steps in sorted(set(kept)):
            rows = [row for row, count in enumerate(kept) if count == steps]
            found = network(frames[rows], steps)
            if tokens is None:
                tokens = found.new_zeros(len(kept), per_window, found.shape[-1])
            tokens[rows, :steps] = found
        return cast("Tensor", tokens)


def load_checkpoint(network: "nn.Module", path: Path, *, from_clip: bool) -> None:
    """Fill ``network`` from one of SSVP-SLT's checkpoints, executing nothing it holds.

    What else is in the file (decoder, heads, text tower, optimiser) is left out, and counted in the log. Position
    tables of another length or size are stretched, and the log says so.

    Raises:
        CheckpointError: If the file is damaged, of the other kind, or lacks weights of ``network``; they are named.
    """
    from sign_recog.models.hiera import POSITIONS
    from sign_recog.models.pretrained import load_weights

    given = encoder_weights(_read(path), path, from_clip=from_clip)
    own = network.state_dict()
    others = Counter(name.partition(".")[0] for name in given if name not in own)
    if others:
        listed = ", ".join(f"{prefix} ({count})" for prefix, count in sorted(others.items()))
        logger.info("%s: %d weights that features do not need: %s", path, sum(others.values()), listed)
    known = {name: value for name, value in given.items() if name in own}
    stretched = load_weights(network, str(path), without=(), positions=POSITIONS, content=known)
    if stretched:
        logger.warning("%s: %d position tables were stretched to these windows.", path, stretched)


def encoder_weights(content: Any, path: Path, *, from_clip: bool) -> dict[str, "Tensor"]:
    """The state dict in what a checkpoint holds, under the encoder's own names.

    Raises:
        CheckpointError: If there is none, or one of the other kind.
    """
    import torch

    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}, and no checkpoint. Give one of SSVP-SLT's.")
    is_clip = isinstance(content.get("clip"), Mapping)
    if is_clip != from_clip:
        kind, other = ("the CLIP model", "true") if is_clip else ("an autoencoder, not of the CLIP model", "false")
        raise CheckpointError(f"{path}: is a checkpoint of {kind}. Set extractor.from_clip={other}.")
    keys = ("clip",) if from_clip else PLAIN
    given = next((content[key] for key in keys if isinstance(content.get(key), Mapping)), content)
    if not given or not all(isinstance(value, torch.Tensor) for value in given.values()):
        raise CheckpointError(
            f"{path}: has no state dict under {', '.join(keys)}; it holds {', '.join(map(str, list(content)[:8]))}. "
            "Give a checkpoint of SSVP-SLT's, or a state dict of its encoder."
        )
    given = {name.removeprefix("module."): value for name, value in given.items()}  # of DataParallel
    return {name.removeprefix(CLIP_TOWER): v for name, v in given.items()} if from_clip else given


def _read(path: Path) -> Any:
    """Load plain values, and the settings that SSVP-SLT saves beside weights: a Namespace, or OmegaConf's containers.

    Raises:
        CheckpointError: If the file is damaged, or holds objects of any other class.
    """
    import torch

    try:
        with torch.serialization.safe_globals(_settings_classes()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # torch's own words advise to run what is in the file
        raise CheckpointError(
            f"{path}: cannot be read as a checkpoint: it is no file of torch.save, or holds objects that could run "
            "code. Save its state dict and nothing else."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path}: cannot be read as a checkpoint ({first}). Fetch it again.") from error


def _settings_classes() -> list[Any]:
    """Classes that hold values and do nothing."""
    from omegaconf import DictConfig, ListConfig
    from omegaconf.base import ContainerMetadata, Metadata
    from omegaconf.nodes import AnyNode, BooleanNode, FloatNode, IntegerNode, StringNode

    nodes = [AnyNode, BooleanNode, FloatNode, IntegerNode, StringNode]
    plain = [Any, dict, list, int, float, str, bool, collections.defaultdict]
    return [argparse.Namespace, DictConfig, ListConfig, ContainerMetadata, Metadata, *nodes, *plain]
