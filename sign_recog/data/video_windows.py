"""Consecutive frames of unlabelled videos at a network's size, packed once.

A pack is a folder: ``frames.bin`` (N, 3, H, W) uint8, and ``index.json``, which says which stretches of consecutive
frames it holds, and of what size their videos are. Frames are read from the file when they are asked for, so memory
does not grow with the videos.
"""

import json
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.config.identity import digest
from sign_recog.errors import DataError
from sign_recog.storage import atomic
from sign_recog.storage.cache_folder import INDEX, made_once
from sign_recog.video.chosen import read_chosen
from sign_recog.video.reader import VideoReader, probe
from sign_recog.video.scaling import scaled, to_original

logger = logging.getLogger(__name__)

STRETCH = 4  # windows: a long video is sampled in stretches of so many, spread evenly over it


class VideoWindows:
    """Read-only access to a pack.

    Attributes:
        skipped: Videos that could not be used: (path, reason).
        num_frames: In the pack.
    """

    def __init__(self, folder: Path):
        self._index: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        self.height, self.width = self._index["height"], self._index["width"]
        self.skipped = [(path, reason) for path, reason in self._index["skipped"]]
        self.num_frames = sum(stretch["frames"] for stretch in self._index["stretches"])
        self._path = folder / "frames.bin"
        self._file = self._path.open("rb", buffering=0)

    def draw(self, rng: np.random.Generator, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
        """``num_frames`` consecutive frames (T, 3, H, W) uint8, every place as likely, and their way back (2, 3).

        Raises:
            DataError: If no video has so many.
        """
        places = np.array([max(0, one["frames"] - num_frames + 1) for one in self._index["stretches"]])
        if not places.any():
            longest = max(one["frames"] for one in self._index["stretches"])
            raise DataError(
                f"No unlabelled video has {num_frames} consecutive frames, the longest has {longest}. "
                "Lower pose.window."
            )
        place = int(rng.integers(places.sum()))
        ends = np.cumsum(places)
        number = int(np.searchsorted(ends, place, side="right"))
        stretch = self._index["stretches"][number]
        first = stretch["first"] + place - int(ends[number] - places[number])
        frame = 3 * self.height * self.width
        # pread has no position of its own, so processes and threads may share the open file.
        content = bytearray(num_frames * frame)
        os.preadv(self._file.fileno(), [content], first * frame)
        frames = np.frombuffer(content, np.uint8).reshape(num_frames, 3, self.height, self.width)
        return frames, to_original(stretch["width"], stretch["height"], self.width, self.height)

    def __getstate__(self) -> dict[str, Any]:
        """Without the open file: a loader process opens it itself."""
        return {name: value for name, value in vars(self).items() if name != "_file"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._file = self._path.open("rb", buffering=0)


def open_windows(
    folder: Path,
    videos: Sequence[Path],
    *,
    height: int,
    width: int,
    window: int,
    most_frames: int | None,
    spans: Sequence[tuple[float, float | None]] | None = None,
) -> VideoWindows:
    """Return the pack of ``videos``, building it if there is none of their present state.

    A video that cannot be read is left out, and named in ``skipped``.

    Args:
        folder: Where packs lie; those of the same size from other videos are deleted.
        window: Consecutive frames that will be asked for.
        most_frames: Of all videos together, None = all. Each video gives its share by its length, in stretches of
            ``STRETCH`` windows, spread evenly over it.
        spans: Start and end of each video in seconds, None = the whole videos.

    Raises:
        DataError: If no video has ``window`` frames.
    """
    parts = [(path, *span) for path, span in zip(videos, spans or [(0.0, None)] * len(videos), strict=True)]
    if not parts:
        raise DataError("There are no unlabelled videos. Give data.video_dir, or disable the unsupervised losses.")
    states = [(str(p), start_s, end_s, *_state(p)) for p, start_s, end_s in parts]
    key = digest([states, window, most_frames])
    name = f"windows-{width}x{height}"
    return VideoWindows(
        made_once(folder, name, key, lambda partial: _build(partial, parts, (height, width), window, most_frames))
    )


def _state(path: Path) -> tuple[int, int]:
    """What changes with a file's content; of a missing one nothing."""
    return (path.stat().st_size, path.stat().st_mtime_ns) if path.exists() else (0, 0)


_Part = tuple[Path, float, float | None]


def _build(folder: Path, parts: Sequence[_Part], size: tuple[int, int], window: int, most_frames: int | None) -> None:
    from tqdm import tqdm

    skipped: list[tuple[str, str]] = []
    sized: list[tuple[_Part, int, int, int]] = []
    for part in parts:
        try:
            info = probe(part[0])
        except DataError as error:
            skipped.append((str(part[0]), str(error)))
            continue
        lasts_s = (info.duration_s if part[2] is None else min(part[2], info.duration_s)) - part[1]
        frames = round(lasts_s * info.fps) if info.duration_s else info.num_frames_estimate
        sized.append((part, max(1, frames), info.width, info.height))
    total = sum(frames for _, frames, _, _ in sized)
    share = 1.0 if most_frames is None else min(1.0, most_frames / max(1, total))
    stretches: list[dict[str, Any]] = []
    first = 0
    with (folder / "frames.bin").open("wb") as file:
        for part, frames, width, height in tqdm(
            sized, desc="packing unlabelled videos", unit="video", leave=False, mininterval=1.0
        ):
            before = file.tell()
            found: list[dict[str, Any]] = []
            try:
                for pictures in _stretches(part, frames, share, window, size):
                    count = 0
                    for picture in pictures:
                        file.write(np.ascontiguousarray(picture.transpose(2, 0, 1)).tobytes())
                        count += 1
                    found.append({"first": first, "frames": count, "width": width, "height": height})
                    first += count
            except DataError as error:
                skipped.append((str(part[0]), str(error)))
                file.seek(before)
                file.truncate()
                first = before // (3 * size[0] * size[1])
                continue
            stretches += found
        file.flush()
        os.fsync(file.fileno())
    for path, reason in skipped:
        logger.warning("%s is not learned from: %s", path, reason)
    if not any(one["frames"] >= window for one in stretches):
        longest = max((one["frames"] for one in stretches), default=0)
        why = f" The first that cannot be read: {skipped[0][1]}" if skipped else ""
        raise DataError(
            f"None of {len(parts)} unlabelled videos has {window} consecutive frames, the longest has {longest}. "
            f"Give longer ones, or lower pose.window.{why}"
        )
    index = {"height": size[0], "width": size[1], "stretches": stretches, "skipped": skipped}
    atomic.write_json(folder / INDEX, index)


def _stretches(
    part: _Part, frames: int, share: float, window: int, size: tuple[int, int]
) -> Iterator[Iterator[np.ndarray]]:
    """The pictures (H, W, 3) of each stretch that is taken of one video."""
    path, start_s, end_s = part
    wanted, length = max(window, round(share * frames)), STRETCH * window
    if share >= 1 or frames <= max(wanted, length):
        yield (scaled(one.image, *size) for one in VideoReader(path, start_s=start_s, end_s=end_s))
        return
    count = max(1, round(wanted / length))
    for number in range(count):
        begin = round((frames - length) * (number / (count - 1) if count > 1 else 0.5))

        def choose(times_s: np.ndarray, interval_s: float, begin: int = begin) -> np.ndarray:
            last = max(0, len(times_s) - length)
            return np.arange(len(times_s))[min(begin, last) :][:length]

        yield iter(read_chosen(path, choose, lambda image: scaled(image, *size), start_s=start_s, end_s=end_s))
