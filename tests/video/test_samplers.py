"""Steps that choose frames, against their distributions and each other."""

import numpy as np
import pytest
from scipy import stats

from sign_recog.errors import ConfigError
from sign_recog.video.samplers import (
    Chunked,
    Consecutive,
    FocalBeta,
    FocalLaplace,
    FocalNormal,
    Request,
    Reverse,
    Shuffle,
    Speed,
    Uniform,
    Wobble,
    loop,
    repeat_last,
    stretch,
)  # fmt: skip

CHOOSERS = [Uniform(), Chunked(), Consecutive(3), FocalNormal(0.5, 0.3), FocalLaplace(0.4, 0.2), FocalBeta(2.0, 5.0)]
STEPS = [*CHOOSERS, Wobble(4), Speed(0.8, 1.2), Reverse(), Shuffle(3)]


def chosen(step, num_available, num_frames=8, rng=None, phase=0.5):
    return step(np.arange(num_available), Request(num_available, num_frames, rng, phase))


@pytest.mark.parametrize("step", STEPS)
def test_s2_nothing_is_left_to_chance_at_test(step):
    """S2 drew frames at random at test time, so that a score could not be had twice."""
    assert chosen(step, 50).tolist() == chosen(step, 50).tolist()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("num_available", [1, 5, 8, 9, 50])
def test_frames_stay_inside_and_choosers_choose_as_many_as_asked(step, num_available):
    for seed in [None, *range(20)]:
        rng = None if seed is None else np.random.default_rng(seed)
        found = chosen(step, num_available, rng=rng)
        assert found.min() >= 0 and found.max() < num_available and found.dtype == np.int64
        if step.chooses:
            assert len(found) == min(8, num_available) or isinstance(step, Consecutive)
            assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("step", [s for s in STEPS if not isinstance(s, Uniform | Reverse)])
def test_training_draws_anew_and_the_seed_repeats_it(step):
    draws = {tuple(chosen(step, 90, rng=np.random.default_rng(seed)).tolist()) for seed in range(20)}
    assert len(draws) > 5
    assert chosen(step, 90, rng=np.random.default_rng(3)).tolist() in [list(d) for d in draws]


@pytest.mark.parametrize(("num_available", "num_frames"), [(9, 5), (100, 7), (33, 32), (5, 1), (6, 1)])
def test_uniform_is_evenly_from_the_first_to_the_last(num_available, num_frames):
    found = chosen(Uniform(), num_available, num_frames)
    exact = np.linspace(0, num_available - 1, num_frames) if num_frames > 1 else np.array([(num_available - 1) / 2])
    assert np.abs(found - exact).max() <= 0.5 and len(set(found.tolist())) == num_frames


