"""Settings of windows and pictures, and augmentations that are one draw a clip."""

import numpy as np
import pytest
import torch

from sign_recog.errors import ConfigError
from sign_recog.extractors.reading import Augmentation, Reading
from sign_recog.video.transforms import (
    AutoAugment,
    GaussianBlur,
    Grayscale,
    HorizontalFlip,
    RandAugment,
    RandomCrop,
    RandomResizedCrop,
)

SETTINGS = {
    "num_frames": 16, "sampling_rate": 2, "stride": 16, "window_rule": "even", "target_fps": 25, "image_size": 32,
    "resize": None, "framing": "squash",
}  # fmt: skip
FRAMES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_frames": 0}, "extractor.num_frames=0"),
        ({"sampling_rate": 0}, "extractor.sampling_rate=0"),
        ({"image_size": -1}, "extractor.image_size=-1"),
        ({"target_fps": 0}, "extractor.target_fps=0"),
        ({"window_rule": "odd"}, "extractor.window_rule=odd must be one of even, ssvp_slt"),
        ({"framing": "stretch"}, "extractor.framing=stretch must be one of"),
        ({"stride": 33}, "multiple of extractor.sampling_rate=2 of at most .* 32"),
        ({"stride": 15}, "multiple of extractor.sampling_rate=2"),
        ({"window_rule": "ssvp_slt", "stride": 8}, "extractor.stride=8: .* use 16"),
        ({"window_rule": "ssvp_slt", "num_frames": 15, "stride": 14}, "half of an even extractor.num_frames=15"),
        ({"resize": 40}, "extractor.resize=40 is the shorter side"),
        ({"framing": "centre", "resize": 31}, "extractor.image_size=32: it must be at least that"),
    ],
)
def test_settings_that_mean_nothing_are_refused_by_name(changes, message):
    with pytest.raises(ConfigError, match=message):
        Reading(**SETTINGS | changes)


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as refused:
        Reading(**SETTINGS | {"num_frames": 0, "target_fps": -1, "framing": "no"})
    assert [name in str(refused.value) for name in ("num_frames", "target_fps", "framing")] == [True] * 3


def test_options_say_every_setting():
    assert Reading(**SETTINGS).options() == SETTINGS
    augmented = Reading(**SETTINGS, augmentation=Augmentation(1, (HorizontalFlip(),), 0))
    assert augmented.options() == SETTINGS


def test_s3_framings_show_what_they_say_of_pictures_of_any_size():
    image = np.zeros((40, 100, 3), np.uint8)
    image[:, :30], image[:, 70:] = 255, 255  # white beside a black square in the middle
    shown = {kind: Reading(**SETTINGS | {"framing": kind}).framed(40, 100, "a").square(image) for kind in KINDS}
    assert {picture.shape for picture in shown.values()} == {(32, 32, 3)}
    assert (shown["centre"] == 0).all()
    squashed = shown["squash"][16, :, 0] > 127
    assert squashed.tolist() == [column < 0.3 * 32 - 0.5 or column > 0.7 * 32 - 0.5 for column in range(32)]
    boxed = shown["letterbox"]
    assert not boxed[:9].any() and not boxed[-9:].any() and boxed[16, 0, 0] == 255  # 32 x 13 pixels of picture
    zoomed = Reading(**SETTINGS | {"framing": "centre", "resize": 64}).framed(40, 100, "a")
    assert zoomed.box == (10, 40, 20, 20)


KINDS = ("squash", "centre", "letterbox")
CHANGES = [
    (RandAugment(num_ops=3, magnitude=15),),
    (AutoAugment(),),
    (GaussianBlur(weakest=0.3, strongest=3.0, p=0.5),),
    (Grayscale(p=0.5), RandAugment(num_ops=1, magnitude=20, p=0.7)),
]


@pytest.mark.parametrize("changes", CHANGES)
def test_every_window_of_a_clip_gets_the_same_draw_and_other_clips_and_copies_get_others(changes):
    augmentation = Augmentation(1, changes, 0)
    different = set()
    for clip_id in map(str, range(12)):
        whole = augmentation.changed(FRAMES, clip_id)
        one_by_one = np.concatenate([augmentation.changed(FRAMES[i : i + 1], clip_id) for i in range(6)])
        np.testing.assert_array_equal(whole, one_by_one)
        torch.rand(1), np.random.random()  # other randomness changes nothing
        np.testing.assert_array_equal(Augmentation(1, changes, 0).changed(FRAMES, clip_id), whole)
        different.add(whole.tobytes())
        different.add(Augmentation(2, changes, 0).changed(FRAMES, clip_id).tobytes())
        different.add(Augmentation(1, changes, 9).changed(FRAMES, clip_id).tobytes())
    assert len(different) > 6


def test_framings_are_drawn_once_a_clip_too():
    changes = (RandomResizedCrop(smallest=0.3, largest=0.9, narrowest=0.8, widest=1.2), HorizontalFlip(p=0.5))
    reading = Reading(**SETTINGS, augmentation=Augmentation(1, changes, 0))
    framings = [reading.framed(480, 640, str(clip)) for clip in range(20)]
    assert framings == [reading.framed(480, 640, str(clip)) for clip in range(20)]
    assert len(set(framings)) == 20 and 4 < sum(framing.mirrored for framing in framings) < 16


def test_a_share_of_the_clips_is_changed():
    augmentation = Augmentation(1, (Grayscale(p=0.3),), 0)
    changed = [augmentation.changes_pixels(str(clip)) for clip in range(500)]
    assert 0.22 < np.mean(changed) < 0.38
    gray = augmentation.changed(FRAMES, str(changed.index(True)))
    assert (gray[..., 0] == gray[..., 1]).all()
    np.testing.assert_array_equal(augmentation.changed(FRAMES, str(changed.index(False))), FRAMES)


def test_a_random_crop_has_the_square_s_size():
    reading = Reading(
        **SETTINGS | {"framing": "centre", "resize": 40}, augmentation=Augmentation(1, (RandomCrop(),), 0)
    )
    boxes = {reading.framed(80, 100, str(clip)).box for clip in range(30)}
    assert {box[2:] for box in boxes} == {(64, 64)} and len(boxes) > 20
