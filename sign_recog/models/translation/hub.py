"""Encoder-decoders of transformers: from sizes, a folder or the hub to a network whose every weight is accounted for.

A folder or hub entry describes its network in ``config.json``. What matters of it is kept as plain values, an
``architecture``, so that a checkpoint can make the network again without the folder. One value needs care:
``tie_word_embeddings`` says here what it says in the published files, false = logits have a matrix of their own and
the decoder's output is not scaled, while some versions of transformers write true into all files.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from sign_recog.errors import CheckpointError, ConfigError
from sign_recog.models.pretrained import DOWNLOAD, FOLDER_FILES

SHARDS = tuple(f"{name}.index.json" for name in FOLDER_FILES)
# Which token the decoder begins with: T5's padding, BART's end of a sentence, whatever their numbers are.
START = {
    "t5": "pad_token_id", "mt5": "pad_token_id",
    "bart": "eos_token_id", "mbart": "eos_token_id", "m2m_100": "eos_token_id",
}  # fmt: skip
DROPOUTS = ("dropout_rate", "dropout", "attention_dropout", "activation_dropout")
# of a config.json: about files, classification, decoding habits and versions, not about the network
LEFT_OUT = (
    "_name_or_path", "architectures", "transformers_version", "torch_dtype", "dtype", "id2label", "label2id",
    "num_labels", "task_specific_params", "use_cache", "gradient_checkpointing", "output_past", "n_positions",
    "tokenizer_class", "auto_map", "forced_bos_token_id", "forced_eos_token_id", "no_repeat_ngram_size", "num_beams",
    "early_stopping", "length_penalty", "min_length", "max_length",
)  # fmt: skip


def read_architecture(where: str) -> dict[str, Any]:
    """The architecture of the folder or hub entry ``where``, ``vocab_size`` and special tokens as they stand there.

    Raises:
        CheckpointError: If there is none, or it cannot be had.
        ConfigError: If it is of a network that is not known here.
    """
    _quiet()
    from transformers import PretrainedConfig

    folder = Path(where).is_dir()
    if folder and not (Path(where) / "config.json").is_file():
        raise CheckpointError(f"{where}: holds no config.json. Give a folder as save_pretrained of transformers makes.")
    try:
        content, _ = PretrainedConfig.get_config_dict(where, local_files_only=folder)
    except Exception as error:  # of hubs, sockets and json, which have no common base
        raise _cannot_be_had(where, error) from error
    kind = content.get("model_type")
    if kind not in START:
        raise ConfigError(
            f"{where}: is a network of the kind {kind}, which cannot be used for translation here. "
            f"Use one of {', '.join(START)} (ByT5 and T5 v1.1 are t5)."
        )
    kept = {key: value for key, value in content.items() if key not in LEFT_OUT}
    scaled = kept.pop("scale_decoder_outputs", kept.get("tie_word_embeddings", True))
    return kept | {"tie_word_embeddings": bool(scaled) and kind != "mt5"}


def check_same(architecture: Mapping[str, Any], given: Mapping[str, Any], where: str) -> None:
    """Raises ConfigError where a size of conf/model differs from the same of ``where``."""
    other = [
        f"{key} {given[key]}, not {value}" for key, value in architecture.items() if given.get(key, value) != value
    ]
    if other:
        raise ConfigError(
            f"model.weights: {where} is another network than the one chosen ({'; '.join(other)}). "
            "Use model=encoder_decoder, which takes all sizes from the folder, or the weights of this network."
        )


def make(architecture: Mapping[str, Any]) -> Any:
    """The network with random weights, in float32.

    Raises:
        ConfigError: If the values make no network.
    """
    _quiet()
    from transformers import AutoModelForSeq2SeqLM

    network = AutoModelForSeq2SeqLM.from_config(_config(architecture)).float()
    _set_output_matrix(network, architecture, fresh=True)
    return network


def load(where: str, architecture: Mapping[str, Any]) -> Any:
    """The network with the weights of a folder or hub entry, in float32; every one of them must be there and fit.

    Raises:
        CheckpointError: If they cannot be had, or do not fit.
    """
    _quiet()
    from transformers import AutoModelForSeq2SeqLM
    from transformers.utils import logging

    folder = Path(where).is_dir()
    names = (*FOLDER_FILES, *SHARDS)
    if folder and not any((Path(where) / name).is_file() for name in names):
        raise CheckpointError(f"{where}: holds no weights, none of {', '.join(names)}. Give a complete folder.")
    loudness = logging.get_verbosity()
    logging.set_verbosity_error()  # what is missing is said below, and which weights are tied is known
    try:
        loaded: Any = AutoModelForSeq2SeqLM.from_pretrained(
            where,
            config=_config(architecture),
            local_files_only=folder,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are named below
        )
    except Exception as error:  # of hubs, sockets, torch and safetensors, which have no common base
        raise _cannot_be_had(where, error) from error
    finally:
        logging.set_verbosity(loudness)
    network, found = loaded
    wrong = [str(key[0] if isinstance(key, tuple) else key) for key in found["mismatched_keys"]]
    missing = {key for key in found["missing_keys"] if not key.endswith(("embed_tokens.weight", "lm_head.weight"))}
    if missing or wrong:
        parts = {"missing": missing, "of another shape": wrong}
        said = "; ".join(f"{kind}: {', '.join(sorted(keys)[:5])}" for kind, keys in parts.items() if keys)
        raise CheckpointError(f"{where}: these weights do not fit their own config.json ({said}). Use another copy.")
    network = network.float()
    if not architecture.get("tie_word_embeddings", True) and _without_output_matrix(network, found["missing_keys"]):
        warnings.warn(
            f"{where}: holds no output matrix of its own (lm_head.weight), so that it begins as a copy of the token "
            "vectors. Of published weights that is a sign of an incomplete copy.",
            stacklevel=2,
        )
    _set_output_matrix(network, architecture, fresh=False)
    return network


def with_new_tokens(network: Any, architecture: Mapping[str, Any]) -> Any:
    """A copy of ``network`` for another tokenizer, ``architecture["vocab_size"]`` tokens: their vectors begin anew.

    They are drawn with the deviation that the old ones have.
    """
    parts = _token_parts(network)
    named = network.named_parameters(remove_duplicate=False)
    left = {name for name, weight in named if any(weight is part.weight for part in parts)} | {"final_logits_bias"}
    fresh = make(architecture)
    fresh.load_state_dict({name: w for name, w in network.state_dict().items() if name not in left}, strict=False)
    for new, old in zip(_token_parts(fresh), parts, strict=True):
        nn.init.normal_(new.weight, std=old.weight.std().item())
    return fresh


def _config(architecture: Mapping[str, Any]) -> Any:
    from transformers import AutoConfig

    values = {key: value for key, value in architecture.items() if key != "model_type"}
    try:
        return AutoConfig.for_model(architecture["model_type"], **values)
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"model.architecture: {str(error).splitlines()[0]} Correct it, or leave it out.") from error


def _set_output_matrix(network: Any, architecture: Mapping[str, Any], *, fresh: bool) -> None:
    """Tie or part the logits' matrix and the token vectors as ``tie_word_embeddings`` says."""
    tokens, head = network.get_input_embeddings(), network.get_output_embeddings()
    tied = head.weight is tokens.weight
    if architecture.get("tie_word_embeddings", True):
        if not tied:
            raise CheckpointError(
                "model.weights: config.json says that logits are made by the token vectors (tie_word_embeddings), but "
                "the weights have a matrix for each. Correct config.json: false, if decoder outputs are not scaled."
            )
        return
    if tied:
        head.weight = nn.Parameter(head.weight.detach().clone())
        network.config.tie_word_embeddings = False  # so that nothing ties them again
    if fresh:
        # not 1 as the library's: without T5's scaling logits would then begin with that deviation times sqrt(width)
        nn.init.normal_(head.weight, std=head.weight.shape[1] ** -0.5)


def _without_output_matrix(network: Any, missing: Any) -> bool:
    """Version 4 of the library draws a matrix that a file lacks; version 5 silently takes the token vectors."""
    head = network.get_output_embeddings().weight
    return "lm_head.weight" in missing or head is network.get_input_embeddings().weight


def _token_parts(network: Any) -> list[Any]:
    tokens, head = network.get_input_embeddings(), network.get_output_embeddings()
    return [tokens] if head.weight is tokens.weight else [tokens, head]


def _cannot_be_had(where: str, error: Exception) -> CheckpointError:
    first = (str(error) or type(error).__name__).splitlines()[0]
    return CheckpointError(
        f"{where}: this network cannot be had ({first}). Fetch it where there is a network and give "
        f"model.weights=FOLDER instead of {DOWNLOAD}, or null for random weights."
    )


def _quiet() -> None:
    """Before transformers is imported: it imports torchvision where it is installed, and draws bars while it loads."""
    from sign_recog.torchvision_operators import declare_missing

    declare_missing()
    from transformers.utils import logging

    logging.disable_progress_bar()
