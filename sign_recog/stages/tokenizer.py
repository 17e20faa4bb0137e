"""The tokenizer of a corpus: trained by ``run=prepare`` on the training text, found again by every other stage."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sign_recog.config import Config
from sign_recog.errors import ConfigError, DataError
from sign_recog.stages.build import build
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.text.base import Tokenizer, Trainer
from sign_recog.text.store import FILE, hash_of, open_tokenizer, tokenizer_dir, write_tokenizer

logger = logging.getLogger(__name__)


def train_tokenizer(config: Config, folder: Path, clips: Sequence[Clip]) -> dict[str, Any]:
    """Train the tokenizer that the group ``tokenizer`` names, unless it is there; return what the summary should say.

    Args:
        folder: That of the manifest.
        clips: The manifest's; only the text of train is seen.

    Raises:
        ConfigError: If the settings cannot be met.
        DataError: If train has no text, or what is read cannot serve.
    """
    if not config.tokenizer:
        return {}
    trainer, texts = _trainer(config, clips)
    place = tokenizer_dir(folder, config.tokenizer, trainer.identity(), texts)
    if (place / FILE).exists():
        tokenizer = open_tokenizer(place)
    else:
        tokenizer = trainer.train(texts)
        info = {
            "settings": config.tokenizer,
            "sentences": len(texts),
            "text_sha256": hash_of(texts),
            "notes": list(tokenizer.notes),
        }
        write_tokenizer(place, tokenizer, info)
        for note in tokenizer.notes:
            logger.warning("%s", note)
    return {"tokenizer": place, "tokenizer entries": tokenizer.vocab_size}


def open_trained(config: Config, corpus: PreparedCorpus) -> Tokenizer:
    """The tokenizer that :func:`train_tokenizer` made of ``corpus`` with these settings.

    Raises:
        ConfigError: If the configuration names no tokenizer.
        DataError: If it has not been made, or is damaged.
    """
    if not config.tokenizer:
        raise ConfigError("Translation needs a tokenizer. Choose tokenizer=sentencepiece, words or pretrained.")
    trainer, texts = _trainer(config, corpus.clips)
    return open_tokenizer(tokenizer_dir(corpus.folder, config.tokenizer, trainer.identity(), texts))


def _trainer(config: Config, clips: Sequence[Clip]) -> tuple[Trainer, list[str]]:
    texts = [clip.text for clip in clips if clip.split == "train" and clip.text]
    if not texts:
        raise DataError(
            f"tokenizer={config.tokenizer['_target_'].rpartition('.')[2]}: no train clip of {config.data.name} has a "
            "text. Give the annotation a column text, or use tokenizer=none."
        )
    return build(config.tokenizer), texts
