"""Losses of heatmaps, coordinates and unlabelled frames, each against its formula in NumPy."""

import math

import numpy as np
import pytest
import torch
from small_training import settings_from

from sign_recog.config.pose import PoseConfig
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.pca import fit_multiview, fit_singleview
from sign_recog.training.pose_losses import (
    PcaLoss,
    TemporalLoss,
    UnsupervisedLosses,
    heatmap_losses,
    heatmap_targets,
    moved,
    regression_losses,
)

NAMES = NamedLandmarks(("a", "b", "c", "d"), views=(("a", "b"), ("c", "d")))


def settings(**changes):
    return settings_from(PoseConfig, "pose/default", **changes)


def poses(number: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(300, 80, size=(number, 4, 2))


def target_by_hand(x, y, height, width, sigma):
    away = (np.arange(width)[None] - x) ** 2 + (np.arange(height)[:, None] - y) ** 2
    weights = np.exp(-away / (2 * sigma**2))
    return weights / weights.sum()


def test_the_target_is_a_gaussian_that_sums_to_one():
    points = torch.tensor([[[3.2, 4.9], [0.0, 9.0]]])
    found = heatmap_targets(points, 10, 12, 1.25).exp()
    for v, (x, y) in enumerate(points[0].tolist()):
        np.testing.assert_allclose(found[0, v], target_by_hand(x, y, 10, 12, 1.25), atol=1e-6)
        assert float(found[0, v].sum()) == pytest.approx(1)


@pytest.mark.parametrize("name", ["mse", "kl", "js"])
def test_a_heatmaps_loss_is_its_formula(name):
    logits = torch.randn(2, 3, 8, 16, generator=torch.Generator().manual_seed(0))
    points = torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor([60.0, 28])
    found = heatmap_losses(logits, points, settings(heatmap_loss=name, heatmap_sigma=1.5), 4)
    for b in range(2):
        for v in range(3):
            x, y = ((points[b, v] + 0.5) / 4 - 0.5).tolist()
            q = target_by_hand(x, y, 8, 16, 1.5)
            p = np.exp(logits[b, v].double().numpy())
            p /= p.sum()
            middle = (p + q) / 2
            wanted = {
                "mse": ((p - q) ** 2).sum() / (q**2).sum(),
                "kl": (q * np.log(q / p)).sum(),
                "js": ((p * np.log(p / middle)).sum() + (q * np.log(q / middle)).sum()) / 2,
            }[name]
            assert float(found[b, v]) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("name", ["mse", "kl", "js"])
def test_the_right_heatmap_costs_nothing_and_the_loss_is_a_number_however_sure_the_wrong_one_is(name):
    points = torch.tensor([[[13.7, 9.2]]])
    right = heatmap_targets((points + 0.5) / 4 - 0.5, 8, 16, 1.25)
    assert float(heatmap_losses(right, points, settings(heatmap_loss=name), 4)) == pytest.approx(0, abs=1e-5)
    wrong = torch.full((1, 1, 8, 16), -1e4)
    wrong[0, 0, 7, 15] = 1e4
    wrong.requires_grad_(True)
    loss = heatmap_losses(wrong, points, settings(heatmap_loss=name), 4)
    loss.sum().backward()
    assert torch.isfinite(loss).all() and torch.isfinite(wrong.grad).all() and float(loss.detach()) > 0.5


@pytest.mark.parametrize("name", ["mse", "kl", "js"])
def test_landmarks_without_label_and_outside_of_the_picture_give_no_loss(name):
    points = torch.tensor([[[13.7, 9.2], [math.nan, math.nan], [64.0, 3.0], [5.0, -0.6], [math.nan, 3.0]]])
    logits = torch.randn(1, 5, 8, 16, requires_grad=True)
    losses = heatmap_losses(logits, points, settings(heatmap_loss=name), 4)
    losses.sum().backward()
    assert (losses[0, 1:] == 0).all() and float(losses[0, 0].detach()) > 0
    assert (logits.grad[0, 1:] == 0).all() and torch.isfinite(logits.grad).all()
    found = torch.zeros(1, 5, 2, requires_grad=True)
    losses = regression_losses(found, points, 32, 64)
    losses.sum().backward()
    assert (losses[0, 1:] == 0).all() and torch.isfinite(found.grad).all() and (found.grad[0, 1:] == 0).all()


def test_coordinates_are_judged_in_hundredths_of_the_picture():
    """x: 0.5 of a hundredth, quadratic; y: 10 hundredths, linear."""
    found = regression_losses(torch.tensor([[[10.0, 10.0]]]), torch.tensor([[[11.0, 20.0]]]), 100, 200)
    assert float(found) == pytest.approx((0.5 * 0.5**2 + 10 - 0.5) / 2)


def test_the_temporal_loss_is_what_exceeds_epsilon():
    points, confidence = poses(6), np.random.default_rng(1).random((6, 4))
    steps = np.linalg.norm(np.diff(points, axis=0), axis=2)
    sure = (confidence[1:] >= 0.3) & (confidence[:-1] >= 0.3)
    wanted = np.where(sure, np.maximum(steps - 40, 0), 0).mean()
    found = TemporalLoss(40.0, 0.3)(torch.from_numpy(points), torch.from_numpy(confidence))
    assert float(found) == pytest.approx(wanted, rel=1e-5) and 0 < sure.sum() < sure.size


@pytest.mark.parametrize("centring", [None, "mean", "median"])
@pytest.mark.parametrize("names", [None, ["d", "a", "c"]])
def test_pca_errors_in_training_are_those_of_the_metric(names, centring):
    fitted = fit_singleview(poses(50), NAMES, names, components=2, explained=1.0, centring=centring)
    others = poses(20, seed=1)
    metric = fitted.errors(others)
    errors = PcaLoss(fitted, None).errors(torch.from_numpy(others))
    chosen = fitted.landmarks[0]
    np.testing.assert_allclose(errors[:, 0], metric[:, chosen], atol=1e-5)
    single = PcaLoss(fitted, None).errors(torch.from_numpy(others.astype(np.float32)))  # as networks give them
    np.testing.assert_allclose(single[:, 0], fitted.errors(others.astype(np.float32))[:, chosen], atol=1e-5)


@pytest.mark.parametrize("epsilon", [None, 3.0])
def test_a_pca_loss_is_what_exceeds_epsilon(epsilon):
    others = poses(20, seed=1)
    for fitted in (
        fit_singleview(poses(50), NAMES, components=6, explained=1.0, centring=None),
        fit_multiview(poses(50), NAMES),
    ):
        free = fitted.epsilon if epsilon is None else epsilon
        wanted = np.maximum(fitted.errors(others) - free, 0).mean()
        found = PcaLoss(fitted, epsilon)(torch.from_numpy(others), torch.ones(20, 4))
        assert float(found) == pytest.approx(wanted, rel=1e-5) and wanted > 0


def test_a_point_that_stands_still_or_fits_exactly_has_a_gradient():
    points = torch.full((3, 4, 2), 7.0, requires_grad=True)
    TemporalLoss(0.0, 0.0)(points, torch.ones(3, 4)).backward()
    assert torch.isfinite(points.grad).all()
    fitted = fit_singleview(poses(50), NAMES, components=8, explained=1.0, centring=None)
    points = torch.from_numpy(poses(3)).requires_grad_(True)
    PcaLoss(fitted, 0.0)(points, torch.ones(3, 4)).backward()
    assert torch.isfinite(points.grad).all()


def test_weights_are_a_half_over_a_power_of_e_and_grow_from_an_epoch_on():
    chosen = settings(
        losses__temporal__enabled=True, losses__temporal__log_weight=2.0, losses__pca_multiview__enabled=True,
        losses__pca_multiview__log_weight=-1.0, anneal_from=60, anneal_step=0.01,
    )  # fmt: skip
    losses = UnsupervisedLosses(chosen, {"multiview": fit_multiview(poses(50), NAMES)})
    assert [losses.importance(epoch) for epoch in (0, 59)] == [0.0, 0.0]
    assert [losses.importance(epoch) for epoch in (60, 61, 109, 159, 400)] == pytest.approx([0.01, 0.02, 0.5, 1, 1])
    found = losses(torch.from_numpy(poses(16)), torch.ones(16, 4))
    assert set(found) == {"temporal", "pca_multiview"}
    wanted = 0.5 * (float(found["temporal"]) / (2 * math.e**2) + float(found["pca_multiview"]) / (2 * math.e**-1))
    assert float(losses.objective(found, 109)) == pytest.approx(wanted, rel=1e-5)
    assert UnsupervisedLosses(settings(), {}).importance(400) == 0  # none is on


def test_planes_are_no_weights():
    fitted = fit_singleview(poses(50), NAMES, components=2, explained=1.0, centring=None)
    assert PcaLoss(fitted, None).state_dict() == {}


def test_points_go_back_to_the_pixels_of_the_picture():
    affines = np.random.default_rng(0).normal(size=(3, 2, 3))
    points = poses(3)
    wanted = [[affine @ [x, y, 1] for x, y in own] for affine, own in zip(affines, points, strict=True)]
    found = moved(torch.from_numpy(points).float(), torch.from_numpy(affines).float())
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-2)
    one = moved(torch.from_numpy(points).float(), torch.from_numpy(affines[1]).float())
    np.testing.assert_allclose(one[1], wanted[1], rtol=1e-4, atol=1e-2)
