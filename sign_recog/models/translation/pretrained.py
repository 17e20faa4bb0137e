"""T5, mT5, ByT5 and BART as translators of sign language: frames go where the vectors of words went."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sign_recog.errors import ConfigError
from sign_recog.models.pretrained import DOWNLOAD
from sign_recog.models.translation import hub
from sign_recog.models.translation.beam_search import Hypothesis, beam_search, check_generation
from sign_recog.models.translation.inputs import check_input
from sign_recog.models.translation.lora import add_adapters
from sign_recog.models.translation.pretrained_steps import PretrainedSteps

OVERFLOW = "values inside T5 exceed the largest of float16 (65504) and become infinite; bf16 has their range"
SPARE_ROWS = 128  # published matrices have a few rows more than tokens: their number is a multiple of up to this


class PretrainedTranslator(nn.Module):
    """An encoder-decoder of transformers behind a scaled linear map of the frames (Rust et al. 2024, SSVP-SLT).

    The encoder's input is ``scale * (W x + b)`` with a learned scale that begins at 1, W of N(0, 1 / width) and b = 0;
    glosses have a vector each instead, spread as the network's own token vectors. T5 adds no positions but those of
    its attention, BART adds its own.

    Args:
        architecture: Sizes as in a ``config.json`` of transformers, with ``model_type``; None = those of ``weights``.
        weights: Folder in the layout of transformers (``config.json`` and safetensors or a state dict, also in
            shards), ``download`` for ``published``, or None = random weights.
        published: Name on the Hugging Face hub; None = there is none.
        new_vocabulary: Begin the vectors of tokens anew, for a tokenizer that is not the one of the weights.
        dropout: Everywhere in the network.
        lora_rank: Of the adapters, which then alone learn, with the map of the frames; 0 = all weights learn.
            A checkpoint holds all weights in any case, so it does not need the folder.
        lora_alpha, lora_dropout, lora_targets: See :func:`~sign_recog.models.translation.lora.add_adapters`.
        gradient_checkpointing: Compute each layer's activations anew in the backward pass: less memory, about a third
            more computation.

    Shapes, attributes and ``generate``: see :mod:`sign_recog.models.translation`.

    Raises:
        ConfigError: If settings do not go together, or the tokenizer does not go with the weights.
        CheckpointError: If the weights cannot be had, or do not fit.
    """

    def __init__(
        self,
        *,
        input_dim: int | None,
        num_source_tokens: int | None,
        vocab_size: int,
        pad_id: int,
        bos_id: int,
        eos_id: int,
        architecture: Mapping[str, Any] | None,
        weights: str | None,
        published: str | None,
        new_vocabulary: bool,
        dropout: float,
        lora_rank: int,
        lora_alpha: float,
        lora_dropout: float,
        lora_targets: Sequence[str] | None,
        gradient_checkpointing: bool,
    ) -> None:
        super().__init__()
        check_input(input_dim, num_source_tokens)
        ids = {"pad_token_id": pad_id, "bos_token_id": bos_id, "eos_token_id": eos_id}
        self.pad_id, self.eos_id, self.vocab_size = pad_id, eos_id, vocab_size
        self.pretrained = _address(weights, published)
        self.backbone, made = _backbone(self.pretrained, architecture, vocab_size, ids, new_vocabulary, dropout)
        self.rebuild: dict[str, Any] = {"architecture": made, "weights": None, "new_vocabulary": False}
        self.start_id = made["decoder_start_token_id"]
        self.no_fp16 = OVERFLOW if _is_t5(made) else None
        self.max_source_positions = self.max_target_positions = made.get("max_position_embeddings")
        if lora_rank:
            add_adapters(
                self.backbone, rank=lora_rank, alpha=lora_alpha, dropout=lora_dropout, targets=lora_targets
            )  # fmt: skip
        if gradient_checkpointing:
            self._checkpoint_gradients()
        self.projection = self._projection(input_dim, num_source_tokens)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, sequence: Tensor, padding_mask: Tensor, labels: Tensor) -> Tensor:
        """Logits (B, U, V).

        Raises:
            ConfigError: If the sequences or the labels are longer than the network has positions.
        """
        return self._logits(labels, padding_mask, inputs_embeds=self._embed(sequence))

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
            ConfigError: If the numbers do not go together, or there are not as many positions.
        """
        check_generation(num_beams, max_length, num_return, self.max_target_positions)
        if self.training:
            raise RuntimeError("generate() is for eval mode: dropout would change the sentences.")
        mask = (~padding_mask).long()
        sources = self.backbone.get_encoder()(inputs_embeds=self._embed(sequence), attention_mask=mask)
        with PretrainedSteps(self.backbone, sources[0], padding_mask, num_beams, self.vocab_size) as steps:
            return beam_search(
                steps,
                num_sentences=len(sequence),
                num_beams=num_beams,
                max_length=max_length,
                length_penalty=length_penalty,
                num_return=num_return,
                start_id=self.start_id,
                eos_id=self.eos_id,
                never=(self.pad_id,),
                device=sequence.device,
            )

    @property
    def token_weights(self) -> tuple[str, ...]:
        """As in :mod:`sign_recog.models.translation`; one matrix may stand under several names."""
        matrices = [
            part.weight for part in (self.backbone.get_input_embeddings(), self.backbone.get_output_embeddings())
        ]
        named = self.state_dict(keep_vars=True).items()
        return tuple(
            name for name, weight in named if any(weight is m for m in matrices) or name.endswith("final_logits_bias")
        )

    @property
    def source_token_weights(self) -> tuple[str, ...]:
        """As in :mod:`sign_recog.models.translation`."""
        return ("projection.weight",) if isinstance(self.projection, nn.Embedding) else ()

    def _logits(self, labels: Tensor, padding_mask: Tensor, **source: Any) -> Tensor:
        self._check_length(labels.shape[1], self.max_target_positions, "sentence", "tokens")
        inputs = nn.functional.pad(labels[:, :-1], (1, 0), value=self.start_id)
        inputs = inputs.masked_fill(inputs < 0, self.pad_id)
        logits = self.backbone(
            attention_mask=(~padding_mask).long(), decoder_input_ids=inputs, use_cache=False, **source
        ).logits
        return logits[..., : self.vocab_size]

    def _embed(self, sequence: Tensor) -> Tensor:
        self._check_length(sequence.shape[1], self.max_source_positions, "sequence", "frames or glosses")
        return self.scale * self.projection(sequence)

    def _check_length(self, length: int, most: int | None, what: str, of: str) -> None:
        if most is not None and length > most:
            raise ConfigError(
                f"A {what} has {length} {of}, and {type(self.backbone).__name__} has positions for {most}. "
                "Leave out longer ones, or use a network without this limit (T5, or model=tarres)."
            )

    def _projection(self, input_dim: int | None, num_source_tokens: int | None) -> nn.Module:
        tokens = self.backbone.get_input_embeddings().weight.detach()
        if num_source_tokens is not None:
            embedding = nn.Embedding(num_source_tokens, tokens.shape[1])
            nn.init.normal_(embedding.weight, std=tokens.std().item())
            return embedding
        linear = nn.Linear(int(input_dim or 0), tokens.shape[1])
        nn.init.normal_(linear.weight, std=tokens.shape[1] ** -0.5)
        nn.init.zeros_(linear.bias)
        return linear

    def _checkpoint_gradients(self) -> None:
        # the method's name since transformers 5, and the one before
        new = getattr(self.backbone, "activation_checkpointing_enable", None)
        if new is not None:
            new({"use_reentrant": False})
        else:
            self.backbone.gradient_checkpointing_enable({"use_reentrant": False})


