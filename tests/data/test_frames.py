"""Frames of a video as network input."""

import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from made_videos import KINDS, sound_only

from sign_recog.config.modalities.rgb import Fit, Pad, RgbModality
from sign_recog.data import frames as module
from sign_recog.data.frames import FrameReader
from sign_recog.errors import ConfigError, DataError
from sign_recog.video.samplers import Chunked, Consecutive, Reverse, Speed, Uniform, Wobble
from sign_recog.video.transforms import HorizontalFlip, RandAugment, RandomCrop, RandomResizedCrop, ScaleAndPad
from sign_recog.video.writer import write_video


@pytest.fixture
def video(tmp_path):
    """20 frames of 64 x 48 pixels at 25 frames/s; frame i is gray 10 * i, its left border white."""
    frames = []
    for i in range(20):
        image = np.full((48, 64, 3), 10 * i, np.uint8)
        image[:, :4] = 255
        frames.append(image)
    write_video(tmp_path / "a.mp4", iter(frames), 25)
    return tmp_path / "a.mp4"


EVERY_THIRD = (Consecutive(3),)


def reader(sampler=EVERY_THIRD, eval_sampler=None, **changes) -> FrameReader:
    settings = {
        "num_frames": 4, "sampler": {}, "eval_sampler": {}, "pad": None, "image_size": 32, "resize": None,
        "fit": Fit.crop, "target_fps": None,
    } | changes  # fmt: skip
    return FrameReader(RgbModality("unused", None, **settings), sampler=sampler, eval_sampler=eval_sampler or sampler)


def sequences(own: FrameReader, paths) -> module.VideoSequences:
    return module.VideoSequences(own, [(path, 0.0, None) for path in paths])


def grays(frames: np.ndarray) -> list[int]:
    """Which of the video's frames these are."""
    return [round(float(frame[..., 8:].mean()) / 10) for frame in frames]


def test_the_middle_of_the_clip_every_stride(video):
    frames = reader().frames(video, "a")
    assert frames.shape == (4, 3, 32, 32) and frames.dtype == np.uint8
    assert grays(frames) == [5, 8, 11, 14]  # 10 frames are spanned, so 10 are spare, 5 on each side


def test_chance_moves_the_beginning_and_keeps_the_stride(video):
    firsts = set()
    for seed in range(30):
        numbers = grays(reader().read(video, 0.0, None, np.random.default_rng(seed)))
        assert np.diff(numbers).tolist() == [3, 3, 3]
        firsts.add(numbers[0])
    assert min(firsts) <= 1 and max(firsts) >= 9 and max(firsts) <= 10


def test_a_short_span_gives_fewer_frames_where_nothing_pads_it(video):
    assert grays(reader().read(video, 0.0, 0.16, None)) == [0, 3]


@pytest.mark.parametrize(
    ("pad", "expected"), [(Pad.repeat_last, [2, 3, 3, 3]), (Pad.loop, [2, 3, 2, 3]), (Pad.stretch, [2, 2, 3, 3])]
)
def test_s2_a_short_span_is_padded_to_the_frames_asked_for(video, pad, expected):
    """S2 offered ``pad`` as a sampler and failed on it."""
    for sampler in (Uniform(), Chunked(), Consecutive(1)):
        assert grays(reader([sampler], pad=pad).read(video, 0.08, 0.16, None)) == expected


def test_s2_validation_and_test_read_the_same_frames_every_time(video):
    """S2 tested with the random sampler of training."""
    own = reader([Chunked(), Wobble(4)], [Uniform()])
    assert all(grays(own.read(video, 0.0, None, None)) == [0, 6, 13, 19] for _ in range(3))
    drawn = {tuple(grays(own.read(video, 0.0, None, np.random.default_rng(seed)))) for seed in range(10)}
    assert len(drawn) > 3


def test_steps_follow_each_other(video):
    assert grays(reader([Uniform(), Reverse()]).read(video, 0.0, None, None)) == [19, 13, 6, 0]


def test_frames_are_chosen_of_the_resampled_clip(video):
    own = reader([Consecutive(1)], target_fps=12.5)  # every second frame, 10 of them
    assert grays(own.read(video, 0.0, None, None)) == [6, 8, 10, 12]
    faster = reader([Consecutive(1)], target_fps=50.0)  # every frame twice, 40 of them
    assert grays(faster.read(video, 0.0, None, None)) == [9, 9, 10, 10]


def test_a_sampler_without_a_choosing_step_is_refused():
    with pytest.raises(ConfigError, match=r"modality\.eval_sampler: none of its steps chooses"):
        reader([Chunked()], [Speed(0.8, 1.2)])


def test_the_picture_is_cut_to_its_middle_square(video):
    assert reader().frames(video, "a")[0].max() < 100  # the white border at the left is outside of it


def test_the_whole_picture_is_seen_where_it_is_padded(video):
    (first, *_) = reader([Uniform()], fit=Fit.pad).frames(video, "a")
    assert first[:, 4:28, 0].min() > 200 and first[:, :4].max() == 0 and first[:, 28:].max() == 0


def test_resize_is_what_image_size_is_cut_from(video):
    near = reader([Uniform()], image_size=32, resize=48).frames(video, "a")
    whole = reader([Uniform()], image_size=48).frames(video, "a")
    assert np.abs(near.astype(int) - whole[:, :, 8:40, 8:40]).max() <= 1


def test_augmentations_change_training_only(video):
    own, changes = reader([Uniform()], image_size=32), [HorizontalFlip(), ScaleAndPad()]
    plain, changed = (own.read(video, 0.0, None, rng, changes) for rng in (None, np.random.default_rng(0)))
    assert plain[0].max() < 100
    assert changed[0][:, 4:28, -1].min() > 200 and changed[0][:, 4:28, 0].max() < 100


