"""Planes of poses against NumPy's SVD, what is missing, centring, and what is said where none can be fitted."""

import json

import numpy as np
import pytest

from sign_recog.errors import DataError
from sign_recog.landmarks.named import NamedLandmarks
from sign_recog.landmarks.pca import LinearPoses, fit_multiview, fit_singleview

MOVED = np.array([300.0, -50.0])
NAMES = NamedLandmarks(("a", "b", "c", "d"), views=(("a", "b"), ("c", "d")))


def poses(number: int = 60, noise: float = 1.0, seed: int = 0) -> np.ndarray:
    """(N, 4, 2) original pixels that lie in a plane of 3 dimensions but for noise."""
    rng = np.random.default_rng(seed)
    plane = rng.normal(size=(3, 8)) * [[60], [25], [9]]
    return (200 + rng.normal(size=(number, 3)) @ plane + noise * rng.normal(size=(number, 8))).reshape(-1, 4, 2)


def by_svd(rows: np.ndarray, others: np.ndarray, keep: int) -> np.ndarray:
    """Errors (N, M) of ``others`` from the plane of ``rows``, both (N, 2 M)."""
    mean = rows.mean(0)
    directions = np.linalg.svd(rows - mean, full_matrices=False)[2][:keep]
    apart = others - mean
    for direction in directions:
        apart = apart - np.outer(apart @ direction, direction)
    return np.linalg.norm(apart.reshape(len(others), -1, 2), axis=2)


def singleview(points, names=None, components=None, explained=0.99, centring=None):
    return fit_singleview(points, NAMES, names, components=components, explained=explained, centring=centring)


@pytest.mark.parametrize("centring", [None, "mean", "median"])
@pytest.mark.parametrize("names", [None, ["d", "a", "c"]])
def test_errors_of_poses_are_those_of_a_singular_value_decomposition(names, centring):
    train, others = poses(), poses(seed=1, noise=20)
    chosen = [NAMES.names.index(n) for n in names or NAMES.names]

    def rows(points):
        own = points[:, chosen]
        if centring is not None:
            own = own - (np.mean if centring == "mean" else np.median)(own, axis=1, keepdims=True)
        return own.reshape(len(own), -1)

    fitted = singleview(train, names, components=2, centring=centring)
    found = fitted.errors(others)
    np.testing.assert_allclose(found[:, chosen], by_svd(rows(train), rows(others), 2), atol=1e-8)
    assert np.isnan(found[:, sorted(set(range(4)) - set(chosen))]).all()
    own = by_svd(rows(train), rows(train), 2)
    assert fitted.epsilon == pytest.approx(np.percentile(own, 99))


def test_errors_of_views_are_those_of_a_singular_value_decomposition():
    """A row is a point as both views show it: a with c, b with d."""
    train, others = poses(), poses(seed=1, noise=20)

    def rows(points):
        return np.concatenate([points[:, [0, 2]].reshape(-1, 4), points[:, [1, 3]].reshape(-1, 4)])

    found = fit_multiview(train, NAMES, components=3).errors(others)
    wanted = by_svd(rows(train), rows(others), 3)
    np.testing.assert_allclose(found[:, [0, 2]], wanted[: len(others)], atol=1e-8)
    np.testing.assert_allclose(found[:, [1, 3]], wanted[len(others) :], atol=1e-8)


def test_as_many_components_are_kept_as_explain_the_variance():
    train = poses(noise=0.01)
    values = np.linalg.svd(train.reshape(60, -1) - train.reshape(60, -1).mean(0), compute_uv=False) ** 2
    shares = np.cumsum(values) / values.sum()
    for explained in (0.5, shares[0] + 1e-6, shares[1], 0.999, 1.0):
        kept = len(singleview(train, explained=explained).components)
        assert shares[kept - 1] >= explained - 1e-9 and (kept == 1 or shares[kept - 2] < explained)
    assert len(singleview(train, explained=0.9999).components) == 3


def test_s4_the_metric_is_centred_as_the_fit_is():
    """With centring, where a pose is does not count; S4 compared poses as they are with centred ones."""
    train = poses()
    for centring in ("mean", "median"):
        fitted = singleview(train, centring=centring)
        np.testing.assert_allclose(fitted.errors(train + MOVED), fitted.errors(train), atol=1e-8)
        assert np.nanmean(fitted.errors(train)) < 5
    assert np.nanmean(singleview(train).errors(train + MOVED)) > 20  # and without, it does


