"""Several stages one after another, each with its own settings; each skips what it finds done."""

import dataclasses
import logging
from importlib import import_module
from typing import Any

from sign_recog.config import Config
from sign_recog.console import print_summary
from sign_recog.stages import StageResult
from sign_recog.stages.build import build
from sign_recog.stages.run_folder import run_dir

logger = logging.getLogger(__name__)


def run(config: Config) -> StageResult:
    """Run ``run.steps``; the objective is that of the last step that has one."""
    _try_network(config)
    objective: float | None = None
    summary: dict[str, Any] = {}
    for number, name in enumerate(config.run.stages, start=1):
        logger.info("step %d of %d: %s", number, len(config.run.stages), name)
        settings = getattr(config.run, name)
        stage = import_module(settings._target_.rpartition(".")[0])
        result = stage.run(dataclasses.replace(config, run=settings))
        print_summary(name, result.summary)
        objective = result.objective if result.objective is not None else objective
        summary |= result.summary
    return StageResult(objective=objective, summary={k: v for k, v in summary.items() if k in _HEADLINES and v != 0})


def _try_network(config: Config) -> None:
    """Build a network over frames once: weights that do not fit should not be known only after hours of encoding.

    A training that has begun has passed this, and one that is over needs its weights no more.
    """
    begun = any((run_dir(config) / "checkpoints").glob("*.ckpt"))
    if "classify" in config.run.stages and config.modality.extraction is None and not begun:
        build(config.model, input_dim=3, num_glosses=2, num_categories=0, num_languages=1)


_HEADLINES = (
    "test clips", "top1_per_instance", "95 % interval of top-1", "top-1 on val", "top-1 on test, shuffled frames",
    "results", "report", "bleu4", "chrf", "95 % interval of BLEU-4", "more than a guess", "test frames",
    "pixel error on test, mean / median", "95 % interval of the mean", "pixel error of the mean pose",
)  # fmt: skip
