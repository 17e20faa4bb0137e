"""From records to an HTML page: the template, and how numbers and images stand in it."""

import base64
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sign_recog.evaluation.headline import PIXELS, WITHIN
from sign_recog.evaluation.plots import DPI, POINTS

# Score -> its name on the page, in this order.
SCORE_NAMES = {
    "top1_per_instance": "top-1 per instance",
    "top5_per_instance": "top-5 per instance",
    "top10_per_instance": "top-10 per instance",
    "top1_per_class": "top-1 per class",
    "top5_per_class": "top-5 per class",
    "top10_per_class": "top-10 per class",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "category_top1_per_instance": "category top-1",
    "loss": "cross-entropy (nats)",
}


@dataclass
class Figure:
    """An image with a heading and a sentence on what it shows; ``png`` is not part of report.json."""

    title: str
    png: bytes
    caption: str = ""

    @property
    def width(self) -> int:
        """Width on the page in CSS pixels (96 an inch), from the PNG's first chunk (IHDR) and the plots' resolution."""
        return int.from_bytes(self.png[16:20], "big") * 96 // DPI


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share as per cent, or a dash where it is undefined.

    >>> percent(0.8178)
    '81.8 %'
    """
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def score_text(name: str, value: float | None, digits: int = 1) -> str:
    """Return a score as the page shows it: F1, loss and pixels as numbers, the rest as per cent."""
    if value is None:
        return "–"
    if name in POINTS or name in PIXELS:
        return f"{value:.2f}"
    return f"{value:.3f}" if name == "loss" or name.endswith("_f1") else percent(value, digits)


def render(**values: Any) -> str:
    """Return report.html.j2 filled with ``values``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "score": lambda value, name: score_text(name, value),
        "data_uri": lambda png: "data:image/png;base64," + base64.b64encode(png).decode("ascii"),
        "relative_to": _relative,
    }
    return environment.get_template("report.html.j2").render(
        score_names=SCORE_NAMES,
        all_score_names={**SCORE_NAMES, **POINTS, "rougeL": "ROUGE-L", **PIXELS, **WITHIN},
        **values,
    )


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def as_lines(values: dict[str, Any]) -> dict[str, str]:
    """Labels and values as text: underscores become spaces, nested values one line; None is left out."""
    return {name.replace("_", " "): _line(value) for name, value in values.items() if value is not None}


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def as_plain(value: Any, folder: Path | None = None) -> Any:
    """Dataclasses, paths and tuples as JSON has them; images are left out."""
    if dataclasses.is_dataclass(value):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.name != "png"}
    if isinstance(value, dict):
        return {str(as_plain(key, folder)): as_plain(inner, folder) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(inner, folder) for inner in value]
    if isinstance(value, Path):
        return str(value) if folder is None else _relative(value, folder)
    return value
