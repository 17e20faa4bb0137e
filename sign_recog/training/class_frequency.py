"""What the frequencies of classes in the train split are used for: weights in the loss, and biases to start from.

Counts of a class are never taken below 1: a class without a train clip, of a corpus cut down, has the weight and
the bias of one with a single clip.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from sign_recog.config.loss import ClassWeights
from sign_recog.data.vocabulary import Vocabulary
from sign_recog.storage.manifest import Clip


def class_counts(vocabulary: Vocabulary, clips: Sequence[Clip], *, with_categories: bool) -> dict[str, Tensor]:
    """Clips of each ``gloss``, (G,), and of each ``category``, (K,), int64; clips without category do not count."""
    labels = vocabulary.encode(clips)
    counts = {"gloss": _count(labels.glosses, len(vocabulary.glosses))}
    if with_categories:
        counts["category"] = _count(labels.categories, len(vocabulary.categories))
    return counts


def class_weights(counts: Tensor, kind: ClassWeights) -> Tensor | None:
    """The weight of each class in the loss, (num_classes,) float32; None where all weigh the same.

    ``balanced`` is n / (classes * n_c): all classes together weigh as much as each other. ``sqrt`` is its square
    root, half-way (as a logarithm) to no weights. Both are scaled so that the train clips weigh 1 on average.
    """
    if kind is ClassWeights.none:
        return None
    counts = counts.clamp(min=1).float()
    weights = counts.sum() / (len(counts) * counts)
    if kind is ClassWeights.sqrt:
        weights = weights.sqrt()
    return weights * counts.sum() / (weights * counts).sum()


def set_bias_prior(output_layers: Mapping[str, nn.Linear], counts: Mapping[str, Tensor]) -> None:
    """Let each output layer's bias start at the logarithm of its classes' frequencies.

    Before anything is learnt the softmax then gives the frequencies, not equal shares (SignON's ``use_bias_init``;
    the idea is that of Lin et al. 2017, arXiv:1708.02002, section 4.1).
    """
    for name, layer in output_layers.items():
        frequency = counts[name].clamp(min=1).float()
        with torch.no_grad():
            layer.bias.copy_((frequency / frequency.sum()).log())


def _count(labels: Sequence[int], num_classes: int) -> Tensor:
    known = torch.tensor([label for label in labels if label >= 0], dtype=torch.int64)
    return torch.bincount(known, minlength=num_classes)
