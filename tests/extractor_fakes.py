"""Extractors without MediaPipe and large networks; in a module of their own, since workers import it."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from sign_recog.errors import DataError, SignRecogError
from sign_recog.extractors.base import NetworkExtractor
from sign_recog.extractors.decoding import End, Window
from sign_recog.landmarks.layout import get_layout
from sign_recog.storage.fingerprint import fingerprint
from sign_recog.storage.sequences import KeypointSequence


class FakeExtractor:
    """Does what the file's first word says; any other word gives a sequence as long as the file."""

    def __init__(self, **options):
        self.options = options

    def description(self):
        return {"extractor": "fake", "version": "fake 1", "layout": "holistic_75", "options": self.options}

    def extract(self, video, start_s, end_s):
        word, *rest = video.read_text().split()
        if word == "fail":
            raise DataError(f"{video.name}: shows\tnobody.")
        if word == "crash":
            raise ZeroDivisionError("by zero")
        if word == "unloadable":
            raise SignRecogError("libGL.so.1 is missing.")
        if word == "die" or (word == "die-once" and not Path(rest[0]).exists()):
            if rest:
                Path(rest[0]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "abort":
            os.abort()
        if word == "sleep":
            time.sleep(float(rest[0]))
        num_frames = video.stat().st_size
        meta = {
            "extraction": self.description(),
            "fingerprint": fingerprint(video),
            "start_s": start_s,
            "end_s": end_s,
            "process": os.getpid(),
        }
        keypoints = np.full((num_frames, 75, 3), len(word), np.float32)
        times = np.arange(num_frames) * 40
        return KeypointSequence(keypoints, np.ones((num_frames, 75)), times, get_layout("holistic_75"), meta)


SHAPE = (2, 4, 4, 3)  # of a window of fake_decode


def fake_decode(job):
    """As many windows as the clip's name says, and what its word says after the third of them."""
    word, number, *rest = job.clip_id.split()
    for k in range(int(number)):
        if k == 3:
            _happen(word, *rest)
        yield Window(np.full(SHAPE, k, np.uint8), k % 2, [k, k + 1])
        if word == "note":
            Path(rest[0]).joinpath(str(k)).touch()
    yield End(int(number), {"process": os.getpid(), "torch": "torch" in sys.modules, "nice": os.nice(0)})


def _happen(word, *rest):
    if word == "die" or (word == "die-once" and not Path(rest[0]).exists()):
        if rest:
            Path(rest[0]).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "abort":
        os.abort()
    if word == "sleep":
        time.sleep(float(rest[0]))
    if word == "meet":
        Path(rest[0], rest[1]).touch()
        until = time.monotonic() + 30
        while len(list(Path(rest[0]).iterdir())) < 2:
            if time.monotonic() > until:
                os.abort()
            time.sleep(0.01)


def dying_decode(job):
    """Never anything."""
    os.kill(os.getpid(), signal.SIGKILL)


class ColourExtractor(NetworkExtractor):
    """The mean colour of a window, times a weight, as a network whose forward passes are counted."""

    def __init__(self, *, seconds=0.0, **settings):
        super().__init__(**COLOUR_SETTINGS | settings)
        self.batch_sizes, self.seconds = [], seconds

    def version(self):
        return "colour 1"

    def build(self):
        from torch import nn

        return nn.Linear(3, 3)

    @property
    def head(self):
        return ("classifier.",)

    def forward(self, network, frames, num_padding):
        self.batch_sizes.append(len(frames))
        time.sleep(self.seconds)
        return network(frames.float().mean((1, 2, 3)))[:, None]


class TokenExtractor(ColourExtractor):
    """The mean colour of each pair of frames, and how many frames of the window are padding."""

    @property
    def tokens_per_window(self):
        return self.reading.num_frames // 2

    def forward(self, network, frames, num_padding):
        import torch

        self.batch_sizes.append(len(frames))
        pairs = frames.float().mean((2, 3)).unflatten(1, (-1, 2)).mean(2)  # (B, n / 2, 3)
        padding = torch.tensor(num_padding, dtype=torch.float32)[:, None, None].expand(*pairs.shape[:2], 1)
        return torch.cat([pairs, padding], dim=2)


COLOUR_SETTINGS = {
    "num_frames": 1,
    "sampling_rate": 1,
    "stride": 1,
    "window_rule": "even",
    "target_fps": None,
    "image_size": 8,
    "resize": None,
    "framing": "squash",
    "batch_size": 4,
    "precision": "32",
    "device": "cpu",
    "weights": None,
    "compile": False,
}
