"""Score a checkpoint on a split, or on several and with shuffled frames; the only stage that opens test."""

import logging
from collections import Counter
from pathlib import Path
from typing import Any

from sign_recog.config import Config
from sign_recog.data.datamodule import with_inputs
from sign_recog.data.datasets import ClipDataset
from sign_recog.errors import DataError
from sign_recog.evaluation import plots
from sign_recog.evaluation.classification import score
from sign_recog.evaluation.predictions import Predictions, confusion, confusion_of, write_predictions
from sign_recog.evaluation.shuffle import draw_permutations, shannon_entropy, spread
from sign_recog.stages import StageResult
from sign_recog.stages.metrics import build_metrics, interval
from sign_recog.stages.of_task import of_task
from sign_recog.stages.recognizer import load_recognizer
from sign_recog.stages.results import write_pictures, write_results
from sign_recog.stages.run_folder import checkpoint_path, result_dir, stored_extractor
from sign_recog.stages.scored_corpus import (
    corpus_folder,
    is_own,
    place,
    refuse_other_crop,
    refuse_other_extraction,
    refuse_trained_clips,
)
from sign_recog.stages.scoring import Scorer, compare_with_training, say_unknown
from sign_recog.storage import atomic
from sign_recog.storage.checkpoint import Checkpoint, read_trained
from sign_recog.storage.corpus import open_corpus
from sign_recog.storage.manifest import Clip, listing

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Write metrics.json, predictions.csv, predictions.npz and the confusion matrix beside the checkpoint's run.

    Of a translator see :mod:`sign_recog.stages.evaluate_translation`, of a detector of landmarks
    :mod:`sign_recog.stages.evaluate_pose`.

    Those of test lie in the run folder itself, those of other splits, and of shuffled frames, in folders named so;
    ``results/`` holds the files that S2 wrote. What the group ``evaluation`` asks for is scored in one command.

    Raises:
        CheckpointError: If there is no checkpoint, or its files were extracted, or cut, in another way.
        ConfigError: If several views are asked for and the modality has none.
        DataError: If a set has no clip, a label is unknown to the checkpoint, or a clip was trained on.
    """
    import torch

    if config.trainer.num_threads is not None:
        torch.set_num_threads(config.trainer.num_threads)
    path = checkpoint_path(config, config.run.checkpoint)
    trained = read_trained(path)
    if not isinstance(trained, Checkpoint):
        return of_task("evaluate", trained.task)(config, trained)
    recognizer = load_recognizer(trained, config.trainer)
    corpus = open_corpus(corpus_folder(config, trained))
    scorer = Scorer(config, recognizer, corpus, stored_extractor(trained.config))
    refuse_other_extraction(trained, recognizer.reader.folder(corpus, scorer.extractor))
    refuse_other_crop(trained, corpus)
    sets = _clips_of_sets(scorer)
    say_unknown(corpus.clips, config.run.group_by)
    folder = result_dir(config, path, None, place(corpus, trained))
    found: dict[str, dict[str, Any]] = {}
    shuffled: dict[str, Any] | None = None
    for split, (clips, without) in sets.items():
        own = folder if split == "test" and is_own(corpus, trained) else folder / split
        dataset = scorer.open(clips)
        predictions = scorer.predict(dataset, clips)
        metrics = build_metrics(scorer, split, clips, without, predictions)
        if split == "val" and is_own(corpus, trained) and config.evaluation.views.num_views == 1:
            metrics |= compare_with_training(scorer, predictions)
        _write(own, metrics, predictions)
        found[split] = metrics["scores"]
        if split == config.run.split:
            write_pictures(folder / "results", path.stem, split, predictions, metrics["scores"], config.evaluation)
        if split == "test" and config.evaluation.shuffled:
            shuffled = _score_shuffled(scorer, dataset, clips, without, own / "shuffled")
    write_results(folder / "results", path.stem, trained.metrics, found, shuffled)
    summary = {
        "checkpoint": f"{path} (epoch {trained.epoch})",
        **{f"{split} clips": f"{len(c)} of {len(c) + len(without)}" for split, (c, without) in sets.items()},
        **_shown_scores(config.run.split, found, shuffled),
        "results": folder,
    }
    return StageResult(objective=found[config.run.split]["top1_per_instance"], summary=summary)


def _shown_scores(
    judged: str, found: dict[str, dict[str, Any]], shuffled: dict[str, Any] | None
) -> dict[str, float | str]:
    """The scores of the split that the run is judged by, then the best-known one of each other evaluation."""
    scores = found[judged]
    names = ("top1_per_instance", "top5_per_instance", "top10_per_instance", "top1_per_class", "macro_f1", "loss")
    shown = {name: scores[name] for name in names}
    shown["95 % interval of top-1"] = "{:.3f} to {:.3f}".format(*scores["top1_per_instance_ci95"])
    shown |= {f"top-1 on {split}": own["top1_per_instance"] for split, own in found.items() if split != judged}
    if shuffled is not None:
        shown["top-1 on test, shuffled frames"] = shuffled["over_permutations"]["top1_per_instance"]["mean"]
    return shown


def _clips_of_sets(scorer: Scorer) -> dict[str, tuple[list[Clip], list[Clip]]]:
    """Split -> its clips, and those that were not extracted; all are looked at before the first is scored."""
    trained, corpus = scorer.recognizer.checkpoint, scorer.corpus
    names = scorer.config.evaluation.sets_of(scorer.config.run.split)
    if absent := [name for name in names if not corpus.of_split(name)]:
        there = [name for name in ("train", "val", "test") if corpus.of_split(name)]
        raise DataError(
            f"{corpus.folder / 'manifest.tsv'}: has no clip in {' and '.join(absent)}, which are to be scored. It has "
            f"{', '.join(there)}: choose among them with run.split and evaluation.sets, or see data.split."
        )
    sets = {name: with_inputs(corpus, name, scorer.recognizer.reader, scorer.extractor) for name in names}
    for name, (clips, _) in sets.items():
        refuse_trained_clips(trained, clips, name)
        _refuse_other_glosses(trained, clips, name)
    return sets


def _write(folder: Path, metrics: dict[str, Any], predictions: Predictions) -> None:
    write_predictions(folder / "predictions.csv", predictions)
    image = plots.confusion_matrix(confusion(predictions), predictions.glosses)
    atomic.write_bytes(folder / "confusion_matrix.png", image)
    if (categories := predictions.labelled_categories) is not None:
        image = plots.confusion_matrix(confusion_of(*categories), predictions.categories)
        atomic.write_bytes(folder / "confusion_matrix_category.png", image)
    atomic.write_json(folder / "metrics.json", metrics)


def _score_shuffled(
    scorer: Scorer, dataset: ClipDataset, clips: list[Clip], without: list[Clip], folder: Path
) -> dict[str, Any]:
    """Score test once for each order of the frames; only the first one's answers and scores are kept whole."""
    settings, longest = scorer.config.evaluation, int(max(dataset.sequences.lengths))
    permutations: list[dict[str, Any]] = []
    metrics: dict[str, Any] = {}
    for order in draw_permutations(longest, settings.num_permutations, seed=settings.seed):
        predictions, entropy = scorer.predict(dataset, clips, order), shannon_entropy(order)
        if entropy == 0:
            logger.warning("A permutation of %d frames has entropy 0: neighbours stay neighbours.", longest)
        if permutations:
            scores = score(predictions, **interval(scorer.config))
        else:
            metrics = build_metrics(scorer, "test", clips, without, predictions)
            scores = metrics["scores"]
            write_predictions(folder / "predictions.csv", predictions)
        kept = {name: value for name, value in scores.items() if name == "loss" or name.startswith("top")}
        permutations.append({"perm": order.tolist(), "shannon_entropy": entropy, "scores": kept})
    metrics["permutations"] = permutations
    metrics["over_permutations"] = spread([one["scores"] for one in permutations])
    atomic.write_json(folder / "metrics.json", metrics)
    return metrics


def _refuse_other_glosses(trained: Checkpoint, clips: list[Clip], split: str) -> None:
    """A network has an output for each gloss it was trained on, and for no other."""
    known = set(trained.glosses)
    counts = Counter(clip.gloss for clip in clips if clip.gloss not in known)
    if counts:
        head = f"{len(counts)} glosses of {split} are none of the {len(known)} that {trained.path} was trained on:"
        problems = [f"gloss {name!r}: {n} clips, none of them in train" for name, n in sorted(counts.items())]
        raise DataError(
            f"{listing(head, problems)}\nScore it on a corpus with its glosses (run.corpus=FOLDER), leave these out "
            f"(data.exclude_glosses), or train on them too: transfer=extend keeps what it knows of the others."
        )
