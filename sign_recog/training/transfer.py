"""Start from another training's weights: what fits is loaded, and what does not is said.

Weights fit by name and shape. The layer that gives a label's logits has one row a class, so it fits by the
classes' names: the same classes, in whatever order, keep their rows. Other classes mean a fresh layer, or with
``extend_head`` a layer in which the classes that both know keep their rows (class-incremental learning). A language
that both know keeps its vector.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sign_recog.console import print_table
from sign_recog.errors import CheckpointError
from sign_recog.models.heads import Heads

if TYPE_CHECKING:
    from sign_recog.storage.checkpoint import TrainedNetwork

LOADED, EXTENDED, MISSING, DROPPED = "loaded", "extended", "missing", "dropped"


@dataclass(frozen=True)
class Outcome:
    """What became of one weight: ``loaded``, ``extended`` (some rows loaded), ``missing`` in the checkpoint, so
    still as built, or ``dropped``, not taken from it; ``reason`` says why."""

    name: str
    outcome: str
    reason: str = ""


def load_weights(
    network: nn.Module,
    source: "TrainedNetwork",
    *,
    glosses: Sequence[str],
    categories: Sequence[str],
    languages: Sequence[str],
    extend_head: bool,
    fresh: Mapping[str, str] | None = None,
) -> list[Outcome]:
    """Load what fits of ``source`` into ``network`` and return what became of every weight of both.

    Args:
        glosses, categories: The network's own classes, in the order of its logits.
        languages: Its own, in the order of the embedding; empty where there is only one.
        fresh: Name of a weight that is not taken although it may fit -> why.

    Raises:
        CheckpointError: If not one weight beside the output layers fits.
    """
    own = network.state_dict()
    known: dict[str, Sequence[str]] = {
        kind: getattr(source, kind, ()) for kind in ("glosses", "categories", "languages")
    }
    rows = {
        **_rows(network, "gloss", known["glosses"], glosses, extend=extend_head),
        **_rows(network, "category", known["categories"], categories, extend=extend_head),
        **_rows(network, "language", known["languages"], languages, extend=True),
    }
    outcomes: list[Outcome] = []
    loaded: dict[str, Tensor] = {}
    for name in sorted(own.keys() | source.weights.keys()):
        if name not in source.weights:
            outcomes.append(Outcome(name, MISSING, "not in the checkpoint"))
        elif name not in own:
            outcomes.append(Outcome(name, DROPPED, "not in the network"))
        elif name in (fresh or {}):
            outcomes.append(Outcome(name, DROPPED, (fresh or {})[name]))
        elif name in rows:
            outcome, weight = _output_weight(name, own[name], source.weights[name], rows[name])
            outcomes.append(outcome)
            loaded |= {} if weight is None else {name: weight}
        elif own[name].shape != source.weights[name].shape:
            there, here = (tuple(x.shape) for x in (source.weights[name], own[name]))
            outcomes.append(Outcome(name, DROPPED, f"shape {there} in the checkpoint, {here} in the network"))
        else:
            outcomes.append(Outcome(name, LOADED))
            loaded[name] = source.weights[name]
    if not loaded.keys() - rows.keys():
        ours, theirs = getattr(network, "name", type(network).__name__), source.config["model"]
        raise CheckpointError(
            f"{source.path}: not one weight fits this {ours}; it was trained as "
            f"{theirs.get('name', theirs['_target_'])}. Use the same model and modality, or transfer.checkpoint=null."
        )
    network.load_state_dict(own | loaded)
    return outcomes


def print_outcomes(outcomes: Sequence[Outcome], path: object) -> None:
    """A table on the terminal: loaded weights counted by part, every other one by name."""
    counted: dict[str, int] = {}
    for o in outcomes:
        if o.outcome == LOADED:
            part = o.name.partition(".")[0]
            counted[part] = counted.get(part, 0) + 1
    rows = [(LOADED, part, f"{number} weights") for part, number in counted.items()]
    rows += [(o.outcome, o.name, o.reason) for o in outcomes if o.outcome != LOADED]
    print_table(f"weights from {path}", ("", "weight", ""), rows)


@dataclass(frozen=True)
class _Rows:
    """Where each of the network's classes stands in the checkpoint; None = not there."""

    places: list[int | None]
    same_classes: bool
    extend: bool
    new: list[str]
    gone: list[str]


def _rows(
    network: nn.Module, label: str, theirs: Sequence[str], ours: Sequence[str], *, extend: bool
) -> dict[str, _Rows]:
    """The weights of a label's output layer, or of the languages' embedding, by name, and what their rows are."""
    heads = getattr(network, "heads", None)
    layers = {**heads.output_layers(), "language": heads.language_embedding} if isinstance(heads, Heads) else {}
    layer = layers.get(label)
    place = {name: row for row, name in enumerate(theirs)}
    rows = _Rows(
        places=[place.get(name) for name in ours],
        same_classes=set(theirs) == set(ours),
        extend=extend,
        new=[name for name in ours if name not in place],
        gone=sorted(set(theirs) - set(ours)),
    )
    names = [name for name, module in network.named_modules() if layer is not None and module is layer]
    return {f"{name}.{parameter}": rows for name in names for parameter in ("weight", "bias")}


def _output_weight(name: str, ours: Tensor, theirs: Tensor, rows: _Rows) -> tuple[Outcome, Tensor | None]:
    """What becomes of such a weight or bias, and the tensor to load; None = stays as built."""
    if ours.shape[1:] != theirs.shape[1:]:
        return Outcome(name, DROPPED, f"reads {tuple(theirs.shape[1:])} there, {tuple(ours.shape[1:])} here"), None
    known = [(here, there) for here, there in enumerate(rows.places) if there is not None]
    if not rows.same_classes and (not rows.extend or not known):
        reason = "other classes; transfer.extend_head=true keeps those in both" if known else "no class in both"
        return Outcome(name, DROPPED, reason), None
    weight = ours.clone()
    here, there = (torch.tensor(x) for x in zip(*known, strict=True))
    weight[here] = theirs[there].to(weight.dtype)
    if rows.same_classes:
        return Outcome(name, LOADED), weight
    reason = f"{len(known)} classes keep their weights, {len(rows.new)} are new, {len(rows.gone)} are gone"
    return Outcome(name, EXTENDED, reason), weight
