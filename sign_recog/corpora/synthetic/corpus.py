"""Reader of the built-in corpus: renders its clips, and returns their manifest rows.

Every clip is a function of its settings alone: all random draws come from generators seeded with the clip's own
numbers, so a clip is the same whichever others are rendered, and by however many processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.corpora.base import Corpus
from sign_recog.corpora.synthetic.files import MIN_IMAGE_SIZE, drawing_version, render_missing
from sign_recog.corpora.synthetic.motion import Motion, perform
from sign_recog.corpora.synthetic.signer import Signer, draw_signer
from sign_recog.corpora.synthetic.signs import LEXICONS, Sign, build_lexicon
from sign_recog.errors import ConfigError
from sign_recog.storage.manifest import SPLITS, Clip

_SIGNER_STREAM, _TAKE_STREAM = 1, 2  # keep the random numbers of signers and takes apart


@dataclass(frozen=True)
class SignTake:
    """One clip of a sign to render (a :class:`~sign_recog.corpora.synthetic.files.Take`)."""

    seed: int
    split: str
    signer_number: int  # from 0, within its split
    sign_number: int
    take: int
    image_size: int
    lexicon: str = "varied"

    @property
    def signer(self) -> Signer:
        # A third are left-handed, many more than in life, so that a small training split has one.
        left_handed = self.signer_number % 3 == 1
        key = [self.seed, _SIGNER_STREAM, SPLITS.index(self.split), self.signer_number]
        return draw_signer(f"{self.split}{self.signer_number + 1:02d}", left_handed, np.random.default_rng(key))

    @property
    def sign(self) -> Sign:
        return LEXICONS[self.lexicon][0](self.sign_number)

    @property
    def clip_id(self) -> str:
        return f"{self.signer.name}_{self.sign.gloss}_{self.take + 1}"

    def perform(self) -> Motion:
        key = [self.seed, _TAKE_STREAM, SPLITS.index(self.split), self.signer_number, self.sign_number, self.take]
        return perform(self.sign, self.signer, np.random.default_rng(key))

    def settings(self) -> dict[str, Any]:
        """Return all that decides the clip's files."""
        return {"seed": self.seed, "image_size": self.image_size, "take": self.clip_id, "drawing": drawing_version()}


def read(
    source: str | None,
    out_dir: Path,
    *,
    num_glosses: int,
    num_signers: Mapping[str, int],
    takes_per_gloss: int,
    image_size: int,
    seed: int,
    lexicon: str = "varied",
    num_workers: int | None = None,
) -> Corpus:
    """Render the corpus into ``out_dir`` and return its clips.

    Writes ``clips/<clip_id>.mp4`` (H.264) and ``truth/<clip_id>.npz`` (the true landmarks, layout holistic_75; NaN
    outside the image and below the hips; z from the plane of the shoulders). Clips that are there already, whole and
    made with the same settings, are left as they are.

    Args:
        source: Must be None: nothing is read.
        out_dir: Where the corpus goes.
        num_glosses: Size of the lexicon.
        num_signers: Signers in train, val and test; no signer is in two splits.
        takes_per_gloss: Clips of each gloss by each signer.
        image_size: Width and height of the clips in pixels.
        seed: Other seeds give other signers and takes of the same glosses.
        lexicon: ``varied``, 630 signs whose neighbours differ in everything, or ``ordered``, 180 signs in pairs that
            only the order of movement tells apart (:mod:`sign_recog.corpora.synthetic.signs`).
        num_workers: Processes that render; 0 = none but this one, None = one a core.

    Raises:
        ConfigError: If a setting is out of range.
    """
    check(
        source,
        {"takes_per_gloss": takes_per_gloss},
        num_signers=num_signers,
        image_size=image_size,
        seed=seed,
        num_workers=num_workers,
    )
    num_signs = len(build_lexicon(num_glosses, lexicon))
    takes = [
        SignTake(seed, split, signer_number, sign_number, take, image_size, lexicon)
        for split in SPLITS
        for signer_number in range(num_signers.get(split, 0))
        for sign_number in range(num_signs)
        for take in range(takes_per_gloss)
    ]
    folder = render_missing(takes, out_dir, num_workers)
    return Corpus([describe(take) for take in takes], video_dir=folder)


def check(
    source: str | None,
    positive: Mapping[str, int],
    *,
    num_signers: Mapping[str, int],
    image_size: int,
    seed: int,
    num_workers: int | None,
) -> None:
    """Refuse settings out of range, all at once; ``positive`` are further ones, which must be 1 or more.

    Raises:
        ConfigError: Naming them.
    """
    problems = []
    if source is not None:
        problems.append(f"source={source!r}: the built-in corpus reads nothing. Leave it null")
    if unknown := [split for split in num_signers if split not in SPLITS]:
        problems.append(f"num_signers names {', '.join(map(str, unknown))}. Use {', '.join(SPLITS)}")
    if any(number < 0 for number in num_signers.values()) or not num_signers.get("train"):
        problems.append(
            f"num_signers={dict(num_signers)}: at least one signer is needed in train, none may be negative"
        )
    problems += [f"{name}={value} must be 1 or more" for name, value in positive.items() if value < 1]
    if image_size < MIN_IMAGE_SIZE or image_size % 2:
        problems.append(f"image_size={image_size} must be even (H.264, yuv420p) and at least {MIN_IMAGE_SIZE}")
    if seed < 0:
        problems.append(f"seed={seed} must not be negative")
    if num_workers is not None and num_workers < 0:
        problems.append(f"num_workers={num_workers} must not be negative")
    if problems:
        raise ConfigError("data.corpus: " + "; ".join(problems) + ".")


def describe(take: SignTake) -> Clip:
    """The manifest's row of a clip."""
    sign, signer = take.sign, take.signer
    return Clip(
        clip_id=take.clip_id,
        video=f"{take.clip_id}.mp4",
        split=take.split,
        signer=signer.name,
        gloss=sign.gloss,
        category=sign.category,
        extra={
            "handshape": sign.handshape.name,
            "place": sign.place.name,
            "movement": sign.movement.name,
            "num_hands": str(sign.num_hands),
            "handedness": "left" if signer.left_handed else "right",
            "fps": str(signer.fps),
        },
    )
