"""A translator that begins from another one's weights; where their tokenizers differ, without the vectors of tokens."""

from typing import Any

import torch

from sign_recog.errors import CheckpointError
from sign_recog.storage.checkpoint import TranslationCheckpoint
from sign_recog.text import read_tokenizer
from sign_recog.text.base import to_bytes
from sign_recog.training.transfer import Outcome, load_weights

State = dict[str, Any]


def load_translator_weights(
    network: Any, source: TranslationCheckpoint, *, tokenizer: State, source_tokenizer: State | None
) -> list[Outcome]:
    """Load what fits of ``source`` and return what became of every weight.

    A weight with a row a token means words: under another tokenizer, even one of as many entries, its rows would be
    those of other words, so it stays as built.

    Args:
        tokenizer: State of the network's own, of its sentences; ``source_tokenizer`` of the glosses that it reads.

    Raises:
        CheckpointError: If nothing else fits.
    """
    fresh: dict[str, str] = {}
    if not same_tokenizer(tokenizer, source.tokenizer):
        sizes = [read_tokenizer(state).vocab_size for state in (source.tokenizer, tokenizer)]
        reason = f"another tokenizer ({sizes[0]} entries in the checkpoint, {sizes[1]} here): its rows are other words"
        fresh |= dict.fromkeys(network.token_weights, reason)
    if not same_tokenizer(source_tokenizer, source.source_tokenizer):
        reason = "another vocabulary of glosses, or one reads none: its rows are other glosses"
        fresh |= dict.fromkeys(network.source_token_weights, reason)
    return load_weights(network, source, glosses=[], categories=[], languages=[], extend_head=False, fresh=fresh)


def refuse_other_tokenizer(now: State, before: State, where: str) -> None:
    """The rows of a network's matrices belong to tokens; under another tokenizer they would be those of others.

    Raises:
        CheckpointError: If the two differ.
    """
    if not same_tokenizer(now, before):
        sizes = [read_tokenizer(state).vocab_size for state in (before, now)]
        raise CheckpointError(
            f"{where}: its network was trained with another tokenizer ({sizes[0]} entries; this one has {sizes[1]}), "
            "so its tokens mean other words. Prepare the corpus as then, or train anew in another folder."
        )


def same_tokenizer(one: State | None, other: State | None) -> bool:
    """Whether two states are of the same tokenizer."""
    return _comparable(one) == _comparable(other)


def _comparable(state: Any) -> Any:
    """A tokenizer's state with tensors as bytes, which compare as wholes."""
    if isinstance(state, torch.Tensor):
        return to_bytes(state)
    if isinstance(state, dict):
        return {name: _comparable(value) for name, value in state.items()}
    return [_comparable(one) for one in state] if isinstance(state, list | tuple) else state
