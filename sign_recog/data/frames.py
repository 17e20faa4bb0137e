"""From a clip's video to the frames that a network reads; nothing is stored in between."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.config.modalities.rgb import Fit, RgbModality
from sign_recog.data.readers import Sequences, pad
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.video import samplers
from sign_recog.video.chosen import read_chosen
from sign_recog.video.framing import Framing
from sign_recog.video.resampling import resampled
from sign_recog.video.samplers import Request, Step
from sign_recog.video.transforms import FrameChange, PixelChange, Reframing

# Places of test crops in the picture, down and right from 0 to 1; three lie along its longer side.
_CORNERS = [(0.0, 0.0), (0.0, 1.0), (0.5, 0.5), (1.0, 0.0), (1.0, 1.0)]


class FrameReader:
    """Videos -> network input, as ``modality`` says (a :class:`sign_recog.data.readers.Reader`).

    Args:
        sampler, eval_sampler: The steps that choose frames in training, and without a generator.

    Raises:
        ConfigError: If a sampler has no step that chooses.
    """

    Settings = RgbModality
    steps = ("sampler", "eval_sampler")
    input_dim = 3

    def __init__(self, modality: RgbModality, *, sampler: Sequence[Step], eval_sampler: Sequence[Step]):
        self.modality, self.sampler, self.eval_sampler = modality, list(sampler), list(eval_sampler)
        for name in self.steps:
            if not any(step.chooses for step in getattr(self, name)):
                raise ConfigError(
                    f"modality.{name}: none of its steps chooses modality.num_frames={modality.num_frames} frames. "
                    f"Add one that does, or use modality/{name}=chunked."
                )

    def folder(self, corpus: PreparedCorpus, extractor: str) -> None:
        """Nothing is extracted."""

    def open(self, corpus: PreparedCorpus, clips: Sequence[Clip], extractor: str) -> "VideoSequences":
        """The clips' frames, decoded when they are asked for."""
        return VideoSequences(self, [(corpus.video_path(clip), clip.start_s, clip.end_s) for clip in clips])

    def open_copies(self, corpus: PreparedCorpus, clips: Sequence[Clip], extractor: str) -> list[Sequences]:
        """None: every epoch changes the frames anew."""
        return []

    def stored(self, path: Path) -> Path:
        """Nothing but videos is read.

        Raises:
            DataError: Always.
        """
        raise DataError(f"{path}: this network reads videos, and an .npz is none. Give the clip's video.")

    def frames(self, sequence: Path, name: str) -> np.ndarray:
        """Return the frames of the video at ``sequence`` that tests would read, (T, 3, H, W) uint8."""
        return self.read(sequence, 0.0, None, None)

    def read(
        self,
        path: Path,
        start_s: float,
        end_s: float | None,
        rng: np.random.Generator | None,
        augmentations: Sequence[FrameChange] = (),
    ) -> np.ndarray:
        """Return the frames of a span, (T, 3, H, W) uint8: ``num_frames``, or fewer if it is shorter and ``pad`` null.

        Args:
            rng: Draws the frames, and the changes that ``augmentations`` make; None = the same frames every time, and
                no changes.

        Raises:
            DataError: If the video cannot be read.
        """
        if rng is None:
            return self._viewed(path, start_s, end_s, phase=0.5, crops=[None])[0]
        changes = [change for change in augmentations if change.happens(rng)]
        choice_seed, crop_seed = rng.integers(2**63, size=2).tolist()

        def framed(height: int, width: int) -> Framing:
            framing, own = self._framing(height, width), np.random.default_rng(crop_seed)
            for change in changes:
                if isinstance(change, Reframing):
                    framing = change.reframe(framing, own)
            return framing

        (frames,) = self._read(path, start_s, end_s, self.sampler, {"seed": choice_seed}, [framed])
        pixel_changes = [change for change in changes if isinstance(change, PixelChange)]
        return _changed(frames, pixel_changes, rng) if pixel_changes else frames

    def views(
        self, path: Path, start_s: float, end_s: float | None, num_clips: int, num_crops: int
    ) -> list[np.ndarray]:
        """Several views of a span, (T, 3, H, W) uint8 each: parts of its time, and of each the crops of the picture.

        Args:
            num_crops: 1 = the middle; 3 = left, middle and right, or top, middle and bottom of an upright picture;
                5 = the corners and the middle.

        Raises:
            ConfigError: If there are no such views.
        """
        if num_crops not in (1, 3, 5) or num_clips < 1:
            raise ConfigError(f"{num_clips} x {num_crops} views: use 1, 3 or 5 crops, and 1 or more clips.")
        if num_crops > 1 and self.modality.fit is Fit.pad:
            raise ConfigError("modality.fit=pad shows the whole picture, so it has 1 crop. Use modality.fit=crop.")
        places: dict[int, list[Any]] = {1: [None], 3: [0.0, 0.5, 1.0], 5: _CORNERS}
        phases, crops = (np.arange(num_clips) + 0.5) / num_clips, places[num_crops]
        return [view for phase in phases for view in self._viewed(path, start_s, end_s, phase=phase, crops=crops)]

    def batch(
        self,
        sequences: Sequences,
        indices: Sequence[int],
        augmentations: Sequence[FrameChange],
        rng: np.random.Generator | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`Reader.batch`; several clips are decoded at once, each with a generator of its own."""
        rngs = [None] * len(indices) if rng is None else rng.spawn(len(indices))
        extra = (augmentations,) if augmentations else ()
        jobs = [lambda i=i, own=own: sequences.read(i, own, *extra) for i, own in zip(indices, rngs, strict=True)]
        return pad(_at_once(jobs))

    def _viewed(
        self, path: Path, start_s: float, end_s: float | None, *, phase: float, crops: Sequence[Any]
    ) -> list[np.ndarray]:
        """The deterministic views of one part of the time; a crop is None, a place along the longer side, or both."""

        def framed(height: int, width: int, crop: Any) -> Framing:
            framing = self._framing(height, width)
            if isinstance(crop, float):
                crop = (0.5, crop) if width >= height else (crop, 0.5)
            return framing if crop is None else framing.cropped(*crop)

        framings = [lambda height, width, crop=crop: framed(height, width, crop) for crop in crops]
        return self._read(path, start_s, end_s, self.eval_sampler, {"phase": float(phase)}, framings)

    def _read(
        self,
        path: Path,
        start_s: float,
        end_s: float | None,
        steps: Sequence[Step],
        how: dict[str, Any],
        framings: Sequence[Any],
    ) -> list[np.ndarray]:
        """The frames that ``steps`` choose, once for each of ``framings``, functions of the picture's size."""
        m = self.modality
        framed: list[Framing] = []  # known with the first picture

        def choose(times_s: np.ndarray, interval_s: float) -> np.ndarray:
            shown = np.arange(len(times_s))
            if m.target_fps is not None:
                timed = zip(shown.tolist(), times_s.tolist(), strict=True)
                shown = np.array([number for number, _ in resampled(timed, m.target_fps, interval_s)])
            rng = np.random.default_rng(how["seed"]) if "seed" in how else None
            request = Request(len(shown), m.num_frames, rng, how.get("phase", 0.5))
            chosen = np.arange(len(shown))
            for step in steps:
                chosen = step(chosen, request)
            if m.pad is not None and len(chosen) < m.num_frames:
                chosen = getattr(samplers, m.pad.value)(chosen, m.num_frames)
            return shown[chosen]

        def show(image: np.ndarray) -> list[np.ndarray]:
            if not framed:
                framed.extend(framing(*image.shape[:2]) for framing in framings)
            if image.shape[:2] != (framed[0].height, framed[0].width):
                raise DataError(
                    f"{path}: its pictures change from {framed[0].width} x {framed[0].height} to "
                    f"{image.shape[1]} x {image.shape[0]} pixels. Convert it to one size, or leave the clip out."
                )
            return [framing.cut(image) for framing in framed]

        parts = read_chosen(path, choose, show, start_s=start_s, end_s=end_s)
        return [framing.squares(own) for framing, own in zip(framed, zip(*parts, strict=True), strict=True)]

    def _framing(self, height: int, width: int) -> Framing:
        """What is seen where no augmentation says otherwise."""
        m = self.modality
        sizes = {"resize": m.resize or m.image_size, "size": m.image_size}
        kind = Framing.whole if m.fit is Fit.pad else Framing.centred
        return kind(height, width, **sizes)


class VideoSequences:
    """Spans of videos as network inputs (a :class:`sign_recog.data.readers.Sequences`)."""

    input_dim = 3

    def __init__(self, reader: FrameReader, spans: Sequence[tuple[Path, float, float | None]]):
        self.reader, self.spans = reader, list(spans)

    @property
    def lengths(self) -> np.ndarray:
        """As long as the reader makes them; that a span is shorter shows only when it is decoded."""
        return np.full(len(self.spans), self.reader.modality.num_frames)

    def read(
        self, index: int, rng: np.random.Generator | None, augmentations: Sequence[FrameChange] = ()
    ) -> np.ndarray:
        """As :meth:`FrameReader.read`."""
        return self.reader.read(*self.spans[index], rng, augmentations)

    def views(self, index: int, num_clips: int, num_crops: int) -> list[np.ndarray]:
        """As :meth:`FrameReader.views`; one clip and crop are what :meth:`read` gives without a generator."""
        return self.reader.views(*self.spans[index], num_clips, num_crops)


def _changed(frames: np.ndarray, changes: Sequence[PixelChange], rng: np.random.Generator) -> np.ndarray:
    import torch

    pixels = torch.from_numpy(frames)
    for change in changes:
        pixels = change.change(pixels, rng)
    return pixels.numpy()


def _at_once(jobs: Sequence[Any]) -> list[np.ndarray]:
    """The results of ``jobs`` in their order, worked on by as many threads as there are cores.

    FFmpeg and torch's scaling leave the interpreter to other threads. In a loader process there is one thread, since
    the processes share the cores already.
    """
    from torch.utils.data import get_worker_info

    threads = min(len(jobs), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    if threads < 2 or get_worker_info() is not None:
        return [job() for job in jobs]
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:  # after an error nothing more is begun
                future.cancel()
