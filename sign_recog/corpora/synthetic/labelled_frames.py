"""Reader of the built-in corpus of labelled frames: pictures of drawn signers whose landmarks are known exactly.

Every picture is a moment of a take of its own, and signers are of one split each: val and test say how a detector does
on people that it has not seen. The landmarks are Holistic's above the hips and of both hands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sign_recog.config.identity import digest
from sign_recog.corpora.base import Corpus
from sign_recog.corpora.synthetic.corpus import SignTake, check, describe
from sign_recog.corpora.synthetic.files import drawing_version, in_processes, render_missing
from sign_recog.corpora.synthetic.motion import Motion
from sign_recog.corpora.synthetic.render import Renderer
from sign_recog.corpora.synthetic.signs import build_lexicon
from sign_recog.errors import ConfigError
from sign_recog.landmarks.layout import LEFT_HIP, Layout, get_layout
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.opencv import require_opencv
from sign_recog.storage import atomic
from sign_recog.storage.labelled_frames import LabelledFrame, LabelledFrames
from sign_recog.storage.manifest import SPLITS
from sign_recog.video.affine import inside
from sign_recog.video.pictures import png

_FRAME_STREAM = 6  # keeps these random numbers apart from those of signers and takes
_FIRST_TAKE = 1000  # of the pictures, so that none is a moment of a clip
_AROUND = range(-2, 3)
_HOLISTIC = get_layout("holistic_75")
LAYOUT = Layout(
    "upper_body_and_hands_65",
    tuple(point for point in _HOLISTIC.ids if point < LEFT_HIP or point >= 33),
    "MediaPipe Holistic: pose above the hips, left hand, right hand",
)


@dataclass(frozen=True)
class _Picture:
    """One moment of a take."""

    take: SignTake
    moment: float  # share of the take

    def number(self, motion: Motion) -> int:
        """Its frame."""
        return int(self.moment * len(motion.pose))


def read(
    source: str | None,
    out_dir: Path,
    *,
    num_signers: Mapping[str, int],
    num_frames: Mapping[str, int],
    num_clips: Mapping[str, int],
    num_glosses: int,
    neighbours: bool,
    image_size: int,
    seed: int,
    num_workers: int | None = None,
) -> Corpus:
    """Draw the pictures into ``out_dir/frames`` and render the clips; what is there already is left as it is.

    Args:
        source: Must be None: nothing is read.
        out_dir: Where the corpus goes.
        num_signers: Signers in train, val and test; no signer is in two splits.
        num_frames: Labelled pictures in train, val and test, spread evenly over the split's signers.
        num_clips: Clips without labels in train, val and test, spread in the same way.
        num_glosses: Signs that are signed.
        neighbours: Whether the two frames before and after every picture are drawn too.
        image_size: Width and height in pixels.
        seed: Other seeds give other signers, takes and moments.
        num_workers: Processes that render; 0 = none but this one, None = one a core.

    Raises:
        ConfigError: If a setting is out of range.
    """
    positive = {"num_glosses": num_glosses}
    positive |= {f"num_frames.{split}": num_frames.get(split, 0) for split in num_signers}
    check(source, positive, num_signers=num_signers, image_size=image_size, seed=seed, num_workers=num_workers)
    if negative := [split for split in num_clips if num_clips[split] < 0]:
        raise ConfigError(f"data.corpus: num_clips.{negative[0]} must be 0 or more.")
    if lacking := [
        split for split in SPLITS if (num_frames.get(split) or num_clips.get(split)) and not num_signers.get(split)
    ]:
        raise ConfigError(
            f"data.corpus: frames and clips of {lacking[0]} need signers. Raise num_signers.{lacking[0]}."
        )
    num_signs = len(build_lexicon(num_glosses))
    clips = [
        SignTake(seed, split, number % signers, number % num_signs, number // signers, image_size)
        for split in SPLITS
        if (signers := num_signers.get(split, 0))
        for number in range(num_clips.get(split, 0))
    ]
    pictures = [
        picture
        for split in SPLITS
        for picture in _choose(split, num_frames.get(split, 0), num_signers.get(split, 0), num_signs, image_size, seed)
    ]
    require_opencv()
    folder = out_dir / "frames" / digest({"seed": seed, "image_size": image_size, "drawing": drawing_version()})
    labelled = _labelled(pictures, folder, neighbours)
    _draw_missing(pictures, labelled.frames, num_workers)
    return Corpus(
        [describe(take) for take in clips], video_dir=render_missing(clips, out_dir, num_workers), frames=labelled
    )


def _choose(
    split: str, num_frames: int, num_signers: int, num_signs: int, image_size: int, seed: int
) -> list[_Picture]:
    """Moments of takes, each of another take; more pictures leave the first ones as they are."""
    found = []
    for number in range(num_frames):
        rng = np.random.default_rng([seed, _FRAME_STREAM, SPLITS.index(split), number])
        sign, signer = int(rng.integers(num_signs)), number % num_signers
        take = SignTake(seed, split, signer, sign, _FIRST_TAKE + number // num_signers, image_size)
        found.append(_Picture(take, float(rng.random())))
    return found


def _labelled(pictures: Sequence[_Picture], folder: Path, neighbours: bool) -> LabelledFrames:
    landmarks, places = NamedLandmarks.of_layout(LAYOUT), LAYOUT.index_in(_HOLISTIC)
    frames, points = [], []
    renderers: dict[str, Renderer] = {}
    for picture in pictures:
        take, motion = picture.take, picture.take.perform()
        size, number = take.image_size, picture.number(motion)
        renderer = renderers.setdefault(take.signer.name, Renderer(take.signer, size))
        joints = np.concatenate([motion.pose[number], motion.hands[number].reshape(-1, 3)])
        own = renderer.to_pixels(joints)[places]
        own[~inside(own, (size, size))] = np.nan
        around = tuple(
            folder / f"{take.clip_id}_{number + step:03d}.png" for step in _AROUND if step == 0 or neighbours
        )
        image = around[len(around) // 2]
        frames.append(
            LabelledFrame(
                image.stem, image, take.split, size, size, video=f"{take.clip_id}.mp4", number=number,
                context=around if neighbours else (),
            )
        )  # fmt: skip
        points.append(own)
    return LabelledFrames(landmarks, frames, np.stack(points))


def _draw_missing(pictures: Sequence[_Picture], frames: Sequence[LabelledFrame], num_workers: int | None) -> None:
    missing = [
        (picture, frame.context or (frame.image,))
        for picture, frame in zip(pictures, frames, strict=True)
        if not all(path.is_file() for path in frame.context or (frame.image,))
    ]
    in_processes(_draw, missing, num_workers, "Drawing labelled frames", "frame")


def _draw(job: tuple[_Picture, tuple[Path, ...]]) -> None:
    """Write a picture, and those around it; one beyond the take's end is the one at its end."""
    picture, paths = job
    motion, middle = picture.take.perform(), len(paths) // 2
    renderer = Renderer(picture.take.signer, picture.take.image_size)
    for place, path in enumerate(paths):
        number = min(max(picture.number(motion) + place - middle, 0), len(motion.pose) - 1)
        if not path.is_file():
            atomic.write_bytes(path, png(renderer.draw(motion.pose[number], motion.hands[number])))
