"""SentencePiece models (Kudo and Richardson 2018, arXiv:1808.06226), trained on the training text.

One thread and no sampling of sentences, so the same text gives the same model to the byte. Lower case is made before
SentencePiece sees a text, as its own case folding also turns ß into ss.
"""

import io
from collections.abc import Sequence
from typing import Any

from sign_recog.errors import ConfigError, DataError
from sign_recog.text.base import BOS, EOS, NUM_SPECIAL, PAD, UNK, Tokenizer, to_bytes, to_tensor, until
from sign_recog.text.truecase import Truecaser

MODEL_TYPES = ("unigram", "bpe")


class SentencePieces:
    """Settings of ``tokenizer=sentencepiece``.

    Args:
        size: Entries of the vocabulary, special tokens among them; fewer where the text does not give so many.
        model_type: ``unigram`` or ``bpe``.
        lowercase: Whether texts are put in lower case.
        truecase: Whether decoded text gets the case that words have in the training text.
    """

    def __init__(self, size: int, model_type: str, lowercase: bool, truecase: bool):
        problems = []
        if size <= NUM_SPECIAL:
            problems.append(f"tokenizer.size={size} must be above {NUM_SPECIAL}, the number of special tokens.")
        if model_type not in MODEL_TYPES:
            problems.append(f"tokenizer.model_type={model_type} is none of {', '.join(MODEL_TYPES)}.")
        if truecase and not lowercase:
            problems.append("tokenizer.truecase=true restores what tokenizer.lowercase=true takes. Set both, or none.")
        if problems:
            raise ConfigError(" ".join(problems))
        self.size, self.model_type, self.lowercase, self.truecase = size, model_type, lowercase, truecase

    def identity(self) -> None:
        """Nothing: settings and text decide."""

    def train(self, texts: Sequence[str]) -> Tokenizer:
        """A model of ``texts``; characters that occur once are in it, so nothing of the training text is unknown.

        Raises:
            ConfigError: If ``size`` is too small for the characters of the text.
            DataError: If there is no text.
        """
        import sentencepiece

        sentences = [text.lower() if self.lowercase else text for text in texts if text.strip()]
        if not sentences:
            raise DataError("There is no text to train a tokenizer on.")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(sentences),
                model_writer=model,
                model_type=self.model_type,
                vocab_size=self.size,
                hard_vocab_limit=False,  # few sentences give fewer pieces, which is said
                bos_id=BOS,
                pad_id=PAD,
                eos_id=EOS,
                unk_id=UNK,
                character_coverage=1.0,
                # Longer sentences would be left out; spaces take three bytes inside.
                max_sentence_length=max(4192, 3 * max(len(one.encode()) for one in sentences) + 16),
                num_threads=1,
                input_sentence_size=0,  # all
                shuffle_input_sentence=False,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise ConfigError(
                f"tokenizer.size={self.size}: SentencePiece cannot make a model of {len(sentences)} sentences "
                f"({str(error).strip().splitlines()[-1]}) Raise it if it is smaller than the number of characters."
            ) from error
        caser = Truecaser.train(texts) if self.truecase else None
        tokenizer = SentencePieceTokenizer(model.getvalue(), self.lowercase, caser)
        if tokenizer.vocab_size < self.size:
            note = (
                f"tokenizer.size={self.size}: {len(sentences)} training sentences give {tokenizer.vocab_size} pieces, "
                "so the vocabulary has these."
            )
            tokenizer.notes = (note,)
        return tokenizer


class SentencePieceTokenizer:
    """A :class:`sign_recog.text.base.Tokenizer`; what is unknown is decoded as ``⁇``.

    Args:
        model: The content of a SentencePiece model file.
    """

    def __init__(self, model: bytes, lowercase: bool, truecaser: Truecaser | None):
        import sentencepiece

        self.model, self.lowercase, self.truecaser = model, lowercase, truecaser
        self.notes: tuple[str, ...] = ()
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.pad_id, self.bos_id = self._processor.pad_id(), self._processor.bos_id()
        self.eos_id, self.unk_id = self._processor.eos_id(), self._processor.unk_id()
        self.vocab_size = self._processor.vocab_size()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """As :meth:`sign_recog.text.base.Tokenizer.encode`."""
        texts = [text.lower() for text in texts] if self.lowercase else list(texts)
        return [[*ids, self.eos_id] for ids in self._processor.encode(texts)]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """As :meth:`sign_recog.text.base.Tokenizer.decode`."""
        plain = [[int(i) for i in until(one, self.eos_id) if i not in (self.pad_id, self.bos_id)] for one in ids]
        texts = [" ".join(text.split()) for text in self._processor.decode(plain)]
        return [self.truecaser.restore(text) for text in texts] if self.truecaser else texts

    def state(self) -> dict[str, Any]:
        """As :meth:`sign_recog.text.base.Tokenizer.state`."""
        caser = self.truecaser
        return {
            "kind": "pieces",
            "model": to_tensor(self.model),
            "lowercase": self.lowercase,
            "truecaser": None if caser is None else {"forms": dict(caser.forms), "capitals": caser.capitals},
        }


def read(state: dict[str, Any]) -> SentencePieceTokenizer:
    """The tokenizer of a ``state``."""
    caser = None if state["truecaser"] is None else Truecaser(**state["truecaser"])
    return SentencePieceTokenizer(to_bytes(state["model"]), state["lowercase"], caser)
