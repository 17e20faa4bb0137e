"""What a stage does for checkpoints of other tasks than recognition: a module ``<stage>_<task>`` each.

Evaluating a translator is ``evaluate_translation.evaluate_translation``, so a task is added by files alone.
"""

from collections.abc import Callable
from importlib import import_module

from sign_recog.stages import StageResult


def of_task(stage: str, task: str) -> Callable[..., StageResult]:
    """The function of ``stage`` (evaluate, predict, report) for what was trained for ``task``."""
    name = f"{stage}_{task}"
    found: Callable[..., StageResult] = getattr(import_module(f"sign_recog.stages.{name}"), name)
    return found
