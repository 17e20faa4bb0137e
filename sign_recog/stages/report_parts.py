"""What the pages on runs have in common: the corpus, learning curves, notes, and how a page is written."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sign_recog.errors import SignRecogError
from sign_recog.evaluation import plots
from sign_recog.evaluation.page import Figure
from sign_recog.stages import StageResult
from sign_recog.storage import atomic
from sign_recog.storage.corpus import PreparedCorpus, open_corpus


def open_corpus_of(folder: Path) -> tuple[PreparedCorpus | None, list[str]]:
    """The corpus in ``folder``; None if it is gone, and then a note on what the page lacks."""
    try:
        return open_corpus(folder), []
    except SignRecogError as error:
        return None, [f"The page shows no data counts and no example clips: {error}"]


def learning_curves(folder: Path, metrics: dict[str, Any]) -> list[Figure]:
    """The run's learning curves; empty where it has none."""
    if not (folder / "metrics.csv").exists():
        return []
    curves = plots.learning_curves(plots.read_curves(folder / "metrics.csv"), metrics["run"]["epoch"])
    return [Figure("Learning curves", curves, "The line marks the checkpoint that was scored.")]


def write_page(
    folder: Path, page: str, content: dict[str, Any], summary: dict[str, Any], name: str = "report"
) -> StageResult:
    """Write a page and its content; ``summary`` is what the command says."""
    atomic.write_text(folder / f"{name}.html", page)
    atomic.write_json(folder / f"{name}.json", content)
    return StageResult(summary={**summary, "report": folder / f"{name}.html"})


def training_notes(folder: Path) -> list[str]:
    """What a reader of the learning curves should know of the training."""
    path = folder / "config.yaml"
    if not path.exists() or not OmegaConf.select(OmegaConf.load(path), "trainer.train_on_val"):
        return []
    return ["The network was trained on train and val: what the learning curves call val are clips it has seen."]


def text_of(path: Path) -> str:
    """The content of a text file; empty where there is none."""
    return path.read_text(encoding="utf-8") if path.exists() else ""
