"""Points between the pixels of a heatmap, their confidence, and the way to the pixels of the picture."""

import numpy as np
import pytest
import torch

from sign_recog.models.pose.decoding import heatmap_to_input, input_to_heatmap, soft_argmax


def gaussian(x: float, y: float, sigma: float = 1.25, height: int = 20, width: int = 30) -> torch.Tensor:
    """(1, 1, h, w) the logarithm of a Gaussian around (x, y)."""
    away = np.hypot(np.arange(width)[None] - x, np.arange(height)[:, None] - y)
    return torch.from_numpy(-(away**2) / (2 * sigma**2))[None, None]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("x, y", [(10.0, 7.0), (10.5, 7.5), (9.61, 12.27), (20.93, 6.02)])
def test_a_gaussian_between_pixels_comes_back(x, y, temperature):
    points, _ = soft_argmax(gaussian(x, y), temperature)
    assert points[0, 0].tolist() == pytest.approx([x, y], abs=0.05)


def test_another_place_that_is_nearly_as_likely_does_not_draw_the_point_away():
    both = torch.logaddexp(gaussian(5, 5), gaussian(25, 15) + np.log(0.8))
    points, confidence = soft_argmax(both, 1.0)
    assert points[0, 0].tolist() == pytest.approx([5, 5], abs=0.05)
    assert 0.3 < float(confidence) < 0.6  # it is only more than a half


def test_confidence_is_the_share_near_the_point():
    """By a sum over pixels, of a random map that is sharpened."""
    logits = torch.randn(2, 3, 12, 15, generator=torch.Generator().manual_seed(0)).double()
    points, confidence = soft_argmax(logits, 1.7)
    for b in range(2):
        for v in range(3):
            weights = np.exp(1.7 * logits[b, v].numpy())
            x, y = points[b, v].tolist()
            near = (abs(np.arange(15) - x) <= 2)[None] & (abs(np.arange(12) - y) <= 2)[:, None]
            assert float(confidence[b, v]) == pytest.approx(weights[near].sum() / weights.sum(), rel=1e-4)


def test_confidence_goes_from_none_to_all():
    sharp, _ = soft_argmax(gaussian(10, 10, 0.2), 2.0), None
    flat = soft_argmax(torch.zeros(1, 1, 20, 30), 2.0)
    assert float(sharp[1]) == pytest.approx(1, abs=1e-4)
    assert float(flat[1]) < 25.1 / 600


def test_the_gradient_is_that_of_the_mean():
    """d x / d logit i = temperature * share i * (x of i - x), of the shares inside the window, which here is all."""
    logits = torch.randn(1, 1, 4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    points, _ = soft_argmax(logits, 1.5)
    points[0, 0, 0].backward()
    share = torch.softmax(1.5 * logits.detach().flatten(), 0).view(4, 5)
    by_hand = 1.5 * share * (torch.arange(5) - points[0, 0, 0].detach())
    torch.testing.assert_close(logits.grad[0, 0], by_hand)


def test_pixels_of_heatmap_and_picture_meet_at_their_corners():
    """The middle of heatmap pixel 0 of 4 input pixels is between pixels 1 and 2; the last's between the two before
    the last."""
    assert heatmap_to_input(torch.tensor([0.0, 7.0]), 4).tolist() == [1.5, 29.5]
    points = torch.tensor([[0.0, 3.3], [31.0, -0.5]])
    torch.testing.assert_close(heatmap_to_input(input_to_heatmap(points, 4), 4), points)
    # the left edge of the picture is the left edge of the heatmap
    assert input_to_heatmap(torch.tensor(-0.5), 4) == -0.5
