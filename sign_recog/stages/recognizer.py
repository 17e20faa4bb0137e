"""A checkpoint ready for use: the network, its preprocessing and its labels."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from sign_recog.config.trainer import TrainerConfig
from sign_recog.data.datasets import pad, padding_mask
from sign_recog.data.readers import Reader
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.errors import CheckpointError
from sign_recog.stages.build import build, stored_reader
from sign_recog.storage.checkpoint import Checkpoint
from sign_recog.training.precision import check_accelerator

_STEPS = {"spatial": "embed_frames", "temporal": "encode", "cls": "embed"}  # embedding -> the networks' method


@dataclass(frozen=True)
class Recognizer:
    """What a checkpoint knows, on a device, in evaluation mode."""

    checkpoint: Checkpoint
    network: nn.Module
    reader: Reader
    vocabulary: Vocabulary
    device: torch.device

    @torch.inference_mode()
    def logits(self, loader: DataLoader) -> dict[str, np.ndarray]:
        """Logits of all clips, in the loader's order: ``gloss_logits`` (N, G), perhaps ``category_logits`` (N, K).

        They are computed in the precision of the training, as its validation computed them, and returned in float32.
        """
        from tqdm import tqdm

        bar = tqdm(loader, desc="evaluating", unit="batch", mininterval=1.0, leave=False, disable=None)
        with self._autocast():
            batches = [self._forward(batch["sequence"], batch["padding_mask"], batch["language"]) for batch in bar]
        return {name: np.concatenate([b[name].float().cpu().numpy() for b in batches]) for name in batches[0]}

    @torch.inference_mode()
    def recognize(
        self, clips: Sequence[np.ndarray], *, language: str | None, embeddings: Collection[str]
    ) -> list[dict[str, np.ndarray]]:
        """What the network makes of each of ``clips`` (T_i, ...): the same as of the clip alone.

        Args:
            language: Of all clips; None where the checkpoint knows only one.
            embeddings: Which of ``spatial``, ``temporal`` and ``cls`` to return.

        Returns:
            For each clip, float32: ``gloss`` (G,) and, with a category head, ``category`` (K,), probabilities;
            ``spatial`` (T_i, H), each frame by itself; ``temporal`` (T_i, H), each frame in its clip; ``cls`` (H,),
            the clip, which the heads classify.

        Raises:
            CheckpointError: If the checkpoint does not know the language.
        """
        padded, lengths = pad(clips)
        sequence, mask = torch.from_numpy(padded).to(self.device), padding_mask(lengths).to(self.device)
        logits = self._forward(sequence, mask, torch.full((len(clips),), self.language_index(language)))
        columns = {name.removesuffix("_logits"): _numpy(values.float().softmax(1)) for name, values in logits.items()}
        for kind in embeddings:
            columns[kind] = _numpy(getattr(self.network, _STEPS[kind])(sequence, mask))
        answers = []
        for i, clip in enumerate(clips):
            unpadded = {kind: columns[kind][i, : len(clip)] for kind in ("spatial", "temporal") if kind in columns}
            answers.append({name: values[i] for name, values in columns.items()} | unpadded)
        return answers

    def language_index(self, name: str | None) -> int:
        """The place of the language called ``name``; 0 where the checkpoint knows only one.

        Raises:
            CheckpointError: If the checkpoint does not know it, or needs one.
        """
        languages = self.vocabulary.languages
        if not languages:
            if name is not None:
                raise CheckpointError(
                    f"{self.checkpoint.path} was trained on one language, so run.language={name} has no effect. "
                    "Leave it out."
                )
            return 0
        if name not in languages:
            raise CheckpointError(
                f"{self.checkpoint.path} knows the languages {', '.join(languages)}, and {name!r} is none of them. "
                "Give run.language=NAME."
            )
        return languages.index(name)

    def _autocast(self) -> AbstractContextManager:
        precision = self.checkpoint.config["trainer"]["precision"]
        if precision == "32-true":
            return nullcontext()
        half = precision == "16-mixed" and self.device.type == "cuda"  # which is bf16-mixed elsewhere
        kind = torch.float16 if half else torch.bfloat16
        return torch.autocast(self.device.type, dtype=kind, cache_enabled=False)

    def check_embeddings(self, kinds: Collection[str]) -> None:
        """Raise CheckpointError if the network has none of a kind (``spatial``, ``temporal``, ``cls``)."""
        lacking = [kind for kind in kinds if not hasattr(self.network, _STEPS[kind])]
        if lacking:
            raise CheckpointError(
                f"{self.checkpoint.path}: its network reads a clip as a whole and has no vectors of single frames, so "
                f"run.embeddings={list(kinds)} asks for what it has not ({', '.join(lacking)}). Use cls, probabilities "
                "or none."
            )

    def _forward(self, sequence: torch.Tensor, mask: torch.Tensor, language: torch.Tensor) -> dict[str, torch.Tensor]:
        extra = [language.to(self.device)] if self.vocabulary.languages else []
        return self.network(sequence.to(self.device), mask.to(self.device), *extra)


def load_recognizer(checkpoint: Checkpoint, trainer: TrainerConfig) -> Recognizer:
    """Build the network that ``checkpoint`` describes and load its weights, all of them.

    Args:
        trainer: Of this command; its ``accelerator`` says where to compute.

    Raises:
        ConfigError: If the machine lacks the accelerator asked for.
        CheckpointError: If the weights do not fit the network the checkpoint describes.
    """
    check_accelerator(trainer)
    reader = stored_reader(checkpoint.config["modality"])
    vocabulary = Vocabulary(tuple(checkpoint.glosses), tuple(checkpoint.categories), tuple(checkpoint.languages))
    settings = dict(checkpoint.config["model"])
    if "weights" in settings:
        settings["weights"] = None  # those that training began with may be gone; the checkpoint has its own
    network = build(
        settings,
        input_dim=checkpoint.input_dim,
        num_glosses=len(vocabulary.glosses),
        num_categories=len(vocabulary.categories),
        num_languages=len(vocabulary.languages),
    )
    try:
        network.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{checkpoint.path}: its weights do not fit its network ({error}). Train again."
        ) from error
    if reader.input_dim not in (None, checkpoint.input_dim):
        raise CheckpointError(
            f"{checkpoint.path}: reads {checkpoint.input_dim} values a frame, but its modality settings make "
            f"{reader.input_dim}. It was made by another version of this program; train again."
        )
    device = torch.device("cuda" if trainer.accelerator != "cpu" and torch.cuda.is_available() else "cpu")
    return Recognizer(checkpoint, network.to(device).eval(), reader, vocabulary, device)


def _numpy(values: torch.Tensor) -> np.ndarray:
    return values.float().cpu().numpy()
