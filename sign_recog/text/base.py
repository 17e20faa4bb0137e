"""What a tokenizer offers, and what the tokenizers share.

One module a kind, which holds two classes and a function: what is made by the settings of the group ``tokenizer`` (it
trains), the tokenizer itself, and ``read(state)``, which makes the same tokenizer again.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any, Protocol

BOS, PAD, EOS, UNK = 0, 1, 2, 3  # of the tokenizers trained here: fairseq's order, which SSVP-SLT's models have
NUM_SPECIAL = 4


class Tokenizer(Protocol):
    """Sentences to token ids and back.

    Attributes:
        pad_id, bos_id, eos_id: Padding, beginning and end of a sentence.
        unk_id: What stands for anything unknown; -1 where nothing is unknown to the tokenizer.
        vocab_size: Ids are below this.
        notes: What the user should know of its training, one sentence each.
    """

    pad_id: int
    bos_id: int
    eos_id: int
    unk_id: int
    vocab_size: int
    notes: tuple[str, ...]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text: without a beginning, with ``eos_id`` at the end; an empty text is ``[eos_id]``."""

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """The text of each sequence, up to its first ``eos_id``, without special tokens."""

    def state(self) -> dict[str, Any]:
        """All that the tokenizer is, as plain values and uint8 tensors, for :func:`read_tokenizer`."""


class Trainer(Protocol):
    """What a ``_target_`` node of the group ``tokenizer`` gives."""

    def identity(self) -> Any:
        """What besides settings and text decides the tokenizer, as a plain value; None = nothing."""

    def train(self, texts: Sequence[str]) -> Tokenizer:
        """A tokenizer made from ``texts``, the training's own; the same texts give the same tokenizer.

        Raises:
            ConfigError: If the settings cannot be met.
            DataError: If the texts, or files that are read, cannot serve.
        """


def until(ids: Sequence[int], end: int) -> Iterator[int]:
    """The ids before the first ``end``."""
    return takewhile(lambda one: one != end, ids)


def to_tensor(content: bytes) -> Any:
    """``content`` as a tensor (N,) uint8."""
    import torch

    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.empty(0, dtype=torch.uint8)


def to_bytes(tensor: Any) -> bytes:
    """What :func:`to_tensor` was given."""
    return bytes(tensor.numpy().tobytes())
