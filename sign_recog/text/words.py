"""Whole words as tokens: what stands between spaces. For glosses, and for text whose punctuation is set apart."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sign_recog.errors import ConfigError, DataError
from sign_recog.text.base import BOS, EOS, NUM_SPECIAL, PAD, UNK, Tokenizer, until
from sign_recog.text.truecase import Truecaser

UNKNOWN = "<unk>"  # how an unknown word is decoded


class Words:
    """Settings of ``tokenizer=words``.

    Args:
        min_count: Words that are rarer in the training text are unknown.
        lowercase: Whether texts are put in lower case.
        truecase: Whether decoded text gets the case that words have in the training text.
    """

    def __init__(self, min_count: int, lowercase: bool, truecase: bool):
        if min_count < 1:
            raise ConfigError(f"tokenizer.min_count={min_count} must be at least 1.")
        if truecase and not lowercase:
            raise ConfigError(
                "tokenizer.truecase=true restores what tokenizer.lowercase=true takes. Set both, or none."
            )
        self.min_count, self.lowercase, self.truecase = min_count, lowercase, truecase

    def identity(self) -> None:
        """Nothing: settings and text decide."""

    def train(self, texts: Sequence[str]) -> Tokenizer:
        """The words of ``texts``, the most frequent first.

        Raises:
            DataError: If no word is left.
        """
        counts = Counter(word for text in texts for word in (text.lower() if self.lowercase else text).split())
        counts.pop(UNKNOWN, None)
        words = sorted((word for word in counts if counts[word] >= self.min_count), key=lambda w: (-counts[w], w))
        if not words:
            raise DataError(
                f"None of the {len(counts)} words of {len(texts)} training texts occurs {self.min_count} times. "
                "Lower the minimum (min_count)."
            )
        tokenizer = WordTokenizer(words, self.lowercase, Truecaser.train(texts) if self.truecase else None)
        rare = len(counts) - len(words)
        if rare:
            share = sum(n for n in counts.values() if n < self.min_count) / counts.total()
            tokenizer.notes = (
                f"{rare} of {len(counts)} words occur fewer than {self.min_count} times and are unknown: "
                f"{100 * share:.1f} % of the training text.",
            )
        return tokenizer


class WordTokenizer:
    """A :class:`sign_recog.text.base.Tokenizer` over the words ``words``; unknown ones are decoded as ``<unk>``."""

    bos_id, pad_id, eos_id, unk_id = BOS, PAD, EOS, UNK

    def __init__(self, words: Sequence[str], lowercase: bool = False, truecaser: Truecaser | None = None):
        self.words, self.lowercase, self.truecaser = list(words), lowercase, truecaser
        self.notes: tuple[str, ...] = ()
        self.vocab_size = NUM_SPECIAL + len(self.words)
        self._ids = {word: NUM_SPECIAL + number for number, word in enumerate(self.words)}

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """As :meth:`sign_recog.text.base.Tokenizer.encode`."""
        texts = [text.lower() for text in texts] if self.lowercase else texts
        return [[*(self._ids.get(word, UNK) for word in text.split()), EOS] for text in texts]

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """As :meth:`sign_recog.text.base.Tokenizer.decode`."""
        known = [UNKNOWN if i == UNK else self.words[i - NUM_SPECIAL] for i in range(UNK, self.vocab_size)]
        texts = [" ".join(known[int(i) - UNK] for i in until(one, EOS) if i >= UNK) for one in ids]
        return [self.truecaser.restore(text) for text in texts] if self.truecaser else texts

    def state(self) -> dict[str, Any]:
        """As :meth:`sign_recog.text.base.Tokenizer.state`."""
        caser = self.truecaser
        return {
            "kind": "words",
            "words": list(self.words),
            "lowercase": self.lowercase,
            "truecaser": None if caser is None else {"forms": dict(caser.forms), "capitals": caser.capitals},
        }


def read(state: dict[str, Any]) -> WordTokenizer:
    """The tokenizer of a ``state``."""
    caser = None if state["truecaser"] is None else Truecaser(**state["truecaser"])
    return WordTokenizer(state["words"], state["lowercase"], caser)
