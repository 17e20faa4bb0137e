"""What the page on a run shows of its evaluations besides the one that it is judged by.

Each may have been made by another command, so those are left out that are of another checkpoint, other views or another
manifest than the scores which the page is about.
"""

import json
from pathlib import Path
from typing import Any

from sign_recog.evaluation import plots
from sign_recog.evaluation.page import Figure, percent
from sign_recog.evaluation.views import ONE, views_of
from sign_recog.stages.results import stored_pictures

SHUFFLED = "test, shuffled frames"
NAMES = {"train": "train", "val": "val", "shuffled": SHUFFLED}  # folder -> name on the page


def other_scores(folder: Path) -> dict[str, dict[str, Any]]:
    """Name -> scores of the run's other evaluations, of those that belong to its metrics.json."""
    found = {name: _belonging(folder, place) for place, name in NAMES.items()}
    return {name: own["scores"] for name, own in found.items() if own}


def evaluation_notes(folder: Path, metrics: dict[str, Any]) -> list[str]:
    """Sentences on how clips were looked at, what is left of the score with shuffled frames, and what is left out."""
    notes = []
    views = metrics["data"].get("views") or ONE
    if views["num_clips"] * views["num_crops"] > 1:
        notes.append(
            f"The answer for a clip is the mean of {views['num_clips'] * views['num_crops']} views: "
            f"{views['num_clips']} parts of its time, {views['num_crops']} of the picture. Scores of single views are "
            "no fair comparison."
        )
    shuffled = _belonging(folder, "shuffled")
    if shuffled:
        count, top1 = len(shuffled["permutations"]), shuffled["over_permutations"]["top1_per_instance"]
        entropies = [one["shannon_entropy"] for one in shuffled["permutations"]]
        spread = "" if top1["std"] is None else f", deviation {100 * top1['std']:.1f} points"
        notes.append(
            f"With shuffled frames top-1 on test is {percent(top1['mean'])} (mean over {count} "
            f"order{'' if count == 1 else 's'}{spread}; entropy {min(entropies):.2f} to {max(entropies):.2f} bits). "
            "The table shows the first order."
        )
    for place, name in NAMES.items():
        other = _metrics(folder / place)
        if other and (reasons := _differences(metrics, other, same_clips=place == "shuffled")):
            notes.append(
                f"Scores on {name} are there but left out, since they are of another evaluation: {'; '.join(reasons)}. "
                "To see both, score them in one command (evaluation=full, or evaluation.sets)."
            )
    return notes


def evaluation_warnings(folder: Path) -> list[str]:
    """That val is not what training measured."""
    val = _belonging(folder, "val")
    if not val or val.get("val_agrees") is not False:
        return []
    text = ", ".join(f"{name} {value:.4f} then, {val['val_measured'][name]:.4f} now"
                     for name, value in val["val_reported"].items())  # fmt: skip
    return [
        f"Val is scored otherwise than in training ({text}), by more than rounding explains: clips, files or "
        "preprocessing have changed since."
    ]


def class_figures(folder: Path, metrics: dict[str, Any]) -> list[Figure]:
    """The glosses' pictures: those of the last full evaluation where there are some, else small ones."""
    stored = stored_pictures(folder / "results", Path(metrics["run"]["checkpoint"]).stem, metrics["split"])
    matrix = stored.get("confmat") or (folder / "confusion_matrix.png").read_bytes()
    figures = [Figure("Confusion matrix", matrix, "Rows: the true gloss; columns: the answer.")]
    if "bargraph" in stored:
        figures.append(Figure("Recall and F1 of each gloss", stored["bargraph"], "Worst recall first."))
    else:
        bars = plots.per_class_bars(metrics["scores"]["per_class"])
        figures.append(Figure("Recall of each gloss", bars, "Worst first."))
    if "heatmap" in stored:
        caption = "Worst F1 first. What is undefined, such as the precision of a gloss never answered, counts as 0."
        figures.append(Figure("Classification report", stored["heatmap"], caption))
    return figures


def _belonging(folder: Path, place: str) -> dict[str, Any] | None:
    """The metrics of another evaluation, if it is of the same checkpoint, views and manifest as the run's own."""
    shown, other = _metrics(folder), _metrics(folder / place)
    if shown is None or other is None or _differences(shown, other, same_clips=place == "shuffled"):
        return None
    return other


def _differences(shown: dict[str, Any], other: dict[str, Any], *, same_clips: bool) -> list[str]:
    """In what another evaluation differs from the one that is shown; ``same_clips``: it should be of the same clips."""
    there, here = _basis(other, same_clips), _basis(shown, same_clips)
    return [f"{key} is {there[key]} there, {here[key]} here" for key in here if there[key] != here[key]]


def _basis(metrics: dict[str, Any], with_clips: bool) -> dict[str, Any]:
    run, data = metrics["run"], metrics["data"]
    return {
        "checkpoint": run["checkpoint"],
        "epoch": run["epoch"],
        "views": views_of(data),
        "manifest": Path(data["manifest"]).resolve(),
        **({"clips_hash": data["clips_hash"]} if with_clips else {}),
    }


def _metrics(folder: Path) -> dict[str, Any] | None:
    path = folder / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
