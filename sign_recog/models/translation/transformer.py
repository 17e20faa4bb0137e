"""An encoder-decoder Transformer trained from scratch, over features, keypoints or glosses."""

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.encoder import check_width, sinusoidal_positions
from sign_recog.models.recompute import recompute_in_backward
from sign_recog.models.translation.beam_search import Hypothesis, beam_search, check_generation
from sign_recog.models.translation.inputs import FrameInput, TokenInput, check_input
from sign_recog.models.translation.layers import DecoderLayer, Dropouts, KeysValues, encoder_layer


class Seq2SeqTransformer(nn.Module):
    """Transformer from a sequence to a sentence (Vaswani et al. 2017, arXiv:1706.03762), pre-norm with final norms.

    With the sizes of ``model=tarres`` the network of Tarres et al. 2023 (arXiv:2304.06371). Sinusoidal positions on
    both sides, so nothing is too long; token vectors times the square root of the width; the same vectors make the
    logits. Token vectors begin at N(0, 1 / width), that of padding at 0.

    Args:
        stem: Makes what stands before the encoder from ``input_dim`` and ``d_model``, see
            :class:`~sign_recog.models.translation.inputs.ConvStem`; None = a scaled linear map of each frame. Glosses
            always have an embedding.
        dropout: Of each branch's output, and of the inputs.
        attention_dropout: Of attention weights.
        activation_dropout: Inside the feed-forward parts.
        gradient_checkpointing: Compute each layer's activations anew in the backward pass: less memory, about a third
            more computation.

    Shapes, attributes and ``generate``: see :mod:`sign_recog.models.translation`.

    Raises:
        ConfigError: If sizes do not go together.
    """

    no_fp16 = None
    max_source_positions = None
    max_target_positions = None
    pretrained = None
    token_weights = ("embedding.weight",)

    def __init__(
        self,
        *,
        input_dim: int | None,
        num_source_tokens: int | None,
        vocab_size: int,
        pad_id: int,
        bos_id: int,
        eos_id: int,
        d_model: int,
        num_encoder_layers: int,
        num_decoder_layers: int,
        num_heads: int,
        ffn_dim: int,
        dropout: float,
        attention_dropout: float,
        activation_dropout: float,
        stem: Callable[..., nn.Module] | None,
        gradient_checkpointing: bool,
    ) -> None:
        super().__init__()
        check_width(d_model, num_heads)
        self.rebuild: dict[str, Any] = {}
        self.pad_id, self.bos_id, self.eos_id = pad_id, bos_id, eos_id
        self.input = _input(input_dim, num_source_tokens, d_model, stem)
        self.dropout = nn.Dropout(dropout)
        sizes = (d_model, num_heads, ffn_dim, Dropouts(dropout, attention_dropout, activation_dropout))
        # layers made one by one, each with starting weights of its own
        self.layers = nn.ModuleList(encoder_layer(*sizes) for _ in range(num_encoder_layers))
        self.encoder_norm = nn.LayerNorm(d_model)
        self.decoder_layers = nn.ModuleList(DecoderLayer(*sizes) for _ in range(num_decoder_layers))
        self.decoder_norm = nn.LayerNorm(d_model)
        self.embedding = nn.Embedding(vocab_size, d_model, padding_idx=pad_id)
        nn.init.normal_(self.embedding.weight, std=d_model**-0.5)
        nn.init.zeros_(self.embedding.weight[pad_id])
        if gradient_checkpointing:
            recompute_in_backward([*self.layers, *self.decoder_layers])

    def forward(self, sequence: Tensor, padding_mask: Tensor, labels: Tensor) -> Tensor:
        """Logits (B, U, V)."""
        sources, mask = self._sources(sequence, padding_mask)
        inputs = nn.functional.pad(labels[:, :-1], (1, 0), value=self.bos_id)
        inputs = inputs.masked_fill(inputs < 0, self.pad_id)
        positions = sinusoidal_positions(inputs.shape[1], self.embedding.embedding_dim, like=self.embedding.weight)
        states = self._embed(inputs, positions)
        for layer, source in zip(self.decoder_layers, sources, strict=True):
            states, _ = layer(states, source, mask)
        return self._logits(states)

    @torch.no_grad()
    def generate(
        self,
        sequence: Tensor,
        padding_mask: Tensor,
        *,
        num_beams: int,
        max_length: int,
        length_penalty: float,
        num_return: int = 1,
    ) -> list[list[Hypothesis]]:
        """The best sentences of each sequence by beam search, in eval mode; ``max_length`` tokens count the end.

        Raises:
            ConfigError: If the numbers do not go together.
        """
        check_generation(num_beams, max_length, num_return, self.max_target_positions)
        if self.training:
            raise RuntimeError("generate() is for eval mode: dropout would change the sentences.")
        return beam_search(
            _Steps(self, *self._sources(sequence, padding_mask), max_length),
            num_sentences=len(sequence),
            num_beams=num_beams,
            max_length=max_length,
            length_penalty=length_penalty,
            num_return=num_return,
            start_id=self.bos_id,
            eos_id=self.eos_id,
            never=(self.pad_id, self.bos_id),
            device=sequence.device,
        )

    @property
    def source_token_weights(self) -> tuple[str, ...]:
        """As in :mod:`sign_recog.models.translation`."""
        return ("input.embedding.weight",) if isinstance(self.input, TokenInput) else ()

    def encode(self, sequence: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """The encoder's states (B, T', H) and their padding mask (B, T'), which a stem may have made shorter."""
        states, padding_mask = self.input(sequence, padding_mask)
        states = self.dropout(states + sinusoidal_positions(states.shape[1], states.shape[2], like=states))
        for layer in self.layers:
            states = layer(states, src_key_padding_mask=padding_mask)
        return self.encoder_norm(states), padding_mask

    def _sources(self, sequence: Tensor, padding_mask: Tensor) -> tuple[list[KeysValues], Tensor]:
        """What each decoder layer attends to, and where it may."""
        states, padding_mask = self.encode(sequence, padding_mask)
        sources = [cast(DecoderLayer, layer).source_attention.keys_values(states) for layer in self.decoder_layers]
        return sources, ~padding_mask[:, None, None, :]

    def _embed(self, tokens: Tensor, positions: Tensor) -> Tensor:
        return self.dropout(math.sqrt(self.embedding.embedding_dim) * self.embedding(tokens) + positions)

    def _logits(self, states: Tensor) -> Tensor:
        return nn.functional.linear(self.decoder_norm(states), self.embedding.weight)


class _Steps:
    """The network as beam search asks for it: one token a row at a time, keys and values of earlier ones kept."""

    def __init__(self, network: Seq2SeqTransformer, sources: list[KeysValues], mask: Tensor, max_length: int) -> None:
        self._network, self._sources, self._mask = network, sources, mask
        embedding = network.embedding
        self._positions = sinusoidal_positions(max_length, embedding.embedding_dim, like=embedding.weight)
        self._past: list[KeysValues | None] = [None] * len(sources)
        self._length = 0

    def step(self, tokens: Tensor) -> Tensor:
        """Logits (R, V) of what follows ``tokens`` (R,)."""
        states = self._network._embed(tokens.unsqueeze(1), self._positions[self._length])
        for i, layer in enumerate(self._network.decoder_layers):
            states, self._past[i] = layer(states, self._sources[i], self._mask, self._past[i])
        self._length += 1
        return self._network._logits(states[:, 0])

    def keep(self, rows: Tensor, sentences: Tensor) -> None:
        """Go on with ``rows``, of ``sentences``."""
        self._past = [
            None if past is None else KeysValues(*(x.index_select(0, rows) for x in past)) for past in self._past
        ]
        if len(sentences) < len(self._mask):
            self._sources = [KeysValues(*(x[sentences] for x in source)) for source in self._sources]
            self._mask = self._mask[sentences]


def _input(
    input_dim: int | None, num_source_tokens: int | None, d_model: int, stem: Callable[..., nn.Module] | None
) -> nn.Module:
    check_input(input_dim, num_source_tokens)
    if num_source_tokens is not None:
        if stem is not None:
            raise ConfigError(
                "model.stem is for frames, and these sequences are glosses. Use model.stem=null, or another network "
                "(model=transformer_seq2seq)."
            )
        return TokenInput(num_source_tokens=num_source_tokens, d_model=d_model)
    if stem is None:
        return FrameInput(input_dim=int(input_dim or 0), d_model=d_model)
    return stem(input_dim=input_dim, d_model=d_model)
