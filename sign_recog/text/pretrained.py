"""The tokenizer that a pretrained network came with: a folder in the layout of Hugging Face's transformers.

T5, mT5, ByT5 and BART, and others whose targets are a sentence and its end. transformers makes an empty tokenizer where
a folder holds none, so what must be there is looked for first.
"""

import hashlib
import json
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sign_recog.errors import ConfigError, DataError
from sign_recog.text.base import Tokenizer, to_bytes, to_tensor, until

# Any one of these is a tokenizer; the last is that of BART, GPT and RoBERTa.
_VOCABULARIES = (
    ("tokenizer.json",), ("spiece.model",), ("sentencepiece.bpe.model",), ("tokenizer.model",), ("vocab.txt",),
    ("vocab.json", "merges.txt"),
)  # fmt: skip
_OF_BYTES = "ByT5Tokenizer"  # has no vocabulary, only its name in tokenizer_config.json
_FILES = {name for names in _VOCABULARIES for name in names}
_FILES |= {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}


class Pretrained:
    """Settings of ``tokenizer=pretrained``.

    Args:
        folder: Holds the tokenizer's files, and perhaps the network's.
        language: The token that every target begins with, for networks of many languages (``de_DE``, ``deu_Latn``);
            None = none.
    """

    def __init__(self, folder: str, language: str | None):
        self.folder, self.language = Path(folder).expanduser(), language

    def identity(self) -> dict[str, str]:
        """Name -> hash of each of the tokenizer's files: another tokenizer may have been put into the folder."""
        _refuse_without_tokenizer(self.folder)
        paths = sorted(path for path in self.folder.iterdir() if path.name in _FILES)
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}

    def train(self, texts: Sequence[str]) -> Tokenizer:
        """The folder's tokenizer; nothing is learned from ``texts``.

        Raises:
            ConfigError: If ``language`` is no token of it.
            DataError: If the folder holds no tokenizer, or one that cannot be read.
        """
        _refuse_without_tokenizer(self.folder)
        return PretrainedTokenizer(_load(self.folder), str(self.folder), self.language)


class PretrainedTokenizer:
    """A :class:`sign_recog.text.base.Tokenizer` around one of transformers'.

    ``bos_id`` is ``pad_id`` where the tokenizer has no beginning, as T5's, whose decoder begins with the padding.
    ``vocab_size`` may be below that of the network, which some round up. What is unknown is left out of decoded text,
    as transformers does.

    Args:
        name: Where it came from, for messages.
    """

    def __init__(self, tokenizer: Any, name: str, language: str | None):
        lacking = [kind for kind in ("pad", "eos") if getattr(tokenizer, f"{kind}_token_id") is None]
        if lacking:
            raise DataError(
                f"{name}: its tokenizer has no {' and no '.join(lacking)} token. Use that of a network which writes "
                "text after reading, such as T5 or BART."
            )
        self.tokenizer, self.name, self.language = tokenizer, name, language
        self.notes: tuple[str, ...] = ()
        self.pad_id, self.eos_id = int(tokenizer.pad_token_id), int(tokenizer.eos_token_id)
        bos, unk = tokenizer.bos_token_id, tokenizer.unk_token_id
        self.bos_id, self.unk_id = self.pad_id if bos is None else int(bos), -1 if unk is None else int(unk)
        self.vocab_size = len(tokenizer)
        self._first = [] if language is None else [self._language_id(language)]
        self._dropped = {*tokenizer.all_special_ids, *self._first}

    def _language_id(self, language: str) -> int:
        known = self.tokenizer.get_vocab()
        if language not in known:
            near = get_close_matches(language, [t for t in known if len(t) > 1], n=3, cutoff=0.5)
            remedy = f"Did you mean {' or '.join(near)}?" if near else "Use null for a tokenizer of one language."
            raise ConfigError(
                f"tokenizer.language={language} is no token of {self.name} ({len(known)} tokens). {remedy}"
            )
        return int(known[language])

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """As :meth:`sign_recog.text.base.Tokenizer.encode`; the language stands first, where there is one."""
        if not texts:
            return []
        ids = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        # a text may hold the characters "</s>", which the library takes for an end
        inside = {self.pad_id, self.bos_id, self.eos_id} - {self.unk_id}
        return [[*self._first, *(i for i in one if i not in inside), self.eos_id] for one in ids]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """As :meth:`sign_recog.text.base.Tokenizer.decode`."""
        plain = [[int(i) for i in until(one, self.eos_id) if int(i) not in self._dropped] for one in ids]
        # Ids that the network has and the tokenizer has not, where its rows were rounded up, are nothing.
        plain = [[i for i in one if i < self.vocab_size] for one in plain]
        return [self.tokenizer.decode(one, clean_up_tokenization_spaces=False).strip() for one in plain]

    def state(self) -> dict[str, Any]:
        """As :meth:`sign_recog.text.base.Tokenizer.state`: the files of the folder that it can be read from again."""
        with TemporaryDirectory() as folder:
            self.tokenizer.save_pretrained(folder)
            paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            files = {path.relative_to(folder).as_posix(): to_tensor(path.read_bytes()) for path in paths}
        return {"kind": "pretrained", "files": files, "name": self.name, "language": self.language}


def read(state: dict[str, Any]) -> PretrainedTokenizer:
    """The tokenizer of a ``state``."""
    with TemporaryDirectory() as folder:
        for name, content in state["files"].items():
            (Path(folder) / Path(name).name).write_bytes(to_bytes(content))
        return PretrainedTokenizer(_load(Path(folder)), state["name"], state["language"])


def _refuse_without_tokenizer(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(f"tokenizer.folder={folder}: no such folder. Give the folder of a pretrained network.")
    if any(all((folder / name).is_file() for name in names) for names in _VOCABULARIES):
        return
    config = folder / "tokenizer_config.json"
    try:
        kind = json.loads(config.read_text(encoding="utf-8")).get("tokenizer_class") if config.is_file() else None
    except (ValueError, AttributeError) as error:
        raise DataError(f"{config}: is damaged ({error}). Copy it again.") from error
    if kind != _OF_BYTES:
        wanted = ", ".join(" with ".join(names) for names in _VOCABULARIES)
        raise DataError(
            f"tokenizer.folder={folder}: holds no tokenizer: none of {wanted}, and no tokenizer_config.json that names "
            f"{_OF_BYTES}. Copy the tokenizer's files there, or train one with tokenizer=sentencepiece."
        )


def _load(folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # tokenizers raises Exception itself for a damaged file
        first = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise DataError(f"{folder}: its tokenizer cannot be read ({first}). Copy its files again.") from error
