"""An encoder-decoder of transformers as beam search asks for it: one token a row at a time.

The library's own search keeps the keys and values of the source, most of what is kept, for every beam, and computes
finished sentences on to the end. Here a source is there once: at the decoder's attention to it, and only there, the
beams of a sentence stand as one sequence of queries.
"""

from typing import Any

from torch import Tensor, nn

# what the networks that hub.START names call their attention to the source
SOURCE_ATTENTION = ("EncDecAttention", "encoder_attn")


class PretrainedSteps:
    """The decoder of ``backbone``, for use in a ``with`` statement, within which nothing else may use it.

    Args:
        sources: States of the encoder, (S, T, H).
        padding_mask: (S, T) bool, True = padding.
        vocab_size: Rows of the logits' matrix beyond it are no tokens.
    """

    def __init__(self, backbone: Any, sources: Tensor, padding_mask: Tensor, num_beams: int, vocab_size: int) -> None:
        from transformers import DynamicCache, EncoderDecoderCache

        self._backbone, self._num_beams, self._vocab_size = backbone, num_beams, vocab_size
        self._sources, self._mask = sources, (~padding_mask).long()
        self._past: Any = EncoderDecoderCache(DynamicCache(), DynamicCache())
        self._hooks: list[Any] = []

    def __enter__(self) -> "PretrainedSteps":
        for name, part in self._backbone.named_modules():
            if name.endswith(SOURCE_ATTENTION):
                self._hooks.append(part.register_forward_pre_hook(self._together, with_kwargs=True))
                self._hooks.append(part.register_forward_hook(self._apart))
        return self

    def __exit__(self, *error: object) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def step(self, tokens: Tensor) -> Tensor:
        """Logits (S * K, V) of what follows ``tokens`` (S * K,)."""
        from transformers.modeling_outputs import BaseModelOutput

        found = self._backbone(
            encoder_outputs=BaseModelOutput(self._sources),
            attention_mask=self._mask,
            decoder_input_ids=tokens.unsqueeze(1),
            past_key_values=self._past,
            use_cache=True,
        )
        return found.logits[:, 0, : self._vocab_size]

    def keep(self, rows: Tensor, sentences: Tensor) -> None:
        """Go on with ``rows``, of ``sentences``."""
        self._past.self_attention_cache.reorder_cache(rows)
        if len(sentences) < len(self._mask):
            self._past.cross_attention_cache.reorder_cache(sentences)
            self._sources, self._mask = self._sources[sentences], self._mask[sentences]

    def _together(self, part: nn.Module, args: tuple, settings: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        """States (S * K, 1, H) become (S, K, H); the mask is that of the sources as it is."""
        states = args[0] if args else settings["hidden_states"]
        states = states.view(len(self._mask), self._num_beams, -1)
        return ((states, *args[1:]), settings) if args else (args, settings | {"hidden_states": states})

    def _apart(self, part: nn.Module, args: tuple, found: tuple) -> tuple:
        return (found[0].reshape(len(self._mask) * self._num_beams, 1, -1), *found[1:])
