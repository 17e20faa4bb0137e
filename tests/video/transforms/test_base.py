"""What all random changes of pictures have in common."""

import threading

import numpy as np
import pytest
import torch

from sign_recog.errors import ConfigError
from sign_recog.video.framing import Framing
from sign_recog.video.transforms import (
    AutoAugment,
    CentreCrop,
    GaussianBlur,
    Grayscale,
    HorizontalFlip,
    PixelChange,
    RandAugment,
    RandomCrop,
    RandomResizedCrop,
    ScaleAndPad,
)  # fmt: skip

CHANGES = [
    RandomCrop(), CentreCrop(), RandomResizedCrop(0.3, 1.0, 0.75, 1.3333), ScaleAndPad(), HorizontalFlip(p=0.5),
    Grayscale(p=0.5), GaussianBlur(0.1, 2.0), AutoAugment(), RandAugment(3, 7),
]  # fmt: skip
RANDOM = [change for change in CHANGES if not isinstance(change, CentreCrop | ScaleAndPad)]
START = Framing.centred(60, 90, resize=48, size=40)


def changed(change, images, seed):
    """(T, 3, 40, 40) of pictures (60, 90, 3)."""
    rng, framing = np.random.default_rng(seed), START
    happens = change.happens(rng)
    if happens and not isinstance(change, PixelChange):
        framing = change.reframe(framing, rng)
    frames = framing.squares([framing.cut(image) for image in images])
    if happens and isinstance(change, PixelChange):
        frames = change.change(torch.from_numpy(frames), rng).numpy()
    return frames


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.mark.parametrize("change", CHANGES)
def test_a_still_picture_stays_still(change, image):
    for seed in range(25):
        frames = changed(change, [image] * 4, seed)
        assert frames.shape == (4, 3, 40, 40) and frames.dtype == np.uint8
        assert (frames == frames[:1]).all()


@pytest.mark.parametrize("change", RANDOM)
def test_the_seed_decides_and_another_one_decides_otherwise(change, image):
    found = [changed(change, [image], seed).tobytes() for seed in range(12)]
    assert found == [changed(change, [image], seed).tobytes() for seed in range(12)]
    assert len(set(found)) > 1


@pytest.mark.parametrize("change", CHANGES)
def test_torchs_global_generator_is_not_touched(change, image):
    """Training draws from it while a thread makes the next batches."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for seed in range(10):
        changed(change, [image], seed)
    assert torch.equal(torch.get_rng_state(), before)
    first = changed(change, [image], 3)
    torch.manual_seed(6)
    assert (changed(change, [image], 3) == first).all()


def test_threads_do_not_disturb_each_other(image):
    alone = [changed(RandAugment(3, 7), [image] * 2, seed).tobytes() for seed in range(16)]
    found = {}
    threads = [
        threading.Thread(target=lambda s=seed: found.update({s: changed(RandAugment(3, 7), [image] * 2, s).tobytes()}))
        for seed in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[seed] for seed in range(16)] == alone


@pytest.mark.parametrize("change", [HorizontalFlip(p=0.3), Grayscale(p=0.3)])
def test_a_share_of_the_clips_is_changed(change, image):
    plain = changed(HorizontalFlip(p=0.0), [image], 0)
    share = np.mean([(changed(change, [image], seed) != plain).any() for seed in range(400)])
    assert 0.22 < share < 0.38  # 3.5 deviations of 400 draws


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HorizontalFlip(p=1.5), r"p=1\.5"), (lambda: RandomResizedCrop(0, 1, 1, 1), "smallest=0"),
        (lambda: RandomResizedCrop(0.5, 1, 2, 1), "narrowest=2"), (lambda: GaussianBlur(2, 1), "weakest=2"),
        (lambda: RandAugment(0, 7), "num_ops=0"), (lambda: RandAugment(2, 31), "magnitude=31"),
    ],
)  # fmt: skip
def test_values_without_sense_are_named(make, message):
    with pytest.raises(ConfigError, match=rf"augment: .*{message}"):
        make()
