"""Reduced BLEU: BLEU-4 on the words that carry meaning (Tarres et al. 2023, arXiv:2304.06371).

A system that writes fluent sentences about nothing earns its BLEU with "and then you are going to". Reduced BLEU strips
hypotheses and references of punctuation and of the words of a blacklist, then takes BLEU-4 of what is left. Two reduced
BLEUs can be compared only with the same blacklist, so its source and digest stand in the signature.

Tarres et al. took the words that are most frequent in How2Sign's training text and picked those without a meaning of
their own by hand; their list is in their repository (examples/sign_language/scripts/blacklisted_words.txt), and a
figure of theirs can be met only with that file.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sign_recog.errors import ConfigError, DataError

_OWN = Path(__file__).parent / "blacklists"
_DROPPED = str.maketrans("", "", '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~')  # as they do: of ASCII all but the apostrophe


@dataclass(frozen=True)
class Blacklist:
    """Words to leave out; a word is compared as it is written.

    Attributes:
        source: Where the words are from; part of the signature.
    """

    words: frozenset[str]
    source: str

    @property
    def signature(self) -> str:
        """Source, number of words and a digest of them: "en,370 words,1f2e3d4c"."""
        digest = hashlib.sha256("\n".join(sorted(self.words)).encode()).hexdigest()[:8]
        return f"{self.source},{len(self.words)} words,{digest}"


def find_blacklist(setting: str | None, training_texts: Iterable[str], count: int) -> Blacklist:
    """Return the blacklist that a setting asks for.

    Args:
        setting: "en" or "de" = articles, pronouns, auxiliaries, prepositions, conjunctions and the like of English or
            German, listed for this package; else the path of a file with a word a line, taken exactly as it is; None =
            the ``count`` most frequent words of ``training_texts``. Frequency alone is a rough measure: among the 50
            most frequent words of PHOENIX-2014T are the German for rain, sun and wind.

    Raises:
        ConfigError: If there is neither such a list nor such a file.
        DataError: If the file is empty or no UTF-8 text.
    """
    if setting is None:
        return Blacklist(_either_case(frequent_words(training_texts, count)), f"{count} most frequent")
    own = _OWN / f"{setting}.txt"
    if own.parent == _OWN and own.is_file():
        return Blacklist(_either_case(own.read_text(encoding="utf-8").split()), setting)
    path = Path(setting)
    try:
        words = frozenset(path.read_text(encoding="utf-8-sig").split())
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in _OWN.glob("*.txt")))
        raise ConfigError(
            f"The blacklist {setting!r} is neither one of {known} nor a readable file ({error.strerror}). "
            "Give one of them, the path of a file with a word a line, or null for the most frequent words."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error}). Save it as UTF-8.") from error
    if not words:
        raise DataError(f"{path}: holds no word. Write a word a line.")
    return Blacklist(words, path.name)


def frequent_words(texts: Iterable[str], count: int) -> list[str]:
    """The ``count`` most frequent words, lower-case and without punctuation; among equals the first to occur."""
    counts = Counter(word for text in texts for word in text.lower().translate(_DROPPED).split())
    return [word for word, _ in counts.most_common(count)]


def reduce(text: str, words: frozenset[str]) -> str:
    """Return ``text`` without ASCII punctuation (apostrophes stay) and without ``words``.

    >>> reduce("So, now it's the well-known knot!", frozenset({"So", "now", "it's", "the"}))
    'wellknown knot'
    """
    return " ".join(word for word in text.translate(_DROPPED).split() if word not in words)


def reduced_bleu(
    hypotheses: Sequence[str], references: Sequence[str], blacklist: Blacklist, *, lowercase: bool = False
) -> tuple[float | None, dict[str, Any]]:
    """BLEU-4 (13a, exponential smoothing; 0 to 100) of the reduced sentences.

    Sentences of whose reference nothing is left are not scored, as in the script that made the published figures.

    Returns:
        The score, None if no sentence is left, and ``signature``, ``num_sentences`` (scored) and ``num_left_out``.
    """
    from sacrebleu.metrics import BLEU

    pairs = [
        (reduce(h, blacklist.words), reduce(r, blacklist.words)) for h, r in zip(hypotheses, references, strict=True)
    ]
    scored = [(h, r) for h, r in pairs if r]
    about = {"num_sentences": len(scored), "num_left_out": len(pairs) - len(scored)}
    if not scored:
        return None, {"signature": f"blacklist:{blacklist.signature}", **about}
    bleu = BLEU(lowercase=lowercase, force=True)
    score = bleu.corpus_score([h for h, _ in scored], [[r for _, r in scored]]).score
    return score, {"signature": f"{bleu.get_signature()}|blacklist:{blacklist.signature}", **about}


def _either_case(words: Iterable[str]) -> frozenset[str]:
    """Each word as it is and with a capital first letter, as at the beginning of a sentence."""
    return frozenset(form for word in words for form in (word, word[:1].upper() + word[1:]))
