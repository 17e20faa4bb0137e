"""Colours and sharpness, against their formulas."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from sign_recog.video.transforms import GaussianBlur, Grayscale


@pytest.fixture
def frames():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 24, 24), dtype=np.uint8))


def test_gray_is_the_luma_of_itu_r_601(frames):
    gray = Grayscale().change(frames, np.random.default_rng(0)).numpy()
    luma = np.tensordot(frames.numpy().astype(float), [0.299, 0.587, 0.114], (1, 0))
    assert np.abs(gray - luma[:, None]).max() <= 1.1  # torchvision leaves out what comes after the point


def test_blur_is_a_gaussian_of_the_drawn_deviation(frames):
    blurred = GaussianBlur(1.2, 1.2).change(frames, np.random.default_rng(0)).numpy()
    expected = frames.numpy().astype(float)
    for axis in (2, 3):
        expected = gaussian_filter1d(expected, 1.2, axis=axis, mode="mirror", radius=4)
    assert np.abs(blurred - expected).max() <= 1.5


def test_a_blur_wider_than_the_picture_is_kept_inside():
    gray = torch.full((1, 3, 6, 6), 77, dtype=torch.uint8)
    assert torch.equal(GaussianBlur(9.0, 9.0).change(gray, np.random.default_rng(0)), gray)