def _address(weights: str | None, published: str | None) -> str | None:
    if weights == DOWNLOAD and published is None:
        raise ConfigError(
            "model.weights=download: this network is not published. Give model.weights=FOLDER, or null for random "
            "weights, where there are sizes."
        )
    return published if weights == DOWNLOAD else weights


def _backbone(
    where: str | None,
    architecture: Mapping[str, Any] | None,
    vocab_size: int,
    ids: Mapping[str, int],
    new_vocabulary: bool,
    dropout: float,
) -> tuple[Any, dict[str, Any]]:
    """The network, and its architecture for this tokenizer."""
    if where is None:
        if architecture is None:
            raise ConfigError(
                "model=encoder_decoder takes its sizes from a folder, and none is given. "
                "Give model.weights=FOLDER, or choose a network with sizes, such as model=t5_small."
            )
        made = {"vocab_size": vocab_size, **architecture, **ids, **dict.fromkeys(hub.DROPOUTS, dropout)}
        made = _known(made)
        return hub.make(made), made
    given = hub.read_architecture(where)
    check = {key: value for key, value in (architecture or {}).items() if key not in hub.DROPOUTS}
    hub.check_same(check, given, where)
    if not new_vocabulary:
        _check_tokenizer(where, given, vocab_size, ids)
    made = _known({**given, **ids, **dict.fromkeys(hub.DROPOUTS, dropout)})
    network = hub.load(where, made)
    if new_vocabulary:
        made["vocab_size"] = vocab_size
        network = hub.with_new_tokens(network, made)
    return network, made


def _known(made: dict[str, Any]) -> dict[str, Any]:
    """With the kinds of dropout that this network has, and the start token of this tokenizer."""
    other = [name for name in hub.DROPOUTS if (name == "dropout_rate") != _is_t5(made)]
    kept = {key: value for key, value in made.items() if key not in other}
    if not _is_t5(made):  # whole layers left out at random would stop a training over several GPUs
        kept |= {"encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0}
    return kept | {"decoder_start_token_id": made[hub.START[made["model_type"]]]}


def _is_t5(architecture: Mapping[str, Any]) -> bool:
    return architecture["model_type"] in ("t5", "mt5")


def _check_tokenizer(where: str, given: Mapping[str, Any], vocab_size: int, ids: Mapping[str, int]) -> None:
    rows = int(given["vocab_size"])
    other = [
        f"{name} {ids[name]}, not {given[name]}"
        for name in ("pad_token_id", "eos_token_id")
        if given.get(name) is not None and given[name] != ids[name]
    ]
    if not 0 <= rows - vocab_size < SPARE_ROWS:
        other.append(f"{vocab_size} tokens, not {rows}")
    if other:
        raise ConfigError(
            f"The tokenizer does not go with the weights of {where} ({'; '.join(other)}). Use the tokenizer of that "
            "folder, or model.new_vocabulary=true, which begins the vectors of all tokens anew."
        )
