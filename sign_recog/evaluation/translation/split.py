"""Everything that is told about the translations of a split, from what was written for its clips."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sign_recog.evaluation.translation.collapse import collapse
from sign_recog.evaluation.translation.reduced import Blacklist
from sign_recog.evaluation.translation.report import pick_examples
from sign_recog.evaluation.translation.scores import score
from sign_recog.evaluation.translation.tables import Outputs, score_groups, write_outputs, write_results

NUM_EXAMPLES = 4  # each of the best, median and worst


def evaluate_split(
    folder: Path,
    split: str,
    outputs: Outputs,
    *,
    training_texts: Sequence[str] | None,
    lengths: Sequence[float] | None,
    blacklist: Blacklist | None,
    lowercase: bool,
    num_permutations: int,
    samples: int,
    seed: int,
    wordnet_dir: Path | None,
    bleurt_dir: Path | None,
    unit: str = "frames",
    loss: float | None = None,
    accuracy: float | None = None,
) -> dict[str, Any]:
    """Score a split and write its tables; ``{split}_results.json`` comes last.

    The arguments are those of :mod:`scores`, :mod:`collapse` and :mod:`tables` in this package.

    Returns:
        Plain values for metrics.json: ``scores`` (with ``loss``, ``token_accuracy``, ``bleu4_ci95`` and ``chrf_ci95``),
        ``collapse``, ``groups`` and ``examples``.

    Raises:
        DataError: If there is no clip, a reference is empty, or a folder that was given holds no such data.
    """
    hypotheses, references = outputs.hypotheses, outputs.references
    scores = score(
        hypotheses,
        references,
        lowercase=lowercase,
        clip_ids=outputs.clip_ids,
        blacklist=blacklist,
        wordnet_dir=wordnet_dir,
        bleurt_dir=bleurt_dir,
    )
    drawn: dict[str, Any] = {"samples": samples, "seed": seed, "lowercase": lowercase}
    check = collapse(hypotheses, references, training_texts, num_permutations=num_permutations, **drawn)
    groups = score_groups(outputs, lengths, unit=unit, **drawn)
    sentences = write_outputs(folder, split, outputs, lowercase=lowercase)
    write_results(folder / f"{split}_results.json", scores, loss=loss, accuracy=accuracy)
    intervals = {f"{name}_ci95": check["system"][f"{name}_ci95"] for name in ("bleu4", "chrf")}
    return {
        "scores": {**scores, **intervals, "loss": loss, "token_accuracy": accuracy},
        "collapse": check,
        "groups": groups,
        "examples": [asdict(example) for example in pick_examples(outputs, sentences, NUM_EXAMPLES)],
    }
