"""McNemar's test and the paired interval, between two runs' stored answers."""

import math

import numpy as np
import pytest
from made_predictions import make

from sign_recog.errors import DataError
from sign_recog.evaluation.predictions import write_predictions
from sign_recog.evaluation.significance import compare_predictions, mcnemar


def exact(b: int, c: int) -> float:
    """Twice the smaller tail of Binomial(b + c, 1/2), at most 1."""
    n = b + c
    tail = sum(math.comb(n, i) for i in range(min(b, c) + 1)) / 2**n
    return min(1.0, 2 * tail)


def write(folder, predictions):
    write_predictions(folder / "predictions.csv", predictions)
    return folder


@pytest.fixture
def two(tmp_path):
    """Two runs on the same clips, the second one better."""
    answers = make(num_clips=80, strength=1.0), make(num_clips=80, strength=2.5)
    return [write(tmp_path / name, own) for name, own in zip("ab", answers, strict=True)], answers


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (5, 0), (3, 3), (7, 2), (2, 17), (12, 12)])
def test_few_discordant_clips_are_tested_exactly(b, c):
    p_value, method = mcnemar(b, c)
    assert method == "exact binomial" and p_value == pytest.approx(exact(b, c))


@pytest.mark.parametrize(("b", "c"), [(20, 5), (13, 13), (121, 59), (5, 60)])
def test_many_are_tested_by_chi_square_with_continuity_correction(b, c):
    """With 1 degree of freedom the upper tail of x is erfc(sqrt(x / 2))."""
    statistic = max(0, abs(b - c) - 1) ** 2 / (b + c)
    p_value, method = mcnemar(b, c)
    assert method == "chi-square with continuity correction"
    assert p_value == pytest.approx(math.erfc(math.sqrt(statistic / 2)))
    assert p_value == pytest.approx(exact(b, c), rel=0.5, abs=0.01)  # the two agree in size


def test_the_table_is_that_of_the_two_answers(two):
    folders, (first, second) = two
    found = compare_predictions(*folders)
    right = [own.predicted == own.gloss_targets for own in (first, second)]
    assert found["both_right"] == sum(a and b for a, b in zip(*right, strict=True))
    assert found["only_first"] == sum(a and not b for a, b in zip(*right, strict=True))
    assert found["only_second"] == sum(b and not a for a, b in zip(*right, strict=True))
    assert sum(found[k] for k in ("both_right", "only_first", "only_second", "both_wrong")) == 80
    assert found["p_value"] == mcnemar(found["only_first"], found["only_second"])[0]
    assert found["difference"] == pytest.approx(right[0].mean() - right[1].mean())
    low, high = found["difference_ci95"]
    assert low < found["difference"] < high < 0 and found["p_value"] < 0.05


def test_exchanging_the_runs_changes_the_sign_only(two):
    folders, _ = two
    one, other = compare_predictions(*folders), compare_predictions(*folders[::-1])
    assert one["p_value"] == other["p_value"] and one["difference"] == -other["difference"]
    assert one["difference_ci95"] == pytest.approx([-x for x in other["difference_ci95"][::-1]])


def test_a_run_does_not_differ_from_itself(two):
    folders, _ = two
    found = compare_predictions(folders[0], folders[0] / "predictions.csv")
    assert (found["p_value"], found["difference"], found["difference_ci95"]) == (1.0, 0.0, [0.0, 0.0])


def test_pairing_makes_the_interval_narrower_than_two_independent_ones(tmp_path):
    """Two networks that err on the same clips but two: the difference is far surer than either score."""
    first = make(num_clips=100)
    second = first.subset(np.arange(100))
    wrong = np.flatnonzero(first.predicted != first.gloss_targets)[:2]
    second.gloss_logits = second.gloss_logits.copy()
    second.gloss_logits[wrong, first.gloss_targets[wrong]] += 20
    for own in (first, second):
        own.signers = [""] * 100
    found = compare_predictions(write(tmp_path / "a", second), write(tmp_path / "b", first))
    low, high = found["difference_ci95"]
    assert found["difference"] == pytest.approx(0.02) and low >= 0 and high - low <= 0.06


def test_other_clips_are_refused(two, tmp_path):
    folders, (first, _) = two
    write(tmp_path / "c", first.subset(np.arange(79)))
    with pytest.raises(DataError, match=r"1 clips are in only one of the two \(clip79\)"):
        compare_predictions(folders[0], tmp_path / "c")


def test_other_labels_are_refused(two, tmp_path):
    folders, (first, _) = two
    other = first.subset(np.arange(80))
    other.gloss_targets = (other.gloss_targets + 1) % 12
    write(tmp_path / "c", other)
    with pytest.raises(DataError, match="80 clips have another label"):
        compare_predictions(folders[0], tmp_path / "c")


@pytest.mark.parametrize("text", ["", "clip_id,gloss\na,b\n", "clip_id,gloss,signer,correct\na,b,,yes\n"])
def test_damaged_answers_are_said(two, tmp_path, text):
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "predictions.csv").write_text(text)
    with pytest.raises(DataError, match=r"predictions.csv: .*Run run=evaluate again"):
        compare_predictions(two[0][0], tmp_path / "c")
    with pytest.raises(DataError, match="Run run=evaluate first"):
        compare_predictions(two[0][0], tmp_path / "none")
