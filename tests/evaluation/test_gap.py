"""Folds of one setting, and seen against unseen signers: every clip counted once, intervals that mean something."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from sign_recog.evaluation.aggregate import read_sweep
from sign_recog.evaluation.outcomes import Outcomes, accuracy_interval, gap_interval, read_outcomes

SIGNERS = [f"s{i}" for i in range(8)]


def write_run(root: Path, strategy: str, fold: int, rows: dict[str, tuple[str, int]], *, seed=1, unseen=None, lr=0.1):
    """A scored run; ``rows``: clip -> signer, whether it was right."""
    folder = root / f"{strategy}{fold}{lr}" / f"seed{seed}"
    folder.mkdir(parents=True)
    split = f"{{strategy: {strategy}, folds: 2, fold: {fold}, train_share: 1.0}}"
    (folder / "config.yaml").write_text(f"seed: {seed}\ndata: {{name: x, split: {split}}}\noptim: {{lr: {lr}}}\n")
    lines = [f"{clip},{signer},{correct}" for clip, (signer, correct) in rows.items()]
    (folder / "predictions.csv").write_text("\n".join(["clip_id,signer,correct", *lines]) + "\n")
    top1 = sum(correct for _, correct in rows.values()) / len(rows)
    metrics = {
        "split": "test",
        "scores": {"top1_per_instance": top1},
        "run": {"name": "x", "seed": seed, "settings": f"{strategy}{fold}{lr}"},
        "data": {"corpus": "x", "clips": len(rows), "clips_hash": f"{strategy}{fold}", "unseen_signers": unseen},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))


def clips(numbers, right) -> dict[str, tuple[str, int]]:
    return {f"c{i}": (SIGNERS[i % 8], int(i % 10 < right)) for i in numbers}


def test_folds_are_one_group_and_each_clip_counts_once(tmp_path):
    write_run(tmp_path, "kfold_signer", 0, clips(range(0, 60), right=8))
    write_run(tmp_path, "kfold_signer", 1, clips(range(60, 80), right=4))
    (group,) = (sweep := read_sweep(tmp_path)).groups
    top1 = group.scores["top1_per_instance"]
    assert (top1.n, top1.mean, top1.text) == (2, pytest.approx((0.8 + 0.4) / 2), "2 folds")
    assert top1.std == pytest.approx(0.4 / np.sqrt(2))
    assert (group.folds.pooled.num_clips, group.folds.pooled.accuracy) == (80, pytest.approx((48 + 8) / 80))
    assert [(f.number, f.num_clips, len(f.signers)) for f in group.folds.folds] == [(0, 60, 8), (1, 20, 8)]
    assert sweep.warnings == [] and sweep.gaps == []


def test_a_fold_without_scores_is_named(tmp_path):
    write_run(tmp_path, "kfold", 1, clips(range(20), right=5))
    sweep = read_sweep(tmp_path)
    assert sweep.groups[0].folds.missing == [0]
    assert any("fold 0 of 2 has no scores" in warning for warning in sweep.warnings)


def test_seeds_of_the_folds_are_averaged_before_the_folds(tmp_path):
    for seed, right in ((1, 10), (2, 6), (3, 2)):
        write_run(tmp_path, "kfold", 0, clips(range(20), right), seed=seed)
    write_run(tmp_path, "kfold", 1, clips(range(20, 40), right=10))
    (group,) = read_sweep(tmp_path).groups
    assert group.scores["top1_per_instance"].mean == pytest.approx((0.6 + 1.0) / 2)
    assert group.folds.pooled.num_clips == 40 and group.folds.pooled.accuracy == pytest.approx(0.8)


def test_the_standard_and_the_signer_disjoint_result_stand_beside_each_other_with_the_gap(tmp_path):
    for strategy, right in (("kfold", 9), ("kfold_signer", 7)):
        for fold in (0, 1):
            write_run(tmp_path, strategy, fold, clips(range(40 * fold, 40 * fold + 40), right))
    write_run(tmp_path, "signer_disjoint", 0, clips(range(40), right=1), lr=0.2)  # other settings: no part of it
    sweep = read_sweep(tmp_path)
    (gap,) = sweep.gaps
    assert (gap.strategy_seen, gap.strategy_unseen, gap.paired) == ("kfold", "kfold_signer", True)
    assert gap.gap == pytest.approx(0.2) and gap.ci95[0] < 0.2 < gap.ci95[1]
    assert "a gap of 20.0 points" in gap.text and "90.0 %" in gap.text and "70.0 %" in gap.text


def test_a_given_split_counts_as_what_the_evaluation_saw(tmp_path):
    write_run(tmp_path, "given", 0, clips(range(40), right=9), unseen=False)
    write_run(tmp_path, "signer_disjoint", 0, clips(range(20), right=5), unseen=True)
    (gap,) = read_sweep(tmp_path).gaps
    assert (gap.strategy_seen, gap.gap, gap.paired) == ("given", pytest.approx(0.4), False)
    for path in tmp_path.glob("given*/*/metrics.json"):
        path.write_text(path.read_text().replace("false", "null"))
    assert read_sweep(tmp_path).gaps == []


def test_missing_predictions_are_said(tmp_path):
    write_run(tmp_path, "random", 0, clips(range(40), right=9))
    write_run(tmp_path, "signer_disjoint", 0, clips(range(40), right=5))
    next(tmp_path.glob("random*/*/predictions.csv")).unlink()
    sweep = read_sweep(tmp_path)
    assert sweep.gaps == [] and "predictions.csv" in sweep.warnings[-1] and "Evaluate them again" in sweep.warnings[-1]


def outcomes(hits: np.ndarray, signers: list[str]) -> Outcomes:
    return Outcomes([f"c{i:04d}" for i in range(len(hits))], signers, hits.astype(float))


def test_intervals_over_clips_are_those_of_the_normal_approximation():
    hits = np.arange(2000) % 10 < 7
    low, high = accuracy_interval(outcomes(hits, [""] * 2000))
    half = norm.ppf(0.975) * np.sqrt(0.7 * 0.3 / 2000)
    assert (low, high) == (pytest.approx(0.7 - half, abs=2e-3), pytest.approx(0.7 + half, abs=2e-3))


def test_signers_that_differ_widen_the_interval():
    # Half of 40 signers are always right and half never, so there are 40 outcomes, not 2000.
    signers = [f"s{i % 40}" for i in range(2000)]
    hits = np.array([int(name[1:]) % 2 == 0 for name in signers])
    low, high = accuracy_interval(outcomes(hits, signers))
    half = norm.ppf(0.975) * np.sqrt(0.25 / 40)
    assert high - low == pytest.approx(2 * half, rel=0.1)
    assert outcomes(hits, signers).resampled == "40 signers"
    assert outcomes(hits[:3], ["a", "b", "a"]).resampled == "3 clips"


def test_a_gap_on_the_same_clips_is_not_widened_by_what_both_find_hard():
    signers = [f"s{i % 40}" for i in range(2000)]
    hard = np.array([int(name[1:]) % 2 == 0 for name in signers])
    first, second = outcomes(hard, signers), outcomes(hard & (np.arange(2000) % 4 != 0), signers)
    other = Outcomes([f"d{i:04d}" for i in range(2000)], signers, second.hits)
    paired, unpaired = gap_interval(first, second), gap_interval(first, other)
    assert paired[1] - paired[0] < 0.75 * (unpaired[1] - unpaired[0])


def test_equal_outcomes_have_no_gap():
    hits = np.arange(100) % 3 == 0
    assert gap_interval(outcomes(hits, [""] * 100), outcomes(hits, [""] * 100)) == (0.0, 0.0)


def test_a_clip_of_several_runs_counts_once(tmp_path):
    for name, correct in (("a", 1), ("b", 0)):
        (tmp_path / f"{name}.csv").write_text(f"clip_id,signer,correct\nx,s,{correct}\n{name},t,1\n")
    pooled = read_outcomes([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert pooled.clip_ids == ["a", "b", "x"] and pooled.hits.tolist() == [1, 1, 0.5]
