"""A translator's checkpoint ready for use: the network, its preprocessing and its tokenizer."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sign_recog.config.trainer import TrainerConfig
from sign_recog.config.translation import GenerationConfig
from sign_recog.data.readers import Reader
from sign_recog.errors import CheckpointError, ConfigError
from sign_recog.stages.build import stored_reader
from sign_recog.stages.translate import build_network
from sign_recog.storage.checkpoint import TranslationCheckpoint
from sign_recog.text import Tokenizer, read_tokenizer
from sign_recog.training.precision import check_accelerator


@dataclass(frozen=True)
class TrainedTranslator:
    """What a checkpoint knows, on a device, in evaluation mode."""

    checkpoint: TranslationCheckpoint
    network: Any  # a network of sign_recog.models.translation
    reader: Reader
    tokenizer: Tokenizer
    device: torch.device

    @torch.inference_mode()
    def logits(self, sequence: Tensor, padding_mask: Tensor, labels: Tensor) -> Tensor:
        """Logits (B, U, V), in the precision of the training."""
        with self._autocast():
            return self.network(sequence.to(self.device), padding_mask.to(self.device), labels.to(self.device))

    @torch.inference_mode()
    def translate(
        self, sequence: Tensor, padding_mask: Tensor, settings: GenerationConfig, *, num_return: int = 1
    ) -> list[list[tuple[str, float]]]:
        """The ``num_return`` best sentences of each sequence with their scores, best first.

        A score is the sum of the tokens' log probabilities over (their number)^length_penalty.

        Raises:
            ConfigError: If the network has fewer positions than ``settings.max_length``.
        """
        with self._autocast():
            found = self.network.generate(
                sequence.to(self.device),
                padding_mask.to(self.device),
                num_beams=settings.num_beams,
                max_length=settings.max_length,
                length_penalty=settings.length_penalty,
                num_return=num_return,
            )
        texts = [self.tokenizer.decode([one.tokens for one in hypotheses]) for hypotheses in found]
        return [
            [(text, float(one.score)) for text, one in zip(own, hypotheses, strict=True)]
            for own, hypotheses in zip(texts, found, strict=True)
        ]

    def check_generation(self, settings: GenerationConfig) -> None:
        """Raises ConfigError where the network cannot write such long sentences; before the work begins."""
        most = self.network.max_target_positions
        if most is not None and settings.max_length > most:
            raise ConfigError(
                f"generation.max_length={settings.max_length}: this network has positions for {most} tokens. "
                f"Use generation.max_length={most} or less."
            )

    def _autocast(self) -> AbstractContextManager:
        precision = self.checkpoint.config["trainer"]["precision"]
        if precision == "32-true":
            return nullcontext()
        half = precision == "16-mixed" and self.device.type == "cuda"  # which is bf16-mixed elsewhere
        kind = torch.float16 if half else torch.bfloat16
        return torch.autocast(self.device.type, dtype=kind, cache_enabled=False)


def load_translator(checkpoint: TranslationCheckpoint, trainer: TrainerConfig) -> TrainedTranslator:
    """Build the network that ``checkpoint`` describes and load its weights, all of them.

    Args:
        trainer: Of this command; its ``accelerator`` says where to compute.

    Raises:
        ConfigError: If the machine lacks the accelerator asked for.
        CheckpointError: If the weights do not fit the network, or the tokenizer does not.
    """
    check_accelerator(trainer)
    reader: Any = stored_reader(checkpoint.config["modality"])
    if checkpoint.source_tokenizer is not None:
        reader.vocabulary = read_tokenizer(checkpoint.source_tokenizer)
    tokenizer = read_tokenizer(checkpoint.tokenizer)
    network = build_network(
        {**checkpoint.config["model"], **checkpoint.rebuild},
        tokenizer,
        input_dim=checkpoint.input_dim,
        source_tokenizer=checkpoint.source_tokenizer,
    )
    try:
        network.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        raise CheckpointError(
            f"{checkpoint.path}: its weights do not fit its network and its tokenizer of {tokenizer.vocab_size} "
            f"entries ({_first_misfit(error)}). Use another copy, or train again."
        ) from error
    device = torch.device("cuda" if trainer.accelerator != "cpu" and torch.cuda.is_available() else "cpu")
    return TrainedTranslator(checkpoint, network.to(device).eval(), reader, tokenizer, device)


def _first_misfit(error: Exception) -> str:
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines()]
    return lines[1] if len(lines) > 1 else lines[0]
