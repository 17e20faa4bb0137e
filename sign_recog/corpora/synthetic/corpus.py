"""Reader of the built-in corpus: renders its clips, and returns their manifest rows.

Every clip is a function of its settings alone: all random draws come from generators seeded with the clip's own
numbers, so a clip is the same whichever others are rendered, and by however many processes.
"""

import hashlib
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.corpora.base import Corpus
from sign_recog.corpora.synthetic.motion import Motion, perform
from sign_recog.corpora.synthetic.render import Renderer
from sign_recog.corpora.synthetic.signer import Signer, draw_signer
from sign_recog.corpora.synthetic.signs import LEXICONS, Sign, build_lexicon
from sign_recog.errors import ConfigError, DataError
from sign_recog.landmarks.layout import get_layout
from sign_recog.opencv import require_opencv
from sign_recog.storage import atomic
from sign_recog.storage.manifest import SPLITS, Clip
from sign_recog.storage.sequences import KeypointSequence, read_meta, write_keypoints

MIN_IMAGE_SIZE = 128  # pixels; at 96 MediaPipe loses a signing hand in 13 % of the frames, at 128 in 2 %
_SIGNER_STREAM, _TAKE_STREAM = 1, 2  # keep the random numbers of signers and takes apart


@dataclass(frozen=True)
class _Take:
    """One clip to render."""

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
        return {"seed": self.seed, "image_size": self.image_size, "take": self.clip_id, "drawing": _drawing_version()}


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
    _check(
        source,
        num_signers=num_signers,
        takes_per_gloss=takes_per_gloss,
        image_size=image_size,
        seed=seed,
        num_workers=num_workers,
    )
    num_signs = len(build_lexicon(num_glosses, lexicon))
    takes = [
        _Take(seed, split, signer_number, sign_number, take, image_size, lexicon)
        for split in SPLITS
        for signer_number in range(num_signers.get(split, 0))
        for sign_number in range(num_signs)
        for take in range(takes_per_gloss)
    ]
    missing = [take for take in takes if not _is_rendered(take, out_dir)]
    require_opencv()
    _render_all(missing, out_dir, _num_cores() if num_workers is None else num_workers)
    return Corpus([_describe(take) for take in takes], video_dir=out_dir / "clips")


def _check(
    source: str | None,
    *,
    num_signers: Mapping[str, int],
    takes_per_gloss: int,
    image_size: int,
    seed: int,
    num_workers: int | None,
) -> None:
    problems = []
    if source is not None:
        problems.append(f"source={source!r}: the built-in corpus reads nothing. Leave it null")
    if unknown := [split for split in num_signers if split not in SPLITS]:
        problems.append(f"num_signers names {', '.join(map(str, unknown))}. Use {', '.join(SPLITS)}")
    if any(number < 0 for number in num_signers.values()) or not num_signers.get("train"):
        problems.append(
            f"num_signers={dict(num_signers)}: at least one signer is needed in train, none may be negative"
        )
    if takes_per_gloss < 1:
        problems.append(f"takes_per_gloss={takes_per_gloss} must be 1 or more")
    if image_size < MIN_IMAGE_SIZE or image_size % 2:
        problems.append(f"image_size={image_size} must be even (H.264, yuv420p) and at least {MIN_IMAGE_SIZE}")
    if seed < 0:
        problems.append(f"seed={seed} must not be negative")
    if num_workers is not None and num_workers < 0:
        problems.append(f"num_workers={num_workers} must not be negative")
    if problems:
        raise ConfigError("data.corpus: " + "; ".join(problems) + ".")


def _describe(take: _Take) -> Clip:
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


def _paths(take: _Take, out_dir: Path) -> tuple[Path, Path]:
    return out_dir / "clips" / f"{take.clip_id}.mp4", out_dir / "truth" / f"{take.clip_id}.npz"


def _is_rendered(take: _Take, out_dir: Path) -> bool:
    """Return whether both files are there, whole and of these settings; truth is written last and knows the video."""
    video, truth = _paths(take, out_dir)
    if not (video.is_file() and truth.is_file()):
        return False
    try:
        meta = read_meta(truth)
    except DataError:  # a damaged file is rendered again
        return False
    return meta.get("settings") == take.settings() and meta.get("video_sha256") == _sha256([video])


def _render_all(takes: list[_Take], out_dir: Path, num_workers: int) -> None:
    from tqdm import tqdm

    bar = partial(tqdm, total=len(takes), desc="Rendering signers", unit="clip", disable=None)
    num_workers = min(num_workers, len(takes))
    if num_workers <= 1:
        for take in bar(takes):
            _render(take, out_dir)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, initializer=_use_one_thread) as pool:
        try:
            for _ in bar(pool.map(partial(_render, out_dir=out_dir), takes)):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _use_one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)  # the processes share the cores already


def _render(take: _Take, out_dir: Path) -> None:
    """Write a clip's video, then its truth."""
    signer, motion = take.signer, take.perform()
    renderer = Renderer(signer, take.image_size)
    video, truth = _paths(take, out_dir)
    with atomic.replaced(video) as temporary:
        frames = (renderer.draw(pose, hands) for pose, hands in zip(motion.pose, motion.hands, strict=True))
        _encode(temporary, frames, signer.fps, take.image_size)

    num_frames = len(motion.pose)
    points = np.concatenate([motion.pose, motion.hands.reshape(num_frames, -1, 3)], axis=1)
    keypoints = renderer.to_image(points)
    in_image = ((keypoints[..., :2] >= 0) & (keypoints[..., :2] <= 1)).all(axis=-1)
    keypoints[~in_image] = np.nan
    stroke = np.flatnonzero(motion.signing.any(axis=1))
    meta = {
        "clip_id": take.clip_id,
        "width": take.image_size,
        "height": take.image_size,
        "fps": signer.fps,
        "source": "true landmarks of a drawn signer",
        "signing_hands": [
            name for name, signs in zip(("left", "right"), motion.signing.any(axis=0), strict=True) if signs
        ],
        "stroke": [int(stroke[0]), int(stroke[-1]) + 1],
        "video_sha256": _sha256([video]),
        "settings": take.settings(),
    }
    timestamps_ms = np.round(1000 * np.arange(num_frames) / signer.fps).astype(np.int64)
    layout = get_layout("holistic_75")
    write_keypoints(truth, KeypointSequence(keypoints, in_image.astype(np.float32), timestamps_ms, layout, meta))


def _encode(path: Path, frames: Iterator[np.ndarray], fps: int, image_size: int) -> None:
    """Write frames (H, W, 3) uint8 RGB as H.264 in mp4; the same frames give the same bytes.

    That needs one thread, as x264's output depends on their number, and ``cpu-independent``: without it, 25 encodings
    of the same frames gave up to 4 different files.
    """
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width = stream.height = image_size
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "18", "x264-params": "cpu-independent=1"}
        stream.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


@cache
def _drawing_version() -> str:
    """Return a hash of this package's source: clips drawn by other code are drawn again."""
    return _sha256(sorted(Path(__file__).parent.glob("*.py")))[:16]


def _sha256(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
