"""A page on an exported network, for those who get it without its run: what it is, knows, reached and cannot do.

After Mitchell et al. 2019, "Model Cards for Model Reporting" (arXiv:1810.03993).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sign_recog.evaluation.page import SCORE_NAMES, as_lines, percent, score_text

PROVENANCE = ("command", "git_commit", "seed", "python", "versions", "system", "gpu", "started", "ended")


@dataclass
class ModelCard:
    """What the card is made of.

    Attributes:
        config: Of the training, as plain values.
        extraction: Settings of the extraction its files came from; None where they were given.
        corpus: Content of corpus.json; None = not at hand.
        metrics: Content of the test's metrics.json; None = this checkpoint was not evaluated.
        provenance: Of the training; None = not known.
        epoch: Epochs that the checkpoint was trained.
        onnx_difference: Largest difference between the file's logits and PyTorch's.
        sample: The clip of golden.npz.
    """

    config: dict[str, Any]
    network: str
    num_parameters: int
    glosses: list[str]
    categories: list[str]
    languages: list[str]
    extraction: dict[str, Any] | None
    corpus: dict[str, Any] | None
    metrics: dict[str, Any] | None
    provenance: dict[str, Any] | None
    checkpoint: str
    epoch: int
    onnx_difference: float
    sample: str

    @property
    def modality(self) -> str:
        """The modality's name: keypoints, features, ..."""
        return self.config["modality"]["_target_"].split(".")[-2]

    @property
    def random_extractor(self) -> bool:
        """Whether the features come from a network with random weights, and mean nothing."""
        return str((self.extraction or {}).get("weights", "")).startswith("random")


def build_model_card(card: ModelCard) -> str:
    """Return the card as Markdown; names from the data cannot become markup."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # what the template shows goes through ``text``
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "text": escaped, "score": lambda value, name: score_text(name, value)}
    scores = {} if card.metrics is None else card.metrics["scores"]
    template = environment.get_template("model_card.md.j2")
    return template.render(
        card=card,
        score_names=SCORE_NAMES,
        scores={name: scores[name] for name in SCORE_NAMES if scores.get(name) is not None},
        provenance=as_lines(_provenance(card.provenance or {})),
    )


def _provenance(values: dict[str, Any]) -> dict[str, Any]:
    """What a stranger needs; of earlier processes that were stopped and resumed only their number."""
    shown = {name: values[name] for name in PROVENANCE if name in values}
    return shown | ({"resumed": f"{len(values['earlier'])} times"} if values.get("earlier") else {})


def escaped(value: Any) -> str:
    """Return ``value`` on one line, with a backslash before what Markdown or HTML would take for markup.

    >>> escaped("a|b <i>")
    'a\\\\|b \\\\<i\\\\>'
    """
    line = " ".join(str(value).split())
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#!|~&" else c for c in line)
