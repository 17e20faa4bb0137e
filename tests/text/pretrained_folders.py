"""Small tokenizer folders in the layouts that T5, mT5, ByT5 and BART are published in."""

import io
import json
from pathlib import Path

TEXTS = [f"the {who} met the {what}." for who in ("woman", "farmer", "child") for what in ("dog", "doctor", "king")] * 4


def write_t5(folder: Path, model_type: str = "t5") -> Path:
    """``spiece.model``, as T5 and mT5 have it: padding 0, end 1, unknown 2, no beginning."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, vocab_size=60, hard_vocab_limit=False, pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, minloglevel=2, num_threads=1,
    )  # fmt: skip
    _write(folder, {"model_type": model_type})
    (folder / "spiece.model").write_bytes(model.getvalue())
    return folder


def write_byt5(folder: Path) -> Path:
    """No vocabulary, only the name of the class."""
    _write(folder, {"model_type": "t5"})
    config = {"tokenizer_class": "ByT5Tokenizer", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"extra_ids": 125}))
    return folder


def write_bart(folder: Path) -> Path:
    """``vocab.json`` and ``merges.txt``."""
    from tokenizers import ByteLevelBPETokenizer

    _write(folder, {"model_type": "bart"})
    tokenizer = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(TEXTS, vocab_size=320, special_tokens=special, show_progress=False)
    tokenizer.save_model(str(folder))
    return folder


def _write(folder: Path, config: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))


KINDS = {
    "t5": write_t5,
    "mt5": lambda folder: write_t5(folder, "mt5"),
    "byt5": write_byt5,
    "bart": write_bart,
}
