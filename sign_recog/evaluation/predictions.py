"""What a network answered for the clips of a split, and the table of it.

Ties: among glosses with equal logits the one with the lower index comes first, everywhere. So the
prediction is ``argmax``, and a network that gives every gloss the same logit scores as one that
always answers the first gloss.
"""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sign_recog.errors import DataError
from sign_recog.storage import atomic

NUM_LISTED = {"gloss": 5, "category": 3}  # how many of the best that predictions.csv lists for a clip


@dataclass
class Predictions:
    """A network's answers for the clips of a split.

    Attributes:
        gloss_logits: (N, G) float.
        gloss_targets: (N,) int, index into ``glosses``.
        glosses: The G names, in the order of the logits.
        signers: N names; "" = unknown.
        categories: The K names.
        category_logits: (N, K) float; None = the network has no category head.
        category_targets: (N,) int, index into ``categories``; -1 = the clip has no category.
        groups: Property of the clips, such as occlusion -> its N values.

    Raises:
        DataError: If there is no clip, or a logit is not finite.
        ValueError: If the shapes do not fit together, or a target is not in the vocabulary.
    """

    clip_ids: list[str]
    gloss_logits: np.ndarray
    gloss_targets: np.ndarray
    glosses: list[str]
    signers: list[str]
    categories: list[str] = field(default_factory=list)
    category_logits: np.ndarray | None = None
    category_targets: np.ndarray | None = None
    groups: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.clip_ids:
            raise DataError("There is no clip to score. Choose a run.split that has clips, or extract its keypoints.")
        for name, values in {"signer": self.signers, **self.groups}.items():
            if len(values) != len(self.clip_ids):
                raise ValueError(f"{name}: {len(values)} values for {len(self.clip_ids)} clips.")
        self.gloss_logits, self.gloss_targets = self._checked(
            "gloss", self.gloss_logits, self.gloss_targets, len(self.glosses), lowest=0
        )
        if self.category_logits is not None:
            self.category_logits, self.category_targets = self._checked(
                "category", self.category_logits, self.category_targets, len(self.categories), lowest=-1
            )

    def _checked(
        self, name: str, logits: Any, targets: Any, num_classes: int, lowest: int
    ) -> tuple[np.ndarray, np.ndarray]:
        logits, targets = np.asarray(logits), np.asarray(targets, dtype=np.int64)
        if logits.shape != (len(self.clip_ids), num_classes) or targets.shape != (len(self.clip_ids),):
            raise ValueError(
                f"{name}: logits {logits.shape} and targets {targets.shape} do not fit "
                f"{len(self.clip_ids)} clips and {num_classes} classes."
            )
        if targets.min() < lowest or targets.max() >= num_classes:
            raise ValueError(
                f"{name}: targets reach from {targets.min()} to {targets.max()}, of {num_classes} classes."
            )
        bad = np.flatnonzero(~np.isfinite(logits).all(1))
        if len(bad):
            raise DataError(
                f"The {name} logits of {len(bad)} clips are not finite (first: {self.clip_ids[bad[0]]}), so the "
                "network's weights or these keypoints are damaged. Evaluate another checkpoint, or run run=validate."
            )
        return logits, targets

    @property
    def ranks(self) -> np.ndarray:
        """(N,) int64: the true gloss's place among the glosses, 1 = best."""
        return ranks_of(self.gloss_logits, self.gloss_targets)

    @property
    def predicted(self) -> np.ndarray:
        """(N,) int64: index of the best gloss."""
        return self.gloss_logits.argmax(1)

    @property
    def probabilities(self) -> np.ndarray:
        """(N, G) float64: softmax of the logits."""
        return _softmax(self.gloss_logits)

    @property
    def category_probabilities(self) -> np.ndarray | None:
        """(N, K) float64: softmax of the logits; None without a category head."""
        return None if self.category_logits is None else _softmax(self.category_logits)

    @property
    def labelled_categories(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Logits (M, K) and targets (M,) of the clips that have a category; None if there is no such clip or head."""
        logits, targets = self.category_logits, self.category_targets
        if logits is None or targets is None or targets.max() < 0:
            return None
        return logits[targets >= 0], targets[targets >= 0]

    def subset(self, clips: np.ndarray) -> "Predictions":
        """The answers for the clips whose indices are given."""
        has_categories = self.category_logits is not None and self.category_targets is not None
        return Predictions(
            clip_ids=[self.clip_ids[i] for i in clips],
            gloss_logits=self.gloss_logits[clips],
            gloss_targets=self.gloss_targets[clips],
            glosses=self.glosses,
            signers=[self.signers[i] for i in clips],
            categories=self.categories,
            category_logits=self.category_logits[clips] if has_categories else None,  # type: ignore[index]
            category_targets=self.category_targets[clips] if has_categories else None,  # type: ignore[index]
            groups={name: [values[i] for i in clips] for name, values in self.groups.items()},
        )


def ranks_of(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(N,) int64: place of the target (N,) among the classes of ``logits`` (N, G), 1 = best."""
    own = np.take_along_axis(logits, targets[:, None], axis=1)
    tied_before = (logits == own) & (np.arange(logits.shape[1]) < targets[:, None])
    return 1 + ((logits > own) | tied_before).sum(1)


def confusion_of(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(G, G) int64: clips of the true class (row) that were taken for the class (column)."""
    num_classes = logits.shape[1]
    pairs = targets * num_classes + logits.argmax(1)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def confusion(predictions: Predictions) -> np.ndarray:
    """(G, G) int64: see :func:`confusion_of`, of the glosses."""
    return confusion_of(predictions.gloss_logits, predictions.gloss_targets)


def pick_examples(predictions: Predictions, *, right: int, wrong: int) -> list[int]:
    """Indices of clips worth looking at: the surest right answers, then the surest wrong ones.

    At most one clip of a gloss on each side, so that one easy or one mislabelled gloss does not fill the page.
    """
    correct, sureness = predictions.ranks == 1, predictions.probabilities.max(1)
    chosen = []
    for side, count in ((correct, right), (~correct, wrong)):
        first_of_gloss: dict[int, int] = {}
        for clip in np.argsort(-sureness, kind="stable"):
            if side[clip]:
                first_of_gloss.setdefault(int(predictions.gloss_targets[clip]), int(clip))
        chosen += list(first_of_gloss.values())[:count]
    return chosen


def write_predictions(path: Path, predictions: Predictions, *, all_probabilities: bool = True) -> None:
    """Write one CSV row a clip, atomically; with ``all_probabilities`` also ``<stem>.npz`` beside it.

    CSV columns: ``clip_id``, ``signer``, one for each other group, ``gloss`` (the true one), ``predicted``,
    ``correct`` (1 or 0), ``probability`` (of the predicted gloss), ``rank`` (of the true gloss, 1 = best), ``top1`` ..
    ``top5`` and ``p1`` .. ``p5`` (empty beyond G). With a category head also ``category``, ``category_predicted``,
    ``category_correct`` (empty for a clip without a category), ``category_top1`` .. ``category_top3`` and
    ``category_p1`` .. ``category_p3``.

    The ``.npz`` holds ``clip_ids`` (N,), ``glosses`` (G,), ``gloss_targets`` (N,), ``gloss_logits`` and
    ``probabilities`` (N, G) float32 and ``confusion_matrix`` (G, G) int64, see :func:`confusion_of`; with a category
    head ``categories``, ``category_targets`` (-1 = none), ``category_probabilities`` and
    ``category_confusion_matrix``. It is read with ``allow_pickle=False``.
    """
    table = _gloss_columns(predictions) | _category_columns(predictions)
    groups = {name: values for name, values in predictions.groups.items() if name not in table and name != "signer"}
    table = {"clip_id": predictions.clip_ids, "signer": predictions.signers, **groups, **table}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    atomic.write_text(path, buffer.getvalue())
    if all_probabilities:
        with atomic.replaced(path.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **_arrays(predictions))


def _gloss_columns(predictions: Predictions) -> dict[str, list[Any]]:
    listed = _listed("", predictions.probabilities, predictions.gloss_logits, predictions.glosses, NUM_LISTED["gloss"])
    ranks = predictions.ranks
    return {
        "gloss": [predictions.glosses[g] for g in predictions.gloss_targets],
        "predicted": listed["top1"],
        "correct": [int(rank == 1) for rank in ranks],
        "probability": listed["p1"],
        "rank": list(ranks),
        **listed,
    }


def _category_columns(predictions: Predictions) -> dict[str, list[Any]]:
    logits, targets, names = predictions.category_logits, predictions.category_targets, predictions.categories
    probabilities = predictions.category_probabilities
    if logits is None or targets is None or probabilities is None:
        return {}
    listed = _listed("category_", probabilities, logits, names, NUM_LISTED["category"])
    return {
        "category": ["" if c < 0 else names[c] for c in targets],
        "category_predicted": listed["category_top1"],
        "category_correct": [
            "" if c < 0 else int(c == best) for c, best in zip(targets, logits.argmax(1), strict=True)
        ],
        **listed,
    }


def _listed(
    prefix: str, probabilities: np.ndarray, logits: np.ndarray, names: list[str], count: int
) -> dict[str, list[str]]:
    """The best classes and their probabilities, a column each; empty where there are fewer classes."""
    order = np.argsort(-logits, axis=1, kind="stable")[:, :count]
    top, shares = {}, {}
    for place in range(count):
        exists = place < order.shape[1]
        column = order[:, place] if exists else None
        top[f"{prefix}top{place + 1}"] = [""] * len(order) if column is None else [names[c] for c in column]
        shares[f"{prefix}p{place + 1}"] = (
            [""] * len(order)
            if column is None
            else [f"{row[c]:.6g}" for row, c in zip(probabilities, column, strict=True)]
        )
    return top | shares


def _arrays(predictions: Predictions) -> dict[str, np.ndarray]:
    arrays = {
        "clip_ids": np.array(predictions.clip_ids),
        "glosses": np.array(predictions.glosses),
        "gloss_targets": predictions.gloss_targets,
        "gloss_logits": predictions.gloss_logits.astype(np.float32),
        "probabilities": predictions.probabilities.astype(np.float32),
        "confusion_matrix": confusion(predictions),
    }
    probabilities = predictions.category_probabilities
    if probabilities is not None and predictions.category_targets is not None:
        num = len(predictions.categories)
        labelled = predictions.labelled_categories
        arrays |= {
            "categories": np.array(predictions.categories),
            "category_targets": predictions.category_targets,
            "category_probabilities": probabilities.astype(np.float32),
            "category_confusion_matrix": np.zeros((num, num), np.int64)
            if labelled is None
            else confusion_of(*labelled),
        }
    return arrays


def _softmax(logits: np.ndarray) -> np.ndarray:
    from scipy.special import softmax

    return softmax(logits.astype(np.float64), axis=1)
