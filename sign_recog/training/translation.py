"""The Lightning module of translation: a step of training, and of validation with the sentences that are written."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sign_recog.config.translation import ValidationConfig
from sign_recog.data.sentences import IGNORED
from sign_recog.evaluation.translation.scores import bleu_and_chrf
from sign_recog.text.base import Tokenizer
from sign_recog.training.base import NetworkModule, Totals
from sign_recog.training.budget import sampler_of
from sign_recog.training.processes import gathered
from sign_recog.types import SentenceBatch

_SUBSET_SEED = 0  # the same clips for every seed of a training, so that their scores compare


class TokenLosses(NamedTuple):
    """Sums over the tokens of a batch that are no padding.

    Attributes:
        objective: What training minimises, with label smoothing.
        cross_entropy: Without it, in nats.
        hits: Tokens that were the likeliest, given those before them.
        tokens: How many there are.
    """

    objective: Tensor
    cross_entropy: Tensor
    hits: Tensor
    tokens: Tensor


def token_losses(logits: Tensor, labels: Tensor, label_smoothing: float) -> TokenLosses:
    """Cross-entropy with label smoothing (Szegedy et al. 2016, arXiv:1512.00567), padding left out.

    Of a token y it is ``(1 - eps) * -log p(y) + eps * mean over the vocabulary of -log p``: eps is spread evenly over
    all V entries, the right one among them, as in transformers and in torch.

    Args:
        logits: (B, U, V).
        labels: (B, U) int64, ``IGNORED`` where padded.
    """
    log_probabilities = torch.log_softmax(logits.float(), dim=-1)
    real = labels != IGNORED
    chosen = labels.masked_fill(~real, 0)
    right = -log_probabilities.gather(2, chosen.unsqueeze(2)).squeeze(2).masked_fill(~real, 0)
    objective = cross_entropy = right.sum()
    if label_smoothing:
        spread = -log_probabilities.mean(dim=2).masked_fill(~real, 0)
        objective = (1 - label_smoothing) * cross_entropy + label_smoothing * spread.sum()
    hits = ((logits.argmax(dim=2) == labels) & real).sum()
    return TokenLosses(objective, cross_entropy, hits, real.sum())


class Translator(NetworkModule):
    """A translation network with its optimiser.

    Logged once an evaluation, over all tokens of the split: ``train_loss`` and ``val_loss``, the cross-entropy of a
    token in nats, without label smoothing, so that trainings with other smoothing compare; ``train_token_acc`` and
    ``val_token_acc``; and of the sentences written for val, or for ``validation.subset`` of its clips: ``val_bleu1``
    to ``val_bleu4`` and ``val_chrf`` as sacrebleu gives them for all of them together, and ``val_length_ratio``, words
    written over words of the references.

    Every token of an optimiser step counts the same, whatever batches and processes its sentence is in.

    Args:
        tokenizer: Of the sentences.
        references: Of val, in the order of its data set.
        max_target_length: The longest sentence to write, unless ``validation`` says it.
        others: As :class:`sign_recog.training.base.NetworkModule`.
    """

    def __init__(
        self,
        network: nn.Module,
        tokenizer: Tokenizer,
        references: Sequence[str],
        validation: ValidationConfig,
        build_optimizer: Callable[..., torch.optim.Optimizer],
        build_scheduler: Callable[..., Any],
        record: dict[str, Any],
        *,
        label_smoothing: float,
        max_target_length: int,
        seed: int,
    ):
        super().__init__(network, build_optimizer, build_scheduler, record, seed=seed)
        self._tokenizer, self._references, self._label_smoothing = tokenizer, list(references), label_smoothing
        self._search = {
            "num_beams": validation.num_beams,
            "max_length": validation.max_length or max_target_length,
            "length_penalty": validation.length_penalty,
        }
        self._written: dict[int, str] = {}
        order = np.random.default_rng(_SUBSET_SEED).permutation(len(self._references))
        self._subset = set(order[: validation.subset].tolist())

    def forward(self, batch: SentenceBatch) -> Tensor:
        """Logits (B, U, V)."""
        return self.network(batch["sequence"], batch["padding_mask"], batch["labels"])

    def training_step(self, batch: SentenceBatch, batch_idx: int) -> Tensor:
        sampler: Any = sampler_of(cast(DataLoader, self.trainer.train_dataloader))
        share = sampler.share(batch_idx)
        losses = token_losses(self(batch), batch["labels"], self._label_smoothing)
        if share > 0:
            self._count("train", losses)
        return losses.objective * share

    def on_train_batch_end(self, outputs: Any, batch: SentenceBatch, batch_idx: int) -> None:
        if self.trainer.is_last_batch or self.trainer.should_stop:
            self._log(self._totals.pop("train", Totals()).means())

    def probe_loss(self, batch: SentenceBatch) -> Tensor:
        return token_losses(self(batch), batch["labels"], self._label_smoothing).objective

    def on_validation_epoch_start(self) -> None:
        self._written = {}

    def validation_step(self, batch: SentenceBatch, batch_idx: int) -> None:
        if not sampler_of(cast(DataLoader, self.trainer.val_dataloaders)).own(batch_idx):
            return
        self._count("val", token_losses(self(batch), batch["labels"], 0.0))
        rows = [row for row, index in enumerate(batch["index"]) if index in self._subset]
        if not rows:
            return
        network: Any = self.network
        found = network.generate(batch["sequence"][rows], batch["padding_mask"][rows], **self._search)
        texts = self._tokenizer.decode([hypotheses[0].tokens for hypotheses in found])
        self._written |= {batch["index"][row]: text for row, text in zip(rows, texts, strict=True)}

    def on_validation_epoch_end(self) -> None:
        written = {index: text for own in gathered(self._written) for index, text in own.items()}
        places = sorted(written)
        scores = bleu_and_chrf([written[i] for i in places], [self._references[i] for i in places])
        figures = {f"val_{name}": torch.tensor(value, dtype=torch.float64) for name, value in scores.items()}
        self._log(self._totals.pop("val", Totals()).means() | figures)

    def _count(self, split: str, losses: TokenLosses) -> None:
        self._totals.setdefault(split, Totals()).add(
            {
                f"{split}_loss": (losses.cross_entropy.detach(), losses.tokens),
                f"{split}_token_acc": (losses.hits, losses.tokens),
            }
        )