@pytest.mark.parametrize(("num_available", "num_frames"), [(8, 8), (9, 8), (31, 8), (80, 8), (100, 7)])
def test_chunks_are_equal_and_each_gives_one_frame(num_available, num_frames):
    chunks = np.split(np.arange(num_available), [i * num_available // num_frames for i in range(1, num_frames)])
    assert max(map(len, chunks)) - min(map(len, chunks)) <= 1
    seen = [set() for _ in chunks]
    for seed in range(200):
        for i, frame in enumerate(chosen(Chunked(), num_available, num_frames, np.random.default_rng(seed)).tolist()):
            assert frame in chunks[i]
            seen[i].add(frame)
    assert all(s == set(chunk.tolist()) for s, chunk in zip(seen, chunks, strict=True))
    middles = [chunk[len(chunk) // 2] for chunk in chunks]
    assert chosen(Chunked(), num_available, num_frames).tolist() == middles


def test_consecutive_frames_keep_their_stride_and_the_middle_is_in_the_middle():
    assert chosen(Consecutive(3), 20, 4).tolist() == [5, 8, 11, 14]  # 10 spanned, 10 spare, 5 on each side
    firsts = set()
    for seed in range(60):
        found = chosen(Consecutive(3), 20, 4, np.random.default_rng(seed))
        assert np.diff(found).tolist() == [3, 3, 3]
        firsts.add(int(found[0]))
    assert firsts == set(range(11))
    assert chosen(Consecutive(3), 5, 4).tolist() == [0, 3]  # fewer, where the clip is too short


@pytest.mark.parametrize(
    ("step", "distribution"),
    [
        (FocalNormal(0.4, 0.3), stats.truncnorm(-0.4 / 0.3, 0.6 / 0.3, loc=0.4, scale=0.3)),
        (FocalBeta(2.0, 5.0), stats.beta(2, 5)),
    ],
)
def test_focal_draws_follow_their_distribution(step, distribution):
    """Kolmogorov and Smirnov's test, of 4000 draws of a clip so long that rounding to frames is nothing."""
    drawn = chosen(step, 10**6, 4000, np.random.default_rng(0)) / 10**6
    assert stats.kstest(drawn, distribution.cdf).pvalue > 0.01
    quantiles = distribution.ppf((np.arange(8) + 0.5) / 8)
    assert chosen(step, 10**6) / 10**6 == pytest.approx(quantiles, abs=2e-6)


def test_focal_laplace_follows_the_laplace_distribution_within_the_clip():
    laplace = stats.laplace(loc=0.4, scale=0.2)
    low, high = laplace.cdf(0), laplace.cdf(1)
    drawn = chosen(FocalLaplace(0.4, 0.2), 10**6, 4000, np.random.default_rng(0)) / 10**6
    assert stats.kstest(drawn, lambda t: (laplace.cdf(t) - low) / (high - low)).pvalue > 0.01
    quantiles = laplace.ppf(low + (np.arange(8) + 0.5) / 8 * (high - low))
    assert chosen(FocalLaplace(0.4, 0.2), 10**6) / 10**6 == pytest.approx(quantiles, abs=2e-6)


def test_wobble_moves_each_frame_by_its_reach_at_most_and_keeps_their_order():
    before, seen = np.arange(0, 80, 10), set()
    for seed in range(300):
        after = Wobble(4)(before, Request(80, 8, np.random.default_rng(seed)))
        seen |= set((after - before).tolist())
        assert (np.diff(after) >= 0).all() and after.min() >= 0
    assert seen == set(range(-4, 5))
    assert Wobble(4)(before, Request(80, 8)).tolist() == before.tolist()


def test_wobble_leaves_reversed_frames_reversed():
    before = np.arange(70, 0, -10)
    after = Wobble(4)(before, Request(80, 7, np.random.default_rng(1)))
    assert (np.abs(after - before) <= 4).all() and (np.diff(after) < 0).all() and (after != before).any()


def test_speed_changes_the_distance_of_consecutive_frames():
    lengths = set()
    for seed in range(100):
        rng = np.random.default_rng(seed)
        slower_or_faster = chosen(Speed(0.8, 1.2), 100, rng=rng)
        lengths.add(len(slower_or_faster))
        assert slower_or_faster[0] == 0 and (np.diff(slower_or_faster) >= 0).all()
        span = np.ptp(Consecutive(2)(slower_or_faster, Request(100, 16, rng)))
        assert 0.8 * 30 - 1 <= span <= 1.2 * 30 + 1
    assert min(lengths) < 88 and max(lengths) > 118 and min(lengths) >= 83 and max(lengths) <= 125


def test_reverse_and_shuffle_hold_the_same_frames():
    assert chosen(Reverse(), 6).tolist() == [5, 4, 3, 2, 1, 0]
    shuffled = chosen(Shuffle(0), 30)
    assert sorted(shuffled.tolist()) == list(range(30)) and shuffled.tolist() != list(range(30))
    assert shuffled.tolist() != chosen(Shuffle(1), 30).tolist()


@pytest.mark.parametrize("step", CHOOSERS)
def test_views_in_several_phases_differ_and_lie_around_the_middle_one(step):
    early, middle, late = (chosen(step, 90, phase=phase) for phase in (1 / 6, 1 / 2, 5 / 6))
    assert (early <= middle).all() and (middle <= late).all() and early.sum() < middle.sum() < late.sum()


@pytest.mark.parametrize(
    ("pad", "expected"),
    [(repeat_last, [2, 4, 7, 7, 7, 7, 7]), (loop, [2, 4, 7, 2, 4, 7, 2]), (stretch, [2, 2, 2, 4, 4, 7, 7])],
)
def test_s2_short_clips_are_filled_up(pad, expected):
    """S2 offered ``pad`` as a sampler and failed on it."""
    assert pad(np.array([2, 4, 7]), 7).tolist() == expected


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Consecutive(0), "stride=0"), (lambda: FocalNormal(0.5, 0), "width=0"),
        (lambda: FocalLaplace(1.5, 1), r"centre=1\.5"), (lambda: FocalBeta(0, 1), "a=0"),
        (lambda: Wobble(-1), "frames=-1"),
        (lambda: Speed(1.2, 0.8), r"slowest=1\.2"), (lambda: Speed(0, 1), "slowest=0"),
    ],
)  # fmt: skip
def test_values_without_sense_are_named(make, message):
    with pytest.raises(ConfigError, match=rf"modality\.sampler: .*{message}"):
        make()