def test_s4_true_labels_are_near_the_plane_that_was_fitted_to_them():
    """S4 fitted resized pixels and judged original ones: 75 pixels of error in true labels."""
    train = poses(noise=1.0)
    errors = singleview(train, components=3).errors(train)
    assert np.nanmean(errors) < 2
    assert (errors <= singleview(train, components=3).epsilon).mean() == pytest.approx(0.99, abs=0.005)


def test_labels_that_are_missing_here_and_there_do_not_spoil_the_plane():
    train = poses(400)
    others = train[:60] + np.random.default_rng(1).normal(size=(60, 4, 2)) * 20
    holes = np.random.default_rng(2).random((400, 4)) < 0.1
    some = np.where(holes[..., None], np.nan, train)
    fitted = singleview(some, components=3)
    of_all = singleview(train, components=3).errors(others)
    assert np.abs(fitted.errors(others) - of_all).mean() < 0.1 * of_all.mean()
    found = fitted.errors(some)
    assert (np.isnan(found) == holes.any(axis=1)[:, None]).all()  # a pose with a hole is not judged


def test_the_covariance_is_over_the_frames_that_have_both_columns():
    some = poses(40)
    some[:15, 0] = np.nan
    rows = some.reshape(40, 8)
    mean = np.nanmean(rows, axis=0)
    wanted = np.empty((8, 8))
    for i in range(8):
        for j in range(8):
            both = np.isfinite(rows[:, i]) & np.isfinite(rows[:, j])
            wanted[i, j] = ((rows[both, i] - mean[i]) * (rows[both, j] - mean[j])).sum() / (both.sum() - 1)
    directions = np.linalg.eigh(wanted)[1][:, ::-1][:, :2].T
    fitted = singleview(some, components=2)
    np.testing.assert_allclose(
        fitted.components.T @ fitted.components, directions.T @ directions, atol=1e-8
    )  # the plane, whatever its directions' signs


def test_s4_a_plane_that_cannot_be_fitted_says_why():
    never = poses()
    never[:, 2] = np.nan
    with pytest.raises(DataError, match=r"pca_singleview cannot be fitted: c is never labelled.*landmarks\)"):
        singleview(never)
    with pytest.raises(DataError, match=r"pca_multiview cannot be fitted: c is never labelled.*data.views"):
        fit_multiview(never, NAMES)
    assert singleview(never, ["a", "b", "d"]).landmarks.tolist() == [[0, 1, 3]]
    with pytest.raises(DataError, match="train has 7 labelled frames, 7 of them whole, and 8 coordinates need at "):
        singleview(poses(7))
    with pytest.raises(DataError, match="train has 3 labelled frames"):
        singleview(np.concatenate([poses(3), np.full((50, 4, 2), np.nan)]))  # frames without any label are none
    apart = poses()
    apart[:30, 0] = apart[30:, 3] = np.nan
    with pytest.raises(DataError, match="0 of them whole"):
        singleview(apart)


@pytest.mark.parametrize("number", [0, 1])
def test_no_frames_are_told(number):
    with pytest.raises(DataError, match="cannot be fitted"):
        singleview(poses(number))
    with pytest.raises(DataError, match="cannot be fitted"):
        fit_multiview(poses(number), NAMES)


def test_settings_that_do_not_suit_are_told():
    with pytest.raises(DataError, match="landmarks names e, and the landmarks are a, b, c, d"):
        singleview(poses(), ["a", "e"])
    with pytest.raises(DataError, match=r"components=9: a row of 4 landmarks has 8 coordinates"):
        singleview(poses(), components=9)
    with pytest.raises(DataError, match=r"data\.views names none"):
        fit_multiview(poses(), NamedLandmarks(("a", "b", "c", "d")))


@pytest.mark.parametrize("centring", [None, "median"])
def test_a_plane_comes_back_from_json(centring):
    fitted = singleview(poses(), centring=centring)
    again = LinearPoses.from_json(json.loads(json.dumps(fitted.to_json())))
    others = poses(seed=1)
    np.testing.assert_array_equal(again.errors(others), fitted.errors(others))
    assert again.epsilon == fitted.epsilon and again.kind == "singleview"
