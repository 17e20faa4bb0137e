"""What metrics.json holds: the scores of a set of clips, and on what they were measured.

Two scores may be compared if corpus, ``clips_hash``, ``glosses_hash`` and ``views`` agree; what they were learnt from
is the same if ``train_clips_hash`` agrees.
"""

from typing import Any

from sign_recog.config import Config, identity
from sign_recog.evaluation.classification import score, score_groups
from sign_recog.evaluation.predictions import Predictions, pick_examples
from sign_recog.stages.run_folder import plain
from sign_recog.stages.scoring import Scorer
from sign_recog.storage.checkpoint import TrainedNetwork
from sign_recog.storage.corpus import PreparedCorpus
from sign_recog.storage.manifest import Clip
from sign_recog.training.reproducibility import clips_hash, provenance


def interval(config: Config) -> dict[str, int]:
    """How the 95 % intervals are drawn, as :func:`sign_recog.evaluation.classification.score` takes it."""
    return {"bootstrap_samples": config.run.bootstrap_samples, "seed": config.seed}


def build_metrics(
    scorer: Scorer, split: str, clips: list[Clip], without: list[Clip], predictions: Predictions
) -> dict[str, Any]:
    """The content of metrics.json.

    Args:
        without: Clips of the split that were not extracted.
    """
    config, corpus, trained = scorer.config, scorer.corpus, scorer.recognizer.checkpoint
    return {
        "split": split,
        "scores": score(predictions, **interval(config)),
        "groups": score_groups(predictions, **interval(config)),
        "run": {
            "name": trained.config["name"],
            "seed": trained.config["seed"],
            "settings": identity.settings_id(trained.config),
            "checkpoint": trained.path.name,
            "epoch": trained.epoch,
        },
        "data": {
            "corpus": corpus.info["name"],
            "manifest": str(corpus.folder / "manifest.tsv"),
            "clips": len(clips),
            "clips_not_extracted": [clip.clip_id for clip in without],
            "clips_hash": clips_hash(clip.clip_id for clip in clips),
            "train_clips": len(trained.train_clips),
            "train_clips_hash": clips_hash(trained.train_clips),
            "glosses_hash": clips_hash(trained.glosses),
            "views": plain(config.evaluation.views),
            "coverage": corpus.info.get("coverage"),
            "signers": len({clip.signer for clip in clips} - {""}),
            "unseen_signers": unseen_signers(trained, corpus, clips),
            "split_strategy": corpus.info["settings"]["split"]["strategy"],
        },
        "examples": _examples(predictions),
        "provenance": provenance(trained.config["seed"]),
    }


def unseen_signers(trained: TrainedNetwork, corpus: PreparedCorpus, clips: list[Clip]) -> bool | None:
    """Whether no signer of ``clips`` was trained on; None where signers are unknown, or the corpus is another."""
    signer_of = {clip.clip_id: clip.signer for clip in corpus.clips}
    seen = {signer_of.get(clip_id, "") for clip_id in trained.train_clips}
    scored = {clip.signer for clip in clips}
    return None if "" in seen | scored else not seen & scored


def _examples(predictions: Predictions) -> list[dict[str, Any]]:
    """The surest right and wrong answers, for the report's pictures."""
    probabilities, ranks, predicted = predictions.probabilities, predictions.ranks, predictions.predicted
    return [
        {
            "clip_id": predictions.clip_ids[i],
            "signer": predictions.signers[i],
            "gloss": predictions.glosses[predictions.gloss_targets[i]],
            "predicted": predictions.glosses[predicted[i]],
            "probability": float(probabilities[i, predicted[i]]),
            "rank": int(ranks[i]),
        }
        for i in pick_examples(predictions, right=4, wrong=4)
    ]