def test_framings_come_before_changes_of_pixels(video):
    rng, changes = np.random.default_rng(1), [RandAugment(2, 9), RandomResizedCrop(0.3, 0.6, 1.0, 1.0)]
    assert reader([Uniform()]).read(video, 0.0, None, rng, changes).shape == (4, 3, 32, 32)


def test_one_view_is_what_reading_gives(video):
    own = sequences(reader([Chunked()]), [video])
    (view,) = own.views(0, 1, 1)
    assert (view == own.read(0, None)).all()


def test_views_are_parts_of_time_and_of_the_picture(video):
    own = sequences(reader([Consecutive(1)], [Consecutive(1)], image_size=48), [video])
    views = own.views(0, 2, 3)
    assert [grays(view)[0] for view in views[::3]] == [4, 12]  # 16 are spare; a quarter and three quarters of them
    left, middle, right = (view[0].astype(int) for view in views[:3])
    assert left[:, :, 0].min() > 200 and middle.max() < 100 and right.max() < 100
    assert [grays(view) for view in views[:3]] == [grays(views[0])] * 3
    five = sequences(reader([Uniform()], image_size=32, resize=48), [video]).views(0, 1, 5)
    assert [bool(view[0, :, :, 0].min() > 200) for view in five] == [True, False, False, True, False]


def test_views_that_do_not_exist_are_refused(video):
    with pytest.raises(ConfigError, match="use 1, 3 or 5 crops"):
        sequences(reader(), [video]).views(0, 1, 4)
    with pytest.raises(ConfigError, match=r"modality\.fit=pad shows the whole picture"):
        sequences(reader(fit=Fit.pad), [video]).views(0, 1, 3)


def test_a_batch_is_the_same_with_and_without_threads(video, monkeypatch):
    own, changes = reader([Chunked()], pad=Pad.stretch), [RandomCrop(), HorizontalFlip(p=0.5), RandAugment(2, 9)]
    batches = []
    for cores in (1, 4):
        monkeypatch.setattr(module.os, "sched_getaffinity", lambda pid, cores=cores: set(range(cores)))
        rng = np.random.default_rng(3)
        batches.append(own.batch(sequences(own, [video] * 6), range(6), changes, rng)[0])
    assert (batches[0] == batches[1]).all()
    assert len({clip.tobytes() for clip in batches[0]}) > 3  # every clip has draws of its own


def test_several_clips_are_decoded_at_once(video, monkeypatch):
    names = set()
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda pid: {0, 1})
    barrier = threading.Barrier(2, timeout=20)

    class Together:
        def read(self, index, rng):
            names.add(threading.current_thread().name)
            barrier.wait()
            return np.zeros((2, 3, 4, 4), np.uint8)

    padded, lengths = reader().batch(Together(), [0, 1], [], None)
    assert len(names) == 2 and padded.shape == (2, 2, 3, 4, 4) and lengths.tolist() == [2, 2]


def test_an_error_of_one_clip_is_the_batchs(video, tmp_path):
    with pytest.raises(DataError, match=r"gone\.mp4: no such video"):
        reader().batch(sequences(reader(), [video, tmp_path / "gone.mp4", video]), range(3), [], None)


def test_reading_leaves_torchs_global_generator_alone(video):
    own, state = reader([Chunked()]), torch.get_rng_state()
    own.batch(sequences(own, [video] * 3), range(3), [RandomCrop(), RandAugment(2, 9)], np.random.default_rng(0))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", ["uneven.mp4", "rotated.mp4", "odd.mp4", "one.mp4", "edited.mp4"])
def test_unusual_videos_give_the_shape_the_network_reads(kind, tmp_path):
    own = reader([Chunked()], pad=Pad.stretch, num_frames=6)
    path = KINDS[kind](tmp_path / kind)
    for rng in (None, np.random.default_rng(0)):
        assert own.read(path, 0.0, None, rng, [RandomCrop()]).shape == (6, 3, 32, 32)


def test_broken_videos_are_named(tmp_path, video):
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(DataError, match=r"b\.mp4: is not a video"):
        reader().frames(tmp_path / "b.mp4", "b")
    with pytest.raises(DataError, match=r"s\.mp4: holds no video"):
        reader().frames(sound_only(tmp_path / "s.mp4"), "s")
    with pytest.raises(DataError, match=r"a\.mp4: no frame lies in \[5, 6\) s"):
        reader().read(video, 5.0, 6.0, None)


def test_pictures_that_change_their_size_are_refused(video, monkeypatch):
    sizes = iter([(48, 64), (24, 32)])

    def two_sizes(path, choose, show, **span):
        return [show(np.zeros((*size, 3), np.uint8)) for size in sizes]

    monkeypatch.setattr(module, "read_chosen", two_sizes)
    with pytest.raises(DataError, match=r"a\.mp4: its pictures change from 64 x 48 to 32 x 24 pixels"):
        reader().frames(video, "a")


def test_memory_does_not_grow_with_the_clips_read(tmp_path):
    """80 clips of 0.6 MB: they would be 48 MB together, and their pictures as large as the video 150 MB."""
    frames = [np.random.default_rng(i).integers(0, 255, (120, 160, 3), dtype=np.uint8) for i in range(32)]
    write_video(tmp_path / "a.mp4", iter(frames), 25)
    own = reader([Chunked()], num_frames=16, image_size=112, pad=Pad.stretch)
    clips = sequences(own, [tmp_path / "a.mp4"] * 8)

    def epoch(batches):
        for seed in range(batches):
            own.batch(clips, range(8), [RandomCrop(), HorizontalFlip(p=0.5)], np.random.default_rng(seed))
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    first = epoch(5)
    assert epoch(10) - first < 20  # MiB
