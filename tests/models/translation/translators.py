"""Small translation networks of every kind, and batches for them."""

from functools import lru_cache

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from sign_recog import cli
from sign_recog.stages import build as stage

VOCAB, GLOSSES, DIM = 20, 12, 6
IDS = {"pad_id": 1, "bos_id": 0, "eos_id": 2}
PLAIN = {"d_model": 32, "num_heads": 4, "ffn_dim": 64, "num_encoder_layers": 2, "num_decoder_layers": 2}
PLAIN |= {"dropout": 0.1, "attention_dropout": 0.1, "activation_dropout": 0.1}
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4}
BART = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4}
BART |= {"decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 64}

# what it is called in tests -> conf/model file, and its settings in small
SMALL = {
    "plain": ("transformer_seq2seq", PLAIN),
    "conv": ("conv_transformer_seq2seq", PLAIN),
    "t5": ("t5_small", {"architecture": T5}),
    "t5_v1_1": ("t5_v1_1_base", {"architecture": T5}),
    "mt5": ("mt5_small", {"architecture": T5}),
    "bart": ("bart_base", {"architecture": BART}),
    "mbart": ("encoder_decoder", {"architecture": {"model_type": "mbart", **BART}}),
    "m2m_100": ("encoder_decoder", {"architecture": {"model_type": "m2m_100", **BART}}),
}
OF_FRAMES = list(SMALL)
EVERY = [(name, False) for name in OF_FRAMES] + [(name, True) for name in ("plain", "t5", "bart")]


def node(name: str, **settings) -> dict:
    """conf/model/<name>.yaml with ``settings`` merged into it."""
    return OmegaConf.to_container(OmegaConf.merge(_node(name), settings))


@lru_cache
def _node(name: str):
    with initialize_config_dir(str(cli.CONF_DIR), version_base="1.3"):
        return OmegaConf.create(OmegaConf.to_container(compose(f"model/{name}").model))


def build(name: str, glosses: bool = False, *, seed: int = 0, **settings) -> nn.Module:
    """The small network ``name`` over frames or glosses, with ``settings`` in place of those of its conf file."""
    torch.manual_seed(seed)
    known = {"input_dim": None if glosses else DIM, "num_source_tokens": GLOSSES if glosses else None}
    known |= {"vocab_size": VOCAB, **IDS}
    known |= {key: settings.pop(key) for key in list(settings) if key in known}
    conf, small = SMALL[name]
    return stage.build(node(conf, **small | settings), **known)


def sources(lengths: list[int], glosses: bool = False, *, seed: int = 0) -> list[torch.Tensor]:
    """A sequence of every length."""
    draw = torch.Generator().manual_seed(seed)
    if glosses:
        return [torch.randint(GLOSSES, (length,), generator=draw) for length in lengths]
    return [torch.randn(length, DIM, generator=draw) for length in lengths]


def collate(sequences: list[torch.Tensor], extra: int = 0, fill: float = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences padded with ``fill`` to ``extra`` more than the longest has, and the padding mask."""
    longest = max(map(len, sequences)) + extra
    batch = torch.full((len(sequences), longest, *sequences[0].shape[1:]), fill, dtype=sequences[0].dtype)
    mask = torch.ones(len(sequences), longest, dtype=torch.bool)
    for i, sequence in enumerate(sequences):
        batch[i, : len(sequence)], mask[i, : len(sequence)] = sequence, False
    return batch, mask


def labels_of(sentences: list[list[int]], extra: int = 0) -> torch.Tensor:
    """Sentences with their end, padded with -100."""
    longest = max(map(len, sentences)) + 1 + extra
    labels = torch.full((len(sentences), longest), -100)
    for i, sentence in enumerate(sentences):
        labels[i, : len(sentence) + 1] = torch.tensor([*sentence, IDS["eos_id"]])
    return labels
