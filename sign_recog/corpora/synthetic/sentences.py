"""Reader of the built-in corpus of sentences: drawn signers sign them, and every sentence is signed once.

Signers are of one split each, as sentences are: what is said in test was never said in training.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.corpora.base import Corpus
from sign_recog.corpora.synthetic.corpus import check
from sign_recog.corpora.synthetic.files import drawing_version, render_missing
from sign_recog.corpora.synthetic.grammar import GLOSSES, Sentence, all_sentences, draw_sentences
from sign_recog.corpora.synthetic.motion import Motion
from sign_recog.corpora.synthetic.sentence_motion import perform_sentence
from sign_recog.corpora.synthetic.signer import Signer, draw_signer
from sign_recog.corpora.synthetic.signs import Sign, build_lexicon
from sign_recog.errors import ConfigError
from sign_recog.storage.manifest import SPLITS, Clip
from sign_recog.text.glosses import COLUMN

_SENTENCE_STREAM, _SIGNER_STREAM, _TAKE_STREAM = 3, 4, 5  # keep random numbers apart, from those of single signs too


def signs_of() -> dict[str, Sign]:
    """Gloss -> its sign: the first ones of the lexicon ``varied``, whose neighbours differ in everything."""
    return dict(zip(GLOSSES, build_lexicon(len(GLOSSES)), strict=True))


@dataclass(frozen=True)
class _Take:
    """One sentence to render, number ``number`` (from 0) of its signer."""

    seed: int
    split: str
    signer_number: int  # from 0, within its split
    number: int
    sentence: Sentence
    image_size: int
    fps: int

    @property
    def signer(self) -> Signer:
        left_handed = self.signer_number % 3 == 1  # as many as sign single signs
        key = [self.seed, _SIGNER_STREAM, SPLITS.index(self.split), self.signer_number]
        name = f"{self.split}{self.signer_number + 1:02d}"
        return replace(draw_signer(name, left_handed, np.random.default_rng(key)), fps=self.fps)

    @property
    def clip_id(self) -> str:
        return f"{self.signer.name}_{self.number + 1:03d}"

    def perform(self) -> Motion:
        key = [self.seed, _TAKE_STREAM, SPLITS.index(self.split), self.signer_number, self.number]
        signs = signs_of()
        return perform_sentence([signs[g] for g in self.sentence.glosses], self.signer, np.random.default_rng(key))

    def settings(self) -> dict[str, Any]:
        """Return all that decides the clip's files."""
        return {
            "seed": self.seed,
            "image_size": self.image_size,
            "fps": self.fps,
            "take": self.clip_id,
            "glosses": " ".join(self.sentence.glosses),
            "drawing": drawing_version(),
        }


def read(
    source: str | None,
    out_dir: Path,
    *,
    num_signers: Mapping[str, int],
    sentences_per_signer: Mapping[str, int],
    image_size: int,
    fps: int,
    seed: int,
    num_workers: int | None = None,
) -> Corpus:
    """Render the sentences into ``out_dir`` and return their clips, with text and glosses.

    Files are as those of :func:`sign_recog.corpora.synthetic.corpus.read`. The sentences of test stay the same when
    train has more or fewer.

    Args:
        source: Must be None: nothing is read.
        out_dir: Where the corpus goes.
        num_signers: Signers in train, val and test; no signer is in two splits.
        sentences_per_signer: Sentences of each signer in train, val and test; no sentence is signed twice.
        image_size: Width and height of the clips in pixels.
        fps: Frames a second of all clips.
        seed: Other seeds give other signers, sentences and takes.
        num_workers: Processes that render; 0 = none but this one, None = one a core.

    Raises:
        ConfigError: If a setting is out of range, or more sentences are asked for than there are.
    """
    numbers = {f"sentences_per_signer.{split}": sentences_per_signer.get(split, 0) for split in num_signers}
    check(
        source,
        {"fps": fps, **numbers},
        num_signers=num_signers,
        image_size=image_size,
        seed=seed,
        num_workers=num_workers,
    )
    wanted = {split: num_signers.get(split, 0) * sentences_per_signer.get(split, 0) for split in SPLITS}
    known = len(all_sentences())
    if sum(wanted.values()) > known:
        raise ConfigError(
            f"data.corpus: {sum(wanted.values())} sentences are asked for and the grammar has {known}, each of which "
            "is signed once. Lower sentences_per_signer or num_signers."
        )
    drawn = draw_sentences(known, np.random.default_rng([seed, _SENTENCE_STREAM]))
    # Train from the front, test and then val from the back.
    of = {"train": drawn, "test": drawn[::-1], "val": drawn[::-1][wanted["test"] :]}
    takes = [
        _Take(seed, split, signer, number, of[split][signer * sentences_per_signer[split] + number], image_size, fps)
        for split in SPLITS
        for signer in range(num_signers.get(split, 0))
        for number in range(sentences_per_signer[split])
    ]
    folder = render_missing(takes, out_dir, num_workers)
    return Corpus([_describe(take) for take in takes], video_dir=folder)


def _describe(take: _Take) -> Clip:
    signer = take.signer
    return Clip(
        clip_id=take.clip_id,
        video=f"{take.clip_id}.mp4",
        split=take.split,
        signer=signer.name,
        text=take.sentence.text,
        extra={
            COLUMN: " ".join(take.sentence.glosses),
            "handedness": "left" if signer.left_handed else "right",
            "fps": str(signer.fps),
        },
    )
