"""Labelled pictures as network input, and batches of them, each perhaps with frames of an unlabelled video.

A picture is sampled once: scaling to the network's size and every movement of an augmentation are one affine map, by
which its points go too, and whose inverse (``to_original``) leads back to the picture on the disk.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from sign_recog.data.prefetch import PrefetchLoader
from sign_recog.data.samplers import BucketBatchSampler
from sign_recog.data.video_windows import VideoWindows
from sign_recog.errors import ConfigError, DataError
from sign_recog.storage.labelled_frames import LabelledFrame, LabelledFrames
from sign_recog.types import PoseBatch
from sign_recog.video.affine import IDENTITY, Size, compose, inside, inverted, scaling, warped
from sign_recog.video.labelled import FrameAugmentation, Movement, PixelChange
from sign_recog.video.pictures import read_picture
from sign_recog.video.scaling import mapped, scaled

# Decoded pictures that a process keeps; further ones are decoded each time. At the network size 256 x 256 these are
# 680 pictures or more, since none is kept larger than HELD_SCALE times the network's size a side.
HELD_BYTES = 2**29
HELD_SCALE = 2  # so that a moved picture is as sharp as one that is only scaled

_WINDOW_STREAM = 1  # keeps the random numbers of windows and of pictures apart


class LabelledFrameDataset(Dataset):
    """Labelled pictures at the network's size; asked for a batch at once.

    Args:
        height, width: Of the network's input, in pixels; the pictures may be of any sizes.
        context: Neighbours in time on each side of every picture; 0 = the picture alone.
        augmentations: Random changes, drawn from ``seed``, the epoch and the picture's place.

    Raises:
        ConfigError: If a picture is to be mirrored and it is not known which landmarks change places.
        DataError: If there are no frames, or a frame lacks the neighbours that are asked for.
    """

    def __init__(
        self,
        frames: LabelledFrames,
        *,
        height: int,
        width: int,
        context: int = 0,
        augmentations: Sequence[FrameAugmentation] = (),
        seed: int = 0,
    ):
        self.frames, self.height, self.width, self.context = frames, height, width, context
        self.augmentations, self.seed = list(augmentations), seed
        if any(one.mirrors for one in self.augmentations) and not frames.landmarks.swap_pairs:
            raise ConfigError(
                "augment: a mirrored picture needs data.swap_pairs, which say what is left and right, for example "
                "data.swap_pairs=[[wrist_l,wrist_r]]. Give them, or leave the flip out."
            )
        if not frames.frames:
            raise DataError("There are no labelled frames in this split. See data.split.")
        self._paths = [_pictures(frame, context) for frame in frames.frames]
        self._mirror = frames.landmarks.mirror
        self._held: dict[Path, np.ndarray] = {}
        self._held_bytes = 0

    def __len__(self) -> int:
        return len(self.frames.frames)

    def __getitems__(self, items: list[tuple[int, int]]) -> PoseBatch:
        """A batch of (epoch, index)."""
        made = [self.item(epoch, index) for epoch, index in items]
        pictures = np.stack([one[0] for one in made])
        if not self.context:
            pictures = pictures[:, 0]
        return PoseBatch(
            frames=torch.from_numpy(np.ascontiguousarray(np.moveaxis(pictures, -1, -3))),
            points=torch.from_numpy(np.stack([one[1] for one in made]).astype(np.float32)),
            to_original=torch.from_numpy(np.stack([one[2] for one in made]).astype(np.float32)),
            index=[index for _, index in items],
            clip_id=[self.frames.frames[index].frame_id for _, index in items],
        )

    def item(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One picture and its neighbours (T, H, W, 3) uint8, its points (V, 2), and the way back (2, 3).

        Raises:
            DataError: If a picture cannot be read, or is of another size than when the corpus was prepared.
        """
        frame, size = self.frames.frames[index], (self.width, self.height)
        original = (frame.width, frame.height)
        rng = np.random.default_rng([self.seed, epoch, index]) if self.augmentations else None
        movement, mirrored, changes = self._drawn(rng)
        held = [self._picture(path, original) for path in self._paths[index]]
        affine = scaling(original, size)
        if movement is IDENTITY:
            pictures = np.stack([scaled(one, self.height, self.width) for one in held])
        else:
            affine = compose(affine, movement)
            between = held[0].shape[1], held[0].shape[0]
            from_held = compose(scaling(between, original), affine)
            pictures = np.stack([warped(one, from_held, self.height, self.width) for one in held])
        for change in changes:
            assert rng is not None
            pictures = change.change(pictures, rng)
        points = mapped(self.frames.points[index], affine)
        points[~inside(points, size)] = np.nan
        return pictures, points[self._mirror] if mirrored else points, inverted(affine)

    def _drawn(self, rng: np.random.Generator | None) -> tuple[np.ndarray, bool, list[PixelChange]]:
        """What happens to one picture: the movement, whether it mirrors, and which changes of pixels."""
        if rng is None:
            return IDENTITY, False, []
        chosen = [one for one in self.augmentations if one.happens(rng)]
        movements = [one for one in chosen if isinstance(one, Movement)]
        affines = [one.affine(self.height, self.width, rng) for one in movements]
        movement = compose(*affines) if affines else IDENTITY
        mirrored = sum(one.mirrors for one in movements) % 2 == 1
        return movement, mirrored, [one for one in chosen if isinstance(one, PixelChange)]

    def _picture(self, path: Path, size: Size) -> np.ndarray:
        """The picture at ``path``, no larger a side than ``HELD_SCALE`` times the network's input."""
        if path in self._held:
            return self._held[path]
        picture = read_picture(path)
        if (picture.shape[1], picture.shape[0]) != size:
            raise DataError(
                f"{path}: is {picture.shape[1]} x {picture.shape[0]} pixels, and was {size[0]} x {size[1]} when the "
                "corpus was prepared, or its labelled neighbour is. Prepare it again under another data.name."
            )
        height, width = min(size[1], HELD_SCALE * self.height), min(size[0], HELD_SCALE * self.width)
        picture = scaled(picture, height, width)
        if self._held_bytes + picture.nbytes <= HELD_BYTES:
            self._held[path] = picture
            self._held_bytes += picture.nbytes
        return picture


