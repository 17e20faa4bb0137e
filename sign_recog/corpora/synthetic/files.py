"""The files of drawn clips: a video and the true landmarks of each, rendered by several processes, once."""

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from sign_recog.corpora.synthetic.motion import Motion
from sign_recog.corpora.synthetic.render import Renderer
from sign_recog.corpora.synthetic.signer import Signer
from sign_recog.errors import DataError
from sign_recog.landmarks.layout import get_layout
from sign_recog.opencv import require_opencv
from sign_recog.storage import atomic
from sign_recog.storage.sequences import KeypointSequence, read_meta, write_keypoints

MIN_IMAGE_SIZE = 128  # pixels; at 96 MediaPipe loses a signing hand in 13 % of the frames, at 128 in 2 %


Work = TypeVar("Work")


class Take(Protocol):
    """One clip to render, which can be sent to another process."""

    @property
    def clip_id(self) -> str: ...

    @property
    def signer(self) -> Signer: ...

    @property
    def image_size(self) -> int:
        """Width and height in pixels."""

    def perform(self) -> Motion:
        """What is to be seen; the same every time."""

    def settings(self) -> dict[str, Any]:
        """All that decides the clip's files."""


def render_missing(takes: Sequence[Take], out_dir: Path, num_workers: int | None) -> Path:
    """Render what is not there, whole and with the same settings; return the folder of the videos.

    Args:
        num_workers: Processes that render; 0 = none but this one, None = one a core.
    """
    missing = [take for take in takes if not _is_rendered(take, out_dir)]
    require_opencv()
    in_processes(partial(_render, out_dir=out_dir), missing, num_workers, "Rendering signers", "clip")
    return out_dir / "clips"


def _paths(take: Take, out_dir: Path) -> tuple[Path, Path]:
    return out_dir / "clips" / f"{take.clip_id}.mp4", out_dir / "truth" / f"{take.clip_id}.npz"


def _is_rendered(take: Take, out_dir: Path) -> bool:
    """Return whether both files are there, whole and of these settings; truth is written last and knows the video."""
    video, truth = _paths(take, out_dir)
    if not (video.is_file() and truth.is_file()):
        return False
    try:
        meta = read_meta(truth)
    except DataError:  # a damaged file is rendered again
        return False
    return meta.get("settings") == take.settings() and meta.get("video_sha256") == _sha256([video])


def in_processes(
    work: Callable[[Work], Any], items: Sequence[Work], num_workers: int | None, what: str, unit: str
) -> None:
    """Do ``work`` on each of ``items``, in as many processes.

    Args:
        num_workers: 0 = none but this one, None = one a core.
    """
    from tqdm import tqdm

    bar = partial(tqdm, total=len(items), desc=what, unit=unit, disable=None)
    num_workers = min(_num_cores() if num_workers is None else num_workers, len(items))
    if num_workers <= 1:
        for item in bar(items):
            work(item)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, initializer=_use_one_thread) as pool:
        try:
            for _ in bar(pool.map(work, items)):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _use_one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)  # the processes share the cores already


def _render(take: Take, out_dir: Path) -> None:
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
    if motion.signs:
        meta["signs"] = [list(span) for span in motion.signs]
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
def drawing_version() -> str:
    """Return a hash of this package's source: clips drawn by other code are drawn again."""
    return _sha256(sorted(Path(__file__).parent.glob("*.py")))[:16]


def _sha256(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()
