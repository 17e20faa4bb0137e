"""A checkpoint ready for use: the network, its preprocessing and its labels."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.utils.data import DataLoader

from sign_recog.config.schema import ModalityConfig
from sign_recog.data.datasets import collate
from sign_recog.data.preprocessing import KeypointPreprocessor
from sign_recog.data.vocabulary import NO_CATEGORY, Vocabulary
from sign_recog.errors import CheckpointError
from sign_recog.stages.build import build
from sign_recog.storage.checkpoint import Checkpoint
from sign_recog.storage.sequences import KeypointSequence


@dataclass(frozen=True)
class Recognizer:
    """What a checkpoint knows, on a device, in evaluation mode."""

    checkpoint: Checkpoint
    network: nn.Module
    preprocessor: KeypointPreprocessor
    vocabulary: Vocabulary
    device: torch.device

    @torch.inference_mode()
    def logits(self, loader: DataLoader) -> dict[str, np.ndarray]:
        """Logits of all clips, in the loader's order: ``gloss_logits`` (N, G), perhaps ``category_logits`` (N, K)."""
        batches = [self._forward(batch["sequence"], batch["padding_mask"]) for batch in loader]
        return {name: np.concatenate([b[name].float().cpu().numpy() for b in batches]) for name in batches[0]}

    @torch.inference_mode()
    def recognize(self, sequence: KeypointSequence, name: str) -> dict[str, np.ndarray]:
        """Probabilities of one clip: ``gloss`` (G,), and with a category head ``category`` (K,)."""
        frames = self.preprocessor.frames(sequence, name)
        batch = collate([(frames, 0, NO_CATEGORY, name)])
        logits = self._forward(batch["sequence"], batch["padding_mask"])
        return {key.removesuffix("_logits"): v[0].float().softmax(0).cpu().numpy() for key, v in logits.items()}

    def _forward(self, sequence: torch.Tensor, padding_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.network(sequence.to(self.device), padding_mask.to(self.device))


def load_recognizer(checkpoint: Checkpoint) -> Recognizer:
    """Build the network that ``checkpoint`` describes and load its weights, all of them.

    Raises:
        CheckpointError: If the weights do not fit the network the checkpoint describes.
    """
    schema = OmegaConf.structured(ModalityConfig)
    modality = cast(ModalityConfig, OmegaConf.to_object(OmegaConf.merge(schema, checkpoint.config["modality"])))
    preprocessor = KeypointPreprocessor(modality)
    vocabulary = Vocabulary(tuple(checkpoint.glosses), tuple(checkpoint.categories))
    network = build(
        checkpoint.config["model"],
        input_dim=checkpoint.input_dim,
        num_glosses=len(vocabulary.glosses),
        num_categories=len(vocabulary.categories),
    )
    try:
        network.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{checkpoint.path}: its weights do not fit its network ({error}). Train again."
        ) from error
    if preprocessor.input_dim != checkpoint.input_dim:
        raise CheckpointError(
            f"{checkpoint.path}: reads {checkpoint.input_dim} values a frame, but its modality settings make "
            f"{preprocessor.input_dim}. It was made by another version of this program; train again."
        )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Recognizer(checkpoint, network.to(device).eval(), preprocessor, vocabulary, device)