def build_frame_loader(
    dataset: LabelledFrameDataset,
    *,
    batch_size: int,
    shuffle: bool,
    accumulate: int = 1,
    seed: int,
    num_workers: int = 0,
    steps_per_round: int | None = None,
    windows: VideoWindows | None = None,
    window: int = 0,
) -> DataLoader:
    """Batches as :class:`BucketBatchSampler` makes them.

    Args:
        windows: Unlabelled frames; every batch then has ``window`` consecutive ones, chosen by ``seed``, the epoch and
            the batch's first picture. So labelled and unlabelled pictures never run out of step.
    """
    sampler = BucketBatchSampler(
        np.ones(len(dataset), np.int64),
        batch_size,
        seed=seed,
        shuffle=shuffle,
        bucketing=False,
        accumulate=accumulate,
        steps_per_round=steps_per_round,
    )
    return PrefetchLoader(
        dataset if windows is None else _WithWindow(dataset, windows, window, seed),
        batch_sampler=sampler,
        collate_fn=_as_it_is,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


class _WithWindow(Dataset):
    """A data set whose batches have frames of a video beside them."""

    def __init__(self, dataset: LabelledFrameDataset, windows: VideoWindows, window: int, seed: int):
        self.dataset, self.windows, self.window, self.seed = dataset, windows, window, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, items: list[tuple[int, int]]) -> PoseBatch:
        batch = self.dataset.__getitems__(items)
        rng = np.random.default_rng([self.seed, *items[0], _WINDOW_STREAM])
        video, to_original = self.windows.draw(rng, self.window)
        batch["video"] = torch.from_numpy(video)
        batch["video_to_original"] = torch.from_numpy(to_original.astype(np.float32))
        return batch


def _pictures(frame: LabelledFrame, context: int) -> list[Path]:
    """The files of a frame and its neighbours."""
    if not context:
        return [frame.image]
    middle = len(frame.context) // 2
    if middle < context:
        raise DataError(
            f'Frame "{frame.frame_id}" has no {context} neighbours on each side, which modality.context={context} '
            "needs. Label frames as VIDEO.mp4:NUMBER, set data.numbered=true where the pictures beside it are its "
            "neighbours in time, or use modality.context=0."
        )
    return list(frame.context[middle - context : middle + context + 1])


def _as_it_is(batch: Any) -> PoseBatch:
    return batch
